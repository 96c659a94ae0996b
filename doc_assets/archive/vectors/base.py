# ruff: noqa: ANN401 - records and offsets are of each engine's own classes
"""The interface of every vector store, its names, and the checks that all of them share.

Stores differ in what they accept silently (one takes NaN, another a vector of the wrong length on a
reopened folder), so vectors are checked here, before any of them sees one.
"""

import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from doc_assets.archive.payloads import payload_from_row
from doc_assets.datatypes import Hit, IndexedPhoto, PhotoPayload, SparseVector
from doc_assets.errors import IndexSchemaError

VECTOR = "image"
"""Name of the dense vector of a point."""

WORDS = "words"
"""Name of the sparse vector of a point; the store weighs each word by its rarity (IDF)."""

INDEXED_FIELDS = ("document_id", "merchant_id", "sha256", "drop")
"""Payload fields that filters use; each gets a payload index before the first point is written."""

SCHEMA_VERSION = 2
"""Part of a collection's name; raised when payload or vectors change their meaning."""

BATCH = 256
"""Points with vectors that go in one request, which stays far below the 32 MB that a server takes."""

SEARCH_EFFORT = 128
"""Candidates that the search graph keeps (HNSW ef); recall@10 is measured by benchmarks.search."""

_PAYLOADS_PER_REQUEST = 2000
_UNIT_TOLERANCE = 1e-3


def collection_name(embedder_id: str, features_id: str) -> str:
    """The one collection of an embedder and a kind of local features: ``photos__<embedder>__<features>__v<n>``."""
    return f"photos__{embedder_id}__{features_id}__v{SCHEMA_VERSION}"


def embedder_of(collection: str) -> str:
    """Id of the embedder that fills the collection of this name."""
    return collection.split("__")[1]


def features_of(collection: str) -> str:
    """Id of the local features whose words the collection of this name holds."""
    return collection.split("__")[2]


@dataclass(frozen=True, slots=True)
class Exclusion:
    """What a search must not return; applied in the filter, before the top k are taken."""

    document_ids: tuple[str, ...] = ()
    merchant_ids: tuple[str, ...] = ()

    @property
    def fields(self) -> dict[str, tuple[str, ...]]:
        """The values that are excluded, by payload field; fields without any are left out."""
        values = {"document_id": self.document_ids, "merchant_id": self.merchant_ids}
        return {field: excluded for field, excluded in values.items() if excluded}


class VectorStore(ABC):
    """Collections of photos; every method works on one collection by name.

    A store that was opened for a home shows and changes that home's collections and aliases alone, whatever else the
    engine holds.

    Attributes:
        refused: collections of this home's names that were found to be another's, with a sentence on each.

    Raises, from every method that talks to the engine:
        StoreUnavailableError: if it does not answer.
        IndexSchemaError: if the collection is absent or of another shape.
    """

    def __init__(self) -> None:
        self.refused: dict[str, str] = {}

    @abstractmethod
    def unclaimed(self) -> list[str]:
        """Names of collections that no home has claimed, and of which this home has none of its own."""

    def scan_unclaimed(self, collection: str) -> Iterator[PhotoPayload]:
        """The payload of every point of such a collection."""
        for record in self._records(collection, _PAYLOADS_PER_REQUEST):
            yield _payload_of(record)

    @abstractmethod
    def adopt(self, collection: str, alias: str) -> None:
        """Makes such a collection this home's, and points ``alias`` at it if the store's alias did."""

    def create(self, collection: str, dim: int) -> None:
        """Makes the collection with its payload indexes; no effect if it exists with this ``dim``.

        Raises:
            IndexSchemaError: if it exists with another one.
        """
        if not self._exists(collection):
            self._create(collection, dim)
        elif (found := self.dim(collection)) != dim:
            raise schema_error(collection, found, dim)

    @abstractmethod
    def collections(self) -> list[str]:
        """Names of all collections, sorted."""

    @abstractmethod
    def dim(self, collection: str) -> int:
        """Length of the collection's vectors."""

    @abstractmethod
    def drop(self, collection: str) -> None:
        """Deletes the collection with all its points; no effect if it is absent."""

    @abstractmethod
    def count(self, collection: str) -> int:
        """Exact number of points."""

    def scan(self, collection: str, document_ids: Sequence[str] | None = None) -> Iterator[tuple[str, PhotoPayload]]:
        """Every point's id and payload, those of ``document_ids`` only if given."""
        self.dim(collection)
        for record in self._records(self._name(collection), _PAYLOADS_PER_REQUEST, document_ids):
            yield str(record.id), _payload_of(record)

    @abstractmethod
    def delete(self, collection: str, point_ids: Sequence[str]) -> None:
        """Deletes points by id; unknown ids are no error."""

    def broken(self, collection: str) -> str | None:
        """Why the collection cannot be read, where that can be tried without harm; None if it can."""
        del collection
        return None

    @abstractmethod
    def finish(self, collection: str) -> None:
        """Makes all writes durable and brings the search index up to date."""

    @abstractmethod
    def publish(self, alias: str, collection: str) -> None:
        """Points ``alias`` at ``collection`` in one step."""

    def resolve(self, alias: str) -> str | None:
        """The collection that ``alias`` points at; None if there is no such alias."""
        return self.aliases().get(alias)

    @abstractmethod
    def aliases(self) -> dict[str, str]:
        """Every alias with the collection that it points at."""

    @abstractmethod
    def close(self) -> None:
        """Gives the store back; no method works afterwards."""

    def vectors(self, collection: str, point_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, NDArray[np.float32]]:
        """The unit vectors (D,) of points by id; unknown ids are left out."""
        records = self._retrieve(collection, [str(point_id) for point_id in point_ids], with_payload=False)
        return {_id_of(record): _vector_of(record) for record in records}

    def points_with_ids(self, collection: str, point_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, IndexedPhoto]:
        """Points by id as they were written; unknown ids are left out."""
        records = self._retrieve(collection, [str(point_id) for point_id in point_ids], with_payload=True)
        return {_id_of(record): _point_of(record) for record in records}

    def points(self, collection: str) -> Iterator[IndexedPhoto]:
        """Every point as it was written."""
        self.dim(collection)
        for record in self._records(self._name(collection), BATCH, with_vectors=True):
            yield _point_of(record)

    @abstractmethod
    def rewrite(self, collection: str) -> None:
        """Writes the collection anew from its points, so that nothing of deleted ones stays on the disk.

        Engines only mark deleted points; their bytes stay in segments and write-ahead log for an unknown time.
        Whatever a killed call leaves, the next one ends.
        """

    @abstractmethod
    def _exists(self, collection: str) -> bool: ...

    @abstractmethod
    def _create(self, collection: str, dim: int) -> None: ...

    def _name(self, collection: str) -> str:
        """What the engine calls a collection of this home."""
        return collection

    def _records(
        self, name: str, limit: int, document_ids: Sequence[str] | None = None, *, with_vectors: bool = False
    ) -> Iterator[Any]:
        """Every record of a collection by its name in the engine, ``limit`` of them per request."""
        offset: Any = None
        while True:
            records, offset = self._scroll(name, limit, offset, document_ids, with_vectors)
            yield from records
            if offset is None:
                return

    @abstractmethod
    def _scroll(
        self, name: str, limit: int, offset: Any, document_ids: Sequence[str] | None, with_vectors: bool
    ) -> tuple[Sequence[Any], Any]:
        """Records with payload from ``offset`` on, and the offset of the next ones; None after the last."""

    @abstractmethod
    def _retrieve(self, collection: str, point_ids: list[Any], *, with_payload: bool) -> Sequence[Any]:
        """Records with their vectors, by id."""

    @abstractmethod
    def _upsert(self, collection: str, points: Sequence[IndexedPhoto]) -> None: ...

    @abstractmethod
    def _query(
        self, collection: str, using: str, queries: Sequence[Any], limit: int, exclusion: Exclusion, exact: bool
    ) -> Sequence[Sequence[Any]]:
        """For each query, a vector (D,) or a bag of words, the scored points with payload nearest to it.

        ``exact`` is for vectors alone; words are always compared with every point that has one of them.
        """

    def upsert(self, collection: str, points: Sequence[IndexedPhoto]) -> None:
        """Writes points; a point with a known id replaces the old one.

        Raises:
            IndexSchemaError: if a vector has another length than the collection's.
            ValueError: if a vector is not finite or not of unit length.
        """
        if not points:
            return
        self._check(collection, np.stack([point.vector for point in points]))
        self._upsert(collection, points)

    def replace_documents(self, collection: str, document_ids: Sequence[str], points: Sequence[IndexedPhoto]) -> int:
        """Makes ``points`` all that the collection holds of these documents; returns how many old ones went.

        The new points are written first, so that a search in between finds the document either way.
        """
        self.upsert(collection, points)
        wanted = {str(point.point_id) for point in points}
        stale = [point_id for point_id, _ in self.scan(collection, document_ids) if point_id not in wanted]
        if stale:
            self.delete(collection, stale)
        return len(stale)

    def search(
        self,
        collection: str,
        vectors: NDArray[np.float32],
        limit: int,
        exclusion: Exclusion | None = None,
        *,
        exact: bool = False,
    ) -> list[list[Hit]]:
        """The ``limit`` most similar photos of every vector, best first, ties by id.

        Args:
            collection: where to search.
            vectors: (N, D) unit rows.
            limit: most hits a vector, at least 1.
            exclusion: documents and merchants that do not count.
            exact: compare with every point instead of following the search graph.
        """
        if len(vectors) == 0:
            return []
        self._check(collection, vectors)
        found = self._query(collection, VECTOR, list(vectors), limit, exclusion or Exclusion(), exact)
        hits = [[_hit_of(point, min(1.0, max(-1.0, point.score))) for point in points] for points in found]
        return [sorted(found, key=_best_first) for found in hits]

    def search_words(
        self, collection: str, words: Sequence[SparseVector], limit: int, exclusion: Exclusion | None = None
    ) -> list[list[Hit]]:
        """The ``limit`` photos that share most words with each bag, rare words counting more; best first, ties by id.

        A bag without words finds nothing.
        """
        bags = [bag for bag in words if len(bag.indices)]
        answers = iter(self._query(collection, WORDS, bags, limit, exclusion or Exclusion(), False) if bags else [])
        found = [next(answers) if len(bag.indices) else [] for bag in words]
        return [sorted((_hit_of(point, point.score) for point in points), key=_best_first) for points in found]

    def _check(self, collection: str, vectors: NDArray[np.float32]) -> None:
        dim = self.dim(collection)
        if vectors.shape[1] != dim:
            raise schema_error(collection, dim, vectors.shape[1])
        lengths = np.linalg.norm(vectors, axis=1)
        if not np.all(np.abs(lengths - 1) < _UNIT_TOLERANCE):  # False for NaN too
            raise ValueError(f"Vectors for {collection} must be finite and of unit length, got {lengths}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _best_first(hit: Hit) -> tuple[float, bytes]:
    return -hit.similarity, hit.point_id.bytes


def _id_of(record: Any) -> uuid.UUID:
    return uuid.UUID(str(record.id))


def _payload_of(record: Any) -> PhotoPayload:
    return payload_from_row(dict(record.payload or {}))


def _vector_of(record: Any) -> NDArray[np.float32]:
    return np.asarray(record.vector[VECTOR], np.float32)


def _hit_of(point: Any, similarity: float) -> Hit:
    return Hit(_id_of(point), similarity, _payload_of(point))


def _point_of(record: Any) -> IndexedPhoto:
    bag = record.vector.get(WORDS)  # a point without words has none
    words = ([], []) if bag is None else (bag.indices, bag.values)
    return IndexedPhoto(
        _id_of(record),
        _vector_of(record),
        SparseVector(np.asarray(words[0], np.uint32), np.asarray(words[1], np.float32)),
        _payload_of(record),
    )


def schema_error(collection: str, found_dim: int, wanted_dim: int) -> IndexSchemaError:
    """The error for a collection whose vectors have another length than the embedder's."""
    return IndexSchemaError(
        f"Collection {collection!r} holds {found_dim}-d vectors, the embedder makes {wanted_dim}-d ones. "
        "Choose the embedder it was filled with, or ingest into a collection of the new one (run reindex)."
    )


def missing_collection(collection: str) -> IndexSchemaError:
    """The error for a collection that is not there."""
    return IndexSchemaError(
        f"There is no collection {collection!r}. Ingest documents first (`doc-assets build-image-index`)."
    )
