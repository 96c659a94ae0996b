"""Commands that look at what the archive holds: documents, groups of photos, pictures of the form."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from doc_assets.cli.console import console, progress_bars, show_place, show_table
from doc_assets.cli.shell import AsJson, app, command, home_ledger, say
from doc_assets.errors import InputError, SettingsError
from doc_assets.faults import DocumentState

if TYPE_CHECKING:
    from doc_assets.archive.document_history import Arrival, DocumentHistory
    from doc_assets.archive.ledger.form_pictures import Decision, FormPicture
    from doc_assets.archive.ledger.groups import GroupMember, GroupSummary
    from doc_assets.archive.ledger.queries import Mention
    from doc_assets.archive.ledger.rows import Document
    from doc_assets.datatypes import DateSource
    from doc_assets.pipeline.relabel import Decided
    from doc_assets.settings import Settings

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
    with command() as settings:
        from doc_assets.archive.ledger.queries import DocumentFilter
        from doc_assets.sources.merchants import merchant_id

        wanted = DocumentFilter(state.value if state else None, drop, merchant_id(merchant) or merchant, current)
        with home_ledger(settings) as ledger:
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
    with command() as settings:
        if bool(document) == bool(number):
            raise SettingsError("name a document, or the --number of an arrival.")
        from upath import UPath

        from doc_assets.archive.archive import Archive
        from doc_assets.archive.document_history import document_history, document_with_number

        with home_ledger(settings) as ledger:
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
        _print_members(story.groups, "Photos that others show too")
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


@app.command(rich_help_panel="Documents")
def groups(
    group: Annotated[int | None, typer.Argument(help="Number of one group: list its photos.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    offset: Annotated[int, typer.Option(min=0, help="Leave out so many first.")] = 0,
    as_json: AsJson = False,
) -> None:
    """List photos that several documents show, those of most merchants first; or the documents of one group."""
    with command() as settings, home_ledger(settings) as ledger:
        if group is not None:
            members = ledger.groups.members([group])
            if not members:
                raise InputError(f"There is no photo group {group}. `doc-assets groups` lists them.")
            say(members, lambda: _print_members(members), as_json=as_json)
            return
        total, found = ledger.groups.page(limit, offset)
        page = {"total": total, "offset": offset, "groups": found}
        say(page, lambda: _print_groups(found, offset, total), as_json=as_json)


def _print_groups(groups: "Sequence[GroupSummary]", offset: int, total: int) -> None:
    rows = ((each.group_id, each.n_merchants, each.n_documents, each.n_photos, each.first_date) for each in groups)
    show_table(("group", "merchants", "documents", "photos", "first use"), rows)
    show_place(offset, len(groups), total)


def _print_members(members: "Sequence[GroupMember]", title: str | None = None) -> None:
    """Photos of groups as a table, by group; the first use stands first."""
    columns = ("group", "date", "known by", "document", "merchant", "photo")
    rows = (
        (
            each.group_id,
            each.document_date,
            each.date_source,
            each.document,
            each.merchant_id,
            "the file" if each.photo is None else each.photo + 1,
        )
        for each in members
    )
    show_table(columns, rows, title)


@app.command(rich_help_panel="Documents")
def form_pictures(
    confirm: Annotated[int | None, typer.Option(metavar="ID", help="Take this picture for the form's.")] = None,
    undo: Annotated[int | None, typer.Option(metavar="ID", help="Do not take it for the form's any longer.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    offset: Annotated[int, typer.Option(min=0, help="Leave out so many first.")] = 0,
    as_json: AsJson = False,
) -> None:
    """List pictures that forms print (codes, maps, logos), candidates first; confirm or undo one."""
    if confirm is not None and undo is not None:
        raise typer.BadParameter("Confirm one picture or undo one, not both in one command.")
    with command() as settings:
        if confirm is not None:
            _decide(settings, confirm, "confirmed", as_json=as_json)
        elif undo is not None:
            _decide(settings, undo, "undone", as_json=as_json)
        else:
            with home_ledger(settings) as ledger:
                total, pictures = ledger.form_pictures.page(limit, offset)
            page = {"total": total, "offset": offset, "pictures": pictures}
            say(page, lambda: _print_pictures(pictures, offset, total), as_json=as_json)


def _decide(settings: "Settings", picture_id: int, state: "Decision", *, as_json: bool) -> None:
    """Files an operator's word, judges stored results anew and writes the files that the home has."""
    from doc_assets.pipeline.relabel import judge_form
    from doc_assets.pipeline.reviewing import file_cases_again
    from doc_assets.reports.stored_results import ResultFolders, write_home_files
    from doc_assets.runtime import Runtime
    from doc_assets.search.run import requesting_user

    runtime = Runtime(settings)
    with runtime.archive() as archive, runtime.reader() as reader, progress_bars():
        decided = judge_form(runtime.labeller(archive.ledger), picture_id, state, requesting_user(), datetime.now(UTC))
        file_cases_again(archive, decided.labelled(), datetime.now(UTC), runtime.second_review)
        folders, left_out = ResultFolders(settings.results_dir), settings.remove_columns_from_results
        write_home_files(archive, reader, folders, decided.labelled(), left_out)
    say(decided, lambda: _print_decided(decided), as_json=as_json)


def _print_pictures(pictures: "Sequence[FormPicture]", offset: int, total: int) -> None:
    columns = ("picture", "state", "by", "merchants", "documents", "flat", "document", "page", "photo", "decided")
    rows = (
        (
            each.picture_id,
            each.state,
            each.recognised_by,
            each.n_merchants,
            each.n_documents,
            f"{each.flatness:.2f}",
            each.document,
            each.place.page_index + 1,
            each.photo + 1,
            None if each.decided_at is None else f"{each.decided_at:%Y-%m-%d} {each.decided_by}",
        )
        for each in pictures
    )
    show_table(columns, rows)
    show_place(offset, len(pictures), total)


def _print_decided(decided: "Decided") -> None:
    what = "taken for the form's" if decided.state == "confirmed" else "not taken for the form's"
    console().print(f"Picture {decided.picture_id} is {what} from now on, by {decided.by}.")
    rows = (
        (
            each.drop,
            each.document,
            each.was,
            each.now,
            None if each.risk_was is None else f"{each.risk_was:.2f}",
            None if each.risk is None else f"{each.risk:.2f}",
            "yes" if each.flagged else "no",
        )
        for each in decided.changed
    )
    if decided.changed:
        show_table(("drop", "document", "was", "is", "risk was", "risk", "flagged"), rows)
    else:
        console().print("No document's finding changed.")
    documents = sum(len(names) for names in decided.searches.values())
    console().print(f"The labels of {documents} documents of {len(decided.searches)} other searches are others now.")
