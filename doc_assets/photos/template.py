"""Cuts photos at fixed places, for forms that never vary."""

from collections.abc import Sequence
from typing import Literal

from typing_extensions import override

from doc_assets.datatypes import Box, RgbImage
from doc_assets.photos.base import PhotoArea, PhotoExtractor, photo_extractors

BoxFormat = Literal["xyxy", "xywh", "cxcywh"]

_FORM_PX = (1652, 2336)
_FORM_BOXES = ((171, 236, 1480, 1100), (171, 1168, 1480, 2032))


@photo_extractors.register("template")
class TemplateExtractor(PhotoExtractor):
    """The same boxes on every page, scaled to its size; a page turned on its side gets none.

    Args:
        boxes: four numbers each, in the order of ``box_format``.
        box_format: ``xyxy`` corners, ``xywh`` corner and size, ``cxcywh`` centre and size.
        normalized: whether the numbers are shares 0-1 of the page instead of pixels of ``page_px``.
        page_px: width and height of the page that the pixel boxes were measured on.
    """

    version = "template-1"

    def __init__(
        self,
        boxes: Sequence[Sequence[float]] = _FORM_BOXES,
        box_format: BoxFormat = "xyxy",
        normalized: bool = False,
        page_px: Sequence[int] = _FORM_PX,
    ) -> None:
        if box_format not in {"xyxy", "xywh", "cxcywh"}:
            raise ValueError(f"box_format must be xyxy, xywh or cxcywh, got {box_format!r}")
        width, height = (1, 1) if normalized else page_px
        self._shares = [_as_shares(box, box_format, width, height) for box in boxes]
        self._landscape = not normalized and page_px[0] > page_px[1]
        self._any_shape = normalized
        self.version = f"template-1/{self._shares}"

    @override
    def find(self, page: RgbImage) -> list[PhotoArea]:
        height, width = page.shape[:2]
        if not self._any_shape and (width > height) != self._landscape:
            return []
        return [
            PhotoArea(Box.clipped(x0 * width, y0 * height, x1 * width, y1 * height, width, height))
            for x0, y0, x1, y1 in self._shares
            if round(x0 * width) < round(x1 * width) and round(y0 * height) < round(y1 * height)
        ]


def _as_shares(
    box: Sequence[float], box_format: BoxFormat, width: float, height: float
) -> tuple[float, float, float, float]:
    """Corners as shares of the page; raises ValueError if the box has no area on it."""
    x, y, c, d = box
    if box_format == "cxcywh":
        x, y = x - c / 2, y - d / 2
    x2, y2 = (c, d) if box_format == "xyxy" else (x + c, y + d)
    left, top, right, bottom = x / width, y / height, x2 / width, y2 / height
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise ValueError(f"box {list(box)} does not lie on a page of {width} x {height}")
    return left, top, right, bottom
