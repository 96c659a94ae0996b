"""Stages ``indexed_photos`` and ``photo_collection``: vectors -> the collection that searches use."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from doc_assets.datatypes import IndexedPhoto, point_id
from doc_assets.embedding.base import Embedder
from doc_assets.embedding.shards import read_embeddings
from doc_assets.errors import SetupError
from doc_assets.index.base import VectorStore, collection_name
from doc_assets.ingest.archive import Archive, Chunk, embeddings_made_with, stamp
from doc_assets.progress import track
from doc_assets.tables import read_stamp

STAGE = "indexed_photos"


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What was written to a collection for a drop.

    Attributes:
        collection: its name.
        points: points written.
        removed: points of older versions of the same documents that went.
        points_in_collection: points afterwards, of all drops.
    """

    collection: str
    points: int
    removed: int
    points_in_collection: int


@dataclass(frozen=True, slots=True)
class CollectionReport:
    """The collection behind the alias.

    Attributes:
        alias: that searches use.
        collection: of the embedder in use.
        published: whether the alias points at it.
        points: photos in it.
        expected: photos that should be in it by the ledger.
        documents_missing: current documents that are not in it yet, for example of a drop under way.
    """

    alias: str
    collection: str
    published: bool
    points: int
    expected: int
    documents_missing: int

    @property
    def is_sound(self) -> bool:
        """Whether it holds exactly what the ledger says it holds."""
        return self.points == self.expected

    @property
    def is_complete(self) -> bool:
        """Whether it holds exactly the photos of all current documents."""
        return self.is_sound and self.documents_missing == 0


def index_drop(
    archive: Archive, store: VectorStore, embedder: Embedder, photos_version: str, drop_key: str, now: datetime
) -> IndexReport:
    """Upserts the vectors of a drop's current documents; doing it again changes nothing.

    Raises:
        SetupError: if the drop was not embedded with this embedder and these photos.
    """
    collection = collection_name(embedder.embedder_id)
    version = embeddings_made_with(embedder.embedder_id, photos_version)
    store.create(collection, embedder.dim)
    chunks = archive.chunks(drop_key)
    points = removed = 0
    for chunk in track(chunks, "index", len(chunks)):
        documents = archive.current(chunk)
        if read_stamp(archive.embedding_shard(chunk, embedder.embedder_id)) != stamp(version, documents):
            raise SetupError(
                f"The embeddings of drop {drop_key} (chunk {chunk.positions.start}) by {embedder.embedder_id} are "
                "missing or stale. Materialize photo_embeddings of this drop first."
            )
        fresh = list(_points(archive, chunk, embedder.embedder_id))
        ids = [document.document_id for document in documents]
        removed += store.replace_documents(collection, ids, fresh)
        archive.ledger.documents.record_indexed([document.id for document in documents], collection)
        points += len(fresh)
    store.finish(collection)
    archive.ledger.documents.complete_stage(drop_key, STAGE, version, now)
    return IndexReport(collection, points, removed, store.count(collection))


def inspect_collection(archive: Archive, store: VectorStore, embedder: Embedder, alias: str) -> CollectionReport:
    """How the embedder's collection compares with the ledger."""
    collection = collection_name(embedder.embedder_id)
    counts = archive.ledger.documents.counts()
    return CollectionReport(
        alias=alias,
        collection=collection,
        published=store.resolve(alias) == collection,
        points=store.count(collection) if collection in store.collections() else 0,
        expected=archive.ledger.documents.photos_in(collection),
        documents_missing=counts.current - counts.indexed.get(collection, 0),
    )


def publish_collection(archive: Archive, store: VectorStore, embedder: Embedder, alias: str) -> CollectionReport:
    """Points the alias at the embedder's collection once it is complete.

    While a new embedder's collection is being filled, searches go on using the old one. A first collection is
    published at once: an incomplete archive finds more than none.
    """
    store.create(collection_name(embedder.embedder_id), embedder.dim)
    report = inspect_collection(archive, store, embedder, alias)
    is_first = store.resolve(alias) is None
    if not report.published and (is_first or report.is_complete):
        store.publish(alias, report.collection)
        return replace(report, published=True)
    return report


def _points(archive: Archive, chunk: Chunk, embedder_id: str) -> Iterator[IndexedPhoto]:
    for row in read_embeddings(archive.embedding_shard(chunk, embedder_id)):
        yield IndexedPhoto(point_id(row.payload.key, embedder_id), row.vector, row.payload)
