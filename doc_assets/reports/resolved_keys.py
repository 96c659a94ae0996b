"""What the keys of a table name, as a report and as a file of every key; no document is read."""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Self

from upath import UPath

from doc_assets.archive.identity import date_faults
from doc_assets.sources.dates import DateRule
from doc_assets.sources.key_lookup import KeyState, Resolution
from doc_assets.sources.key_tables.table import KeyTable
from doc_assets.sources.names import display_name
from doc_assets.sources.open_sources import SourceRules, open_resolver
from doc_assets.util.files import atomic_writer
from doc_assets.util.visible import visible_json

_MAX_LISTED = 50


@dataclass(slots=True)
class ResolveReport:
    """What the keys of a table name.

    Attributes:
        rows, keys, repeated: rows that are not empty, different keys, rows that repeat one.
        n_faults: rows that cannot be used; keys, repeated and these add up to the rows.
        faults: the first fifty of them, by line.
        n_suspicious: keys whose merchant number is suspicious.
        suspicious: the first fifty of them, by line.
        notes: what else is to be said of the table.
        summary: the counts in words.
        states: keys by state.
        files: files found.
        problems: keys without a file, the first fifty.
        date_faults: keys whose date cannot be used, the first fifty ...
        n_date_faults: ... of so many.
    """

    rows: int
    keys: int
    repeated: int
    n_faults: int
    faults: list[str]
    n_suspicious: int
    suspicious: list[str]
    notes: list[str]
    summary: str
    states: dict[str, int] = field(default_factory=dict)
    files: int = 0
    problems: list[dict[str, Any]] = field(default_factory=list)
    date_faults: list[str] = field(default_factory=list)
    n_date_faults: int = 0

    @classmethod
    def of(cls, table: KeyTable) -> Self:
        """What is to be said of the table before its keys are looked up."""
        return cls(
            table.n_rows,
            table.n_keys,
            table.n_repeated,
            table.n_faults,
            [f"line {line}: {reason}" for line, reason in table.faults(_MAX_LISTED)],
            table.n_suspicious,
            [f"line {line}: {reason}" for line, reason in table.suspicious(_MAX_LISTED)],
            [*table.notes, *(f"line {line}: {text}" for line, text in table.remarks(_MAX_LISTED))],
            table.summary,
        )

    @property
    def clean(self) -> bool:
        """Whether every row names at least one file, and no table of rows was read as an empty one."""
        return not self.n_faults and set(self.states) <= {KeyState.FOUND}

    def add(self, found: Resolution, date_faults: Sequence[str]) -> None:
        """A key, and what is wrong with its date."""
        self.states[found.state] = self.states.get(found.state, 0) + 1
        if found.state is KeyState.FOUND:
            self.files += len(found.files)
        elif len(self.problems) < _MAX_LISTED:
            self.problems.append(_entry(found))
        self.n_date_faults += len(date_faults)
        self.date_faults += date_faults[: _MAX_LISTED - len(self.date_faults)]


def resolve_keys(
    rules: SourceRules, dates: DateRule, key_table: Path, roots: Sequence[str], manifest: Path | None, *, rebuild: bool
) -> ResolveReport:
    """Looks up every key of a table and says what it names; reads no document and changes no archive.

    It looks in the folders ``roots``, or in those of the rules if there are none, and lists each of them again for
    ``rebuild``. The file ``manifest`` gets every key with its files, as JSON.
    """
    now = datetime.now(UTC)
    with ExitStack() as stack:
        table = stack.enter_context(KeyTable.read(key_table, rules.layout, rules.naming))
        resolver = open_resolver(rules, tuple(roots), stack, rebuild=rebuild)
        written = _Manifest(stack.enter_context(atomic_writer(UPath(manifest))), table) if manifest else None
        report = ResolveReport.of(table)
        for found in resolver.resolve(table.rows()):
            report.add(found, date_faults([found.row], dates, now))
            if written is not None:
                written.add(found)
        if written is not None:
            written.end(report.states)
        report.states = dict(sorted(report.states.items()))
        return report


class _Manifest:
    """A JSON file of all keys, written one by one: tables have a million rows."""

    def __init__(self, target: IO[bytes], table: KeyTable) -> None:
        self._target, self._table = target, table
        self._first = True
        self._write('{"keys": [')

    def add(self, found: Resolution) -> None:
        """A key."""
        self._write(("\n" if self._first else ",\n") + json.dumps(_entry(found), ensure_ascii=False))
        self._first = False

    def end(self, states: dict[str, int]) -> None:
        """The rest."""
        rest = {"table": self._table.path.name, "states": states, "faults": self._table.faults()}
        self._write('\n], "summary": ' + json.dumps(rest, ensure_ascii=False) + "}\n")

    def _write(self, text: str) -> None:
        self._target.write(visible_json(text).encode())


def _entry(found: Resolution) -> dict[str, Any]:
    return {
        "key": found.row.key,
        "line": found.row.line,
        "state": str(found.state),
        "files": [display_name(path) for path in found.files],
        "tried": list(found.tried),
        "reason": found.reason or None,
        **({"fields": found.row.fields} if found.row.fields else {}),
    }
