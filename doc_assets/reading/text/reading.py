"""Zones of a page, and their text whichever way the page lies."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from doc_assets.datatypes import PageText, RgbImage
from doc_assets.errors import SettingsError
from doc_assets.reading.text import lines
from doc_assets.reading.text.base import GreyImage, TextLine
from doc_assets.reading.text.process import EngineProcesses
from doc_assets.util.visible import printable

_VERSION = f"{lines.VERSION}-turns-1"
_UPRIGHT_CONFIDENCE = 0.8
"""Titles of the composed corpora are read with 0.93 or more, the same lines upside down with 0.60 or less."""
_UPRIGHT_LETTERS = 3
_NOISE_CONFIDENCE = 0.5
"""Lines below are texture of photos."""
_NAMES = ("top", "bottom", "centre")


@dataclass(frozen=True, slots=True)
class Zone:
    """A strip over the whole width of a page.

    Attributes:
        name: top, bottom or centre.
        share: its part of the page's height, in (0, 1]; centre with 1 is the whole page.
    """

    name: str
    share: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """The zone written as ``top=0.15``.

        Raises:
            SettingsError: if it is written differently.
        """
        name, _, value = text.partition("=")
        try:
            share = float(value)
        except ValueError:
            share = 0.0
        if name not in _NAMES or not 0 < share <= 1:
            raise SettingsError(
                f"A zone is top, bottom or centre and its share of the page's height, e.g. top=0.15; got {text!r}."
            )
        return cls(name, share)

    def __str__(self) -> str:
        return f"{self.name}={self.share:g}"

    def cut(self, page: GreyImage) -> GreyImage:
        """The zone's pixels of an upright page, as a view."""
        height = page.shape[0]
        size = max(1, round(self.share * height))
        first = {"top": 0, "bottom": height - size, "centre": (height - size) // 2}[self.name]
        return page[first : first + size]


class PageTextReader:
    """Reads zones of pages with an engine; may be called from several threads.

    Attributes:
        engine_id: of the engine and of how lines are found; the same page and id give the same text.
    """

    def __init__(self, engine: EngineProcesses) -> None:
        self._engine = engine
        self.engine_id = f"{engine.engine_id}-{_VERSION}"

    def read(self, page_index: int, page: RgbImage, zone: Zone, first_turn: int = 0) -> PageText:
        """What one zone of a page says.

        The page is read turned by ``first_turn``; only if no line can be read with confidence then, the other turns
        follow, the one with most text first. A turn without anything that looks like a line costs no reading.

        Raises:
            UnreadableTextError: if the engine took too long or broke on it.
        """
        import cv2

        grey = np.asarray(cv2.cvtColor(page, cv2.COLOR_RGB2GRAY), np.uint8)
        best, best_weight = _text(page_index, zone, [], first_turn), 0.0
        for turn, cuts in _turns(grey, zone, first_turn):
            kept = [line for line in self._engine.read(cuts) if line.confidence >= _NOISE_CONFIDENCE and line.text]
            weight = sum(line.confidence * len(line.text) for line in kept)
            if weight > best_weight:
                best, best_weight = _text(page_index, zone, kept, turn), weight
            sure = [line.text for line in kept if line.confidence >= _UPRIGHT_CONFIDENCE]
            if any(sum(map(str.isalnum, text)) >= _UPRIGHT_LETTERS for text in sure):
                return _text(page_index, zone, kept, turn)
        return best


def _turns(grey: GreyImage, zone: Zone, first_turn: int) -> Iterator[tuple[int, list[GreyImage]]]:
    """Quarter turns of the page with the zone's lines cut out; the later ones are looked at when asked for."""
    first, _ = _lines(grey, zone, first_turn)
    yield first_turn, first
    others = [(turn, *_lines(grey, zone, turn)) for turn in range(4) if turn != first_turn]
    for turn, cuts, _ in sorted(others, key=lambda other: -other[2]):
        yield turn, cuts


def _lines(grey: GreyImage, zone: Zone, turn: int) -> tuple[list[GreyImage], float]:
    """The zone's lines in one turn, and their length altogether in heights of a line."""
    upright = np.rot90(grey, turn)
    strip = np.ascontiguousarray(zone.cut(upright))
    found = lines.find_lines(strip, upright.shape[0])
    return [lines.cut_line(strip, box) for box in found], sum(box.width / box.height for box in found)


def _text(page_index: int, zone: Zone, kept: Sequence[TextLine], turn: int) -> PageText:
    n_characters = sum(len(line.text) for line in kept)
    confidence = sum(line.confidence * len(line.text) for line in kept) / n_characters if n_characters else 0.0
    text = "\n".join(printable(line.text) for line in kept)
    return PageText(page_index, str(zone), text, round(confidence, 4), turn)
