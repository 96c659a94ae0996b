"""The one way from a page to stored photos: what is ingested, searched for and extracted takes it alike."""

from dataclasses import dataclass
from typing import Any, Protocol

from doc_assets.datatypes import Page, PhotoCrop, RgbImage
from doc_assets.photos import bare
from doc_assets.photos.base import PhotoArea, PhotoExtractor
from doc_assets.photos.cutting import cut_photos, encode_jpeg


class SelectedPages(Protocol):
    """The pages of one document that may show photos.

    Attributes:
        unread: pages that could not be judged; they are looked at.
    """

    unread: int

    def may_show_photos(self, page: Page) -> bool:
        """Whether to look for photos on this page."""

    def keep(self) -> None:
        """Remembers what was learnt of the pages."""


class PageSelector(Protocol):
    """Chooses the pages to look for photos on."""

    @property
    def version(self) -> str:
        """Changes whenever other pages may be chosen."""

    def of_document(self, sha256: str, memory: Any) -> SelectedPages:  # noqa: ANN401 - the selector's own
        """The pages of the document with this digest; ``memory`` is what was learnt before, None to start anew."""


@dataclass(frozen=True, slots=True)
class PhotoCutter:
    """How photos are found and stored.

    Attributes:
        extractor: finds them.
        max_side_px: stored photos are scaled down to this.
        jpeg_quality: of stored photos, 1-100.
        pages: chooses the pages to look for photos on; None for all.
    """

    extractor: PhotoExtractor
    max_side_px: int = 1024
    jpeg_quality: int = 90
    pages: PageSelector | None = None

    @property
    def version(self) -> str:
        """Changes whenever the same page may give other stored photos."""
        chosen = f"|{self.pages.version}" if self.pages is not None else ""
        return f"{self.extractor.version}|{self.max_side_px}|{self.jpeg_quality}{chosen}"

    def of_document(self, sha256: str, memory: Any = None) -> "DocumentCutter":  # noqa: ANN401 - the selector's own
        """Cuts the pages of one document; ``memory`` spares judging them again."""
        return DocumentCutter(self, self.pages.of_document(sha256, memory) if self.pages is not None else None)

    def encoded(self, pixels: RgbImage) -> bytes:
        """A photo as it is stored; a query goes through the same loss, so that the same photo gives the same vector."""
        return encode_jpeg(pixels, self.jpeg_quality)


class DocumentCutter:
    """Cuts the pages of one document in their order.

    Attributes:
        pages: which pages are looked at; None for all.
    """

    def __init__(self, cutter: PhotoCutter, pages: SelectedPages | None) -> None:
        self._cutter, self.pages = cutter, pages
        self._n_photos = 0

    @property
    def pages_unread(self) -> int:
        """Pages that were looked at because they could not be judged."""
        return self.pages.unread if self.pages is not None else 0

    def photos(self, page: Page) -> list[PhotoCrop]:
        """The page's photos in reading order, numbered through the document."""
        areas = self._areas(page)
        crops = cut_photos(page, areas, first_index=self._n_photos, max_side_px=self._cutter.max_side_px)
        self._n_photos += len(crops)
        return crops

    def _areas(self, page: Page) -> list[PhotoArea]:
        """Where its photos lie; of a bare photo all of it, whatever rectangles it shows and whatever pages carry."""
        paper = bare.paper_of(page.pixels) if page.is_picture else None
        if page.is_picture and paper is None:
            return bare.whole(page.pixels)
        if self.pages is not None and not self.pages.may_show_photos(page):
            return []
        areas = self._cutter.extractor.find(page.pixels)
        if not areas and paper is not None and bare.shows_a_thing(page.pixels, paper):
            return bare.whole(page.pixels)
        return areas

    def keep(self) -> None:
        """Remembers what was learnt of the pages."""
        if self.pages is not None:
            self.pages.keep()
