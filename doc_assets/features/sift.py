"""RootSIFT keypoints, spread over the photo.

SIFT: Lowe, "Distinctive Image Features from Scale-Invariant Keypoints", IJCV 60(2), 2004. RootSIFT, the square
root of L1-normalised descriptors: Arandjelovic and Zisserman, "Three things everyone should know to improve
object retrieval", CVPR 2012.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from doc_assets.datatypes import LocalFeatures, RgbImage

VERSION = "rootsift-3"
SIDE_PX = 384
"""Photos are squashed to a square of this side: forms stretch photos to their slot, and one that was turned by 90
degrees and stretched to the same slot would differ by the square of the slot's proportions, more than SIFT bears."""

THUMBNAIL_PX = 64
_BLUR_PX = 1.3  # hides the dots of prints and copiers; with the side chosen by inliers over eight hard attacks

_CONTRAST = 0.015  # below Lowe's 0.03: faded prints and blurred photos keep keypoints
_EDGE = 12
_GRID = 6  # cells per side; each gives its strongest keypoint in turn, so that a crop keeps its share
_BINS, _ORIENTATIONS = 4, 8
DESCRIPTOR_DIM = _BINS * _BINS * _ORIENTATIONS

# A mirrored patch has its rows (across the keypoint's direction) and its orientations reversed.
_MIRRORED = np.array(
    [
        ((_BINS - 1 - row) * _BINS + column) * _ORIENTATIONS + (-orientation % _ORIENTATIONS)
        for row in range(_BINS)
        for column in range(_BINS)
        for orientation in range(_ORIENTATIONS)
    ]
)


class SiftExtractor:
    """Finds the keypoints of photos; may be used from several threads.

    Args:
        max_features: most keypoints kept.
    """

    def __init__(self, max_features: int = 400) -> None:
        self.max_features = max_features

    def extract(self, photo: RgbImage) -> LocalFeatures:
        """The photo's keypoints, at most ``max_features``; none on a blank one."""
        import cv2

        grey = cv2.cvtColor(np.ascontiguousarray(photo), cv2.COLOR_RGB2GRAY)
        square = cv2.resize(grey, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
        thumbnail = np.asarray(cv2.resize(square, (THUMBNAIL_PX, THUMBNAIL_PX), interpolation=cv2.INTER_AREA))
        grey = cv2.GaussianBlur(square, (0, 0), _BLUR_PX)
        sift: Any = cv2.SIFT.create(nfeatures=0, contrastThreshold=_CONTRAST, edgeThreshold=_EDGE)
        found = sift.detect(grey, None)
        if not found:
            nothing = np.empty((0, 2), np.float32), np.empty((0, DESCRIPTOR_DIM), np.uint8)
            return LocalFeatures(*nothing, SIDE_PX, SIDE_PX, thumbnail)
        found, descriptors = sift.compute(grey, [found[i] for i in self._spread(found)])
        points = np.array([keypoint.pt for keypoint in found], np.float32)
        return LocalFeatures(points, _root(descriptors), SIDE_PX, SIDE_PX, thumbnail)

    def _spread(self, keypoints: Sequence[Any]) -> NDArray[np.intp]:
        """Positions of the strongest keypoints of every cell, then the second strongest, and so on."""
        points = np.array([keypoint.pt for keypoint in keypoints])
        response = np.array([keypoint.response for keypoint in keypoints])
        column, row = (np.clip(points * _GRID / SIDE_PX, 0, _GRID - 1).astype(np.intp)).T
        cell = row * _GRID + column
        order = np.lexsort((-response, cell))
        starts = np.searchsorted(cell[order], cell[order])
        rank = np.empty(len(order), np.intp)
        rank[order] = np.arange(len(order)) - starts
        return np.lexsort((-response, rank))[: self.max_features]


def mirrored(features: LocalFeatures) -> LocalFeatures:
    """The features of the photo mirrored left-right, without looking at it again."""
    points = features.points.copy()
    points[:, 0] = features.width - 1 - points[:, 0]
    thumbnail = np.ascontiguousarray(features.thumbnail[:, ::-1])
    return LocalFeatures(points, features.descriptors[:, _MIRRORED], features.width, features.height, thumbnail)


def _root(descriptors: NDArray[np.float32]) -> NDArray[np.uint8]:
    sums = np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-9)
    rooted: NDArray[np.uint8] = np.clip(np.round(np.sqrt(descriptors / sums) * 255), 0, 255).astype(np.uint8)
    return rooted
