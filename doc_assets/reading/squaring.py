"""Pages with square pixels: a fax has more dots across than down; whatever looks at pages expects squares."""

import numpy as np

from doc_assets.datatypes import RgbImage
from doc_assets.reading.tiff_layout import PageLayout

_TURNED = range(5, 9)
"""Orientations that swap width and height."""


def upright_ratio(layout: PageLayout) -> float:
    """Height of a pixel by its width on the upright page."""
    return 1 / layout.pixel_ratio if layout.orientation in _TURNED else layout.pixel_ratio


def squared(picture: RgbImage, ratio: float, max_px: int) -> RgbImage:
    """The picture with its coarser direction scaled up; the finer one down, if it would have more than ``max_px``.

    Args:
        picture: upright.
        ratio: height of a pixel by its width.
        max_px: pixels that a page may have.
    """
    if ratio == 1:
        return picture
    import cv2

    height, width = picture.shape[:2]
    size = (width, round(height * ratio)) if ratio > 1 else (round(width / ratio), height)
    if size[0] * size[1] > max_px:
        size = (max(1, round(width / ratio)), height) if ratio > 1 else (width, max(1, round(height * ratio)))
        return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR), np.uint8)
