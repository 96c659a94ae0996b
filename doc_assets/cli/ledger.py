"""Commands that look at the archive as a whole, and those on the ledger's tables and the results in them."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doc_assets.cli.console import console, progress_bars
from doc_assets.cli.shell import FAILED, AsJson, app, command, say
from doc_assets.errors import SettingsError

if TYPE_CHECKING:
    from doc_assets.archive.consistency import Findings
    from doc_assets.archive.ledger.ledger import Ledger
    from doc_assets.ops.status import ArchiveStatus, InboxStatus
    from doc_assets.settings import Settings

_MAX_NAMED = 20


@app.command(rich_help_panel="Archive")
def status(as_json: AsJson = False) -> None:
    """Show what is in the archive."""
    with command() as settings:
        from doc_assets.ops.status import archive_status
        from doc_assets.runtime import Runtime

        found = archive_status(Runtime(settings))
        say(found, lambda: _print_status(settings, found), as_json=as_json)


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


def _inbox_lines(inbox: "InboxStatus") -> Iterator[str]:
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
    with command() as settings:
        from doc_assets.ops.status import check_home

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


@app.command(rich_help_panel="Operation")
def migrate(
    to: Annotated[str | None, typer.Option(help="Revision to go to, up or down; default: the newest.")] = None,
    status: Annotated[bool, typer.Option("--status", help="Only show the revision; exit 1 if it is another.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring the ledger's tables to a revision; going down loses what newer columns and tables hold."""
    with command() as settings:
        from doc_assets.archive.ledger.database import SCHEMA_REVISION, Database

        with closing(Database(settings.ledger_address)) as database:
            if not status and to is None:
                database.migrate()
            elif not status:
                database.migrate_to(str(to))
        with closing(Database(settings.ledger_address)) as database:
            revision, known = database.revision(), database.revisions()
        in_words = f"revision {revision or 'none'}, needed {SCHEMA_REVISION}, known {', '.join(known)}"
        data = {"revision": revision, "wanted": SCHEMA_REVISION, "known": known}
        say(data, lambda: typer.echo(in_words), as_json=as_json)
        if status and revision != SCHEMA_REVISION:
            raise typer.Exit(FAILED)


@app.command(rich_help_panel="Operation")
def export_results(
    output: Annotated[Path, typer.Option(dir_okay=False, help="File that is written.")],
    output_format: Annotated[str, typer.Option("--format", help="csv, xlsx, json or parquet.")] = "csv",
    search: Annotated[list[str] | None, typer.Option(help="Id of a search; may be repeated. Default: all.")] = None,
    drop: Annotated[list[str] | None, typer.Option(help="Key of a screened drop; may be repeated.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Only of searches that began then or later, in UTC.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write results as one table with the earlier system's columns."""
    with command() as settings:
        from doc_assets.pipeline.relabel import relabel as label_again
        from doc_assets.pipeline.reviewing import file_cases_again
        from doc_assets.reports.export_rows import EXPORTED, export_rows
        from doc_assets.reports.tables import write_table
        from doc_assets.runtime import Runtime

        left_out = settings.remove_columns_from_results
        columns = [name for name in EXPORTED if name not in left_out]
        runtime = Runtime(settings)
        with runtime.archive() as archive:
            ledger = archive.ledger
            wanted = _known_searches(ledger, search or [], drop or [])
            begun = ledger.searches.ids(since.replace(tzinfo=UTC) if since else None)
            chosen = [search_id for search_id in begun if search_id in set(wanted)] if wanted else begun
            changed = label_again(runtime.labeller(ledger), chosen, only_outdated=True)
            file_cases_again(archive, changed, datetime.now(UTC), runtime.second_review)
            n = write_table(export_rows(ledger.searches, chosen, left_out), columns, output_format, output)
        say({"rows": n, "file": output}, lambda: typer.echo(f"{n} rows in {output}"), as_json=as_json)


@app.command(rich_help_panel="Results")
def relabel(
    search: Annotated[list[str] | None, typer.Option(help="Id of a search; may be repeated. Default: all.")] = None,
    drop: Annotated[list[str] | None, typer.Option(help="Key of a screened drop; may be repeated.")] = None,
    as_json: AsJson = False,
) -> None:
    """Judge stored results by today's thresholds, dates and merchants; nothing is searched again."""
    with command() as settings:
        from doc_assets.pipeline.relabel import relabel as label_again
        from doc_assets.pipeline.reviewing import file_cases_again
        from doc_assets.reports.stored_results import ResultFolders, write_home_files
        from doc_assets.runtime import Runtime

        runtime = Runtime(settings)
        with runtime.archive() as archive, runtime.reader() as reader, progress_bars():
            searches = archive.ledger.searches
            wanted = _known_searches(archive.ledger, search or [], drop or [])
            changed = label_again(runtime.labeller(archive.ledger), wanted or searches.ids())
            file_cases_again(archive, changed, datetime.now(UTC), runtime.second_review)
            folders, left_out = ResultFolders(settings.results_dir), settings.remove_columns_from_results
            write_home_files(archive, reader, folders, changed, left_out)
        say(changed, lambda: _print_relabelled(settings, changed), as_json=as_json)


def _known_searches(ledger: "Ledger", searches: Sequence[str], drops: Sequence[str]) -> list[str]:
    """Ids of these searches and of the screening of these drops."""
    from doc_assets.archive.ledger.searches import search_id_of

    wanted = [*searches, *(search_id_of(drop) for drop in drops)]
    for search_id in wanted:
        try:
            ledger.searches.get(search_id)
        except KeyError as error:
            raise SettingsError(
                f"The ledger knows no search {search_id!r}. A search's id is that of its run in Dagster and stands in "
                "its JSON summary; a drop has one once it was screened (`doc-assets screen --drop KEY`)."
            ) from error
    return wanted


def _print_relabelled(settings: "Settings", changed: dict[str, list[str]]) -> None:
    documents = sum(len(names) for names in changed.values())
    console().print(
        f"{len(changed)} searches are labelled: a pair matches from {settings.match_probability:g}, a document is "
        f"flagged from {settings.flag_risk:g} on. The labels of {documents} documents are others now."
    )
