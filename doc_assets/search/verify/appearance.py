"""Whether two photos look alike where a transform lays one on the other, block by block.

Keypoints of repeated things agree between photos that are not the same: windows of one façade, bricks, shelves. What
lies between the keypoints then does not agree.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from doc_assets.search.verify.frames import shares_to_pixels

Matrix = NDArray[np.float64]

_BLOCKS = 8  # a side
_FEWEST_BLOCKS = 6  # fewer agree by chance
_SMOOTH_PX = 0.7
_COVERED = 0.7  # share of a block that both photos must show
_TEXTURE = 3.0  # standard deviation, in 8-bit levels, from which on a block of the archive photo shows something
_DARKEST = 1e-3


@dataclass(frozen=True, slots=True)
class Appearance:
    """How the overlap looks in both photos.

    Attributes:
        agreement: median correlation of the two over blocks that show something, in [-1, 1]; 0 if fewer than six do.
            Of 2,600 copies of real photographs by 26 attacks the least had 0.89, of 101 chance alignments of
            different ones the most had 0.47, one façade aligned with its own mirrored windows 0.80.
        contrast: contrast of the query photo as a multiple of the archive photo's.
        brightness: mean of the query photo less the archive photo's, in 8-bit levels.
    """

    agreement: float
    contrast: float
    brightness: float


def compare(query: NDArray[np.uint8], archive: NDArray[np.uint8], transform: Matrix) -> Appearance:
    """Compares two thumbnails.

    Args:
        query: (S, S) uint8 grey, the whole photo squashed to a square.
        archive: the same of the archive photo.
        transform: (3, 3) from query to archive, both in shares of width and height.
    """
    import cv2

    side = len(archive)
    to_pixels = shares_to_pixels(side, side)
    matrix = to_pixels @ transform @ np.linalg.inv(to_pixels)
    smooth = [cv2.GaussianBlur(photo.astype(np.float32), (0, 0), _SMOOTH_PX) for photo in (query, archive)]
    moved = np.asarray(cv2.warpPerspective(smooth[0], matrix, (side, side)), np.float64)
    seen = np.asarray(cv2.warpPerspective(np.ones((side, side), np.float32), matrix, (side, side)) > 1 - 1e-3)
    kept = np.asarray(smooth[1], np.float64)
    if not seen.any():
        return Appearance(0.0, 1.0, 0.0)
    spread = float(np.std(kept[seen]))
    return Appearance(
        agreement=_agreement(moved, kept, seen),
        contrast=float(np.std(moved[seen])) / spread if spread > _DARKEST else 1.0,
        brightness=float(moved[seen].mean() - kept[seen].mean()),
    )


def _agreement(one: Matrix, other: Matrix, seen: NDArray[np.bool_]) -> float:
    weight = _in_blocks(seen.astype(np.float64))
    n = np.maximum(weight.sum(axis=1), 1)
    a, b = (_in_blocks(photo) for photo in (one, other))
    a, b = ((x - ((x * weight).sum(axis=1) / n)[:, None]) * weight for x in (a, b))
    spread_a, spread_b = (np.sqrt((x * x).sum(axis=1) / n) for x in (a, b))
    telling = (weight.mean(axis=1) >= _COVERED) & (spread_b >= _TEXTURE)
    if telling.sum() < _FEWEST_BLOCKS:
        return 0.0
    correlation = (a * b).sum(axis=1) / n / np.maximum(spread_a * spread_b, _DARKEST)
    return float(np.clip(np.median(correlation[telling]), -1, 1))


def _in_blocks(plane: Matrix) -> Matrix:
    """(S, S) as (blocks, pixels)."""
    size = len(plane) // _BLOCKS
    return plane.reshape(_BLOCKS, size, _BLOCKS, size).transpose(0, 2, 1, 3).reshape(_BLOCKS * _BLOCKS, size * size)
