"""Rows of results as CSV, XLSX, JSON or Parquet, a few in memory at a time."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from doc_assets.errors import SettingsError
from doc_assets.reports.result_files import MAX_XLSX_ROWS, harmless, write_cell
from doc_assets.util.files import atomic_writer
from doc_assets.util.visible import visible_json

Row = dict[str, Any]
_ROWS_AT_ONCE = 500
_MAX_CELL = 32_767
_PARQUET_TYPES = {
    "search_time_stamp": pa.timestamp("us", tz="UTC"),
    "threshold_match_count": pa.int64(),
    "risk_score": pa.float64(),
    "flagged": pa.bool_(),
    "probability": pa.float64(),
    "doubt": pa.float64(),
}


def write_rows(rows: Iterable[Row], columns: Sequence[str], kind: str, path: Path) -> int:
    """Writes rows to ``path``, complete or not at all; returns how many.

    Args:
        rows: see ``export_rows``.
        columns: to write, in this order.
        kind: csv, xlsx, json or parquet.
        path: the file; one that is there is replaced.

    Raises:
        SettingsError: if the kind is unknown, or a workbook cannot hold so many rows.
    """
    if kind not in WRITERS:
        raise SettingsError(f"There is no format {kind!r}; there are {', '.join(WRITERS)}.")
    with atomic_writer(UPath(path)) as target:
        return WRITERS[kind](({name: row[name] for name in columns} for row in rows), columns, target)


def _csv(rows: Iterable[Row], columns: Sequence[str], target: IO[bytes]) -> int:
    """UTF-8 with a byte order mark; objects are JSON, and no cell starts a formula."""
    target.write(b"\xef\xbb\xbf")
    text = io.TextIOWrapper(target, encoding="utf-8", errors="backslashreplace", newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(columns)
    n = 0
    for row in rows:
        writer.writerow([harmless(_flat(row[name])) for name in columns])
        n += 1
    text.detach()
    return n


def _json(rows: Iterable[Row], _columns: Sequence[str], target: IO[bytes]) -> int:
    n = 0
    target.write(b"[")
    for row in rows:
        line = json.dumps(row, ensure_ascii=False, default=_time)
        target.write((",\n" if n else "\n").encode() + visible_json(line).encode())
        n += 1
    target.write(b"\n]\n")
    return n


def _xlsx(rows: Iterable[Row], columns: Sequence[str], target: IO[bytes]) -> int:
    import xlsxwriter

    content = io.BytesIO()
    options = {"strings_to_formulas": False, "strings_to_urls": False, "constant_memory": True}
    n = 0
    with xlsxwriter.Workbook(content, options) as book:
        sheet = book.add_worksheet("results")
        for column, name in enumerate(columns):
            sheet.write_string(0, column, name)
        for n, row in enumerate(rows, start=1):
            if n > MAX_XLSX_ROWS:
                raise SettingsError(f"A workbook holds {MAX_XLSX_ROWS} rows; take csv or parquet for more.")
            for column, name in enumerate(columns):
                write_cell(sheet, n, column, _fitting(_flat(row[name])))
    target.write(content.getvalue())
    return n


def _parquet(rows: Iterable[Row], columns: Sequence[str], target: IO[bytes]) -> int:
    schema = pa.schema([(name, _PARQUET_TYPES.get(name, pa.string())) for name in columns])
    remaining, n = iter(rows), 0
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        while batch := list(islice(remaining, _ROWS_AT_ONCE)):
            flat = [{name: _packed(row[name]) for name in columns} for row in batch]
            writer.write_table(pa.Table.from_pylist(flat, schema=schema))
            n += len(batch)
    return n


WRITERS: dict[str, Callable[[Iterable[Row], Sequence[str], IO[bytes]], int]] = {
    "csv": _csv,
    "xlsx": _xlsx,
    "json": _json,
    "parquet": _parquet,
}


def _fitting(value: str | int | None) -> str | int | None:
    if isinstance(value, str) and len(value) > _MAX_CELL:
        raise SettingsError(f"A cell of a workbook holds {_MAX_CELL} characters, one has {len(value)}; take csv.")
    return value


def _packed(value: Any) -> Any:  # noqa: ANN401 - any cell
    """An object as JSON; everything else as it is."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def _flat(value: Any) -> str | int | None:  # noqa: ANN401 - any cell
    """A cell as text or number; times in UTC, RFC 3339."""
    if isinstance(value, datetime):
        return _time(value)
    packed: str | int | None = _packed(value)
    return packed


def _time(value: datetime) -> str:
    return value.isoformat()
