"""Keeps the photos of query documents as files, for searches without privacy mode."""

import hashlib
from pathlib import Path

from upath import UPath

from doc_assets.datatypes import PhotoCrop
from doc_assets.photos.cutting import encode_jpeg
from doc_assets.storage import write_atomic

_QUALITY = 90
_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


class QueryPhotoFolder:
    """Files ``query_photos/<document>_page<N>_photo<i>.jpg``; pages from 1, photos from 0."""

    def __init__(self, output_folder: Path) -> None:
        self._folder = output_folder / "query_photos"

    def keep(self, document_id: str, crop: PhotoCrop) -> None:
        """Writes one photo."""
        name = f"{safe_stem(document_id)}_page{crop.page_index + 1}_photo{crop.photo_index}.jpg"
        write_atomic(UPath(self._folder / name), encode_jpeg(crop.pixels, _QUALITY))


def safe_stem(document_id: str) -> str:
    """A file name made from a document's: harmless ones as they are, others with a digest in their place."""
    if document_id and set(document_id) <= _SAFE:
        return document_id
    kept = "".join(sign if sign in _SAFE else "_" for sign in document_id)[:80]
    return f"{kept}_{hashlib.sha256(document_id.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
