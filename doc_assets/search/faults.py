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


def what_is_lacking(results: Sequence[ResultRecord]) -> str:
    """How many documents were not read or not compared in full, by their places; "" if none."""
    unread = [result.position + 1 for result in results if result.state == DocumentState.REJECTED]
    partly = [result.position + 1 for result in results if result.faults and result.state != DocumentState.REJECTED]
    said = []
    if unread:
        said.append(f"{len(unread)} of {len(results)} query documents could not be read ({_places(unread)}).")
    if partly:
        said.append(
            f"{len(partly)} of {len(results)} could not be searched for or compared in full ({_places(partly)})."
        )
    return " ".join([*said, "The results name them and say why."]) if said else ""


def _places(places: Sequence[int]) -> str:
    """The first ten; a run's error is kept by Dagster, where names of documents do not belong."""
    more = ", ..." if len(places) > _MOST_NAMED else ""
    return f"places {', '.join(map(str, places[:_MOST_NAMED]))}{more}"
