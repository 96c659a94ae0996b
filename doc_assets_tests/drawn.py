"""Drawn pictures and their keypoints, made once in a process: most of a test's time is drawing, then SIFT."""

from functools import lru_cache

import numpy as np

from doc_assets.datatypes import LocalFeatures
from doc_assets.features.sift import SiftExtractor
from doc_assets.lab.pictures import draw_picture


@lru_cache(maxsize=64)
def picture(number):
    """The drawn picture of this number; nobody may write to it."""
    drawn = draw_picture(number)
    drawn.flags.writeable = False
    return drawn


def features_of(image) -> LocalFeatures:
    """The keypoints of an (H, W, 3) uint8 image, found once."""
    return _features(image.shape, image.tobytes())


@lru_cache(maxsize=32)
def _features(shape, content) -> LocalFeatures:
    return SiftExtractor().extract(np.frombuffer(content, np.uint8).reshape(shape))
