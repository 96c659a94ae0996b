"""``doc-assets form-pictures``: pictures that belong to the form, and an operator's word on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.table import Table

from doc_assets.archive.ledger.form_pictures import Decision, FormPicture
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.ledger.searches import ChangedFinding, drop_of, search_id_of
from doc_assets.commands.console import console, progress_bars
from doc_assets.commands.relabel import labeller_of
from doc_assets.defs.resources import resources_from
from doc_assets.pipeline.relabel import by_drop, decide_form, label_documents, label_search
from doc_assets.reports.stored_results import ResultFolders, write_home_files
from doc_assets.search.request import requesting_user
from doc_assets.settings import Settings


@dataclass(frozen=True, slots=True)
class PicturePage:
    """Some of the pictures of the form, candidates first."""

    total: int
    offset: int
    pictures: list[FormPicture]


@dataclass(frozen=True, slots=True)
class Decided:
    """What an operator's word on a picture came to.

    Attributes:
        picture_id, state: the picture, and what it is now.
        by: who said so.
        changed: documents of drops whose finding changed.
        searches: other searches that were judged anew, with the query documents whose labels are others now.
    """

    picture_id: int
    state: Decision
    by: str
    changed: list[ChangedFinding]
    searches: dict[str, list[str]]


def list_pictures(settings: Settings, limit: int, offset: int) -> PicturePage:
    """Pictures of the form and candidates."""
    with Ledger.open(settings.ledger_address) as ledger:
        total, pictures = ledger.form_pictures.page(limit, offset)
    return PicturePage(total, offset, pictures)


def decide(settings: Settings, picture_id: int, state: Decision) -> Decided:
    """Confirms or undoes a picture of the form, judges stored results anew and writes the files that the home has.

    Raises:
        InputError: if there is no such picture, or that was decided already.
    """
    tools = resources_from(settings)
    with tools["archive"].open() as archive, tools["reader"].open() as reader, progress_bars():
        labeller, searches = labeller_of(settings, archive.ledger), archive.ledger.searches
        who = requesting_user()
        touched = decide_form(labeller, picture_id, state, who, datetime.now(UTC))
        changed = label_documents(labeller, touched)
        others = {
            search_id: label_search(labeller, search_id)
            for search_id in searches.ids()
            if drop_of(search_id) is None and searches.get(search_id).finished_at is not None
        }
        others = {search_id: documents for search_id, documents in others.items() if documents}
        written = {search_id_of(drop): names for drop, names in by_drop(changed).items()} | others
        folders, left_out = ResultFolders(settings.results_dir), settings.remove_columns_from_results
        write_home_files(archive, reader, folders, written, left_out)
    return Decided(picture_id, state, who, changed, others)


def print_pictures(page: PicturePage) -> None:
    """The pictures as a table."""
    table = Table("picture", "state", "by", "merchants", "documents", "flat", "document", "page", "photo", "decided")
    for each in page.pictures:
        decided = "" if each.decided_at is None else f"{each.decided_at:%Y-%m-%d} {each.decided_by}"
        table.add_row(
            str(each.picture_id),
            each.state,
            each.recognised_by or "",
            str(each.n_merchants),
            str(each.n_documents),
            f"{each.flatness:.2f}",
            each.document,
            str(each.place.page_index + 1),
            str(each.photo + 1),
            decided,
        )
    console().print(table)
    console().print(f"{page.offset + 1 if page.pictures else 0} to {page.offset + len(page.pictures)} of {page.total}")


def print_decided(decided: Decided) -> None:
    """What was decided, and what changed with it."""
    what = "taken for the form's" if decided.state == "confirmed" else "not taken for the form's"
    console().print(f"Picture {decided.picture_id} is {what} from now on, by {decided.by}.")
    _print_changed(decided.changed)
    documents = sum(len(names) for names in decided.searches.values())
    console().print(f"The labels of {documents} documents of {len(decided.searches)} other searches are others now.")


def _print_changed(changed: Sequence[ChangedFinding]) -> None:
    if not changed:
        console().print("No document's finding changed.")
        return
    table = Table("drop", "document", "was", "is", "risk was", "risk", "flagged")
    for each in changed:
        table.add_row(
            each.drop,
            each.document,
            each.was or "",
            each.now or "",
            "" if each.risk_was is None else f"{each.risk_was:.2f}",
            "" if each.risk is None else f"{each.risk:.2f}",
            "yes" if each.flagged else "no",
        )
    console().print(table)
