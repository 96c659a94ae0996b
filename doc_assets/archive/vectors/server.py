"""A Qdrant server by gRPC, or the client's in-memory engine in tests."""

import contextlib
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Self

from typing_extensions import override

from doc_assets.archive.payloads import point_row
from doc_assets.archive.vectors.base import (
    BATCH,
    INDEXED_FIELDS,
    SEARCH_EFFORT,
    VECTOR,
    WORDS,
    Exclusion,
    VectorStore,
    missing_collection,
)
from doc_assets.datatypes import IndexedPhoto, SparseVector
from doc_assets.errors import IndexSchemaError, StoreUnavailableError

if TYPE_CHECKING:
    from qdrant_client import QdrantClient
    from qdrant_client.models import FieldCondition
    from qdrant_client.models import SparseVector as ServerSparseVector

_HOME, _CLAIM = "__home-", "__claim"
_OURS = "photos__"


class ServerStore(VectorStore):
    """Collections of a Qdrant server.

    The server may serve several homes. Names of a home's collections and aliases end with its id there, so that no
    home can mean another's; everywhere else they are called by what comes before it. A collection that was made before
    homes had ids keeps its name, and an alias claims it.

    Args:
        client: a connected client; closed with the store.
        address: what to call the server in messages.
        home: id of the home whose collections they are; empty for names as they are.
    """

    def __init__(self, client: "QdrantClient", address: str, home: str = "") -> None:
        super().__init__()
        self._client, self._address = client, address
        self._suffix = f"{_HOME}{home}" if home else ""
        self._adopted: dict[str, str] | None = None
        self._read_only_aliases: dict[str, str] = {}

    @classmethod
    def connect(cls, url: str, *, api_key: str | None, grpc_port: int, timeout_s: int, home: str = "") -> Self:
        """A store on the server at ``url``, for the home of this id.

        Raises:
            StoreUnavailableError: if it does not answer.
        """
        from qdrant_client import QdrantClient

        client = QdrantClient(
            url=url,
            api_key=api_key,
            grpc_port=grpc_port,
            prefer_grpc=True,
            timeout=timeout_s,
            check_compatibility=False,  # it only warns, and by a request that hides the real error
        )
        store = cls(client, url, home)
        try:
            store.collections()
        except StoreUnavailableError:
            client.close()
            raise
        return store

    @override
    def _exists(self, collection: str) -> bool:
        with self._server_errors():
            return self._client.collection_exists(self._name(collection))

    @override
    def _create(self, collection: str, dim: int) -> None:
        from qdrant_client import models

        name = self._name(collection)
        with self._server_errors():
            vectors = {VECTOR: models.VectorParams(size=dim, distance=models.Distance.COSINE)}
            words = {WORDS: models.SparseVectorParams(modifier=models.Modifier.IDF)}
            self._client.create_collection(name, vectors_config=vectors, sparse_vectors_config=words)
            for field in INDEXED_FIELDS:
                self._client.create_payload_index(name, field, models.PayloadSchemaType.KEYWORD)

    @override
    def collections(self) -> list[str]:
        every = self._all_collections()
        ours = {name.removesuffix(self._suffix) for name in every if name.endswith(self._suffix)}
        return sorted(ours | {name for name, at in self._claims().items() if at in every})

    def others(self) -> list[str]:
        """Names of photo collections that are not this home's, as the server has them."""
        ours = {self._name(collection) for collection in self.collections()}
        return [name for name in self._all_collections() if name.startswith(_OURS) and name not in ours]

    @override
    def unclaimed(self) -> list[str]:
        if not self._suffix:
            return []
        claimed = {at for alias, at in self._all_aliases().items() if alias.endswith(_CLAIM)}
        ours = set(self.collections())
        return [
            name
            for name in self._all_collections()
            if name.startswith(_OURS) and _HOME not in name and name not in claimed and name not in ours
        ]

    @override
    def adopt(self, collection: str, alias: str) -> None:
        published = self._all_aliases().get(alias) == collection
        self._claims()[collection] = collection
        with contextlib.suppress(StoreUnavailableError):  # with a key that may only read, for this process alone
            self._point(f"{collection}{self._suffix}{_CLAIM}", collection)
            if published and self.resolve(alias) is None:
                self.publish(alias, collection)
        if published:
            self._read_only_aliases[alias] = collection

    def _all_collections(self) -> list[str]:
        with self._server_errors():
            return sorted(found.name for found in self._client.get_collections().collections)

    def _all_aliases(self) -> dict[str, str]:
        with self._server_errors():
            known = self._client.get_aliases().aliases
        return {found.alias_name: found.collection_name for found in known}

    def _claims(self) -> dict[str, str]:
        """Collections that this home adopted, with their names on the server."""
        if self._adopted is None:
            mark = f"{self._suffix}{_CLAIM}"
            known = self._all_aliases().items() if self._suffix else ()
            self._adopted = {alias.removesuffix(mark): at for alias, at in known if alias.endswith(mark)}
        return self._adopted

    @override
    def _name(self, collection: str) -> str:
        return self._claims().get(collection, f"{collection}{self._suffix}")

    @override
    def dim(self, collection: str) -> int:
        if not self._exists(collection):
            refused = self.refused.get(collection)
            raise IndexSchemaError(refused) if refused is not None else missing_collection(collection)
        with self._server_errors():
            vectors: Any = self._client.get_collection(self._name(collection)).config.params.vectors
        return int(vectors[VECTOR].size)

    @override
    def drop(self, collection: str) -> None:
        with self._server_errors():
            self._client.delete_collection(self._name(collection))
        self._claims().pop(collection, None)
        self._read_only_aliases = {alias: at for alias, at in self._read_only_aliases.items() if at != collection}

    @override
    def count(self, collection: str) -> int:
        self.dim(collection)
        with self._server_errors():
            return self._client.count(self._name(collection), exact=True).count

    @override
    def _scroll(
        self, name: str, limit: int, offset: Any, document_ids: Sequence[str] | None, with_vectors: bool
    ) -> tuple[Sequence[Any], Any]:
        from qdrant_client import models

        only = None if document_ids is None else models.Filter(must=[_is_any("document_id", document_ids)])
        with self._server_errors():
            return self._client.scroll(
                name, scroll_filter=only, limit=limit, offset=offset, with_payload=True, with_vectors=with_vectors
            )

    @override
    def _retrieve(self, collection: str, point_ids: list[Any], *, with_payload: bool) -> Sequence[Any]:
        vectors = True if with_payload else [VECTOR]
        with self._server_errors():
            return self._client.retrieve(
                self._name(collection), point_ids, with_payload=with_payload, with_vectors=vectors
            )

    @override
    def delete(self, collection: str, point_ids: Sequence[str]) -> None:
        from qdrant_client import models

        with self._server_errors():
            self._client.delete(self._name(collection), models.PointIdsList(points=list(point_ids)), wait=True)

    @override
    def rewrite(self, collection: str) -> None:
        """Copies the collection away, makes it anew and copies it back; a deleted collection leaves no file.

        The alias follows to the copy and back. A mark says that the copy is complete, so that a killed call is ended
        from it and never from a half one; what was written since then is taken along.
        """
        copy, mark = f"{collection}__copy", f"{collection}__copied"
        is_resumed = self.resolve(mark) == copy
        if not is_resumed:
            self.drop(copy)
            self.create(copy, self.dim(collection))
        if not is_resumed or collection in self.collections():
            self._add(collection, copy)
        self.publish(mark, copy)
        aliases = [alias for alias in self._aliases_of(collection, copy) if alias != mark]
        for alias in aliases:
            self.publish(alias, copy)
        self.drop(collection)
        self.create(collection, self.dim(copy))
        self._add(copy, collection)
        for alias in (*aliases, mark):
            self.publish(alias, collection)
        self.drop(copy)

    def _add(self, source: str, target: str) -> None:
        remaining = self.points(source)
        while batch := list(islice(remaining, BATCH)):
            self._upsert(target, batch)
        if self.count(target) < self.count(source):
            raise StoreUnavailableError(
                f"{self.count(target)} of {self.count(source)} points of {source} were copied to {target}. "
                "Was something written meanwhile? Try again."
            )

    def _aliases_of(self, *collections: str) -> list[str]:
        return sorted(alias for alias, collection in self.aliases().items() if collection in collections)

    @override
    def finish(self, collection: str) -> None:
        """Every upsert waited for its write; the server builds its index by itself."""

    @override
    def publish(self, alias: str, collection: str) -> None:
        self.dim(collection)
        self._point(f"{alias}{self._suffix}", self._name(collection))

    def _point(self, alias: str, name: str) -> None:
        from qdrant_client import models

        operations: list[Any] = []
        if alias in self._all_aliases():
            operations.append(models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias)))
        create = models.CreateAlias(collection_name=name, alias_name=alias)
        operations.append(models.CreateAliasOperation(create_alias=create))
        with self._server_errors():
            self._client.update_collection_aliases(operations)

    @override
    def aliases(self) -> dict[str, str]:
        back = {at: collection for collection, at in self._claims().items()}
        ours = {
            alias.removesuffix(self._suffix): back.get(at, at.removesuffix(self._suffix))
            for alias, at in self._all_aliases().items()
            if alias.endswith(self._suffix) and not alias.endswith(_CLAIM)
        }
        return {**self._read_only_aliases, **ours}

    @override
    def close(self) -> None:
        self._client.close()

    @override
    def _upsert(self, collection: str, points: Sequence[IndexedPhoto]) -> None:
        from qdrant_client import models

        for start in range(0, len(points), BATCH):
            batch = [
                models.PointStruct(id=str(point.point_id), vector=_vectors_of(point), payload=point_row(point.payload))
                for point in points[start : start + BATCH]
            ]
            with self._server_errors():
                self._client.upsert(self._name(collection), batch, wait=True)

    @override
    def _query(
        self, collection: str, using: str, queries: Sequence[Any], limit: int, exclusion: Exclusion, exact: bool
    ) -> Sequence[Sequence[Any]]:
        from qdrant_client import models

        params = models.SearchParams(hnsw_ef=SEARCH_EFFORT, exact=exact) if using == VECTOR else None
        excluded: list[Any] = [_is_any(field, values) for field, values in exclusion.fields.items()]
        requests = [
            models.QueryRequest(
                query=query.tolist() if using == VECTOR else _sparse(query),
                using=using,
                limit=limit,
                filter=models.Filter(must_not=excluded) if excluded else None,
                params=params,
                with_payload=True,
            )
            for query in queries
        ]
        with self._server_errors():
            answers = self._client.query_batch_points(self._name(collection), requests)
        return [answer.points for answer in answers]

    @contextlib.contextmanager
    def _server_errors(self) -> Iterator[None]:
        """Every way in which the server can fail to answer, as one error with its address."""
        import grpc
        import httpx
        from qdrant_client.http.exceptions import ApiException

        try:
            yield
        except (grpc.RpcError, httpx.HTTPError, ApiException) as error:
            raise StoreUnavailableError(
                f"The Qdrant server at {self._address} failed: {type(error).__name__}: {str(error)[:300]}. "
                "Check DOC_ASSETS_QDRANT_URL, DOC_ASSETS_QDRANT_GRPC_PORT, the API key and that it is running."
            ) from error


def _vectors_of(point: IndexedPhoto) -> dict[str, Any]:
    vectors: dict[str, Any] = {VECTOR: point.vector.tolist()}
    if len(point.words.indices):
        vectors[WORDS] = _sparse(point.words)
    return vectors


def _sparse(bag: SparseVector) -> "ServerSparseVector":
    from qdrant_client import models

    return models.SparseVector(indices=bag.indices.tolist(), values=bag.values.tolist())


def _is_any(field: str, values: Sequence[str]) -> "FieldCondition":
    from qdrant_client import models

    return models.FieldCondition(key=field, match=models.MatchAny(any=list(values)))
