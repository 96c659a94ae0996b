"""Commands that look at the archive as a whole."""

import json
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from doc_assets.cli.console import console, progress_bars
from doc_assets.cli.shell import FAILED, AsJson, app, command, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doc_assets.archive.consistency import Findings
    from doc_assets.ops.status import ArchiveStatus, InboxStatus
    from doc_assets.settings import Settings

_MAX_NAMED = 20


@app.command(rich_help_panel="Archive")
def status(as_json: AsJson = False) -> None:
    """Show what is in the archive."""
    with command() as settings:
        found = _status(settings)
        say(found, lambda: _print_status(settings, found), as_json=as_json)


def _status(settings: "Settings") -> "ArchiveStatus":
    from doc_assets.ops.status import archive_status
    from doc_assets.runtime import Runtime

    return archive_status(Runtime(settings))


def _print_status(settings: "Settings", status: "ArchiveStatus") -> None:
    out, counts = console(), status.counts
    states = ", ".join(f"{n} {state}" for state, n in sorted(counts.arrivals_by_state.items())) or "none"
    out.print(f"home        {settings.home}")
    out.print(f"inbox       {settings.inbox_dir}")
    for line in _inbox_lines(status.inbox):
        out.print(f"            {line}")
    out.print(f"arrivals    {sum(counts.arrivals_by_state.values())}: {states}")
    out.print(f"archive     {counts.current} documents, {counts.photos} photos, {counts.superseded} older versions")
    out.print(f"drops       {counts.drops}, {len(status.stale_drops)} incomplete or outdated")
    out.print(f"collection  {status.collection or 'none published'}, {status.points} photos")
    if status.points < status.photos_indexed:
        out.print(
            f"            INCOMPLETE: the ledger counts {status.photos_indexed} photos in it; run "
            "`doc-assets rebuild-index`."
        )
    out.print(f"embedder    {status.embedder}")
    for other in status.collections:
        if other.name != status.collection:
            out.print(
                f"            {other.state}: {other.name} ({other.embedder} {json.dumps(other.options)}), "
                f"{other.points} photos, {other.documents_missing} documents missing"
            )


def _inbox_lines(inbox: "InboxStatus") -> "Iterator[str]":
    if inbox.error:
        yield inbox.error
        return
    yield f"{inbox.documents} documents, {inbox.n_waiting} of them wait, {inbox.n_ignored} entries ignored"
    for wait in inbox.waiting:
        yield f"waits: {wait['file']} {wait['state']}, until {wait['until']}"
    if inbox.n_waiting > len(inbox.waiting):
        yield f"... and {inbox.n_waiting - len(inbox.waiting)} more wait"
    for passed in inbox.ignored:
        yield f"ignored: {passed['file']}: {passed['reason']}"
    if inbox.n_ignored > len(inbox.ignored):
        yield f"... and {inbox.n_ignored - len(inbox.ignored)} more are ignored"
    for path in inbox.unreadable[:_MAX_NAMED]:
        yield f"cannot be looked into: {path}"
    if inbox.forgotten:
        yield f"{inbox.forgotten} were forgotten and are not taken"


@app.command(rich_help_panel="Archive")
def check(
    read_data: Annotated[
        bool, typer.Option("--read-data", help="Read every byte: documents, photos, tables, databases, points.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare ledger, staged documents, Parquet and collection; exit 1 and a list if they disagree."""
    from doc_assets.ops.status import check_home

    with command() as settings:
        findings = check_home(settings, partial(_compared, settings, read_data=read_data), read_data=read_data)
        say(findings, lambda: _print_findings(findings), as_json=as_json)
        if findings.n_faults:
            raise typer.Exit(FAILED)


def _compared(settings: "Settings", *, read_data: bool) -> "Findings":
    from doc_assets.archive.consistency import check_archive
    from doc_assets.runtime import Runtime

    runtime = Runtime(settings)
    with progress_bars(), runtime.archive() as archive, runtime.store() as store:
        again = runtime.embedder() if read_data else None
        return check_archive(archive, store, runtime.alias, runtime.versions(), read_data=read_data, embedder=again)


def _print_findings(findings: "Findings") -> None:
    says = f"{findings.n_faults} disagreements." if findings.n_faults else "all agree."
    console().print(
        f"{findings.documents} documents, {findings.photos} photos, {findings.vectors} vectors, "
        f"{findings.points} points: {says}"
    )
    for fault in findings.faults:
        console().print(f"  {fault}")
