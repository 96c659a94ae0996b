"""What a search could not do or compare, in words; the rest of it was done."""

from collections.abc import Sequence

from doc_assets.archive.ledger.results import ResultRecord, SearchFault
from doc_assets.faults import DocumentState

_MOST_NAMED = 10
_OF_READING = {"reading", "page", "photo"}


def all_in_words(faults: Sequence[SearchFault]) -> str:
    """The first ten in one line, and how many more there are."""
    shown = "; ".join(fault.in_words() for fault in faults[:_MOST_NAMED])
    more = len(faults) - _MOST_NAMED
    return f"{shown}; and {more} more" if more > 0 else shown


def beyond_reading(result: ResultRecord) -> list[str]:
    """What a result lacks although its query document was read; what reading lacked stands in its ``error``."""
    return [fault.in_words() for fault in result.faults if fault.stage not in _OF_READING]


def what_is_lacking(results: Sequence[ResultRecord], broken: Sequence[str] = ()) -> str:
    """Sentences that name documents not read, not compared in full or without their page; "" if there are none."""
    unread = [result for result in results if result.state == DocumentState.REJECTED]
    partly = [result for result in results if result.faults and result.state != DocumentState.REJECTED]
    said = []
    if unread:
        named = ", ".join(result.query_document for result in unread[:_MOST_NAMED])
        said.append(f"{len(unread)} of {len(results)} query documents could not be read: {named}.")
    if partly:
        named = "; ".join(f"{each.query_document} ({each.faults[0].in_words()})" for each in partly[:_MOST_NAMED])
        said.append(f"{len(partly)} of {len(results)} could not be searched for or compared in full: {named}.")
    if broken:
        said.append(f"{len(broken)} pages of the report could not be made: {'; '.join(broken[:_MOST_NAMED])}.")
    return " ".join(said)
