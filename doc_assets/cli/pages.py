"""``find-pages``."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from doc_assets.cli.shell import FAILED, ApiUrl, AsJson, Folder, KeyTable, SearchRoots, absolute, app, command, say


@app.command(rich_help_panel="Documents")
def find_pages(
    folder: Folder = None,
    text: Annotated[
        str | None, typer.Option(help="What pages must carry. Default: DOC_ASSETS_PAGE_TEXT_WANTED.")
    ] = None,
    recursive: Annotated[bool, typer.Option("--recursive", help="Look into subfolders too.")] = False,
    key_table: KeyTable = None,
    search_root: SearchRoots = [],  # noqa: B006 - Typer wants the default here
    api_url: ApiUrl = "",
    zone: Annotated[
        list[str] | None,
        typer.Option(help="top, bottom or centre=SHARE of the page's height; may be repeated, tried in turn."),
    ] = None,
    mode: Annotated[str | None, typer.Option(help="exact_phrase or all_words.")] = None,
    engine: Annotated[str | None, typer.Option(help="What reads text.")] = None,
    report: Annotated[Path | None, typer.Option(dir_okay=False, help="CSV file to write, one line a page.")] = None,
    as_json: AsJson = False,
) -> None:
    """Find the pages that carry a text, e.g. a title; exit 1 if a document or page could not be read."""
    from doc_assets.commands.find_pages import Asked, print_pages
    from doc_assets.commands.find_pages import find_pages as find
    from doc_assets.sources.opening import SourceRequest

    source = SourceRequest(folder or "", recursive, absolute(key_table), tuple(search_root), api_url)
    with command() as settings:
        rows = find(settings, source, report=report, asked=Asked(text, zone, mode, engine))
        say([asdict(row) for row in rows], lambda: print_pages(rows), as_json=as_json)
        if any(row.error for row in rows):
            raise typer.Exit(FAILED)
