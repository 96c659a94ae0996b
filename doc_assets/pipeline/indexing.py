"""Stages ``indexed_photos`` and ``photo_collection``: vectors and words -> the collection that searches use."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from doc_assets.archive.archive import Archive, Chunk, Versions, chunk_of, provenance
from doc_assets.archive.chunk_faults import ChunkFaults
from doc_assets.archive.ledger.collections import Collection
from doc_assets.archive.ledger.documents import Stage
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.points import points_of
from doc_assets.archive.pruning import with_current
from doc_assets.archive.tables import read_provenance
from doc_assets.archive.vectors.base import VectorStore
from doc_assets.datatypes import IndexedPhoto
from doc_assets.errors import SetupError
from doc_assets.features.embedders.base import Embedder, EmbedderSpec
from doc_assets.pipeline.stage import run_stage
from doc_assets.util.isolation import Failure, attempt_each

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
    archive: Archive, store: VectorStore, versions: Versions, dim: int, drop_key: str, now: datetime
) -> IndexReport:
    """Upserts vectors and words of a drop's current documents; doing it again changes nothing.

    Args:
        archive: where they are.
        store: where they go.
        versions: what they must be made with.
        dim: length of a vector.
        drop_key: the drop.
        now: for the ledger.

    Raises:
        SetupError: if the drop was not embedded and described with these versions.
    """
    collection = versions.collection
    store.create(collection, dim)

    def work(chunk: Chunk) -> tuple[int, int]:
        counts = with_current(archive, chunk, partial(_index_documents, archive, store, versions, chunk))
        _mend_overtaken(archive, store, versions, chunk)
        return counts

    stage, finish = Stage(STAGE, collection, versions.points), partial(store.finish, collection)
    counts = run_stage(archive, stage, "index", drop_key, now, work, finish=finish)
    points, removed = (sum(each[i] for each in counts) for i in range(2))
    return IndexReport(collection, points, removed, store.count(collection))


def _index_documents(
    archive: Archive, store: VectorStore, versions: Versions, chunk: Chunk, documents: list[Document]
) -> tuple[int, int]:
    """Makes the points of documents of a chunk all that the collection holds of them; how many came and went.

    One by one if not all can be had together: a document that cannot be indexed is a fault in the ledger.
    """
    require_made_with(archive, chunk, archive.current(chunk), versions)
    fresh: dict[str, list[IndexedPhoto]] = {document.document_id: [] for document in documents}
    for point in points_of(archive, chunk, versions, archive.current(chunk)):
        if point.payload.document_id in fresh:
            fresh[point.payload.document_id].append(point)
    faults = ChunkFaults(STAGE, versions.collection, documents)
    gone: list[int] = []

    def put(part: Sequence[Document]) -> Sequence[int]:
        names = sorted(document.document_id for document in part)
        points = [point for name in names for point in fresh[name]]
        gone.append(store.replace_documents(versions.collection, names, points))
        return [document.id for document in part]

    left_out: dict[int, int] = {}
    units = [f"points of document {document.id}" for document in documents]
    for document, found in zip(documents, attempt_each(units, documents, put), strict=True):
        if isinstance(found, Failure):
            faults.add(document.document_id, Failure(f"It could not be indexed: {found.reason}", found.code))
            continue
        n_points = len(fresh[document.document_id])
        left_out[document.id] = (document.n_photos or n_points) - n_points
    archive.ledger.collections.record_indexed(list(left_out), versions.collection, left_out)
    faults.file(archive)
    return sum(len(fresh[document.document_id]) for document in documents if document.id in left_out), sum(gone)


def _mend_overtaken(archive: Archive, store: VectorStore, versions: Versions, chunk: Chunk) -> None:
    """Writes points again that another run overwrote with those of an older version, or that we did.

    Two runs that write the same documents into a server's collection may overtake each other. Each looks after it filed
    what it wrote, so that the later look sees both.
    """
    every = archive.ledger.documents.of_chunk(chunk.drop_key, chunk.positions)
    names = sorted({document.document_id for document in every})
    before: list[int] = []
    while True:
        current = archive.ledger.documents.current_with_ids(names)
        indexed = archive.ledger.collections.indexed(
            [document.id for document in current.values()], versions.collection
        )
        held: dict[str, Counter[str]] = defaultdict(Counter)
        for _, payload in store.scan(versions.collection, names):
            held[payload.document_id][payload.sha256] += 1

        def wanted(document: Document, left_out: Mapping[int, int] = indexed) -> int:
            return (document.n_photos or 0) - left_out[document.id]

        wrong = [
            document
            for document in current.values()
            if document.id in indexed
            and held[document.document_id] != +Counter({str(document.sha256): wanted(document)})
        ]
        if not wrong:
            return
        for document in wrong:
            place = chunk_of(document, archive.chunks(document.drop_key))

            def index(documents: list[Document], place: Chunk = place, row: int = document.id) -> tuple[int, int]:
                ours = [each for each in documents if each.id == row]
                return _index_documents(archive, store, versions, place, ours) if ours else (0, 0)

            with_current(archive, place, index)
        if [document.id for document in wrong] == before:
            return  # it is not for another run that they differ; the checks say so
        before = [document.id for document in wrong]


def inspect_collection(archive: Archive, store: VectorStore, collection: str, alias: str) -> CollectionReport:
    """How a collection compares with the ledger."""
    collections = archive.ledger.collections
    return CollectionReport(
        alias=alias,
        collection=collection,
        published=store.resolve(alias) == collection,
        points=store.count(collection) if collection in store.collections() else 0,
        expected=collections.photos(collection),
        documents_missing=archive.ledger.documents.counts().current - collections.current_documents(collection),
    )


def publish_collection(
    archive: Archive,
    store: VectorStore,
    collection: str,
    embedder: Embedder,
    spec: EmbedderSpec,
    alias: str,
    now: datetime,
) -> CollectionReport:
    """Points the alias at the collection of the versions in use once it is complete, and files that it is in use.

    While a new one is being filled, searches go on using the old one. A first collection is published at once:
    an incomplete archive finds more than none.
    """
    store.create(collection, embedder.dim)
    report = inspect_collection(archive, store, collection, alias)
    is_first = store.resolve(alias) is None
    if not report.published and (is_first or report.is_complete):
        put_in_use(archive, store, collection, spec, alias, now)
        return replace(report, published=True)
    if report.published and archive.ledger.collections.last("in_use") is None:
        put_in_use(archive, store, collection, spec, alias, now)
    return report


def put_in_use(
    archive: Archive, store: VectorStore, collection: str, spec: EmbedderSpec, alias: str, now: datetime
) -> None:
    """Makes a collection the one that searches use and that drops fill.

    The ledger comes first: from then on everything makes vectors for it. Whatever dies before the alias moves, the next
    run of ``photo_collection`` moves it.
    """
    archive.ledger.collections.record(Collection(collection, spec.name, dict(spec.options), "in_use", now))
    store.publish(alias, collection)


def require_made_with(archive: Archive, chunk: Chunk, documents: list[Document], versions: Versions) -> None:
    """Refuses to go on from vectors or features of a chunk's current documents that are missing or stale.

    Raises:
        SetupError: if they are.
    """
    needed = {
        "photo_embeddings": (archive.embedding_shard(chunk, versions.embedder_id), versions.embeddings),
        "local_features": (archive.feature_shard(chunk, versions.features_id), versions.features),
    }
    for asset, (path, made_with) in needed.items():
        if read_provenance(path) != provenance(made_with, documents):
            raise SetupError(
                f"The {asset} of drop {chunk.drop_key} (chunk {chunk.positions.start}, {made_with}) are missing or "
                f"stale. Materialize {asset} of this drop first."
            )
