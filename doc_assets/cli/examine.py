"""Commands that look at single documents, and read rejected ones again."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from doc_assets.cli.shell import FAILED, AsJson, app, command, say


@app.command(rich_help_panel="Documents")
def explain(
    query: Annotated[str, typer.Argument(help="A file, or the id of a document of the archive.")],
    candidate: Annotated[str, typer.Argument(help="Id of a document of the archive.")],
    picture: Annotated[
        Path | None, typer.Option(dir_okay=False, help="PNG file for a picture of the most probable pair.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say of every photo pair of two documents why it was matched or was not."""
    from doc_assets.commands.examine import explain as run
    from doc_assets.commands.examine import print_explanation

    with command() as settings:
        found = run(settings, query, candidate, picture)
        say(asdict(found), lambda: print_explanation(found), as_json=as_json)


@app.command(rich_help_panel="Documents")
def extract_photos(
    output_folder: Annotated[Path, typer.Option(file_okay=False, help="Where photos and photos.json are written.")],
    folder: Annotated[Path | None, typer.Option(exists=True, file_okay=False, help="Folder of documents.")] = None,
    file: Annotated[
        list[Path] | None, typer.Option(exists=True, dir_okay=False, help="A document; may be repeated.")
    ] = None,
    recursive: Annotated[bool, typer.Option("--recursive", help="Look into subfolders too.")] = False,
) -> None:
    """Cut the photos of documents into JPEG files; nothing is archived."""
    from doc_assets.commands.examine import extract_photos as run

    if folder is None and not file:
        raise typer.BadParameter("name a --folder or at least one --file")
    with command() as settings:
        if not run(settings, folder, file or [], output_folder, recursive=recursive):
            raise typer.Exit(FAILED)


@app.command(rich_help_panel="Documents")
def retry_rejected(
    drop: Annotated[list[str] | None, typer.Option(help="Key of a drop; may be repeated. Default: all.")] = None,
    code: Annotated[list[str] | None, typer.Option(help="Reason, e.g. E_TIMEOUT; may be repeated.")] = None,
    as_json: AsJson = False,
) -> None:
    """Read rejected documents again: from where they came, or from the copy if the file is gone."""
    from doc_assets.commands.retry import print_retry
    from doc_assets.commands.retry import retry_rejected as run

    with command() as settings:
        outcome = run(settings, drop or [], code or [])
        say(asdict(outcome), lambda: print_retry(outcome), as_json=as_json)
        if not outcome.succeeded:
            raise typer.Exit(FAILED)
