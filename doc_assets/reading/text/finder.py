"""Finds the pages that carry a wanted text, and remembers what was read."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from doc_assets.datatypes import Page, PageText
from doc_assets.errors import SettingsError, UnreadableTextError
from doc_assets.reading.text.matching import TextMode, WantedText, snippet
from doc_assets.reading.text.process import EngineProcesses
from doc_assets.reading.text.reading import PageTextReader, Zone


class TextMemory(Protocol):
    """Keeps what was read, so that it is read once for every content (its digest) and engine."""

    def known(self, sha256: str, engine_id: str) -> list[PageText]:
        """What was read before."""

    def remember(self, sha256: str, engine_id: str, texts: Sequence[PageText]) -> None:
        """Files what was read; the same page and zone again replaces it."""


@dataclass(frozen=True, slots=True)
class PageFinding:
    """What became of one page.

    Attributes:
        page_index: from 0.
        found: whether it carries the wanted text.
        snippet: the lines that carry it, else the beginning of what was read.
        confidence: of the zone's text, in [0, 1].
        zone: where it was found, else the last one looked at.
        quarter_turns: counter-clockwise, that make the page upright as far as its text tells.
        elapsed_ms: wall milliseconds, reading included.
        error: why it could not be read; None if it could.
    """

    page_index: int
    found: bool
    snippet: str
    confidence: float
    zone: str
    quarter_turns: int
    elapsed_ms: float
    error: str | None = None


@dataclass(frozen=True, slots=True)
class PageFinder:
    """Finds pages by the ``wanted`` text, in ``zones`` tried in turn; may be called from several threads."""

    reader: PageTextReader
    wanted: WantedText
    zones: tuple[Zone, ...]

    @property
    def version(self) -> str:
        """Changes whenever other pages may be found."""
        return f"{self.reader.engine_id}|{self.wanted}|{','.join(map(str, self.zones))}"

    def of_document(self, sha256: str, memory: TextMemory | None) -> "DocumentPages":
        """The pages of one document; ``memory`` is what was read before, None to read all anew."""
        return DocumentPages(self, sha256, memory)


class DocumentPages:
    """Looks at the pages of one document; the text of ``unread`` pages could not be read."""

    def __init__(self, finder: PageFinder, sha256: str, memory: TextMemory | None) -> None:
        self._finder, self._sha256, self._memory = finder, sha256, memory
        known = memory.known(sha256, finder.reader.engine_id) if memory is not None else []
        self._known = {(text.page_index, text.zone): text for text in known}
        self._new: list[PageText] = []
        self.unread = 0

    def look(self, page: Page) -> PageFinding:
        """Whether a page carries the wanted text; a page that cannot be read is a finding with an error."""
        began = time.perf_counter()
        texts: list[PageText] = []
        found: str | None = None
        error: str | None = None
        for zone in self._finder.zones:
            try:
                texts.append(self._text(page, zone, texts[-1].quarter_turns if texts else 0))
            except UnreadableTextError as unreadable:
                error = str(unreadable)
                self.unread += 1
                break
            found = self._finder.wanted.find(texts[-1].text)
            if found is not None:
                break
        last = texts[-1] if texts else PageText(page.page_index, str(self._finder.zones[0]), "", 0.0, 0)
        shown = found if found is not None else snippet("\n".join(text.text for text in texts))
        took = (time.perf_counter() - began) * 1000
        return PageFinding(
            page.page_index, found is not None, shown, last.confidence, last.zone, last.quarter_turns, took, error
        )

    def may_show_photos(self, page: Page) -> bool:
        """Whether photos are looked for on a page: it carries the text, or nobody knows because reading it failed."""
        finding = self.look(page)
        return finding.found or finding.error is not None

    def keep(self) -> None:
        """Files what was read now."""
        if self._memory is not None and self._new:
            self._memory.remember(self._sha256, self._finder.reader.engine_id, self._new)
            self._new = []

    def _text(self, page: Page, zone: Zone, first_turn: int) -> PageText:
        known = self._known.get((page.page_index, str(zone)))
        if known is not None:
            return known
        text = self._finder.reader.read(page.page_index, page.pixels, zone, first_turn)
        self._new.append(text)
        return text


def make_finder(
    *,
    wanted: str,
    mode: str,
    max_errors: int,
    zones: Sequence[str],
    engine: str,
    engine_options: dict[str, Any],
    timeout_s: float,
) -> PageFinder:
    """The finder that settings describe.

    Raises:
        SettingsError: if one of them is out of range.
        SetupError: if the engine or its models are not installed.
    """
    parsed = tuple(Zone.parse(zone) for zone in zones)
    if not parsed:
        raise SettingsError("Name at least one zone, e.g. top=0.15.")
    if mode not in set(TextMode):
        raise SettingsError(f"The mode must be {' or '.join(TextMode)}, got {mode!r}.")
    text = WantedText(wanted, TextMode(mode), max_errors)
    return PageFinder(PageTextReader(EngineProcesses(engine, engine_options, timeout_s)), text, parsed)
