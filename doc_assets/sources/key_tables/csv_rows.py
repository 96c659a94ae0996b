"""Rows of a key table in text (.csv, .tsv): encoding, separator, quotes.

A quote that is never closed would make every later row part of one cell. Rows that lie in another row's cell are
unusable, each of them, and reading goes on behind them.
"""

import codecs
import csv
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Final, TextIO

from doc_assets.sources.key_tables.layout import TableLayout, TableRow, column_name, visible

HEADER_WITHIN: Final = 20
"""Rows that are not empty among which the header is looked for."""

SEPARATORS: Final = {".csv": ",;\t|", ".tsv": "\t,;|"}
"""By suffix, the usual one first."""
SEPARATOR_NAMES: Final = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_STATED_SEPARATOR = re.compile("sep=(.)", re.IGNORECASE)
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_KNOWN_STARTS = (
    (b"PK\x03\x04", "a zipped file such as an Excel workbook; name it .xlsx"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook or an encrypted one; save it as Excel Workbook (.xlsx)"),
    (b"%PDF", "a PDF"),
    (b"II*\x00", "a TIFF"),
    (b"MM\x00*", "a TIFF"),
    (b"\x89PNG", "a PNG"),
    (b"\xff\xd8\xff", "a JPEG"),
    (b"\x1f\x8b", "a compressed file"),
)
ANY_WIDTH: Final = 1 << 30
"""Of a table whose header is not known yet."""
_BLOCK_CHARACTERS: Final = 1 << 20
_SAMPLE_BYTES: Final = 1 << 16
_MAX_LINE: Final = 1 << 20
_MAX_CELL_LINES: Final = 10_000
_BROKEN = "doc_assets.broken"


def _as_surrogates(error: UnicodeError) -> tuple[str, int]:
    """Bytes that are no text, one by one, as halves of surrogate pairs: their row is found by them, others are read."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    broken = error.object[error.start : error.end]
    return "".join(chr(0xDC00 + byte) for byte in broken), error.end


codecs.register_error(_BROKEN, _as_surrogates)


@dataclass(frozen=True, slots=True)
class TextFormat:
    """How a text table is written; ``skipped`` lines at its beginning only say so (``sep=;``)."""

    encoding: str
    separator: str
    skipped: int = 0


def open_text(path: Path, encoding: str) -> TextIO:
    """A file as text; bytes that are no text become halves of surrogate pairs."""
    return path.open(encoding=encoding, errors=_BROKEN, newline="")


def text_format(path: Path, layout: TableLayout) -> TextFormat:
    """Encoding and separator under which a file has the key column, the likeliest first.

    Raises:
        ValueError: if it is no text.
    """
    separators, wanted = SEPARATORS[path.suffix.lower()], column_name(layout.key_column)
    encodings = possible_encodings(path)
    for encoding in encodings:
        with open_text(path, encoding) as text:
            lines = list(islice(iter(lambda: text.readline(_SAMPLE_BYTES), ""), HEADER_WITHIN * 5))
        stated = _STATED_SEPARATOR.fullmatch(lines[0].strip()) if lines else None
        said = stated[1] if stated else ""
        for separator in said or separators:
            rows = islice(split_rows(iter(lines[len(said) :]), separator, lambda: ANY_WIDTH), HEADER_WITHIN)
            if any(column_name(cell) == wanted for row in rows for cell in row.cells.values()):
                return TextFormat(encoding, separator, len(said))
    return TextFormat(encodings[0], separators[0])


def possible_encodings(path: Path) -> list[str]:
    """Encodings a file may be written in: what its mark says, else those all its bytes fit, then others.

    Raises:
        ValueError: if it is no text.
    """
    with path.open("rb") as source:
        sample = source.read(_SAMPLE_BYTES)
    for mark, encoding in _MARKS:
        if sample.startswith(mark):
            return [encoding]
    for start, what in _KNOWN_STARTS:
        if sample.startswith(start):
            raise ValueError(f"it is no text but {what}")
    fitting = _fitting(path)
    wide = ["utf-16-le", "utf-16-be"] if b"\0" in sample else []
    return [*fitting, *wide, *(other for other in ("utf-8", "cp949") if other not in fitting)]


def _fitting(path: Path) -> list[str]:
    """Which of UTF-8 and CP949 all bytes fit; in blocks, because tables have millions of rows."""
    fitting = []
    for encoding in ("utf-8", "cp949"):
        with suppress(UnicodeDecodeError), path.open(encoding=encoding, newline="") as text:
            while text.read(_BLOCK_CHARACTERS):
                pass
            fitting.append(encoding)
    return fitting


def text_rows(path: Path, how: TextFormat, width: Callable[[], int]) -> Iterator[TableRow]:
    """The rows that are not blank; ``width``, the columns of a row, is asked when a cell holds line breaks."""
    with open_text(path, how.encoding) as text:
        lines = (line for line, _ in whole_lines(text, _MAX_LINE))
        yield from split_rows(islice(lines, how.skipped, None), how.separator, width, how.skipped)


def whole_lines(text: TextIO, longest: int) -> Iterator[tuple[str, bool]]:
    """Lines, and whether one is too long: of it only the beginning comes, so that memory does not grow with it."""
    while line := text.readline(longest):
        is_cut = len(line) == longest and not line.endswith(("\n", "\r"))
        while is_cut and (more := text.readline(longest)) and not more.endswith(("\n", "\r")):
            pass
        yield line, is_cut


def split_rows(lines: Iterator[str], separator: str, width: Callable[[], int], skipped: int = 0) -> Iterator[TableRow]:
    """Rows of these lines; blank ones are left out."""
    number = skipped
    for line in lines:
        number += 1
        first = number
        if len(line) >= _MAX_LINE:
            yield TableRow(first, fault=f"it has more than {_MAX_LINE} characters")
            continue
        if '"' not in line:
            plain = line.rstrip("\r\n")
            if plain.strip():
                yield TableRow(first, dict(enumerate(plain.split(separator))))
            continue
        taken: list[str] = []
        try:
            cells = next(csv.reader(_fed(line, lines, taken), delimiter=separator, strict=True))
        except (csv.Error, StopIteration) as error:
            fault = _quote_fault(error, line, len(taken) > 1)
        else:
            fault = _swallowed(cells, separator, width()) if len(taken) > 1 else ""
        number += len(taken) - 1
        if not fault:
            yield TableRow(first, dict(enumerate(cells)))
            continue
        for place, inner in enumerate(taken):
            if inner.strip():
                where = "" if place == 0 else f"it lies in a cell that a quote opens in line {first}; "
                yield TableRow(first + place, fault=where + fault)


def _fed(line: str, lines: Iterator[str], taken: list[str]) -> Iterator[str]:
    """A line and, while a quote is open, those behind it."""
    for one in chain([line], islice(lines, _MAX_CELL_LINES)):
        taken.append(one)
        yield one


def _quote_fault(error: Exception, line: str, is_long: bool) -> str:
    if "field larger" in str(error):
        return f"one of its cells has more than {csv.field_size_limit()} characters; is a quote not closed?"
    if is_long:
        return "a quote that is opened is not closed before other rows; close or double it"
    return f"its quotes cannot be read ({error}): {visible(line.strip())}"


def _swallowed(cells: list[str], separator: str, width: int) -> str:
    """Why a cell with line breaks seems to hold other rows; empty if none does."""
    whole_rows = "a cell holds whole rows: a quote that is opened is closed in a later row; close or double it"
    if len(cells) < width < ANY_WIDTH or any(cells[width:]):
        return whole_rows
    for place, cell in enumerate(cells):
        if "\n" not in cell and "\r" not in cell:
            continue
        head, *inner, tail = (piece.count(separator) for piece in cell.splitlines() or [""])
        rest = width - 1
        joins = bool(cell) and tail == place and head == rest - place
        if width == 1 or rest in inner or joins:
            return whole_rows
    return ""
