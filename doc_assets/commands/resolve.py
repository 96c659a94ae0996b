"""``doc-assets resolve-keys``."""

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any

from rich.table import Table
from rich.text import Text
from upath import UPath

from doc_assets.archive.identity import date_faults
from doc_assets.commands.console import console
from doc_assets.defs.resources import resources_from
from doc_assets.defs.sources import SourcesResource
from doc_assets.settings import Settings
from doc_assets.sources.keys import KeyTable
from doc_assets.sources.names import display_name
from doc_assets.sources.opening import open_resolver
from doc_assets.sources.resolving import KeyState, Resolution
from doc_assets.sources.sources import KeyProblem
from doc_assets.util.files import atomic_writer
from doc_assets.util.visible import visible_json

_MAX_LISTED = 50


@dataclass(frozen=True, slots=True)
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
    states: dict[str, int]
    files: int
    problems: list[dict[str, Any]]
    date_faults: list[str]
    n_date_faults: int

    @property
    def clean(self) -> bool:
        """Whether every row names at least one file, and no table of rows was read as an empty one."""
        return not self.n_faults and set(self.states) <= {KeyState.FOUND}


def resolve_keys(
    settings: Settings, key_table: Path, roots: Sequence[str], manifest: Path | None, *, rebuild_index: bool
) -> ResolveReport:
    """Looks up every key of a table and says what it names; reads no document and changes no archive.

    Args:
        settings: of the home.
        key_table: the table.
        roots: archive folders; those of the settings if empty.
        manifest: gets every key with its files, as JSON.
        rebuild_index: whether every archive folder is listed again.
    """
    sources: SourcesResource = resources_from(settings)["sources"]
    rules = sources.rules()
    states: Counter[str] = Counter()
    problems: list[dict[str, Any]] = []
    n_files = n_date_faults = 0
    undated: list[str] = []
    dates, now = sources.dates(), datetime.now(UTC)
    with ExitStack() as stack:
        table = stack.enter_context(KeyTable.read(key_table, rules.layout, rules.naming))
        resolver = open_resolver(rules, tuple(roots), stack, rebuild=rebuild_index)
        written = _Manifest(stack.enter_context(atomic_writer(UPath(manifest))), table) if manifest else None
        for found in resolver.resolve(table.rows()):
            states[found.state] += 1
            n_files += len(found.files) if found.state is KeyState.FOUND else 0
            if found.state is not KeyState.FOUND and len(problems) < _MAX_LISTED:
                problems.append(_entry(found))
            for fault in date_faults([found.row], dates, now):
                n_date_faults += 1
                undated += [fault] if len(undated) < _MAX_LISTED else []
            if written is not None:
                written.add(found)
        if written is not None:
            written.end(states)
        return ResolveReport(
            table.n_rows,
            table.n_keys,
            table.n_repeated,
            table.n_faults,
            [f"line {line}: {reason}" for line, reason in table.faults(_MAX_LISTED)],
            table.n_suspicious,
            [f"line {line}: {reason}" for line, reason in table.suspicious(_MAX_LISTED)],
            [*table.notes, *(f"line {line}: {text}" for line, text in table.remarks(_MAX_LISTED))],
            table.summary,
            dict(sorted(states.items())),
            n_files,
            problems,
            undated,
            n_date_faults,
        )


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


def print_resolved(report: ResolveReport, key_table: Path) -> None:
    """The report in words."""
    out = console()
    states = ", ".join(f"{n} {state}" for state, n in report.states.items()) or "none"
    out.print(
        f"{key_table}: {report.rows} rows, {report.keys} keys ({report.repeated} repeated): {states}; "
        f"{report.files} files, {report.n_faults} rows cannot be used."
    )
    print_lines([f"{report.summary}.", *(f"Note: {note}" for note in report.notes)])
    for what, listed, total in (
        ("unusable", report.faults, report.n_faults),
        ("suspicious", report.suspicious, report.n_suspicious),
    ):
        print_lines([f"  {what}, {line}" for line in listed])
        if total > len(listed):
            print_lines([f"  ... and {total - len(listed)} more; --manifest lists all that cannot be used."])
    print_date_faults(report.date_faults, report.n_date_faults)
    if report.problems:
        table = Table("key", "line", "state", "reason")
        for problem in report.problems:
            table.add_row(problem["key"], str(problem["line"]), problem["state"], problem["reason"])
        out.print(table)


def print_date_faults(faults: Sequence[str], total: int | None = None) -> None:
    """Rows whose date cannot be used, at least the first of ``total``."""
    if not faults:
        return
    n_faults = total or len(faults)
    console().print(f"{n_faults} dates cannot be used; these documents are dated by their names or arrivals:")
    for fault in islice(faults, _MAX_LISTED):
        console().print(f"  {fault}")
    if n_faults > _MAX_LISTED:
        console().print(f"  ... and {n_faults - _MAX_LISTED} more.")


def print_lines(lines: Sequence[str]) -> None:
    """Lines as they are, whatever a file has put into them."""
    for line in lines:
        console().print(Text(line))


def print_key_problems(problems: Sequence[KeyProblem]) -> None:
    """Keys that gave no document, and paths that could not be looked into."""
    if not problems:
        return
    table = Table("key or path", "line", "state", "reason")
    for problem in islice(problems, _MAX_LISTED):
        line = str(problem.row.line) if problem.is_of_table else ""
        table.add_row(problem.row.key, line, problem.state, problem.reason)
    console().print(table)
    if len(problems) > _MAX_LISTED:
        console().print(f"... and {len(problems) - _MAX_LISTED} more; `doc-assets resolve-keys --manifest` lists all.")
