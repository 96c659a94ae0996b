"""Finds photos on any form by image analysis: filled, textured rectangles on paper."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from doc_assets.datatypes import Box, RgbImage
from doc_assets.photos.base import PhotoArea, PhotoExtractor, photo_extractors, reading_order
from doc_assets.photos.rectangles import Mask, Rectangle, fit_rectangle

_WORK_SIDE_PX = 1168  # A4 at 100 dpi: lines and captions stay apart, photos stay whole
_BLUR_PX = 1.0  # makes grey of a dithered fax without joining a caption to its photo
_INSET_PX = 1.0  # the blur moves every edge outward by about this much
_PAPER_TOLERANCE = 6
_DARKEST_PAPER = 128
_PAPER_STEP = 3  # a ninth of the pixels tells the paper as well as all
_RULE_PX = 50  # shortest ruled line; at 3 degrees of skew a line of 3 px still has runs this long
_RULE_THICKNESS_PX = 8
_MIN_GAP_PX = 5  # paper between two photos of one table
_MAX_INK_BETWEEN = 0.4  # of a table's cells beside its photos: rules and captions, no more
_SAME_SHARE = 0.9
_MAX_BLOBS = 30
_MAX_PHOTOS_PER_BLOB = 8
_FLAT_TOLERANCE = 8
_ERASED_PX = 6


@photo_extractors.register("layout")
class LayoutExtractor(PhotoExtractor):
    """Blobs of ink on paper, each fitted with a rectangle.

    What is not paper-coloured is ink; connected ink is a blob. A blob is a photo if it is large, fills a
    rectangle and is not one flat shade. Text and table lines never fill rectangles.

    Args:
        min_side_share: shortest side of a photo as a share of the page's shorter side.
        min_area_share: smallest photo as a share of the page.
        min_contrast: difference from paper, in 8-bit levels, from which a pixel is ink.
        min_texture_share: pixels of a photo that differ from its median shade; excludes shaded boxes.
    """

    version = "layout-3"

    def __init__(
        self,
        min_side_share: float = 0.1,
        min_area_share: float = 0.03,
        min_contrast: int = 14,
        min_texture_share: float = 0.05,
    ) -> None:
        shares = {"min_side_share": min_side_share, "min_area_share": min_area_share}
        for name, value in {**shares, "min_texture_share": min_texture_share}.items():
            if not 0 <= value <= 1:
                raise ValueError(f"{name} must lie in [0, 1], got {value}")
        self._min_side_share, self._min_area_share = min_side_share, min_area_share
        self._min_contrast, self._min_texture_share = min_contrast, min_texture_share
        self.version = f"layout-3/{min_side_share:g}/{min_area_share:g}/{min_contrast}/{min_texture_share:g}"

    @override
    def find(self, page: RgbImage) -> list[PhotoArea]:
        import cv2

        height, width = page.shape[:2]
        scale = min(1.0, _WORK_SIDE_PX / max(height, width))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = cv2.resize(page, size, interpolation=cv2.INTER_AREA) if scale < 1 else page
        smooth = cv2.GaussianBlur(small, (0, 0), _BLUR_PX)
        found = self._rectangles(self._ink(smooth), cv2.cvtColor(smooth, cv2.COLOR_RGB2GRAY))
        areas = [_area(rectangle, scale, width, height) for rectangle in found]
        return reading_order([area for area in areas if area is not None])

    def _ink(self, smooth: RgbImage) -> Mask:
        import cv2

        red, green, blue = cv2.split(cv2.absdiff(smooth, np.full_like(smooth, paper_colour(smooth))))
        difference = cv2.max(cv2.max(red, green), blue)
        ink: Mask = cv2.threshold(difference, self._min_contrast, 1, cv2.THRESH_BINARY)[1]
        return ink

    def _rectangles(self, ink: Mask, grey: NDArray[np.uint8]) -> list[Rectangle]:
        unruled = without_ruled_lines(ink)
        found: list[Rectangle] = []
        for blob, left, top in self._blobs(ink):
            height, width = blob.shape
            inner = unruled[top : top + height, left : left + width] & blob
            parts = [
                rectangle
                for part, x, y in self._blobs(inner, grey.shape)
                for rectangle in self._in_blob(part, left + x, top + y, grey)
            ]
            found += _settle(self._in_blob(blob, left, top, grey), parts, _ink_between(blob, left, top, parts))
        found.sort(key=lambda rectangle: -rectangle.width * rectangle.height)
        kept: list[Rectangle] = []
        for rectangle in found:  # a sign inside a photo is a part of it
            if not any(other.contains(rectangle.x, rectangle.y) for other in kept):
                kept.append(rectangle)
        return kept

    def _blobs(self, ink: Mask, page: tuple[int, ...] | None = None) -> Iterator[tuple[Mask, int, int]]:
        """Connected ink that is large enough for a photo, cut to its extent, with its left and top."""
        import cv2

        _, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
        largest = np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable")[:_MAX_BLOBS] + 1
        for label in largest:
            x, y, width, height, _ = (int(value) for value in stats[label])
            if self._large_enough(width, height, page or ink.shape):
                yield (labels[y : y + height, x : x + width] == label).astype(np.uint8), x, y

    def _in_blob(self, blob: Mask, left: int, top: int, grey: NDArray[np.uint8]) -> list[Rectangle]:
        """The photos of one blob; several if something connects them."""
        import cv2

        remaining = blob.copy()
        found: list[Rectangle] = []
        for _ in range(_MAX_PHOTOS_PER_BLOB):
            fitted = fit_rectangle(remaining)
            if fitted is None or not self._large_enough(fitted.width, fitted.height, grey.shape):
                break
            placed = replace(fitted, x=fitted.x + left, y=fitted.y + top)
            if self._is_textured(placed, grey):
                found.append(placed)
            cv2.fillPoly(remaining, [np.round(_corners(fitted, _ERASED_PX)).astype(np.int32)], 0)
            if int(remaining.sum()) < self._min_area_share * grey.size / 2:
                break
        return found

    def _large_enough(self, width: float, height: float, page: tuple[int, ...]) -> bool:
        if min(width, height) < self._min_side_share * min(page):
            return False
        return width * height >= self._min_area_share * page[0] * page[1]

    def _is_textured(self, rectangle: Rectangle, grey: NDArray[np.uint8]) -> bool:
        half_width, half_height = rectangle.width * 0.45, rectangle.height * 0.45
        inner = grey[
            max(0, int(rectangle.y - half_height)) : int(rectangle.y + half_height) + 1,
            max(0, int(rectangle.x - half_width)) : int(rectangle.x + half_width) + 1,
        ].astype(np.int16)
        share = float((np.abs(inner - int(np.median(inner))) > _FLAT_TOLERANCE).mean())
        return share >= self._min_texture_share


def without_ruled_lines(ink: Mask) -> Mask:
    """``ink`` without the long thin lines of tables and frames, which would join photos to each other."""
    import cv2

    lines = np.zeros_like(ink)
    for along, across in (((_RULE_PX, 1), (1, _RULE_THICKNESS_PX)), ((1, _RULE_PX), (_RULE_THICKNESS_PX, 1))):
        long = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones(along[::-1], np.uint8))
        thick = cv2.morphologyEx(long, cv2.MORPH_OPEN, np.ones(across[::-1], np.uint8))
        lines |= long & ~thick & 1
    return np.where(lines, 0, ink).astype(np.uint8)


def paper_colour(page: RgbImage) -> NDArray[np.uint8]:
    """(3,) RGB of the paper: the median colour of the most frequent bright shade."""
    import cv2

    sample = np.ascontiguousarray(page[::_PAPER_STEP, ::_PAPER_STEP])
    grey = cv2.cvtColor(sample, cv2.COLOR_RGB2GRAY)
    counts = np.convolve(np.bincount(grey.ravel(), minlength=256), np.ones(5), mode="same")
    shade = _DARKEST_PAPER + int(np.argmax(counts[_DARKEST_PAPER:]))
    near = np.abs(grey.astype(np.int16) - shade) <= _PAPER_TOLERANCE
    if not near.any():
        return np.full(3, 255, np.uint8)
    colour: NDArray[np.uint8] = np.median(sample[near], axis=0).round().astype(np.uint8)
    return colour


def _ink_between(blob: Mask, left: int, top: int, parts: list[Rectangle]) -> float:
    """Share of ink in a blob's extent where no part lies; 1 if the parts leave nothing."""
    rest = np.ones(blob.shape, bool)
    for part in parts:
        x, y = part.x - left, part.y - top
        rest[
            max(0, int(y - part.height / 2)) : int(y + part.height / 2) + 1,
            max(0, int(x - part.width / 2)) : int(x + part.width / 2) + 1,
        ] = False
    return float(blob[rest].mean()) if rest.any() else 1.0


def _settle(whole: list[Rectangle], parts: list[Rectangle], ink_between: float) -> list[Rectangle]:
    """What a blob is: the rectangles found with ruled lines in it, or those found without.

    Without lines photos of one table come apart, and edges are sharper. But a photo's own thin bridges over
    a bright wall count as lines too, so parts are believed only if paper lies between them, and a single part
    only if it is nearly the whole.
    """
    apart = all(_gap(one, other) >= _MIN_GAP_PX for i, one in enumerate(parts) for other in parts[:i])
    if len(parts) > len(whole) and apart and ink_between <= _MAX_INK_BETWEEN:
        return parts
    return [next((part for part in parts if _shared(part, rectangle) >= _SAME_SHARE), rectangle) for rectangle in whole]


def _gap(one: Rectangle, other: Rectangle) -> float:
    """Distance of two upright extents along the axis that separates them; negative if they overlap."""
    across = abs(one.x - other.x) - (one.width + other.width) / 2
    down = abs(one.y - other.y) - (one.height + other.height) / 2
    return max(across, down)


def _shared(one: Rectangle, other: Rectangle) -> float:
    """Intersection over union of two extents, their skew ignored."""
    across = min((one.width + other.width) / 2 - abs(one.x - other.x), one.width, other.width)
    down = min((one.height + other.height) / 2 - abs(one.y - other.y), one.height, other.height)
    if across <= 0 or down <= 0:
        return 0.0
    return across * down / (one.width * one.height + other.width * other.height - across * down)


def _corners(rectangle: Rectangle, grown_px: float) -> NDArray[np.float32]:
    """(4, 2) corners of a rectangle that is so much wider and higher."""
    import cv2

    size = rectangle.width + grown_px, rectangle.height + grown_px
    return np.asarray(cv2.boxPoints(((rectangle.x, rectangle.y), size, -rectangle.skew_deg)), np.float32)


def _area(rectangle: Rectangle, scale: float, width: int, height: int) -> PhotoArea | None:
    corners = _corners(rectangle, -2 * _INSET_PX)
    (left, top), (right, bottom) = corners.min(axis=0) / scale, corners.max(axis=0) / scale
    try:
        return PhotoArea(Box.clipped(left, top, right, bottom, width, height), rectangle.skew_deg)
    except ValueError:
        return None
