"""Whether a search saw everything: the collection counted against the ledger; what was not compared, in words."""

import time
from collections.abc import Sequence

from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.ledger.results import ResultRecord, SearchFault
from doc_assets.archive.vectors.base import VectorStore
from doc_assets.errors import IndexSchemaError
from doc_assets.faults import DocumentState

_LOOKS, _PAUSE_S = 3, 1.0
"""A run that replaces a document's points is between the two counts for a moment."""
_MOST_NAMED = 10
_OF_READING = {"reading", "page", "photo"}


def require_collection(ledger: Ledger, store: VectorStore, alias: str) -> None:
    """Refuses to search a store that lost the collection; an archive in which nothing was indexed yet is not meant.

    Raises:
        IndexSchemaError: if the ledger counts photos and there is no collection that could hold them.
    """
    collection = store.resolve(alias)
    if collection is not None and collection in store.collections():
        return
    counted = ledger.collections.all_photos()
    if not any(counted.values()):
        return
    what = f"{alias!r} points at {collection}, which is gone" if collection else f"nothing is published as {alias!r}"
    others = "".join(f" {says}" for says in store.refused.values())
    raise IndexSchemaError(
        f"The collection is lost: {what}, and the ledger counts {max(counted.values())} indexed photos. Nothing was "
        f"searched. `doc-assets rebuild-index` makes it anew from Parquet.{others}"
    )


def published_collection(store: VectorStore, alias: str, wanted: str) -> str:
    """The collection behind the alias, if queries made for the collection ``wanted`` may be compared with it.

    Raises:
        IndexSchemaError: if there is none, or another embedder or other features filled it.
    """
    published = store.resolve(alias)
    if published is None:
        raise IndexSchemaError(
            f"Nothing is published as {alias!r}: the archive is empty. Ingest documents first "
            "(drop them into the inbox, or `doc-assets build-image-index --folder DIR`)."
        )
    if published != wanted:
        raise IndexSchemaError(
            f"The archive is indexed as {published}, the settings and this version ask for {wanted}; they cannot be "
            "compared. Set DOC_ASSETS_WORDS_CODEBOOK and DOC_ASSETS_MAX_FEATURES back, or let the nightly re-index "
            "fill the new collection first; if `doc-assets reindex` was changing the embedder, run it again."
        )
    return published


def shortfall(ledger: Ledger, store: VectorStore, collection: str) -> str | None:
    """A sentence if a collection holds fewer photos than the ledger counts in it; None if it holds all."""
    for look in range(_LOOKS):
        if look:
            time.sleep(_PAUSE_S)
        expected = ledger.collections.photos(collection)  # first: what is indexed meanwhile is more, never less
        points = store.count(collection)
        if points >= expected:
            return None
    return (
        f"The collection is incomplete: {expected - points} of {expected} photos that the ledger counts are not "
        "searchable, so that a re-use may be missed. `doc-assets rebuild-index` makes it anew from Parquet (if a drop "
        "is being ingested, wait until that ends); then do this again."
    )


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
