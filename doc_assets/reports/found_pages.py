"""Which pages of any documents carry a text, as rows and as a CSV file; no archive is needed."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path

from doc_assets.datatypes import Page
from doc_assets.errors import SettingsError, UnreadableDocumentError
from doc_assets.reading.sandbox import DocumentReader
from doc_assets.reading.text.finder import PageFinder, PageFinding, TextMemory
from doc_assets.reports.tables import write_table
from doc_assets.sources.sources import DocumentSource, SourceFile, nothing_in, unreadable_file
from doc_assets.util.files import sha256_of
from doc_assets.util.progress import track


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


COLUMNS = tuple(each.name for each in fields(PageRow))


def find_pages(reader: DocumentReader, finder: PageFinder, memory: TextMemory, source: DocumentSource) -> list[PageRow]:
    """Looks at every page of documents; ``memory`` holds what was read of pages before.

    Raises:
        FolderUnreachableError: if a folder cannot be listed.
        SettingsError: if there is no document.
    """
    look = partial(_rows_of, reader, finder, memory)
    files = [f if isinstance(f, SourceFile) else unreadable_file(f) for f in source.files()]
    if not files:
        raise SettingsError(nothing_in(source))
    return [row for part in track(reader.threads.map(look, files), "documents", len(files)) for row in part]


def write_pages(rows: Sequence[PageRow], file: Path) -> None:
    """Writes rows as CSV."""
    write_table(map(asdict, rows), COLUMNS, "csv", file)


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
    for fault in faults:
        page_number = None if fault.page_index is None else fault.page_index + 1
        rows.append(PageRow(name, page_number, error=f"{fault.code}: {fault.message}"))
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
