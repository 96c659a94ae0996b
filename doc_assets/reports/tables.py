"""Tables as CSV, XLSX, JSON or Parquet, for people's spreadsheets and for programs; few rows in memory at a time."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from doc_assets.errors import SettingsError
from doc_assets.util.files import atomic_writer
from doc_assets.util.visible import visible_json, visible_value

Row = Mapping[str, Any]
"""Cells by column: text, numbers, truth values, times, objects for JSON, or nothing."""
Cell = str | int | float | bool | None

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_MAX_XLSX_ROWS = 1_048_575
_MAX_XLSX_CELL = 32_767
_WIDE_COLUMNS = ("query_document", "why")
_ROWS_AT_ONCE = 500
_PARQUET_TYPES = {
    "search_time_stamp": pa.timestamp("us", tz="UTC"),
    "threshold_match_count": pa.int64(),
    "risk_score": pa.float64(),
    "flagged": pa.bool_(),
    "probability": pa.float64(),
    "doubt": pa.float64(),
}
"""Of columns of an export; the others are text."""


def write_table(rows: Iterable[Row], columns: Sequence[str], kind: str, path: Path) -> int:
    """Writes rows to ``path``, complete or not at all; returns how many.

    Args:
        rows: what a column lacks is an empty cell.
        columns: to write, in this order.
        kind: csv, xlsx, json or parquet.
        path: the file; one that is there is replaced.

    Raises:
        SettingsError: if the kind is unknown, or a workbook cannot hold so many rows or so long a text.
    """
    if kind not in WRITERS:
        raise SettingsError(f"There is no format {kind!r}; there are {', '.join(WRITERS)}.")
    with atomic_writer(UPath(path)) as target:
        return write_rows(rows, columns, kind, target)


def write_rows(rows: Iterable[Row], columns: Sequence[str], kind: str, target: IO[bytes]) -> int:
    """The same into an open file; ``kind`` is one of ``WRITERS``."""
    return WRITERS[kind](({name: row.get(name) for name in columns} for row in rows), columns, target)


def _csv(rows: Iterable[Row], columns: Sequence[str], target: IO[bytes]) -> int:
    """UTF-8 with a byte order mark, without which Excel garbles Hangul; objects are JSON, no cell starts a formula."""
    target.write(b"\xef\xbb\xbf")
    text = io.TextIOWrapper(target, encoding="utf-8", errors="backslashreplace", newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(map(harmless, columns))
    n = 0
    for row in rows:
        writer.writerow(harmless(_flat(value)) for value in row.values())
        n += 1
    text.detach()
    return n


def harmless(value: Cell) -> Cell:
    """Text without hidden characters; what a spreadsheet would run as a formula gets an apostrophe in front."""
    shown: Cell = visible_value(value)
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{shown}"
    return "" if shown is None else shown


def _xlsx(rows: Iterable[Row], columns: Sequence[str], target: IO[bytes]) -> int:
    """A workbook whose cells are text, numbers and truth values, never formulas or links."""
    import xlsxwriter

    content = io.BytesIO()
    options = {"strings_to_formulas": False, "strings_to_urls": False, "constant_memory": True}
    n = 0
    with xlsxwriter.Workbook(content, options) as book:
        sheet = book.add_worksheet("results")
        for column, name in enumerate(columns):
            sheet.write_string(0, column, name, book.add_format({"bold": True}))
            if name in _WIDE_COLUMNS:
                sheet.set_column(column, column, 40)
        for n, row in enumerate(rows, start=1):
            if n > _MAX_XLSX_ROWS:
                raise SettingsError(f"A workbook holds {_MAX_XLSX_ROWS} rows; take csv or parquet for more.")
            for column, value in enumerate(row.values()):
                _write_cell(sheet, n, column, _flat(value))
        sheet.freeze_panes(1, 1)
        sheet.autofilter(0, 0, n, len(columns) - 1)
    target.write(content.getvalue())
    return n


def fitting_workbook(rows: Iterable[Row]) -> Iterator[Row]:
    """As many rows as a workbook holds, texts that are too long for a cell cut; for a workbook beside a CSV file."""
    for row in islice(rows, _MAX_XLSX_ROWS):
        shown = {name: visible_value(value) for name, value in row.items()}
        yield {name: each[:_MAX_XLSX_CELL] if isinstance(each, str) else each for name, each in shown.items()}


def _write_cell(sheet: Any, line: int, column: int, value: Cell) -> None:  # noqa: ANN401 - xlsxwriter is untyped
    """Writes one value as what it is; nothing for None."""
    if isinstance(value, bool):
        sheet.write_boolean(line, column, value)
    elif isinstance(value, str):
        shown: str = visible_value(value)
        if len(shown) > _MAX_XLSX_CELL:
            raise SettingsError(f"A workbook's cell holds {_MAX_XLSX_CELL} characters, one has {len(shown)}; take csv.")
        sheet.write_string(line, column, shown)
    elif value is not None:
        sheet.write_number(line, column, value)


def _json(rows: Iterable[Row], _columns: Sequence[str], target: IO[bytes]) -> int:
    n = 0
    target.write(b"[")
    for n, row in enumerate(rows, start=1):
        line = json.dumps(row, ensure_ascii=False, default=datetime.isoformat)
        target.write((",\n" if n > 1 else "\n").encode() + visible_json(line).encode())
    target.write(b"\n]\n")
    return n


def _parquet(rows: Iterable[Row], columns: Sequence[str], target: IO[bytes]) -> int:
    schema = pa.schema([(name, _PARQUET_TYPES.get(name, pa.string())) for name in columns])
    remaining, n = iter(rows), 0
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        while batch := [
            {name: _packed(value) for name, value in row.items()} for row in islice(remaining, _ROWS_AT_ONCE)
        ]:
            writer.write_table(pa.Table.from_pylist(batch, schema=schema))
            n += len(batch)
    return n


WRITERS: dict[str, Callable[[Iterable[Row], Sequence[str], IO[bytes]], int]] = {
    "csv": _csv,
    "xlsx": _xlsx,
    "json": _json,
    "parquet": _parquet,
}


def _packed(value: Any) -> Any:  # noqa: ANN401 - any cell
    """An object as JSON; everything else as it is."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def _flat(value: Any) -> Cell:  # noqa: ANN401 - any cell
    """A cell as text or number; times in UTC, RFC 3339."""
    flat: Cell = value.isoformat() if isinstance(value, datetime) else _packed(value)
    return flat
