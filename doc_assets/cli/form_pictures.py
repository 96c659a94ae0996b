"""``form-pictures``: pictures that belong to the form, and an operator's word on them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from doc_assets.cli.console import console, progress_bars, show_place, show_table
from doc_assets.cli.shell import AsJson, app, command, say

if TYPE_CHECKING:
    from doc_assets.archive.ledger.form_pictures import Decision, FormPicture
    from doc_assets.archive.ledger.results import ChangedFinding
    from doc_assets.pipeline.relabel import Decided
    from doc_assets.settings import Settings


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
            _list(settings, limit, offset, as_json=as_json)


def _list(settings: "Settings", limit: int, offset: int, *, as_json: bool) -> None:
    from doc_assets.archive.ledger.ledger import Ledger

    with Ledger.open(settings.ledger_address) as ledger:
        total, pictures = ledger.form_pictures.page(limit, offset)
    page = {"total": total, "offset": offset, "pictures": pictures}
    say(page, lambda: _print_pictures(pictures, offset, total), as_json=as_json)


def _decide(settings: "Settings", picture_id: int, state: "Decision", *, as_json: bool) -> None:
    """Files an operator's word, judges stored results anew and writes the files that the home has."""
    from doc_assets.pipeline.relabel import judge_form
    from doc_assets.reports.stored_results import ResultFolders, write_home_files
    from doc_assets.runtime import Runtime
    from doc_assets.search.run import requesting_user

    runtime = Runtime(settings)
    with runtime.archive() as archive, runtime.reader() as reader, progress_bars():
        decided = judge_form(runtime.labeller(archive.ledger), picture_id, state, requesting_user(), datetime.now(UTC))
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
    _print_changed(decided.changed)
    documents = sum(len(names) for names in decided.searches.values())
    console().print(f"The labels of {documents} documents of {len(decided.searches)} other searches are others now.")


def _print_changed(changed: "Sequence[ChangedFinding]") -> None:
    if not changed:
        console().print("No document's finding changed.")
        return
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
        for each in changed
    )
    show_table(("drop", "document", "was", "is", "risk was", "risk", "flagged"), rows)
