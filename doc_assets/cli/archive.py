"""Commands that fill the archive and look into it."""

from dataclasses import asdict
from typing import Annotated

import typer

from doc_assets.cli.shell import FAILED, ApiUrl, AsJson, Folder, KeyTable, SearchRoots, absolute, app, command, say


@app.command(rich_help_panel="Archive")
def build_image_index(
    folder: Folder = None,
    recursive: Annotated[bool, typer.Option("--recursive", help="Look into subfolders too.")] = False,
    key_table: KeyTable = None,
    search_root: SearchRoots = [],  # noqa: B006 - Typer wants the default here
    api_url: ApiUrl = "",
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Keys without a document are reported, but are no failure.")
    ] = False,
    force_rebuild: Annotated[
        bool, typer.Option("--force-rebuild", help="Cut, embed and index again what is up to date.")
    ] = False,
) -> None:
    """Ingest a folder or the documents of a key table: documents, photos, embeddings, search index."""
    from doc_assets.commands.ingest import ingest_source
    from doc_assets.documents.opening import SourceRequest

    asked = SourceRequest(folder or "", recursive, absolute(key_table), tuple(search_root), api_url)
    with command() as settings:
        if not ingest_source(settings, asked, force_rebuild=force_rebuild, allow_missing=allow_missing):
            raise typer.Exit(FAILED)


@app.command(rich_help_panel="Archive")
def screen(
    drop: Annotated[list[str] | None, typer.Option(help="Key of a drop; may be repeated.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every drop.")] = False,
) -> None:
    """Compare the documents of drops with the whole archive as it is now, and write their reports."""
    from doc_assets.commands.screen import screen_drops

    with command() as settings:
        if not screen_drops(settings, drop or [], everything=everything):
            raise typer.Exit(FAILED)


@app.command(rich_help_panel="Archive")
def status(as_json: AsJson = False) -> None:
    """Show what is in the archive."""
    from doc_assets.commands.status import archive_status, print_status

    with command() as settings:
        found = archive_status(settings)
        say(asdict(found), lambda: print_status(settings, found), as_json=as_json)


@app.command(rich_help_panel="Archive")
def check(
    read_data: Annotated[
        bool, typer.Option("--read-data", help="Read every staged document and compare its digest.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare ledger, staged documents, Parquet and collection; exit 1 and a list if they disagree."""
    from doc_assets.commands.status import check_home, print_findings

    with command() as settings:
        findings = check_home(settings, read_data=read_data)
        say(asdict(findings), lambda: print_findings(findings), as_json=as_json)
        if findings.n_faults:
            raise typer.Exit(FAILED)
