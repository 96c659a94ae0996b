"""Whether a search sees the whole archive: the collection is counted against the ledger before anything is said."""

import time

from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.vectors.base import VectorStore
from doc_assets.errors import IndexSchemaError

_LOOKS, _PAUSE_S = 3, 1.0
"""A run that replaces a document's points is between the two counts for a moment."""


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
