"""From one embedder to another without a gap: a collection is filled beside the one in use, examined, put in use.

The one before stays, so that going back is a switch too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from doc_assets.archive.archive import Archive, Versions
from doc_assets.archive.vectors.base import VectorStore, embedder_of
from doc_assets.errors import ReindexError
from doc_assets.features.embedders.base import Embedder, EmbedderSpec
from doc_assets.pipeline.indexing import inspect_collection, put_in_use
from doc_assets.pipeline.self_test import Recall, graph_recall

_GRAPH_SAMPLE = 32


@dataclass(frozen=True, slots=True)
class Candidate:
    """An embedder, as it was asked for and with its weights, and the versions of the collection that it fills."""

    spec: EmbedderSpec
    embedder: Embedder
    versions: Versions


MeasureRecall = Callable[[Candidate], Recall]
"""Embedder with its collection -> attacked copies of archive photos that are found in it."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Shares of the true ten nearest photos and of attacked copies that must be found in a collection put in use."""

    graph_recall: float
    planted_recall: float


@dataclass(frozen=True, slots=True)
class Switch:
    """A collection that was examined and put in use.

    Attributes:
        collection: now in use.
        before: in use until then; None for the first one.
        photos: in the collection, as many as the ledger counts.
        graph_recall: see ``Bounds``; None if nothing was measured, as when going back.
        planted: attacked copies found in it.
        planted_before: of the same copies, those found in the collection before.
    """

    collection: str
    before: str | None
    photos: int
    graph_recall: float | None
    planted: Recall | None
    planted_before: Recall | None


def switch(
    archive: Archive,
    store: VectorStore,
    alias: str,
    new: Candidate,
    old: Candidate | None,
    recall_of: MeasureRecall,
    bounds: Bounds,
    now: datetime,
) -> Switch:
    """Puts the filled collection of ``new`` in use if it holds all photos and finds what ``bounds`` ask for.

    ``recall_of`` measures how many attacked copies are found, in that of ``old`` too if one is in use now.

    Raises:
        ReindexError: if the collection is incomplete or finds too little; nothing has changed then.
    """
    collection = new.versions.collection
    store.create(collection, new.embedder.dim)
    report = inspect_collection(archive, store, collection, alias)
    if not report.is_complete:
        raise ReindexError(
            f"{collection} holds {report.points} photos, the ledger counts {report.expected} for it, and "
            f"{report.documents_missing} current documents are not in it. Run the same `doc-assets reindex` again; it "
            "goes on where it stopped."
        )
    before = store.resolve(alias)
    graph = graph_recall(archive, new.versions, store, collection, _GRAPH_SAMPLE, collection)
    if graph < bounds.graph_recall:
        raise ReindexError(
            f"The search graph of {collection} finds {graph:.3f} of the nearest photos, wanted are "
            f"{bounds.graph_recall:g} (DOC_ASSETS_MIN_GRAPH_RECALL). Searches go on with {before}."
        )
    planted = recall_of(new)
    if planted.total < bounds.planted_recall:
        n_found, n_planted = sum(planted.found.values()), sum(planted.planted.values())
        raise ReindexError(
            f"{n_found} of {n_planted} planted copies were found with {new.embedder.embedder_id}, wanted is a share of "
            f"{bounds.planted_recall:g} (DOC_ASSETS_SELF_TEST_FAIL). Searches go on with {before}. The embedder does "
            "not suit, or the pair model has to be fitted for it (`doc-assets fit-probability`)."
        )
    comparable = old is not None and old.versions.collection == before != collection
    planted_before = recall_of(old) if old is not None and comparable else None
    put_in_use(archive, store, collection, new.spec, alias, now)
    return Switch(collection, before, report.points, graph, planted, planted_before)


def go_back(archive: Archive, store: VectorStore, alias: str, to: Candidate, name: str, now: datetime) -> Switch:
    """Puts the collection ``name`` that was in use before in use again, at once; what it lacks is filled afterwards.

    Raises:
        ReindexError: if its embedder or local features are no longer what made it, or it is gone.
    """
    made = to.versions.collection
    if made != name:
        raise ReindexError(
            f"{name} was made by {to.spec.name} {dict(to.spec.options)}, which now makes vectors for {made}. Go back "
            "to the program version and settings that filled it, or `doc-assets reindex` with that embedder."
        )
    if name not in store.collections():
        raise ReindexError(
            f"The store holds no {name} any more. `doc-assets reindex` with that embedder fills it anew."
        )
    before = store.resolve(alias)
    put_in_use(archive, store, name, to.spec, alias, now)
    return Switch(name, before, store.count(name), None, None, None)


def remove_others(archive: Archive, store: VectorStore) -> list[str]:
    """Deletes every collection on record that is not in use, with its vectors; returns their names."""
    everything = archive.ledger.collections.all()
    kept = {embedder_of(found.name) for found in everything if found.state == "in_use"}
    removed = []
    for found in everything:
        if found.state == "in_use":
            continue
        store.drop(found.name)
        embedder_id = embedder_of(found.name)
        targets = [found.name]
        if embedder_id not in kept:
            targets.append(embedder_id)
            folder = archive.bulk / "embeddings" / embedder_id
            if folder.exists():
                folder.fs.rm(folder.path, recursive=True)
        archive.ledger.collections.remove(found.name, targets)
        removed.append(found.name)
    return removed
