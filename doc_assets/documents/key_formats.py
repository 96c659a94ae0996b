"""Rows of a key table file, one at a time: .xlsx, .csv, .tsv, .json (an array of objects) and .ndjson.

The file comes from outside: nothing in it is run, a workbook that unpacks to more than ``_MAX_UNPACKED_BYTES`` is
refused, and memory does not grow with the number of rows.
"""

import codecs
import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile, ZipFile

from doc_assets.documents.key_names import normalised
from doc_assets.errors import SettingsError

SUFFIXES = (".xlsx", ".csv", ".tsv", ".json", ".ndjson", ".jsonl")

_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_NOT_TEXT = (b"\0", b"PK\x03\x04")
_MAX_UNPACKED_BYTES: Final = 4 << 30
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Record:
    """One row.

    Attributes:
        line: where it is, counted from 1 with the header; of a JSON array its place from 1.
        cells: text by normalised column name, stripped; empty cells are left out.
        fault: why it cannot be used; None if it can.
    """

    line: int
    cells: dict[str, str]
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Records:
    """The rows of a table.

    Attributes:
        columns: normalised names; None if every row has its own (JSON).
        rows: in the order of the file.
    """

    columns: tuple[str, ...] | None
    rows: Iterator[Record]


def read_records(path: Path, sheet: str = "") -> Records:
    """The rows of a file, read while they are taken.

    Args:
        path: its suffix names the format; text is UTF-8, with or without a mark, or CP949.
        sheet: name of a workbook's sheet, or its place from 1; empty for the first.

    Raises:
        SettingsError: if the file cannot be read as a table, now or while rows are taken.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise SettingsError(f"The key table {path} is none of {', '.join(SUFFIXES)}.")
    if sheet and suffix != ".xlsx":
        raise SettingsError(f"The key table {path} has no sheets, but sheet {sheet!r} is asked for.")
    if suffix == ".json":
        return Records(None, _guarded(path, _json_rows(path)))
    if suffix in {".ndjson", ".jsonl"}:
        return Records(None, _guarded(path, _line_rows(path)))
    lines = _excel_lines(path, sheet) if suffix == ".xlsx" else _text_lines(path, _SEPARATORS[suffix])
    return _with_header(_guarded(path, lines))


def _with_header(lines: Iterator[Sequence[Any]]) -> Records:
    header = [_text(cell) for cell in next(lines, ())]
    columns = [normalised(name) for name in header]

    def rows() -> Iterator[Record]:
        for line, cells in enumerate(lines, start=2):
            texts = (cell.strip() if type(cell) is str else _text(cell) for cell in cells)
            yield Record(line, {name: text for name, text in zip(columns, texts, strict=False) if name and text})

    return Records(tuple(columns), rows())


def _guarded(path: Path, rows: Iterator[Any]) -> Iterator[Any]:
    """The same rows; what reading the file may raise becomes an error that names it."""
    try:
        yield from rows
    except (OSError, csv.Error, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
        raise SettingsError(f"The key table {path} cannot be read: {error or type(error).__name__}") from error


def _text(cell: object) -> str:
    """A cell as people see it: whole numbers without a point, dates without a time of midnight."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    if isinstance(cell, datetime) and not (cell.hour or cell.minute or cell.second):
        cell = cell.date()
    if isinstance(cell, date):
        return cell.isoformat()
    return str(cell).strip()


def _excel_lines(path: Path, sheet: str) -> Iterator[Sequence[Any]]:
    import openpyxl

    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    try:
        with ZipFile(path) as parts:
            unpacked = sum(part.file_size for part in parts.infolist())
    except BadZipFile as error:
        raise ValueError("it is no Excel workbook") from error
    if unpacked > _MAX_UNPACKED_BYTES:
        raise ValueError(f"it unpacks to {unpacked} bytes, allowed are {_MAX_UNPACKED_BYTES}")
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (KeyError, ValueError, TypeError, SyntaxError) as error:  # SyntaxError: XML that does not parse
        raise ValueError(f"it is no Excel workbook: {error}") from error
    try:
        yield from _sheet(book, sheet).iter_rows(values_only=True)
    except SyntaxError as error:
        raise ValueError(f"its XML is broken: {error}") from error
    finally:
        book.close()


def _sheet(book: Any, wanted: str) -> Any:  # noqa: ANN401 - openpyxl is untyped
    sheets = book.worksheets
    if not wanted and sheets:
        return sheets[0]
    for sheet in sheets:
        if sheet.title.strip() == wanted.strip():
            return sheet
    if wanted.isdecimal() and 1 <= int(wanted) <= len(sheets):
        return sheets[int(wanted) - 1]
    raise ValueError(f"it has no sheet {wanted!r}; it has {', '.join(sheet.title for sheet in sheets) or 'none'}")


def _text_lines(path: Path, separator: str) -> Iterator[Sequence[str]]:
    with path.open(encoding=_encoding(path), newline="") as text:
        yield from csv.reader(text, delimiter=separator)


def _encoding(path: Path) -> str:
    """UTF-8 if every byte fits, else CP949; in blocks, because tables have millions of rows."""
    utf8, cp949 = codecs.getincrementaldecoder("utf-8")(), codecs.getincrementaldecoder("cp949")()
    is_utf8 = is_cp949 = True
    with path.open("rb") as source:
        first = True
        while block := source.read(_BLOCK_BYTES):
            if first and any(mark in block[:4096] for mark in _NOT_TEXT):
                raise ValueError("it is no text")
            first = False
            is_utf8 = is_utf8 and _decodes(utf8, block)
            is_cp949 = is_cp949 and _decodes(cp949, block)
        is_utf8 = is_utf8 and _decodes(utf8, b"", final=True)
        is_cp949 = is_cp949 and _decodes(cp949, b"", final=True)
    if is_utf8:
        return "utf-8-sig"
    if is_cp949:
        return "cp949"
    raise ValueError("it is neither UTF-8 nor CP949")


def _decodes(decoder: codecs.IncrementalDecoder, block: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError:
        return False
    return True


def _json_rows(path: Path) -> Iterator[Record]:
    import ijson

    with path.open("rb") as source:
        if not source.read(_BLOCK_BYTES).removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"["):
            raise ValueError("it is no JSON array of objects")
        source.seek(len(codecs.BOM_UTF8) if _has_mark(path) else 0)
        try:
            for line, row in enumerate(ijson.items(source, "item", use_float=True), start=1):
                yield _record(line, row)
        except ijson.JSONError as error:
            raise ValueError(f"it is no JSON: {error}") from error


def _has_mark(path: Path) -> bool:
    with path.open("rb") as source:
        return source.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8


def _line_rows(path: Path) -> Iterator[Record]:
    with path.open(encoding="utf-8-sig") as text:
        for line, content in enumerate(text, start=1):
            if content.strip():
                try:
                    row = json.loads(content)
                except ValueError as error:
                    yield Record(line, {}, f"it is no JSON: {error}")
                    continue
                yield _record(line, row)


def _record(line: int, row: object) -> Record:
    if not isinstance(row, dict):
        return Record(line, {}, f"it is a {type(row).__name__}, not an object")
    cells = {normalised(str(name)): _text(value) for name, value in row.items() if not isinstance(value, (dict, list))}
    return Record(line, {name: text for name, text in cells.items() if name and text})
