"""``forget``."""

import json
import sys
from typing import Annotated

import typer

from doc_assets.cli.shell import FAILED, WRONG_USE, AsJson, app, command
from doc_assets.util.visible import visible_json


@app.command(rich_help_panel="Documents")
def forget(
    document: Annotated[list[str] | None, typer.Argument(help="Id or file name of a document.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be forgotten.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    prepare: Annotated[
        bool, typer.Option("--prepare", help="Only write the request that forget_documents_job carries out.")
    ] = False,
    delete_originals: Annotated[
        bool, typer.Option("--delete-originals", help="Delete the files it came from too, if they lie in the home.")
    ] = False,
    allow: Annotated[bool, typer.Option("--allow", help="Let forgotten documents come again.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make documents vanish from everything that is kept, and prove it; without a name, end what was interrupted."""
    from doc_assets.commands import forget as commands

    with command() as settings:
        if allow:
            commands.allow(settings, document or [])
            return
        requests = commands.plan(settings, document or [])
        if not as_json:
            commands.print_plan(requests)
        reports = []
        if prepare:
            keys = commands.prepare(settings, requests)
            if not as_json:
                typer.echo(f"Requests for forget_documents_job: {' '.join(keys)}")
        elif not dry_run:
            if not yes:
                _ask()
            reports = commands.carry_out(settings, requests, delete_originals=delete_originals)
            if not as_json:
                commands.print_reports(reports)
        if as_json:
            typer.echo(visible_json(json.dumps(commands.as_data(requests, reports), ensure_ascii=False, indent=1)))
        if any(report.traces for report in reports):
            raise typer.Exit(FAILED)


def _ask() -> None:
    if not sys.stdin.isatty():
        typer.secho("doc-assets: forgetting cannot be undone; give --yes.", fg=typer.colors.RED, err=True)
        raise typer.Exit(WRONG_USE)
    typer.confirm("This cannot be undone. Forget them?", abort=True)
