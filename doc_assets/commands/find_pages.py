"""``doc-assets find-pages``."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table
from upath import UPath

from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.commands.console import console, progress_bars
from doc_assets.datatypes import Page
from doc_assets.defs.resources import resources_from
from doc_assets.errors import SettingsError, UnreadableDocumentError
from doc_assets.reading.sandbox import DocumentReader
from doc_assets.reading.text.finder import PageFinder, PageFinding, TextMemory, make_finder
from doc_assets.reports.headline import Cell
from doc_assets.reports.result_files import as_csv
from doc_assets.settings import Settings
from doc_assets.sources.opening import SourceRequest
from doc_assets.sources.sources import SourceFile, nothing_in, unreadable_file
from doc_assets.sources.staging import sha256_of
from doc_assets.util.files import write_atomic
from doc_assets.util.progress import track

if TYPE_CHECKING:
    from doc_assets.defs.resources import ReaderResource
    from doc_assets.defs.sources import SourcesResource

COLUMNS = (
    "document",
    "page",
    "found",
    "text",
    "confidence",
    "engine",
    "zone",
    "quarter_turns",
    "elapsed_ms",
    "error",
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command asks for; None is what the settings say.

    Attributes:
        text, zones, mode, engine: as the settings ``page_text_...``.
    """

    text: str | None = None
    zones: list[str] | None = None
    mode: str | None = None
    engine: str | None = None


@dataclass(frozen=True, slots=True)
class PageRow:
    """One line of the report: a page, or a document that could not be read (``page`` None).

    Attributes:
        document: path below the folder, or name of the file.
        page: from 1.
        found: whether it carries the text; None if it could not be looked at.
        text: the lines that carry it, else the beginning of what was read.
        confidence: of what was read, in [0, 1].
        engine: what read it.
        zone: where the text was found, else the last zone looked at.
        quarter_turns: counter-clockwise, that make the page upright as far as its text tells.
        elapsed_ms: wall milliseconds.
        error: why the page or document could not be read.
    """

    document: str
    page: int | None = None
    found: bool | None = None
    text: str = ""
    confidence: float | None = None
    engine: str = ""
    zone: str = ""
    quarter_turns: int | None = None
    elapsed_ms: float | None = None
    error: str | None = None


def find_pages(settings: Settings, source: SourceRequest, *, report: Path | None, asked: Asked) -> list[PageRow]:
    """Looks at every page of documents.

    Args:
        settings: of this home; its ledger remembers what was read.
        source: which documents.
        report: a CSV file to write.
        asked: what differs from the settings.

    Raises:
        SetupError: if the engine is not installed or a setting is out of range.
        FolderUnreachableError: if a folder cannot be listed.
        SettingsError: if the request names nothing, or a key table or an API cannot be used.
    """
    finder = _finder(settings, asked)
    tools = resources_from(settings)
    decoder: ReaderResource = tools["reader"]
    sources: SourcesResource = tools["sources"]
    with (
        progress_bars(),
        Ledger.open(settings.ledger_address) as ledger,
        sources.open(source) as opened,
        decoder.open() as reader,
    ):
        look = partial(_rows_of, reader, finder, ledger.page_texts)
        files = [f if isinstance(f, SourceFile) else unreadable_file(f) for f in opened.source.files()]
        if not files:
            raise SettingsError(nothing_in(opened.source))
        rows = [row for part in track(reader.threads.map(look, files), "documents", len(files)) for row in part]
    if report is not None:
        write_atomic(UPath(report), as_csv([_cells(row) for row in rows], COLUMNS))
    return rows


def print_pages(rows: Sequence[PageRow]) -> None:
    """The pages that carry the text, what could not be read, and how many pages there are."""
    table = Table("document", "page", "text", "confidence", "zone", "turn")
    for row in rows:
        if row.found:
            turn = f"{90 * (row.quarter_turns or 0)}°"
            table.add_row(row.document, str(row.page), row.text, f"{row.confidence or 0:.2f}", row.zone, turn)
    out = console()
    out.print(table)
    for row in rows:
        if row.error:
            out.print(f"{row.document}{f', page {row.page}' if row.page else ''}: {row.error}")
    looked = [row for row in rows if row.found is not None]
    out.print(f"{sum(bool(row.found) for row in looked)} of {len(looked)} pages carry the text.")


def _finder(settings: Settings, asked: Asked) -> PageFinder:
    other_engine = asked.engine not in {None, settings.page_text_engine}
    return make_finder(
        wanted=asked.text if asked.text is not None else settings.page_text_wanted,
        mode=asked.mode or settings.page_text_mode,
        max_errors=settings.page_text_max_errors,
        zones=asked.zones or settings.page_text_zones,
        engine=asked.engine or settings.page_text_engine,
        engine_options={} if other_engine else settings.page_text_engine_options,
        timeout_s=settings.page_text_timeout_s,
    )


def _rows_of(reader: DocumentReader, finder: PageFinder, memory: TextMemory, file: SourceFile) -> list[PageRow]:
    """The pages of a document, and of those that an API's answer names beside it."""
    try:
        fetched = file.fetch(reader.limits.max_file_bytes)
    except UnreadableDocumentError as error:
        return [PageRow(file.label, error=f"{error.code}: {error}")]
    rows = _document_rows(reader, finder, memory, file.label, fetched.content)
    return rows + [row for other in fetched.more for row in _rows_of(reader, finder, memory, other)]


def _document_rows(
    reader: DocumentReader, finder: PageFinder, memory: TextMemory, name: str, content: bytes
) -> list[PageRow]:
    pages = finder.of_document(sha256_of(content), memory)
    findings: list[PageFinding] = []

    def on_page(page: Page) -> None:
        findings.append(pages.look(page))

    faults = reader.read(content, on_page).faults
    pages.keep()
    rows = [_row(name, finder.reader.engine_id, finding) for finding in findings]
    rows += [
        PageRow(
            name, None if fault.page_index is None else fault.page_index + 1, error=f"{fault.code}: {fault.message}"
        )
        for fault in faults
    ]
    return sorted(rows, key=lambda row: row.page or 0)


def _row(document: str, engine: str, finding: PageFinding) -> PageRow:
    return PageRow(
        document=document,
        page=finding.page_index + 1,
        found=None if finding.error else finding.found,
        text=finding.snippet,
        confidence=finding.confidence,
        engine=engine,
        zone=finding.zone,
        quarter_turns=finding.quarter_turns,
        elapsed_ms=round(finding.elapsed_ms, 1),
        error=finding.error,
    )


def _cells(row: PageRow) -> dict[str, Cell]:
    return asdict(row)
