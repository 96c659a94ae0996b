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

from doc_assets.errors import DocAssetsError, SettingsError
from doc_assets.sources.dates import DateRule
from doc_assets.sources.key_names import NameRule, normalised
from doc_assets.sources.key_tables.layout import FIELD_COLUMNS, KEY_COLUMN, MERCHANT_COLUMN, TableLayout, visible
from doc_assets.sources.key_tables.records import Record, read_records
from doc_assets.sources.merchants import INVISIBLE, read_merchant
from doc_assets.sources.names import display_name, document_id

__all__ = [
    "FIELD_COLUMNS",
    "KEY_COLUMN",
    "MERCHANT_COLUMN",
    "KeyOf",
    "KeyRow",
    "KeyTable",
    "TableLayout",
    "keys_in",
    "table_in",
]

MAX_KEY_LENGTH = 255
"""Longer than any file name."""

_CACHE_KIB = 16 << 10
_FAULT, _SUSPICIOUS, _ODD = range(3)
_LISTED = 10
_SCHEMA = """
CREATE TABLE keys (line INTEGER PRIMARY KEY, key TEXT, folded TEXT UNIQUE, merchant TEXT, fields TEXT);
CREATE TABLE remarks (line INTEGER, kind INTEGER, text TEXT);
"""


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A usable row of a key table.

    Attributes:
        line: where it stands.
        key: as written, without a suffix.
        merchant_id: whose documents it names, normalised (see ``merchants``); None if unknown.
        fields: text by column, in the order of ``TableLayout.field_columns``.
    """

    line: int
    key: str
    merchant_id: str | None = None
    fields: dict[str, str] = field(default_factory=dict)


RESOLVE_KEYS_NAMES_THEM = "`doc-assets resolve-keys` with this table names them."
"""Ends messages that are stored where no key may stand."""

KeyOf = Callable[[str], KeyRow | None]
"""Document id -> the row that names it, None if no row does."""


def no_keys(_document_id: str) -> None:
    """No key table."""
    return


class KeyTable:
    """The rows of a key table, in their order and by key.

    A key counts once, by its first row; rows that cannot be used are kept as faults. Every row that is not empty is a
    key, a repeated one or a fault. Usable from several threads.

    Attributes:
        path: the file.
        n_rows: rows that are not empty.
        n_keys: different keys.
        n_repeated: rows that repeat an earlier key and say the same.
        n_faults: rows that cannot be used.
        n_unknown: keys whose merchant is unknown although the table may name others.
        n_suspicious: keys whose merchant number is suspicious.
        n_remarks: other remarks about rows that can be used.
        notes: what is odd about the file as a whole.
    """

    def __init__(self, path: Path, layout: TableLayout, rule: NameRule) -> None:
        self.path = path
        self.n_rows = self.n_keys = self.n_repeated = self.n_faults = 0
        self.n_unknown = self.n_suspicious = self.n_remarks = 0
        self.notes: list[str] = []
        self._layout, self._rule = layout, rule
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
        return self._remarks(_FAULT, limit)

    def suspicious(self, limit: int = -1) -> list[tuple[int, str]]:
        """Keys whose merchant number is suspicious: line and why; they are used as they are."""
        return self._remarks(_SUSPICIOUS, limit)

    def remarks(self, limit: int = -1) -> list[tuple[int, str]]:
        """What else is odd about rows that can be used: line and text."""
        return self._remarks(_ODD, limit)

    def _remarks(self, kind: int, limit: int) -> list[tuple[int, str]]:
        found = self._all("SELECT line, text FROM remarks WHERE kind = ? ORDER BY line LIMIT ?", (kind, limit))
        return [(row[0], row[1]) for row in found]

    @property
    def report(self) -> list[str]:
        """What people must know of the file beside its faults, a line each: counts, notes, the first remarks."""
        lines = [f"{display_name(str(self.path))}: {self.summary}.", *(f"Note: {note}." for note in self.notes)]
        for what, listed, total in (
            ("suspicious", self.suspicious(_LISTED), self.n_suspicious),
            ("remark", self.remarks(_LISTED), self.n_remarks),
        ):
            lines += [f"{what}, line {line}: {text}" for line, text in listed]
            lines += [f"... and {total - len(listed)} more of these"] if total > len(listed) else []
        return lines

    @property
    def summary(self) -> str:
        """The counts in one line; the first three add up to the rows."""
        counts = f"{self.n_rows} rows = {self.n_keys} keys + {self.n_repeated} repeated + {self.n_faults} unusable"
        more = {
            "keys without a merchant": self.n_unknown,
            "suspicious merchant numbers": self.n_suspicious,
            "other remarks": self.n_remarks,
        }
        return "; ".join([counts, *(f"{number} {what}" for what, number in more.items() if number)])

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
        records = read_records(self.path, self._layout)
        with self._database:
            for record in records.rows:
                self._take(record)
        self.notes = records.notes
        if self.n_rows != self.n_keys + self.n_repeated + self.n_faults:
            raise DocAssetsError(f"The rows of {self.path} do not add up: {self.summary}. Report this.")

    def _take(self, record: Record) -> None:
        self.n_rows += 1
        key = document_id(record.key)
        merchant = read_merchant(record.merchant)
        fault = record.fault or _fault(record.key, key)
        if not fault and merchant.fault:
            fault = f"its {visible(self._layout.merchant_column)}: {merchant.fault}"
        fault = fault or self._keep(record, key, merchant.identity, merchant.doubt)
        if fault:
            self.n_faults += 1
            self._remark(record.line, _FAULT, [fault])

    def _keep(self, record: Record, key: str, merchant: str | None, doubt: str) -> str:
        """Files the row; returns why it cannot be, if an earlier one of the same key says something else."""
        folded = normalised(key)
        said = json.dumps(record.fields, ensure_ascii=False)
        values = (record.line, key, folded, merchant, said)
        if self._database.execute("INSERT OR IGNORE INTO keys VALUES (?, ?, ?, ?, ?)", values).rowcount:
            self.n_keys += 1
            self.n_unknown += merchant is None
            self.n_suspicious += bool(doubt)
            self._remark(record.line, _SUSPICIOUS, [doubt] if doubt else [])
            self.n_remarks += len(record.remarks)
            self._remark(record.line, _ODD, record.remarks)
            return ""
        query = "SELECT line, merchant, fields FROM keys WHERE folded = ?"
        line, known, fields = self._database.execute(query, (folded,)).fetchone()
        if merchant in {None, known}:
            if days := self._dates.different_days(json.loads(fields), record.fields, datetime.now(UTC)):
                return f"{key} was received on {days[0]} by line {line}, and on {days[1]} by this one"
            self.n_repeated += 1
            differing = _differing(json.loads(fields), record.fields, self._layout.merchant_column)
            if differing:
                self.n_remarks += 1
                self._remark(record.line, _ODD, [f"{key} is said otherwise in line {line}, which counts: {differing}"])
            return ""
        return f"{key} belongs to {known or 'nobody'} by line {line}, and to {merchant} by this one"

    def _remark(self, line: int, kind: int, texts: Sequence[str]) -> None:
        if texts:
            self._database.executemany("INSERT INTO remarks VALUES (?, ?, ?)", [(line, kind, text) for text in texts])


def _differing(first: dict[str, str], later: dict[str, str], merchant_column: str) -> str:
    """Columns in which two rows of one key differ."""
    both = first.keys() & later.keys() - {merchant_column}
    return ", ".join(sorted(visible(name) for name in both if first[name] != later[name]))


def _fault(given: str, key: str) -> str:
    if not key:
        return "it names no document"
    if len(key) > MAX_KEY_LENGTH:
        return f"its key has {len(key)} characters, a file name has at most {MAX_KEY_LENGTH}"
    if not given.isprintable() or (not given.isascii() and any(char != " " and char in INVISIBLE for char in given)):
        return f"its key holds control or invisible characters: {visible(given)}"
    return ""


def _key_row(row: Sequence[Any]) -> KeyRow:
    line, key, _, merchant, fields = row
    return KeyRow(line, key, merchant, json.loads(fields))


def keys_in(path: Path | None, layout: TableLayout | None = None, rule: NameRule | None = None) -> KeyOf:
    """Document id -> row by a key table that is read again when it has changed; knows none without a table.

    Raises:
        SettingsError: as ``KeyTable.read``.
    """
    table = table_in(path, layout, rule)
    return table.row_of if table else no_keys


def table_in(path: Path | None, layout: TableLayout | None = None, rule: NameRule | None = None) -> KeyTable | None:
    """A key table, read again when it has changed; None without one.

    Raises:
        SettingsError: as ``KeyTable.read``.
    """
    if path is None:
        return None
    try:
        stat = path.stat()
    except OSError as error:
        raise SettingsError(f"The key table {path} cannot be read: {error}") from error
    return _read_once(path, stat.st_size, stat.st_mtime_ns, layout or TableLayout(), rule or NameRule())


@lru_cache(maxsize=2)
def _read_once(path: Path, _size_bytes: int, _mtime_ns: int, layout: TableLayout, rule: NameRule) -> KeyTable:
    return KeyTable.read(path, layout, rule)
