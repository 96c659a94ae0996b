"""Commands that fill the archive and look into it."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from doc_assets.cli.shell import FAILED, ApiUrl, AsJson, Folder, KeyTable, SearchRoots, absolute, app, command, say

if TYPE_CHECKING:
    from doc_assets.features.embedders.base import EmbedderSpec
    from doc_assets.settings import Settings


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
        bool,
        typer.Option("--force-rebuild", help="Read, cut, embed and index again what is up to date."),
    ] = False,
) -> None:
    """Ingest a folder or the documents of a key table: documents, photos, embeddings, search index."""
    from doc_assets.commands.ingest import ingest_source
    from doc_assets.sources.opening import SourceRequest

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
def reindex(
    embedder: Annotated[str, typer.Option(help="gist or transformers. Default: DOC_ASSETS_EMBEDDER.")] = "",
    options: Annotated[
        str, typer.Option(help='Its options as JSON: {"checkpoint": "dinov2-small"}. Default with --embedder: none.')
    ] = "",
    queue: Annotated[
        bool, typer.Option("--queue", help="Leave it to the daemon: a run a drop, then the switch.")
    ] = False,
    rollback: Annotated[bool, typer.Option("--rollback", help="Use the collection before again, at once.")] = False,
    remove_unused: Annotated[
        bool, typer.Option("--remove-unused", help="Delete every collection but the one in use.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Change the embedder: fill another collection beside the one in use, examine it, switch; back with --rollback."""
    from doc_assets.commands import reindex as commands

    asked = [bool(embedder or options or queue), rollback, remove_unused]
    if sum(asked) > 1:
        raise typer.BadParameter("--rollback and --remove-unused go with nothing else.")
    with command() as settings:
        if remove_unused:
            names = commands.remove_unused(settings)
            say({"removed": names}, lambda: commands.print_removed(names), as_json=as_json)
            return
        spec = embedder_asked(settings, embedder, options)
        report = commands.roll_back(settings) if rollback else commands.reindex(settings, spec, queue=queue)
        say(asdict(report), lambda: commands.print_report(report), as_json=as_json)
        if report.errors:
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
        bool, typer.Option("--read-data", help="Read every byte: documents, photos, tables, databases, points.")
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


def embedder_asked(settings: "Settings", name: str, options: str) -> "EmbedderSpec":
    """The embedder of the options of ``reindex``, else that of the settings."""
    from doc_assets.features.embedders.base import EmbedderSpec
    from doc_assets.pipeline.embedder import embedder_of_settings

    default = embedder_of_settings(settings)
    if not name and not options:
        return default
    try:
        given = json.loads(options or "{}")
    except ValueError as error:
        raise typer.BadParameter(f"--options is no JSON: {error}") from error
    if not isinstance(given, dict):
        raise typer.BadParameter(f"--options must be a JSON object, got {options}")
    return EmbedderSpec(name or default.name, given)
