"""Finds the local features and the pixels of single archive photos again."""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Generic, TypeVar

from typing_extensions import override
from upath import UPath

from doc_assets.archive.archive import Archive, Chunk, chunk_of
from doc_assets.archive.feature_shards import read_features_at
from doc_assets.archive.payloads import read_keys
from doc_assets.archive.photo_shards import read_jpegs_at
from doc_assets.datatypes import LocalFeatures, PhotoKey, PhotoPayload, RgbImage
from doc_assets.errors import SetupError
from doc_assets.photos.cutting import decode_jpeg

_SHARDS_KEPT = 256
Found = TypeVar("Found")


class _Lookup(ABC, Generic[Found]):
    """Reads what a table per chunk says of photos; which row of which table a photo is in is remembered."""

    asset: str
    """Whose tables these are, for messages."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._positions = lru_cache(maxsize=_SHARDS_KEPT)(self._read_positions)
        self._chunks = lru_cache(maxsize=_SHARDS_KEPT)(archive.chunks)  # they never move

    def __call__(self, payloads: Sequence[PhotoPayload]) -> dict[PhotoKey, Found]:
        """What is stored of these photos; one that a newer version of its document replaced meanwhile is left out.

        The photos of a chunk are read together, so that each part of its table is read once.

        Raises:
            SetupError: if the table of a current document is gone.
        """
        by_chunk: dict[Chunk, list[PhotoKey]] = defaultdict(list)
        documents = self._archive.ledger.documents.current_with_ids({payload.document_id for payload in payloads})
        for payload in payloads:
            document = documents.get(payload.document_id)
            if document is not None and document.sha256 == payload.sha256:
                by_chunk[chunk_of(document, self._chunks(document.drop_key))].append(payload.key)
        found: dict[PhotoKey, Found] = {}
        for chunk, keys in by_chunk.items():
            found |= self._read(chunk, keys)
        return found

    @abstractmethod
    def _table(self, chunk: Chunk) -> UPath:
        """The chunk's table."""

    @abstractmethod
    def _rows(self, path: UPath, positions: Iterable[int]) -> Mapping[int, Found]:
        """Some rows of a table, by position."""

    def _read(self, chunk: Chunk, keys: Sequence[PhotoKey]) -> dict[PhotoKey, Found]:
        path = self._table(chunk)
        try:
            rows = {self._positions(chunk)[key]: key for key in keys}
            return {rows[at]: found for at, found in self._rows(path, rows).items()}
        except (FileNotFoundError, KeyError) as error:
            raise SetupError(
                f"What is stored of {keys[0]} is not in {path}. Materialize {self.asset} and indexed_photos of drop "
                f"{chunk.drop_key}."
            ) from error

    def _read_positions(self, chunk: Chunk) -> dict[PhotoKey, int]:
        return {key: at for at, key in enumerate(read_keys(self._table(chunk)))}


class FeatureLookup(_Lookup[LocalFeatures]):
    """Local features of archive photos.

    Args:
        archive: whose photos.
        features_id: of what kind.
    """

    asset = "local_features"

    def __init__(self, archive: Archive, features_id: str) -> None:
        super().__init__(archive)
        self._features_id = features_id

    @override
    def _table(self, chunk: Chunk) -> UPath:
        return self._archive.feature_shard(chunk, self._features_id)

    @override
    def _rows(self, path: UPath, positions: Iterable[int]) -> Mapping[int, LocalFeatures]:
        return read_features_at(path, positions)


class PixelLookup(_Lookup[RgbImage]):
    """Archive photos as they are stored."""

    asset = "photos"

    @override
    def _table(self, chunk: Chunk) -> UPath:
        return self._archive.photo_shard(chunk)

    @override
    def _rows(self, path: UPath, positions: Iterable[int]) -> Mapping[int, RgbImage]:
        return {at: decode_jpeg(jpeg) for at, jpeg in read_jpegs_at(path, positions)}
