"""Commands on the ledger's tables."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from doc_assets.cli.shell import FAILED, AsJson, app, command, say


@app.command(rich_help_panel="Operation")
def migrate(
    to: Annotated[str | None, typer.Option(help="Revision to go to, up or down; default: the newest.")] = None,
    status: Annotated[bool, typer.Option("--status", help="Only show the revision; exit 1 if it is another.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring the ledger's tables to a revision; going down loses what newer columns and tables hold."""
    from doc_assets.commands.ledger import migrate as run
    from doc_assets.commands.ledger import schema_status

    with command() as settings:
        found = schema_status(settings) if status else run(settings, to)
        if as_json:
            typer.echo(json.dumps(asdict(found)))
        else:
            typer.echo(f"revision {found.revision or 'none'}, needed {found.wanted}, known {', '.join(found.known)}")
        if status and found.revision != found.wanted:
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
    from doc_assets.commands.ledger import export_results as run

    with command() as settings:
        begun = since.replace(tzinfo=UTC) if since else None
        n = run(settings, search or [], drop or [], begun, output_format, output)
        typer.echo(json.dumps({"rows": n, "file": str(output)}) if as_json else f"{n} rows in {output}")


@app.command(rich_help_panel="Results")
def relabel(
    search: Annotated[list[str] | None, typer.Option(help="Id of a search; may be repeated. Default: all.")] = None,
    drop: Annotated[list[str] | None, typer.Option(help="Key of a screened drop; may be repeated.")] = None,
    as_json: AsJson = False,
) -> None:
    """Judge stored results by today's thresholds, dates and merchants; nothing is searched again."""
    from doc_assets.commands import relabel as commands
    from doc_assets.commands.ledger import known_searches

    with command() as settings:
        changed = commands.relabel(settings, known_searches(settings, search or [], drop or []))
        say(changed, lambda: commands.print_relabelled(settings, changed), as_json=as_json)
