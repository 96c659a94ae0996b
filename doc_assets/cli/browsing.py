"""Commands that look at single documents."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from doc_assets.cli.console import console, show_place, show_table
from doc_assets.cli.printing import print_members
from doc_assets.cli.shell import AsJson, app, command, say
from doc_assets.faults import DocumentState
from doc_assets.sources.merchants import merchant_id

if TYPE_CHECKING:
    from doc_assets.archive.document_history import Arrival, DocumentHistory
    from doc_assets.archive.ledger.queries import Mention
    from doc_assets.archive.ledger.rows import Document
    from doc_assets.datatypes import DateSource

_SOURCES: "dict[DateSource, str]" = {"key_table": "key table", "name": "name", "arrival": "arrival"}


@app.command(rich_help_panel="Documents")
def list_documents(
    state: Annotated[DocumentState | None, typer.Option(help="Only arrivals in this state.")] = None,
    drop: Annotated[str | None, typer.Option(help="Only of this drop.")] = None,
    merchant: Annotated[str | None, typer.Option(help="Only of this merchant.")] = None,
    current: Annotated[bool, typer.Option("--current", help="Only what is in the archive now.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    offset: Annotated[int, typer.Option(min=0, help="Leave out so many first.")] = 0,
    as_json: AsJson = False,
) -> None:
    """List documents as they arrived, each arrival with its state."""
    from doc_assets.archive.ledger.ledger import Ledger
    from doc_assets.archive.ledger.queries import DocumentFilter

    wanted = DocumentFilter(state.value if state else None, drop, merchant_id(merchant) or merchant, current)
    with command() as settings:
        with Ledger.open(settings.ledger_address) as ledger:
            total, documents = ledger.queries.page(wanted, limit, offset)
        page = {"total": total, "offset": offset, "documents": documents}
        say(page, lambda: _print_documents(documents, offset, total), as_json=as_json)


def _print_documents(documents: "Sequence[Document]", offset: int, total: int) -> None:
    columns = ("number", "drop", "document", "date", "by", "state", "code", "merchant", "pages", "photos", "in archive")
    rows = (
        (
            each.id,
            each.drop_key,
            each.file_name,
            each.document_date,
            _SOURCES[each.date_source],
            each.state,
            each.reason_code,
            each.merchant_id,
            each.n_pages,
            each.n_photos,
            "yes" if each.is_current else "",
        )
        for each in documents
    )
    show_table(columns, rows)
    show_place(offset, len(documents), total)


@app.command(rich_help_panel="Documents")
def show(
    document: Annotated[str, typer.Argument(help="Its id, or its file name.")] = "",
    number: Annotated[int, typer.Option(help="Number of one of its arrivals, as logs and Dagster name it.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Show everything known of a document: arrivals, photos, files, and the results that name it."""
    from upath import UPath

    from doc_assets.archive.archive import Archive
    from doc_assets.archive.document_history import document_history, document_with_number
    from doc_assets.archive.ledger.ledger import Ledger

    if bool(document) == bool(number):
        raise typer.BadParameter("name a document or its --number")
    with command() as settings:
        with Ledger.open(settings.ledger_address) as ledger:
            name = document or document_with_number(ledger, number)
            story = document_history(Archive(ledger, UPath(settings.bulk)), name)
        say(story, lambda: _print_story(story), as_json=as_json)


def _print_story(story: "DocumentHistory") -> None:
    console().print(story.document_id)
    for arrival in story.arrivals:
        _print_arrival(arrival)
    if story.photos:
        show_table(("photo", "page", "box"), ((each.photo + 1, each.page, each.box) for each in story.photos))
    if story.groups:
        print_members(story.groups, "Photos that others show too")
    else:
        console().print("No other document of the archive was found to show one of its photos.")
    _print_mentions("as query", story.as_query)
    _print_mentions("as match", story.as_match)


def _print_arrival(arrival: "Arrival") -> None:
    out, document, drop = console(), arrival.document, arrival.drop
    kept = "in the archive" if document.is_current else "not in the archive"
    out.print(f"\n{drop.drop_key}  sealed {drop.sealed_at.isoformat(timespec='seconds')}  {document.state}, {kept}")
    if document.reason_code:
        out.print(f"  reason    {document.reason_code}: {document.reason}")
    out.print(f"  file      {document.source_path} ({document.size_bytes:,} bytes)")
    out.print(f"  date      {document.document_date.isoformat()} by its {_SOURCES[document.date_source]}")
    shown = {
        "merchant": document.merchant_id,
        "SHA-256": document.sha256,
        "pages": document.n_pages,
        "photos": document.n_photos,
    }
    for name, value in shown.items():
        if value is not None:
            out.print(f"  {name:<9} {value}")
    for collection in arrival.collections:
        out.print(f"  indexed   {collection}")
    for file in arrival.files:
        out.print(f"  {file.what:<9} {file.path}{'' if file.exists else '  GONE'}")


def _print_mentions(title: str, mentions: "Sequence[Mention]") -> None:
    if not mentions:
        console().print(f"No result names it {title}.")
        return
    columns = ("search", "started", "query", "rank", "score", "photos matched", "risk")
    rows = (
        (
            each.search_id,
            each.started_at.isoformat(timespec="seconds"),
            each.query_document,
            each.rank,
            None if each.score is None else f"{each.score:.3f}",
            each.n_matched_photos,
            ("" if each.risk_score is None else f"{each.risk_score:.2f}") + (" !" if each.flagged else ""),
        )
        for each in mentions
    )
    show_table(columns, rows, title=f"Results: {title}")
