"""Commands on the ledger's tables, and on the results in them."""

import json
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doc_assets.cli.console import console, progress_bars
from doc_assets.cli.shell import FAILED, AsJson, app, command, say

if TYPE_CHECKING:
    from doc_assets.archive.ledger.ledger import Ledger
    from doc_assets.settings import Settings


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
        if as_json:
            typer.echo(json.dumps({"revision": revision, "wanted": SCHEMA_REVISION, "known": known}))
        else:
            typer.echo(f"revision {revision or 'none'}, needed {SCHEMA_REVISION}, known {', '.join(known)}")
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
        from doc_assets.archive.ledger.ledger import Ledger
        from doc_assets.pipeline.relabel import relabel as label_again
        from doc_assets.reports.export_rows import EXPORTED, export_rows
        from doc_assets.reports.tables import write_table
        from doc_assets.runtime import Runtime

        left_out = settings.remove_columns_from_results
        columns = [name for name in EXPORTED if name not in left_out]
        with Ledger.open(settings.ledger_address) as ledger:
            wanted = _known_searches(ledger, search or [], drop or [])
            begun = ledger.searches.ids(since.replace(tzinfo=UTC) if since else None)
            chosen = [search_id for search_id in begun if search_id in set(wanted)] if wanted else begun
            label_again(Runtime(settings).labeller(ledger), chosen, only_outdated=True)
            n = write_table(export_rows(ledger.searches, chosen, left_out), columns, output_format, output)
        typer.echo(json.dumps({"rows": n, "file": str(output)}) if as_json else f"{n} rows in {output}")


@app.command(rich_help_panel="Results")
def relabel(
    search: Annotated[list[str] | None, typer.Option(help="Id of a search; may be repeated. Default: all.")] = None,
    drop: Annotated[list[str] | None, typer.Option(help="Key of a screened drop; may be repeated.")] = None,
    as_json: AsJson = False,
) -> None:
    """Judge stored results by today's thresholds, dates and merchants; nothing is searched again."""
    with command() as settings:
        from doc_assets.pipeline.relabel import relabel as label_again
        from doc_assets.reports.stored_results import ResultFolders, write_home_files
        from doc_assets.runtime import Runtime

        runtime = Runtime(settings)
        with runtime.archive() as archive, runtime.reader() as reader, progress_bars():
            searches = archive.ledger.searches
            wanted = _known_searches(archive.ledger, search or [], drop or [])
            changed = label_again(runtime.labeller(archive.ledger), wanted or searches.ids())
            folders, left_out = ResultFolders(settings.results_dir), settings.remove_columns_from_results
            write_home_files(archive, reader, folders, changed, left_out)
        say(changed, lambda: _print_relabelled(settings, changed), as_json=as_json)


def _known_searches(ledger: "Ledger", searches: Sequence[str], drops: Sequence[str]) -> list[str]:
    """Ids of these searches and of the screening of these drops."""
    from doc_assets.archive.ledger.searches import search_id_of

    wanted = [*searches, *(search_id_of(drop) for drop in drops)]
    for search_id in wanted:
        _require_known(ledger, search_id)
    return wanted


def _require_known(ledger: "Ledger", search_id: str) -> None:
    from doc_assets.errors import SettingsError

    try:
        ledger.searches.get(search_id)
    except KeyError as error:
        raise SettingsError(
            f"The ledger knows no search {search_id!r}. A search's id is that of its run in Dagster and stands in its "
            "JSON summary; a drop has one once it was screened (`doc-assets screen --drop KEY`)."
        ) from error


def _print_relabelled(settings: "Settings", changed: dict[str, list[str]]) -> None:
    documents = sum(len(names) for names in changed.values())
    console().print(
        f"{len(changed)} searches are labelled: a pair matches from {settings.match_probability:g}, a document is "
        f"flagged from {settings.flag_risk:g} on. The labels of {documents} documents are others now."
    )
