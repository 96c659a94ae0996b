"""The Qdrant engine in this process: one folder a collection, one process at a time.

The engine refuses a second process by an error deep in its log; here a lock file makes the second one
wait, and names the first if that takes too long. One shard is one collection; aliases are a small file
that is replaced in one step.
"""

import contextlib
import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from typing_extensions import override
from upath import UPath

from doc_assets.archive.payloads import payload_from_row
from doc_assets.archive.vectors.base import (
    INDEXED_FIELDS,
    VECTOR,
    WORDS,
    Exclusion,
    VectorStore,
    missing_collection,
    schema_error,
)
from doc_assets.archive.vectors.engine_values import (
    BATCH,
    engine_errors,
    excluding,
    optimize,
    point_of,
    probe,
    sparse,
    write,
)
from doc_assets.datatypes import Embeddings, Hit, IndexedPhoto, PhotoPayload, SparseVector
from doc_assets.errors import IndexSchemaError, StoreBusyError, StoreUnavailableError
from doc_assets.util.files import write_atomic

if TYPE_CHECKING:
    from qdrant_edge import EdgeShard, QueryRequest

_FLUSH_EVERY = 20_000  # points; the write-ahead log grows until then
_SCROLL = 2000
_SEARCH_EFFORT = 128  # HNSW ef; recall@10 is measured by benchmarks.search
_GRAPH_FROM = 10_000  # points below which the engine scans; no need to start its optimizer
_VECTORS_FILE = "vectors.json"
_HOME = "home"
_BEING_MADE, _DROPPED = ".new", ".dropped"


class EmbeddedStore(VectorStore):
    """Collections in folders below ``root``, held by this process until ``close``.

    Args:
        root: folder of the store; must lie on a local disk.
        lock_timeout_s: how long to wait for another process to close the store.
        home: id of the home whose collections they are; empty for any.

    Raises:
        StoreBusyError: if it does not.
    """

    def __init__(self, root: Path, lock_timeout_s: float = 600.0, home: str = "") -> None:
        super().__init__()
        self._root, self._home = root, home
        self._shards: dict[str, EdgeShard] = {}
        self._unflushed: dict[str, int] = {}
        root.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(root / ".lock")
        holder = root / ".lock-holder"
        try:
            self._lock.acquire(timeout=lock_timeout_s)
        except Timeout as error:
            with contextlib.suppress(OSError):
                by = holder.read_text(encoding="utf-8")
            raise StoreBusyError(
                f"The vector store in {root} was still in use after {lock_timeout_s:g} s by "
                f"{by or 'another process'}. Wait for that run or stop it, then try again; "
                "DOC_ASSETS_STORE_LOCK_TIMEOUT_S sets how long to wait."
            ) from error
        holder.write_text(f"process {os.getpid()}", encoding="utf-8")
        self._end_killed_rewrites()

    @override
    def create(self, collection: str, dim: int) -> None:
        if self._folder(collection).exists():
            found = self.dim(collection)
            if found != dim:
                raise schema_error(collection, found, dim)
            return
        self._make(collection, dim).rename(self._folder(collection))

    def _make(self, collection: str, dim: int, points: Iterable[IndexedPhoto] = ()) -> Path:
        """The folder of a new collection that still has another name; complete once it has its vectors file."""
        import qdrant_edge as edge

        being_made = self._root / f".{collection}{_BEING_MADE}"
        shutil.rmtree(being_made, ignore_errors=True)
        being_made.mkdir()
        vectors = {VECTOR: edge.EdgeVectorParams(size=dim, distance=edge.Distance.Cosine)}
        with engine_errors(collection):
            words = {WORDS: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)}
            shard = edge.EdgeShard.create(str(being_made), edge.EdgeConfig(vectors=vectors, sparse_vectors=words))
            for field in INDEXED_FIELDS:
                shard.update(edge.UpdateOperation.create_field_index(field, edge.PayloadSchemaType.Keyword))
            n = write(shard, points)
            shard.flush()
            shard.close()
        if n >= _GRAPH_FROM:
            optimize(being_made)
        write_atomic(UPath(being_made / _VECTORS_FILE), json.dumps({VECTOR: dim, _HOME: self._home}).encode())
        return being_made

    @override
    def points(self, collection: str) -> Iterator[IndexedPhoto]:
        import qdrant_edge as edge

        offset: Any = None
        while True:
            request = edge.ScrollRequest(offset=offset, limit=BATCH, with_payload=True, with_vector=True)
            with engine_errors(collection):
                records, offset = self._shard(collection).scroll(request)
            yield from (point_of(record) for record in records)
            if offset is None:
                return

    @override
    def points_with_ids(self, collection: str, point_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, IndexedPhoto]:
        ids: list[Any] = [str(point_id) for point_id in point_ids]
        with engine_errors(collection):
            records = self._shard(collection).retrieve(ids, with_payload=True, with_vector=True)
            found = [point_of(record) for record in records]
        return {point.point_id: point for point in found}

    @override
    def rewrite(self, collection: str) -> None:
        written = self._make(collection, self.dim(collection), self.points(collection))
        self.drop(collection)
        written.rename(self._folder(collection))

    def _end_killed_rewrites(self) -> None:
        """A complete copy takes the place of a collection that is gone; whatever else was left is removed."""
        for copy in self._root.glob(f".*{_BEING_MADE}"):
            place = self._folder(copy.name.removeprefix(".").removesuffix(_BEING_MADE))
            if not place.exists() and (copy / _VECTORS_FILE).exists():
                copy.rename(place)
            else:
                shutil.rmtree(copy)
        for gone in self._root.glob(f".*{_DROPPED}"):
            shutil.rmtree(gone)

    @override
    def collections(self) -> list[str]:
        return [name for name in self._folders() if self._is_ours(name)]

    def _folders(self) -> list[str]:
        return sorted(path.parent.name for path in self._root.glob(f"[!.]*/{_VECTORS_FILE}"))

    def _described(self, collection: str) -> dict[str, Any]:
        try:
            found = json.loads((self._folder(collection) / _VECTORS_FILE).read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise missing_collection(collection) from error
        except ValueError as error:
            raise StoreUnavailableError(
                f"{self._folder(collection) / _VECTORS_FILE} is damaged: {error}. Move {self._folder(collection)} away "
                "and run `doc-assets rebuild-index`."
            ) from error
        return dict(found)

    def _is_ours(self, collection: str) -> bool:
        return not self._home or self._described(collection).get(_HOME) == self._home

    @override
    def dim(self, collection: str) -> int:
        described = self._described(collection)
        if self._home and described.get(_HOME) != self._home:
            says = self.refused.get(collection, "it holds no document of this home, as far as was looked")
            raise IndexSchemaError(
                f"{self._folder(collection)} was not filled by this home ({says}). Move that folder away, then "
                "`doc-assets rebuild-index` makes the collection from Parquet."
            )
        return int(described[VECTOR])

    @override
    def unclaimed(self) -> list[str]:
        return [name for name in self._folders() if not self._is_ours(name)]

    @override
    def scan_unclaimed(self, collection: str) -> Iterator[PhotoPayload]:
        for _, payload in self._scan(collection, None):
            yield payload

    @override
    def adopt(self, collection: str, alias: str) -> None:
        described = {**self._described(collection), _HOME: self._home}
        write_atomic(UPath(self._folder(collection) / _VECTORS_FILE), json.dumps(described).encode())

    @override
    def drop(self, collection: str) -> None:
        self._close(collection)
        folder = self._folder(collection)
        if folder.exists():
            if (folder / _VECTORS_FILE).exists():
                self.dim(collection)  # raises if it is another home's
            gone = self._root / f".{collection}.{uuid.uuid4().hex}{_DROPPED}"
            folder.rename(gone)
            shutil.rmtree(gone)

    @override
    def count(self, collection: str) -> int:
        import qdrant_edge as edge

        self.dim(collection)
        with engine_errors(collection):
            return int(self._shard(collection).count(edge.CountRequest(exact=True)))

    @override
    def scan(self, collection: str, document_ids: Sequence[str] | None = None) -> Iterator[tuple[str, PhotoPayload]]:
        self.dim(collection)
        yield from self._scan(collection, document_ids)

    def _scan(self, collection: str, document_ids: Sequence[str] | None) -> Iterator[tuple[str, PhotoPayload]]:
        import qdrant_edge as edge

        only = None
        if document_ids is not None:
            only = edge.Filter(must=[edge.FieldCondition("document_id", match=edge.MatchAny(list(document_ids)))])
        offset: Any = None
        while True:
            request = edge.ScrollRequest(
                offset=offset, limit=_SCROLL, filter=only, with_payload=True, with_vector=False
            )
            with engine_errors(collection):
                records, offset = self._shard(collection).scroll(request)
            for record in records:
                yield str(record.id), payload_from_row(dict(record.payload or {}))
            if offset is None:
                return

    @override
    def delete(self, collection: str, point_ids: Sequence[str]) -> None:
        import qdrant_edge as edge

        ids: list[Any] = list(point_ids)
        with engine_errors(collection):
            self._shard(collection).update(edge.UpdateOperation.delete_points(ids))

    @override
    def broken(self, collection: str) -> str | None:
        self._close(collection)
        return probe(self._folder(collection))

    @override
    def finish(self, collection: str) -> None:
        with engine_errors(collection):
            self._shard(collection).flush()
        if self.count(collection) < _GRAPH_FROM:
            return
        # The optimizer holds the interpreter lock for as long as it works, so it gets a process of its own.
        self._close(collection)
        optimize(self._folder(collection))

    @override
    def publish(self, alias: str, collection: str) -> None:
        self.dim(collection)  # raises if it is absent
        aliases = {**self.aliases(), alias: collection}
        write_atomic(UPath(self._root / "aliases.json"), json.dumps(aliases, indent=1).encode())

    @override
    def resolve(self, alias: str) -> str | None:
        return self.aliases().get(alias)

    @override
    def aliases(self) -> dict[str, str]:
        return _aliases_in(self._root)

    @override
    def close(self) -> None:
        for collection in list(self._shards):
            self._close(collection)
        self._lock.release()

    @override
    def _upsert(self, collection: str, points: Sequence[IndexedPhoto]) -> None:
        shard = self._shard(collection)
        with engine_errors(collection):
            write(shard, points)
        self._unflushed[collection] = self._unflushed.get(collection, 0) + len(points)
        if self._unflushed[collection] >= _FLUSH_EVERY:
            with engine_errors(collection):
                shard.flush()
            self._unflushed[collection] = 0

    @override
    def _search(
        self, collection: str, vectors: Embeddings, limit: int, exclusion: Exclusion, exact: bool
    ) -> list[list[Hit]]:
        import qdrant_edge as edge

        params = edge.SearchParams(hnsw_ef=_SEARCH_EFFORT, exact=exact)
        without = excluding(exclusion)
        requests = [
            edge.QueryRequest(
                limit=limit,
                query=edge.Query.Nearest(vector, using=VECTOR),
                filter=without,
                with_payload=True,
                params=params,
            )
            for vector in vectors
        ]
        return self._ask(collection, requests)

    @override
    def _search_words(
        self, collection: str, words: Sequence[SparseVector], limit: int, exclusion: Exclusion
    ) -> list[list[Hit]]:
        import qdrant_edge as edge

        without = excluding(exclusion)
        requests = [
            edge.QueryRequest(
                limit=limit,
                query=edge.Query.Nearest(sparse(bag), using=WORDS),
                filter=without,
                with_payload=True,
            )
            for bag in words
        ]
        return self._ask(collection, requests)

    @override
    def vectors(self, collection: str, point_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, NDArray[np.float32]]:
        ids: list[Any] = [str(point_id) for point_id in point_ids]
        with engine_errors(collection):
            records = self._shard(collection).retrieve(ids, with_payload=False, with_vector=True)
        found: dict[uuid.UUID, NDArray[np.float32]] = {}
        for record in records:
            vectors: Any = record.vector
            found[uuid.UUID(str(record.id))] = np.asarray(vectors[VECTOR], np.float32)
        return found

    def _ask(self, collection: str, requests: Sequence["QueryRequest"]) -> list[list[Hit]]:
        import qdrant_edge as edge

        with engine_errors(collection):
            answers = self._shard(collection).query_batch(edge.QueryBatchRequest(list(requests)))
        return [
            [Hit(uuid.UUID(str(p.id)), p.score, payload_from_row(dict(p.payload or {}))) for p in points]
            for points in answers
        ]

    def _folder(self, collection: str) -> Path:
        return self._root / collection

    def _shard(self, collection: str) -> "EdgeShard":
        if collection not in self._shards:
            import qdrant_edge as edge

            self._described(collection)  # raises if it is absent
            with engine_errors(collection):
                self._shards[collection] = edge.EdgeShard.load(str(self._folder(collection)))
        return self._shards[collection]

    def _close(self, collection: str) -> None:
        shard = self._shards.pop(collection, None)
        if shard is not None:
            with engine_errors(collection):
                shard.flush()
                shard.close()


def published_in(root: Path, alias: str) -> str | None:
    """The collection that ``alias`` points at, read without holding the store; None if it is not there."""
    collection = _aliases_in(root).get(alias)
    return collection if collection is not None and (root / collection / _VECTORS_FILE).exists() else None


def _aliases_in(root: Path) -> dict[str, str]:
    try:
        known: dict[str, str] = json.loads((root / "aliases.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # damaged is as good as lost: rebuild-index writes it anew
        return {}
    return known
