"""Single photos of the archive found again: features and pixels for programs, photos and pages by name for people."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

from upath import UPath

from doc_assets.archive.archive import Archive, Chunk, chunk_of
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.payloads import read_keys
from doc_assets.archive.shards import read_features_at, read_jpegs_at, read_photo_at
from doc_assets.datatypes import LocalFeatures, Page, PhotoKey, PhotoPayload, RgbImage
from doc_assets.errors import SetupError
from doc_assets.photos.cutting import decode_jpeg, scaled_down
from doc_assets.reading.sandbox import DocumentReader
from doc_assets.sources.names import document_id
from doc_assets.sources.staging import staged_path

_SHARDS_KEPT = 256
_PAGE_SIDE_PX = 700
_DOCUMENTS_KEPT = 8
Found = TypeVar("Found")


class _Lookup(Generic[Found]):
    """Reads what a table per chunk holds of photos; which row of which table a photo is in is remembered.

    Args:
        archive: whose photos.
        asset: that makes the tables, for messages.
        table: path of a chunk's table.
        read: some rows of a table, by position.
    """

    def __init__(
        self,
        archive: Archive,
        asset: str,
        table: Callable[[Chunk], UPath],
        read: Callable[[UPath, Iterable[int]], Mapping[int, Found]],
    ) -> None:
        self._archive, self._asset, self._table, self._rows = archive, asset, table, read
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

    def _read(self, chunk: Chunk, keys: Sequence[PhotoKey]) -> dict[PhotoKey, Found]:
        path = self._table(chunk)
        try:
            rows = {self._positions(chunk)[key]: key for key in keys}
            return {rows[at]: found for at, found in self._rows(path, rows).items()}
        except (FileNotFoundError, KeyError) as error:
            raise SetupError(
                f"What is stored of {len(keys)} photos is not in {path}. Materialize {self._asset} and "
                f"indexed_photos of drop {chunk.drop_key}."
            ) from error

    def _read_positions(self, chunk: Chunk) -> dict[PhotoKey, int]:
        return {key: at for at, key in enumerate(read_keys(self._table(chunk)))}


class FeatureLookup(_Lookup[LocalFeatures]):
    """Local features of archive photos, of the kind ``features_id``."""

    def __init__(self, archive: Archive, features_id: str) -> None:
        super().__init__(
            archive, "local_features", lambda chunk: archive.feature_shard(chunk, features_id), read_features_at
        )


class PixelLookup(_Lookup[RgbImage]):
    """Archive photos as they are stored."""

    def __init__(self, archive: Archive) -> None:
        super().__init__(archive, "photos", archive.photo_shard, _read_pixels_at)


def _read_pixels_at(path: UPath, positions: Iterable[int]) -> dict[int, RgbImage]:
    return {at: decode_jpeg(jpeg) for at, jpeg in read_jpegs_at(path, positions)}


@dataclass(frozen=True, slots=True)
class PageView:
    """A page for people: its pixels, scaled down by ``scale``, at most 1, from the page as stored."""

    pixels: RgbImage
    scale: float


class ArchivePictures:
    """Finds photos and pages of current documents.

    Args:
        archive: whose.
        reader: decodes pages.
    """

    def __init__(self, archive: Archive, reader: DocumentReader) -> None:
        self._archive, self._reader = archive, reader
        self._pages = lru_cache(maxsize=_DOCUMENTS_KEPT)(self._read_pages)

    def photo(self, file_name: str, photo_index: int) -> RgbImage | None:
        """A photo as stored; None if the document is no longer current or has no such photo."""
        document = self._document(file_name)
        if document is None:
            return None
        shard = self._archive.photo_shard(chunk_of(document, self._archive.chunks(document.drop_key)))
        for at, key in enumerate(read_keys(shard)):
            if (key.document_id, key.photo_index) == (document.document_id, photo_index):
                return decode_jpeg(read_photo_at(shard, at).jpeg)
        return None

    def page(self, file_name: str, page_index: int) -> PageView | None:
        """A page, scaled down to 700 px; None if the document is no longer current."""
        document = self._document(file_name)
        return self._pages(str(document.sha256)).get(page_index) if document is not None else None

    def _document(self, file_name: str) -> Document | None:
        name = document_id(file_name)
        return self._archive.ledger.documents.current_with_ids([name]).get(name)

    def _read_pages(self, sha256: str) -> dict[int, PageView]:
        pages: dict[int, PageView] = {}

        def on_page(page: Page) -> None:
            pages[page.page_index] = page_view(page.pixels)

        self._reader.read(staged_path(self._archive.bulk, sha256).read_bytes(), on_page)
        return pages


def page_view(page: RgbImage) -> PageView:
    """A page at most 700 px on the long side."""
    return PageView(*scaled_down(page, _PAGE_SIDE_PX))
