"""Tells a bare photo from the picture of a page: a photo that somebody sends as a file stands on no page at all."""

import numpy as np
from numpy.typing import NDArray

from doc_assets.datatypes import Box, RgbImage
from doc_assets.photos.base import PhotoArea

_WORK_SIDE_PX = 400
_LEAST_SIDE_PX = 32
_RING = (0.015, 0.05)
"""The margin of a page lies between these shares of its shorter side; scanners draw shadows further out."""
_DARKEST_PAPER = 140
_PAPER_TOLERANCE = 20
_PAPER_OF_A_SIDE = 0.85
_PAPER_SIDES = 3
_PAPER_OF_A_PAGE = 0.25
_THICK = 0.02
"""Text and rules are thinner than this share of the longer side; things are not."""
_LEAST_THING = 0.03
_LEAST_TONES = 10.0
_NEARLY_ALL = 0.9


def whole(page: RgbImage) -> list[PhotoArea]:
    """The whole picture as a photo; none if it is too small to show anything."""
    height, width = page.shape[:2]
    return [PhotoArea(Box(0, 0, width, height))] if min(height, width) >= _LEAST_SIDE_PX else []


def is_nearly_all(area: PhotoArea, page: RgbImage) -> bool:
    """Whether an area says no more than the whole picture does."""
    height, width = page.shape[:2]
    return bool(area.box.width * area.box.height >= _NEARLY_ALL * height * width)


def paper_of(page: RgbImage) -> NDArray[np.bool_] | None:
    """Where a small copy of the picture shows paper; None if it has no margin of paper, as a bare photo has none."""
    import cv2

    scale = _WORK_SIDE_PX / max(page.shape[:2])
    size = max(8, round(page.shape[1] * scale)), max(8, round(page.shape[0] * scale))
    small = cv2.resize(page, size, interpolation=cv2.INTER_AREA)
    sides = _margins(small)
    shade = np.median(np.concatenate([side.reshape(-1, 3) for side in sides]), axis=0)
    if shade.mean() < _DARKEST_PAPER:
        return None
    is_paper = [float((_distance(side, shade) <= _PAPER_TOLERANCE).mean()) for side in sides]
    if sum(share >= _PAPER_OF_A_SIDE for share in is_paper) < _PAPER_SIDES:
        return None
    paper: NDArray[np.bool_] = _distance(small, shade) <= _PAPER_TOLERANCE
    return paper if paper.mean() >= _PAPER_OF_A_PAGE else None


def shows_a_thing(page: RgbImage, paper: NDArray[np.bool_]) -> bool:
    """Whether something thicker than text and rules, in many shades, stands on the paper: goods before a white wall."""
    import cv2

    height, width = paper.shape
    grey = cv2.cvtColor(cv2.resize(page, (width, height), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    thick = max(3, round(_THICK * max(height, width)))
    solid = cv2.morphologyEx((~paper).astype(np.uint8), cv2.MORPH_OPEN, np.ones((thick, thick), np.uint8)) > 0
    return bool(solid.mean() >= _LEAST_THING and grey[solid].std() >= _LEAST_TONES)


def _margins(picture: RgbImage) -> list[RgbImage]:
    near, far = (max(1, round(share * min(picture.shape[:2]))) for share in _RING)
    far = max(far, near + 1)
    return [picture[near:far], picture[-far:-near], picture[:, near:far], picture[:, -far:-near]]


def _distance(picture: RgbImage, shade: NDArray[np.float64]) -> NDArray[np.float64]:
    distance: NDArray[np.float64] = np.abs(picture.astype(np.float64) - shade).max(axis=-1)
    return distance
