"""The one way from a page to stored photos, for what is ingested, searched for and extracted; stored JPEGs."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from PIL import Image

from doc_assets.datatypes import Page, PhotoCrop, RgbImage
from doc_assets.photos import bare
from doc_assets.photos.base import PhotoArea, PhotoExtractor


class SelectedPages(Protocol):
    """The pages of one document that may show photos; those ``unread`` could not be judged and are looked at."""

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
    """How photos are found and stored: at most ``max_side_px`` on the long side, as JPEGs of quality 1-100.

    ``pages`` chooses the pages to look for photos on; None for all. ``look_inside`` is for queries that are not stored:
    a bare photo is cut as a whole and, as the photo of a page may be one, also where photos are found on it.
    """

    extractor: PhotoExtractor
    max_side_px: int = 1024
    jpeg_quality: int = 90
    pages: PageSelector | None = None
    look_inside: bool = False

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
    """Cuts the pages of one document in their order; ``pages`` are looked at, None for all."""

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
            inside = self._cutter.extractor.find(page.pixels) if self._cutter.look_inside else []
            return [*bare.whole(page.pixels), *(area for area in inside if not bare.is_nearly_all(area, page.pixels))]
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


def cut_photos(page: Page, areas: Sequence[PhotoArea], *, first_index: int, max_side_px: int) -> list[PhotoCrop]:
    """The crops of ``areas``, numbered from ``first_index``, at most ``max_side_px`` on the long side."""
    return [
        PhotoCrop(page.page_index, index, area.box, area.skew_deg, cut(page.pixels, area, max_side_px))
        for index, area in enumerate(areas, start=first_index)
    ]


def cut(page: RgbImage, area: PhotoArea, max_side_px: int) -> RgbImage:
    """One photo, straightened, scaled down to ``max_side_px`` if it is larger; never scaled up."""
    import cv2

    width, height = area.size
    scale = min(1.0, max_side_px / max(width, height))
    target = max(1, round(width * scale)), max(1, round(height * scale))
    box = area.box
    crop = page[box.top : box.bottom, box.left : box.right]
    if area.skew_deg:
        turn = math.radians(area.skew_deg)
        cos, sin = math.cos(turn), math.sin(turn)
        # Maps crop pixels to the straightened photo: centre to centre, turned back by the skew.
        across = [cos, -sin, (width - cos * box.width + sin * box.height) / 2]
        down = [sin, cos, (height - sin * box.width - cos * box.height) / 2]
        matrix, size = np.array([across, down]), (max(1, round(width)), max(1, round(height)))
        crop = cv2.warpAffine(crop, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if crop.shape[1::-1] == target:
        return np.ascontiguousarray(crop)
    resized: RgbImage = cv2.resize(np.ascontiguousarray(crop), target, interpolation=cv2.INTER_AREA)
    return resized


def scaled_down(pixels: RgbImage, max_side_px: int) -> tuple[RgbImage, float]:
    """``pixels`` at most ``max_side_px`` on the long side, and by how much that scaled them, at most 1."""
    import cv2

    height, width = pixels.shape[:2]
    scale = min(1.0, max_side_px / max(height, width))
    if scale == 1.0:
        return pixels, scale
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8), scale


def encode_jpeg(photo: RgbImage, quality: int) -> bytes:
    """``photo`` as a JPEG file with full colour resolution."""
    import cv2

    full = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, *full]
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(photo, cv2.COLOR_RGB2BGR), options)
    return bytes(encoded)


def decode_jpeg(encoded: bytes) -> RgbImage:
    """Pixels of a stored photo. Only for bytes this package wrote."""
    with Image.open(io.BytesIO(encoded), formats=("JPEG",)) as image:
        return np.asarray(image.convert("RGB"))
