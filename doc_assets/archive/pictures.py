"""Pictures of the archive for people: photos and pages, found again by name."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from doc_assets.archive.archive import Archive, chunk_of
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.payloads import read_keys
from doc_assets.archive.shards import read_photo_at
from doc_assets.datatypes import Page, RgbImage
from doc_assets.photos.cutting import decode_jpeg
from doc_assets.reading.sandbox import DocumentReader
from doc_assets.sources.names import document_id
from doc_assets.sources.staging import staged_path

_PAGE_SIDE_PX = 700
_DOCUMENTS_KEPT = 8


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
    import cv2

    scale = min(1.0, _PAGE_SIDE_PX / max(page.shape[:2]))
    height, width = page.shape[:2]
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return PageView(np.asarray(cv2.resize(page, size, interpolation=cv2.INTER_AREA), np.uint8), scale)
