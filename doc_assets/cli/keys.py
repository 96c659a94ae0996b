"""Commands about key tables."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doc_assets.cli.console import console, print_lines, show_table
from doc_assets.cli.printing import print_date_faults
from doc_assets.cli.shell import FAILED, AsJson, SearchRoots, app, command, say

if TYPE_CHECKING:
    from doc_assets.reports.resolved_keys import ResolveReport


@app.command(rich_help_panel="Documents")
def resolve_keys(
    key_table: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="Key table (.xlsx, .csv, .tsv, .json, .ndjson).")
    ],
    search_root: SearchRoots = [],  # noqa: B006 - Typer wants the default here
    manifest: Annotated[Path | None, typer.Option(dir_okay=False, help="Write every key with its files there.")] = None,
    rebuild_index: Annotated[
        bool, typer.Option("--rebuild-index", help="List every archive folder again, changed or not.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say which files the keys of a table name, without reading any; exit 1 if a key has none or two answers."""
    with command() as settings:
        from doc_assets.reports.resolved_keys import resolve_keys as resolve
        from doc_assets.runtime import Runtime

        runtime = Runtime(settings)
        report = resolve(runtime.source_rules, runtime.dates, key_table, search_root, manifest, rebuild=rebuild_index)
        say(report, lambda: _print_resolved(report, key_table), as_json=as_json)
        if not report.clean:
            raise typer.Exit(FAILED)


def _print_resolved(report: "ResolveReport", key_table: Path) -> None:
    states = ", ".join(f"{n} {state}" for state, n in report.states.items()) or "none"
    console().print(
        f"{key_table}: {report.rows} rows, {report.keys} keys ({report.repeated} repeated): {states}; "
        f"{report.files} files, {report.n_faults} rows cannot be used."
    )
    print_lines([f"{report.summary}.", *(f"Note: {note}" for note in report.notes)])
    _print_listed("unusable", report.faults, report.n_faults)
    _print_listed("suspicious", report.suspicious, report.n_suspicious)
    print_date_faults(report.date_faults, report.n_date_faults)
    if report.problems:
        columns = ("key", "line", "state", "reason")
        show_table(columns, ([problem[name] for name in columns] for problem in report.problems))


def _print_listed(what: str, listed: Sequence[str], total: int) -> None:
    print_lines([f"  {what}, {line}" for line in listed])
    if total > len(listed):
        print_lines([f"  ... and {total - len(listed)} more; --manifest lists all that cannot be used."])
