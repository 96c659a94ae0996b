"""Finds the local features of single archive photos again."""

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache

from doc_assets.datatypes import LocalFeatures, PhotoKey, PhotoPayload
from doc_assets.errors import SetupError
from doc_assets.ingest.archive import Archive, Chunk, chunk_of
from doc_assets.local_features.shards import read_features_at
from doc_assets.payloads import read_keys

_SHARDS_KEPT = 256


class FeatureLookup:
    """Reads features by photo; which row of which table they are in is remembered.

    Args:
        archive: whose photos.
        features_id: of what kind.
    """

    def __init__(self, archive: Archive, features_id: str) -> None:
        self._archive, self._features_id = archive, features_id
        self._positions = lru_cache(maxsize=_SHARDS_KEPT)(self._read_positions)
        self._chunks = lru_cache(maxsize=_SHARDS_KEPT)(archive.chunks)  # they never move

    def __call__(self, payloads: Sequence[PhotoPayload]) -> dict[PhotoKey, LocalFeatures]:
        """The features of these photos; a photo that a newer version of its document replaced meanwhile is left out.

        Raises:
            SetupError: if the table of a current document is gone.
        """
        by_chunk: dict[Chunk, list[PhotoKey]] = defaultdict(list)
        documents = self._archive.ledger.documents.current_with_ids({payload.document_id for payload in payloads})
        for payload in payloads:
            document = documents.get(payload.document_id)
            if document is not None and document.sha256 == payload.sha256:
                by_chunk[chunk_of(document, self._chunks(document.drop_key))].append(payload.key)
        found: dict[PhotoKey, LocalFeatures] = {}
        for chunk, keys in by_chunk.items():
            found |= self._read(chunk, keys)
        return found

    def _read(self, chunk: Chunk, keys: Sequence[PhotoKey]) -> dict[PhotoKey, LocalFeatures]:
        path = self._archive.feature_shard(chunk, self._features_id)
        try:
            rows = {self._positions(chunk)[key]: key for key in keys}
            return {rows[at]: features for at, features in read_features_at(path, rows).items()}
        except (FileNotFoundError, KeyError) as error:
            raise SetupError(
                f"The local features of {keys[0]} are not in {path}. Materialize local_features and indexed_photos "
                f"of drop {chunk.drop_key}."
            ) from error

    def _read_positions(self, chunk: Chunk) -> dict[PhotoKey, int]:
        path = self._archive.feature_shard(chunk, self._features_id)
        return {key: at for at, key in enumerate(read_keys(path))}
