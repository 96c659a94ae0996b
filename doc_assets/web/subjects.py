"""What pages about documents, merchants and photo groups share: finding a document, links to Dagster, blindness."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from django.http import Http404, HttpRequest
from django.urls import reverse

from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.ledger.searches import drop_of
from doc_assets.archive.ledger.verdicts import CaseState
from doc_assets.errors import InputError
from doc_assets.sources.names import called
from doc_assets.util.visible import visible
from doc_assets.web.access import JUDGES
from doc_assets.web.desk import the_desk

MOST_DIGITS = 15
_LONGEST_NAME = 500


@dataclass(frozen=True, slots=True)
class Named:
    """A document as other pages name it: its number, its name as it may be shown, merchant and date in one line."""

    row_id: int
    name: str
    says: str

    @classmethod
    def of(cls, document: Document) -> "Named":
        """A document's."""
        merchant = visible(document.merchant_id) if document.merchant_id else ""
        says = " · ".join(filter(None, (f"{document.document_date}", merchant)))
        return cls(document.id, visible(document.file_name), says)


def document_or_404(row_id: int) -> Document:
    """The arrival of this number.

    Raises:
        Http404: if there is none.
    """
    found = the_desk().archive.ledger.documents.with_row_ids([row_id])
    if not found:
        raise Http404
    return found[0]


def named(row_ids: Iterable[int]) -> dict[int, Named]:
    """Documents by number; those that are gone are left out."""
    return {each.id: Named.of(each) for each in the_desk().archive.ledger.documents.with_row_ids(set(row_ids))}


def number_of(text: str) -> int | None:
    """A number of a document in a form or an address; None for anything else."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS else None


def row_of(text: str) -> int | None:
    """The number of the document that a person means by its name, its id or its number; None if there is none.

    Of a name's arrivals the one in the archive is meant, else the newest.
    """
    documents = the_desk().archive.ledger.documents
    text = text.strip()[:_LONGEST_NAME].replace("\0", "")
    if not text:
        return None
    arrivals = documents.arrivals([called(text, lambda name: bool(documents.arrivals([name])))])
    if arrivals:
        return max(arrivals, key=lambda each: (each.is_current, each.id)).id
    number = number_of(text)
    return number if number is not None and documents.with_row_ids([number]) else None


def hidden_pairs(request: HttpRequest, cases: Iterable[tuple[int, CaseState]]) -> set[str]:
    """Keys of pairs whose verdicts this person must not see: of cases that wait for this person's second review."""
    if not JUDGES & request.roles:
        return set()
    waiting = {number for number, state in cases if state == "second" and _waits_for(request, number)}
    pairs = the_desk().archive.ledger.cases.pairs(waiting)
    return {pair.pair_key for known in pairs.values() for pair in known}


def _waits_for(request: HttpRequest, case_id: int) -> bool:
    """Whether this person may judge a case now; not one that went meanwhile."""
    cases, person = the_desk().archive.ledger.cases, request.user.get_username()
    try:
        return cases.refusal(case_id, person, is_lead="lead" in request.roles) is None
    except InputError:
        return False


def dagster_runs(drop_key: str) -> str:
    """Address of the runs of a drop's partition in Dagster's UI; empty without an address of the UI."""
    query = urlencode({"q[]": f"tag:dagster/partition={drop_key}"})
    return _in_dagster(f"runs?{query}")


def dagster_partition(drop_key: str) -> str:
    """Address of a drop's partition of the asset that files cases; empty without an address of the UI."""
    return _in_dagster(f"assets/review_cases?{urlencode({'view': 'partitions', 'partition': drop_key})}")


def dagster_search(search_id: str) -> str:
    """Address of the run of a search, or of a screened drop's partition; empty without an address of the UI."""
    drop = drop_of(search_id)
    return dagster_partition(drop) if drop is not None else _in_dagster(f"runs/{quote(search_id, safe='')}")


def _in_dagster(path: str) -> str:
    ui = the_desk().runtime.settings.ui_url.rstrip("/")
    return f"{ui}/{path}" if ui.startswith(("http://", "https://")) else ""


def group_address(group_id: int) -> str:
    """Where a photo group is shown."""
    return str(reverse("group", args=[group_id]))
