"""Keeps the pictures of query documents as files, for searches without privacy mode, and finds them again."""

import re
from pathlib import Path

from upath import UPath

from doc_assets.archive.photo_lookup import PageView, page_view
from doc_assets.datatypes import Page, PhotoCrop, RgbImage
from doc_assets.photos.cutting import decode_jpeg, encode_jpeg
from doc_assets.reports.safe_names import result_stem
from doc_assets.util.files import write_atomic

FOLDER_NAME = "query_photos"
_QUALITY = 90
_WIDTH = re.compile(r"_of_(\d+)\.jpg$")


class QueryPictures:
    """Files ``query_photos/<document>_page<N>_photo<i>.jpg`` and, small, ``<document>_page<N>_of_<width>.jpg``.

    Pages are counted from 1, photos from 0; the width is the page's, in pixels as scanned.
    """

    def __init__(self, output_folder: Path) -> None:
        self._folder = output_folder / FOLDER_NAME

    def of(self, label: str) -> "KeptQuery":
        """Where the pictures of the query document of that name go."""
        return KeptQuery(self._folder, result_stem(label))

    def photo(self, file_name: str, photo_index: int) -> RgbImage | None:
        """A photo of the query document of that name; None if it was not kept."""
        found = sorted(self._folder.glob(f"{result_stem(file_name)}_page*_photo{photo_index}.jpg"))
        return decode_jpeg(found[0].read_bytes()) if found else None

    def page(self, file_name: str, page_index: int) -> PageView | None:
        """A page of that document; None if it was not kept."""
        for path in sorted(self._folder.glob(f"{result_stem(file_name)}_page{page_index + 1}_of_*.jpg")):
            pixels = decode_jpeg(path.read_bytes())
            width = _WIDTH.search(path.name)
            if width is not None:
                return PageView(pixels, pixels.shape[1] / int(width[1]))
        return None


class KeptQuery:
    """Takes the pictures of one query document."""

    def __init__(self, folder: Path, stem: str) -> None:
        self._folder, self._stem = folder, stem

    def page(self, page: Page) -> None:
        """Keeps a page, small."""
        name = f"{self._stem}_page{page.page_index + 1}_of_{page.pixels.shape[1]}.jpg"
        self._write(name, page_view(page.pixels).pixels)

    def photo(self, crop: PhotoCrop) -> None:
        """Keeps a photo."""
        self._write(f"{self._stem}_page{crop.page_index + 1}_photo{crop.photo_index}.jpg", crop.pixels)

    def _write(self, name: str, pixels: RgbImage) -> None:
        write_atomic(UPath(self._folder / name), encode_jpeg(pixels, _QUALITY))
