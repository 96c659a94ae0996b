"""``find-pages``."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doc_assets.cli.console import console, progress_bars, show_table
from doc_assets.cli.shell import FAILED, ApiUrl, AsJson, Folder, KeyTable, SearchRoots, absolute, app, command, say

if TYPE_CHECKING:
    from doc_assets.reading.text.finder import PageFinder
    from doc_assets.reports.found_pages import PageRow
    from doc_assets.settings import Settings
    from doc_assets.sources.open_sources import SourceRequest


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
    with command() as settings:
        from doc_assets.reports.found_pages import write_pages
        from doc_assets.sources.open_sources import SourceRequest

        source = SourceRequest(folder or "", recursive, absolute(key_table), tuple(search_root), api_url)
        rows = _found(settings, source, _finder(settings, text, zone, mode, engine))
        if report is not None:
            write_pages(rows, report)
        say(rows, lambda: _print_pages(rows), as_json=as_json)
        if any(row.error for row in rows):
            raise typer.Exit(FAILED)


def _finder(
    settings: "Settings", text: str | None, zones: list[str] | None, mode: str | None, engine: str | None
) -> "PageFinder":
    """What looks for the text; what is None is as the settings ``page_text_...`` say."""
    from doc_assets.reading.text.finder import make_finder

    other_engine = engine not in {None, settings.page_text_engine}
    return make_finder(
        wanted=text if text is not None else settings.page_text_wanted,
        mode=mode or settings.page_text_mode,
        max_errors=settings.page_text_max_errors,
        zones=zones or settings.page_text_zones,
        engine=engine or settings.page_text_engine,
        engine_options={} if other_engine else settings.page_text_engine_options,
        timeout_s=settings.page_text_timeout_s,
    )


def _found(settings: "Settings", asked: "SourceRequest", finder: "PageFinder") -> "list[PageRow]":
    """The pages; the ledger remembers what was read."""
    from doc_assets.archive.ledger.ledger import Ledger
    from doc_assets.reports.found_pages import find_pages as find
    from doc_assets.runtime import Runtime

    runtime = Runtime(settings)
    with (
        progress_bars(),
        Ledger.open(settings.ledger_address) as ledger,
        runtime.sources(asked) as opened,
        runtime.reader() as reader,
    ):
        return find(reader, finder, ledger.page_texts, opened.source)


def _print_pages(rows: "Sequence[PageRow]") -> None:
    """The pages that carry the text, what could not be read, and how many pages there are."""
    carrying = (
        (row.document, row.page, row.text, f"{row.confidence or 0:.2f}", row.zone, f"{90 * (row.quarter_turns or 0)}°")
        for row in rows
        if row.found
    )
    show_table(("document", "page", "text", "confidence", "zone", "turn"), carrying)
    for row in rows:
        if row.error:
            console().print(f"{row.document}{f', page {row.page}' if row.page else ''}: {row.error}")
    looked = [row for row in rows if row.found is not None]
    console().print(f"{sum(bool(row.found) for row in looked)} of {len(looked)} pages carry the text.")
