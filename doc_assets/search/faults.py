"""What a search could not do or compare; the rest of it was done."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from doc_assets.archive.ledger.results import ResultRecord
from doc_assets.faults import DocumentState

_MOST_NAMED = 10
_OF_READING = {"reading", "page", "photo"}

SearchStage = Literal["reading", "page", "photo", "retrieval", "pair", "result", "picture"]


@dataclass(frozen=True, slots=True)
class SearchFault:
    """One thing that a search lacks.

    Attributes:
        stage: where it broke: reading the query document, a page of it, a photo of it, looking for candidates,
            comparing a pair of photos, making the result, keeping or drawing a picture.
        reason: in words.
        query_page: of the query document, from 1; None if it is about no page.
        query_photo: of the query document, from 0; None if it is about no photo.
        document: file name of the other document of a pair; None if it is about no pair.
        photo: of that document, from 0.
    """

    stage: SearchStage
    reason: str
    query_page: int | None = None
    query_photo: int | None = None
    document: str | None = None
    photo: int | None = None

    def entry(self) -> dict[str, Any]:
        """As it stands in ``faults`` of a result."""
        return asdict(self)

    def in_words(self) -> str:
        """One line: where, then why."""
        return describe(self.entry())


def describe(fault: dict[str, Any]) -> str:
    """An entry of ``faults`` in one line: where, then why."""
    where = []
    if fault["query_page"] is not None:
        where.append(f"page {fault['query_page']}")
    if fault["query_photo"] is not None:
        where.append(f"photo {fault['query_photo'] + 1}")
    if fault["document"] is not None:
        against = fault["document"] if fault["photo"] is None else f"photo {fault['photo'] + 1} of {fault['document']}"
        where.append(f"against {against}")
    return f"{', '.join(where)}: {fault['reason']}" if where else str(fault["reason"])


def all_in_words(faults: Sequence[SearchFault]) -> str:
    """The first ten in one line, and how many more there are."""
    shown = "; ".join(fault.in_words() for fault in faults[:_MOST_NAMED])
    more = len(faults) - _MOST_NAMED
    return f"{shown}; and {more} more" if more > 0 else shown


def beyond_reading(result: ResultRecord) -> list[str]:
    """What a result lacks although its query document was read; what reading lacked stands in its ``error``."""
    return [describe(fault) for fault in result.faults if fault["stage"] not in _OF_READING]


def what_is_lacking(results: Sequence[ResultRecord], broken: Sequence[str] = ()) -> str:
    """Sentences that name documents not read, not compared in full or without their page; "" if there are none."""
    unread = [result for result in results if result.state == DocumentState.REJECTED]
    partly = [result for result in results if result.faults and result.state != DocumentState.REJECTED]
    said = []
    if unread:
        named = ", ".join(result.query_document for result in unread[:_MOST_NAMED])
        said.append(f"{len(unread)} of {len(results)} query documents could not be read: {named}.")
    if partly:
        named = "; ".join(f"{result.query_document} ({describe(result.faults[0])})" for result in partly[:_MOST_NAMED])
        said.append(f"{len(partly)} of {len(results)} could not be searched for or compared in full: {named}.")
    if broken:
        said.append(f"{len(broken)} pages of the report could not be made: {'; '.join(broken[:_MOST_NAMED])}.")
    return " ".join(said)
