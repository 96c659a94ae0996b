"""Key tables: which documents are meant, and whose they are, from an Excel, CSV or JSON file.

Rows go through a temporary SQLite file that vanishes with the program, so that a million of them need no memory and
leave no trace.
"""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from doc_assets.dates import DATE_COLUMNS, DateRule
from doc_assets.documents.key_formats import Record, read_records
from doc_assets.documents.key_names import NameRule, normalised
from doc_assets.documents.names import document_id
from doc_assets.errors import SettingsError

KEY_COLUMN = "파일명"
MERCHANT_COLUMN = "사업자등록번호"
FIELD_COLUMNS = ("가맹점상호명", "업종명", "구분", MERCHANT_COLUMN, "수신일자")

MAX_KEY_SIGNS = 255
"""Longer than any file name."""

_CACHE_KIB = 16 << 10
_SCHEMA = """
CREATE TABLE keys (line INTEGER PRIMARY KEY, key TEXT, folded TEXT UNIQUE, merchant TEXT, fields TEXT);
CREATE TABLE faults (line INTEGER, reason TEXT);
"""


@dataclass(frozen=True, slots=True)
class TableLayout:
    """Where a key table has what; column names in any case and width.

    Attributes:
        key_column: names documents.
        merchant_column: names merchants; a table may lack it.
        field_columns: travel with documents and results; those a table lacks are left out.
        sheet: of a workbook, by name or place from 1; empty for the first.
        date_columns: say when documents were received; they travel like ``field_columns``.
    """

    key_column: str = KEY_COLUMN
    merchant_column: str = MERCHANT_COLUMN
    field_columns: tuple[str, ...] = FIELD_COLUMNS
    sheet: str = ""
    date_columns: tuple[str, ...] = DATE_COLUMNS


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A usable row of a key table.

    Attributes:
        line: where it stands.
        key: as written, without a suffix.
        merchant_id: whose documents it names; None if unknown.
        fields: text by column, in the order of ``TableLayout.field_columns``.
    """

    line: int
    key: str
    merchant_id: str | None = None
    fields: dict[str, str] = field(default_factory=dict)


KeyOf = Callable[[str], KeyRow | None]
"""Document id -> the row that names it, None if no row does."""


def no_keys(_document_id: str) -> None:
    """No key table."""
    return


class KeyTable:
    """The rows of a key table, in their order and by key.

    A key counts once, by its first row; rows that cannot be used are kept as faults. Usable from several threads.

    Attributes:
        path: the file.
        n_rows: rows that are not empty.
        n_keys: different keys.
        n_repeated: rows that repeat an earlier key and say the same.
        n_faults: rows that cannot be used.
    """

    def __init__(self, path: Path, layout: TableLayout, rule: NameRule) -> None:
        self.path = path
        self.n_rows = self.n_keys = self.n_repeated = self.n_faults = 0
        self._layout, self._rule = layout, rule
        self._key_column, self._merchant_column = normalised(layout.key_column), normalised(layout.merchant_column)
        self._fields = [
            (name, normalised(name)) for name in dict.fromkeys((*layout.field_columns, *layout.date_columns))
        ]
        self._dates = DateRule(layout.date_columns)
        self._lock = threading.Lock()
        self._database = sqlite3.connect("", check_same_thread=False)  # "": a temporary file of SQLite's own
        self._database.executescript(f"PRAGMA cache_size = -{_CACHE_KIB}; {_SCHEMA}")

    @classmethod
    def read(cls, path: Path, layout: TableLayout | None = None, rule: NameRule | None = None) -> Self:
        """Reads a key table.

        Args:
            path: .xlsx, .csv, .tsv, .json (array of objects) or .ndjson.
            layout: where it has what.
            rule: how files are named by keys; for ``row_of``.

        Raises:
            SettingsError: if the file cannot be read as a table or lacks the key column.
        """
        table = cls(path, layout or TableLayout(), rule or NameRule())
        try:
            table._fill()
        except BaseException:
            table.close()
            raise
        return table

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Forgets all rows."""
        self._database.close()

    def rows(self) -> Iterator[KeyRow]:
        """Every key's first row, in the order of the file."""
        last = 0
        while True:
            batch = self._all("SELECT * FROM keys WHERE line > ? ORDER BY line LIMIT 1000", (last,))
            if not batch:
                return
            yield from map(_key_row, batch)
            last = batch[-1][0]

    def faults(self, limit: int = -1) -> list[tuple[int, str]]:
        """Rows that cannot be used: line and reason, by line; all of them without a limit."""
        return [
            (row[0], row[1]) for row in self._all("SELECT line, reason FROM faults ORDER BY line LIMIT ?", (limit,))
        ]

    def row_of(self, name: str) -> KeyRow | None:
        """The row of the document of that id, by its name or by the key it was stored under; None if unknown."""
        for key in self._rule.keys_of(name):
            found = self._all("SELECT * FROM keys WHERE folded = ?", (key,))
            if found:
                return _key_row(found[0])
        return None

    def _all(self, statement: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._database.execute(statement, values).fetchall()

    def _fill(self) -> None:
        records = read_records(self.path, self._layout.sheet)
        if records.columns is not None and self._key_column not in records.columns:
            raise SettingsError(
                f"The key table {self.path} has no column {self._layout.key_column!r}; "
                f"it has {', '.join(filter(None, records.columns)) or 'none'}."
            )
        named = set(records.columns or ())
        with self._database:
            for record in records.rows:
                named.update(record.cells if records.columns is None else ())
                if record.cells or record.fault:
                    self._take(record)
        if self.n_rows and self._key_column not in named:
            raise SettingsError(f"No row of the key table {self.path} has {self._layout.key_column!r}.")

    def _take(self, record: Record) -> None:
        self.n_rows += 1
        given = record.cells.get(self._key_column, "")
        key = document_id(given)
        merchant = record.cells.get(self._merchant_column)
        fault = record.fault or _fault(given, key) or self._keep(record, key, merchant)
        if fault is not None:
            self.n_faults += 1
            self._database.execute("INSERT INTO faults VALUES (?, ?)", (record.line, fault))

    def _keep(self, record: Record, key: str, merchant: str | None) -> str | None:
        """Files the row; returns why it cannot be, if an earlier one of the same key says something else."""
        folded = normalised(key)
        fields = {name: record.cells[column] for name, column in self._fields if column in record.cells}
        values = (record.line, key, folded, merchant, json.dumps(fields, ensure_ascii=False))
        if self._database.execute("INSERT OR IGNORE INTO keys VALUES (?, ?, ?, ?, ?)", values).rowcount:
            self.n_keys += 1
            return None
        query = "SELECT line, merchant, fields FROM keys WHERE folded = ?"
        line, known, said = self._database.execute(query, (folded,)).fetchone()
        if merchant not in {None, known}:
            return f"{key} belongs to {known} by line {line}, and to {merchant} by this one"
        if days := self._dates.different_days(json.loads(said), fields, datetime.now(UTC)):
            return f"{key} was received on {days[0]} by line {line}, and on {days[1]} by this one"
        self.n_repeated += 1
        return None


def _fault(given: str, key: str) -> str | None:
    if not key:
        return "it names no document"
    if len(key) > MAX_KEY_SIGNS:
        return f"its key has {len(key)} signs, a file name has at most {MAX_KEY_SIGNS}"
    if not given.encode("utf-8", "backslashreplace").decode().isprintable():
        return f"its key holds control characters: {key}"
    return None


def _key_row(row: Sequence[Any]) -> KeyRow:
    line, key, _, merchant, fields = row
    return KeyRow(line, key, merchant, json.loads(fields))


def keys_in(path: Path | None, layout: TableLayout | None = None, rule: NameRule | None = None) -> KeyOf:
    """Document id -> row by a key table that is read again when it has changed; knows none without a table.

    Raises:
        SettingsError: as ``KeyTable.read``.
    """
    if path is None:
        return no_keys
    try:
        stat = path.stat()
    except OSError as error:
        raise SettingsError(f"The key table {path} cannot be read: {error}") from error
    return _read_once(path, stat.st_size, stat.st_mtime_ns, layout or TableLayout(), rule or NameRule()).row_of


@lru_cache(maxsize=2)
def _read_once(path: Path, _size_bytes: int, _mtime_ns: int, layout: TableLayout, rule: NameRule) -> KeyTable:
    return KeyTable.read(path, layout, rule)
