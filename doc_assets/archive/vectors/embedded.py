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
from itertools import islice
from pathlib import Path
from typing import Any

import qdrant_edge as edge  # noqa: TID253 - the runtime imports this module where it opens a store
from filelock import FileLock, Timeout
from typing_extensions import override
from upath import UPath

from doc_assets.archive.payloads import point_row
from doc_assets.archive.vectors.base import (
    INDEXED_FIELDS,
    SEARCH_EFFORT,
    VECTOR,
    WORDS,
    Exclusion,
    VectorStore,
    missing_collection,
)
from doc_assets.archive.vectors.engine_process import optimize, read_through
from doc_assets.datatypes import IndexedPhoto, SparseVector
from doc_assets.errors import DocAssetsError, IndexSchemaError, StoreBusyError, StoreUnavailableError
from doc_assets.util.files import write_atomic

_POINTS_PER_UPSERT = 512
_FLUSH_EVERY = 20_000  # points; the write-ahead log grows until then
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
        self._shards: dict[str, edge.EdgeShard] = {}
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
    def _exists(self, collection: str) -> bool:
        return self._folder(collection).exists()

    @override
    def _create(self, collection: str, dim: int) -> None:
        self._make(collection, dim).rename(self._folder(collection))

    def _make(self, collection: str, dim: int, points: Iterable[IndexedPhoto] = ()) -> Path:
        """The folder of a new collection that still has another name; complete once it has its vectors file."""
        being_made = self._root / f".{collection}{_BEING_MADE}"
        shutil.rmtree(being_made, ignore_errors=True)
        being_made.mkdir()
        vectors = {VECTOR: edge.EdgeVectorParams(size=dim, distance=edge.Distance.Cosine)}
        with _engine_errors(collection):
            words = {WORDS: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)}
            shard = edge.EdgeShard.create(str(being_made), edge.EdgeConfig(vectors=vectors, sparse_vectors=words))
            for field in INDEXED_FIELDS:
                shard.update(edge.UpdateOperation.create_field_index(field, edge.PayloadSchemaType.Keyword))
            n = _write(shard, points)
            shard.flush()
            shard.close()
        if n >= _GRAPH_FROM:
            optimize(being_made)
        write_atomic(UPath(being_made / _VECTORS_FILE), json.dumps({VECTOR: dim, _HOME: self._home}).encode())
        return being_made

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
        self.dim(collection)
        with _engine_errors(collection):
            return int(self._shard(collection).count(edge.CountRequest(exact=True)))

    @override
    def _scroll(
        self, name: str, limit: int, offset: Any, document_ids: Sequence[str] | None, with_vectors: bool
    ) -> tuple[Sequence[Any], Any]:
        only = None if document_ids is None else edge.Filter(must=[_is_any("document_id", document_ids)])
        request = edge.ScrollRequest(
            offset=offset, limit=limit, filter=only, with_payload=True, with_vector=with_vectors
        )
        with _engine_errors(name):
            return self._shard(name).scroll(request)

    @override
    def _retrieve(self, collection: str, point_ids: list[Any], *, with_payload: bool) -> Sequence[Any]:
        with _engine_errors(collection):
            return self._shard(collection).retrieve(point_ids, with_payload=with_payload, with_vector=True)

    @override
    def delete(self, collection: str, point_ids: Sequence[str]) -> None:
        ids: list[Any] = list(point_ids)
        with _engine_errors(collection):
            self._shard(collection).update(edge.UpdateOperation.delete_points(ids))

    @override
    def broken(self, collection: str) -> str | None:
        self._close(collection)
        return read_through(self._folder(collection))

    @override
    def finish(self, collection: str) -> None:
        with _engine_errors(collection):
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
        with _engine_errors(collection):
            _write(shard, points)
        self._unflushed[collection] = self._unflushed.get(collection, 0) + len(points)
        if self._unflushed[collection] >= _FLUSH_EVERY:
            with _engine_errors(collection):
                shard.flush()
            self._unflushed[collection] = 0

    @override
    def _query(
        self, collection: str, using: str, queries: Sequence[Any], limit: int, exclusion: Exclusion, exact: bool
    ) -> Sequence[Sequence[Any]]:
        params = edge.SearchParams(hnsw_ef=SEARCH_EFFORT, exact=exact) if using == VECTOR else None
        excluded: list[Any] = [_is_any(field, values) for field, values in exclusion.fields.items()]
        without = edge.Filter(must_not=excluded) if excluded else None
        requests = [
            edge.QueryRequest(
                limit=limit,
                query=edge.Query.Nearest(query if using == VECTOR else _sparse(query), using=using),
                filter=without,
                with_payload=True,
                params=params,
            )
            for query in queries
        ]
        with _engine_errors(collection):
            return self._shard(collection).query_batch(edge.QueryBatchRequest(requests))

    def _folder(self, collection: str) -> Path:
        return self._root / collection

    def _shard(self, collection: str) -> edge.EdgeShard:
        if collection not in self._shards:
            self._described(collection)  # raises if it is absent
            with _engine_errors(collection):
                self._shards[collection] = edge.EdgeShard.load(str(self._folder(collection)))
        return self._shards[collection]

    def _close(self, collection: str) -> None:
        shard = self._shards.pop(collection, None)
        if shard is not None:
            with _engine_errors(collection):
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


def _write(shard: edge.EdgeShard, points: Iterable[IndexedPhoto]) -> int:
    """Upserts points and returns how many."""
    n = 0
    remaining = iter(points)
    while batch := list(islice(remaining, _POINTS_PER_UPSERT)):
        rows = [edge.Point(point.point_id, _vectors_of(point), point_row(point.payload)) for point in batch]
        shard.update(edge.UpdateOperation.upsert_points(rows))
        n += len(batch)
    return n


def _vectors_of(point: IndexedPhoto) -> Any:  # noqa: ANN401 - the engine's own union of vectors
    """A point's vectors by name; one without words has no sparse one."""
    vectors: dict[str, Any] = {VECTOR: point.vector}
    if len(point.words.indices):
        vectors[WORDS] = _sparse(point.words)
    return vectors


def _sparse(bag: SparseVector) -> edge.SparseVector:
    return edge.SparseVector(indices=bag.indices.tolist(), values=bag.values.tolist())


def _is_any(field: str, values: Sequence[str]) -> edge.FieldCondition:
    return edge.FieldCondition(field, match=edge.MatchAny(list(values)))


@contextlib.contextmanager
def _engine_errors(collection: str) -> Iterator[None]:
    """The engine raises plain exceptions of several kinds; callers get one, with the collection's name."""
    try:
        yield
    except BaseException as error:
        is_panic = type(error).__name__ == "PanicException"  # the engine's own, which is no Exception
        if isinstance(error, DocAssetsError) or not (isinstance(error, Exception) or is_panic):
            raise
        raise StoreUnavailableError(
            f"The embedded collection {collection!r} failed: {error}. Should it stay so, `doc-assets rebuild-index` "
            "makes it anew from Parquet."
        ) from error
