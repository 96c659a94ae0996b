"""QR codes: three finder patterns at the corners of a square.

OpenCV's own detectors of codes are not used: now and then they corrupt memory on noisy scans (5.0.0, "double free"),
and a photo that ends the process does not fail alone.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from doc_assets.datatypes import RgbImage

Grey = NDArray[np.uint8]

_AREA_PX = 300_000
_SMOOTH_PX = (0.8, 2.0)  # as it is scanned; dithers and screens
_FEWEST_PX = 20.0  # area of a heart that can be told from noise
_RING, _HEART = (1.25, 3.2), (2.8, 11.0)
"""How many times larger a pattern of 7 modules a side is than the inside of its white ring (49/25) or heart (49/9)."""
_OFF_CENTRE = 0.12  # of the pattern's side, between the middles of the three
_SQUARE = (0.5, 2.0)  # width per height; slots stretch pictures
_SIZES = 2.5  # most that the areas of the three patterns differ by
_LEGS = (0.55, 1.8)  # one leg of the triangle per the other
_COSINE = 0.25  # of the angle between them, at most: 75 to 105 degrees
_FEWEST_SIDES = 1.6  # patterns that a leg is at least long: 21 modules less 7, by 7, is 2
_MOST_PATTERNS = 40


@dataclass(frozen=True, slots=True)
class _Pattern:
    x: float
    y: float
    width: float
    height: float


def code_share(photo: RgbImage) -> float:
    """Share of (H, W, 3) uint8 RGB that a QR code covers, in [0, 1]; 0 if there is none."""
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    scale = min(1.0, math.sqrt(_AREA_PX / grey.size))
    size = max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale))
    grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    for smooth in _SMOOTH_PX:
        seen = cv2.GaussianBlur(grey, (0, 0), smooth)
        _, dark = cv2.threshold(seen, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
        area = _code_area(list(_patterns(np.asarray(dark, np.uint8)))[:_MOST_PATTERNS])
        if area > 0:
            return float(min(1.0, area / grey.size))
    return 0.0


def _patterns(dark: Grey) -> Iterator[_Pattern]:
    """Dark squares with a ring of light around a dark heart."""
    contours, tree = cv2.findContours(dark, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    if tree is None:
        return
    frames = [cv2.boundingRect(contour) for contour in contours]
    inside: dict[int, int] = {}  # the largest contour inside of each
    for at, (_, _, _, parent) in enumerate(tree[0]):
        known = inside.get(int(parent))
        if known is None or math.prod(frames[known][2:]) < math.prod(frames[at][2:]):
            inside[int(parent)] = at
    for outer in range(len(contours)):
        ring = inside.get(outer)
        heart = None if ring is None else inside.get(ring)
        if ring is None or heart is None:
            continue
        parts = [frames[part] for part in (outer, ring, heart)]
        areas = [float(width * height) for _, _, width, height in parts]
        x, y, width, height = parts[0]
        centred = all(
            abs(left + across / 2 - x - width / 2) <= _OFF_CENTRE * width
            and abs(top + down / 2 - y - height / 2) <= _OFF_CENTRE * height
            for left, top, across, down in parts[1:]
        )
        if (
            areas[2] >= _FEWEST_PX
            and centred
            and _within(areas[0] / areas[1], _RING)
            and _within(areas[0] / areas[2], _HEART)
            and _within(width / height, _SQUARE)
        ):
            yield _Pattern(x + width / 2, y + height / 2, width, height)


def _within(value: float, bounds: tuple[float, float]) -> bool:
    return bounds[0] <= value <= bounds[1]


def _code_area(patterns: Sequence[_Pattern]) -> float:
    """Pixels of the largest code that three of the patterns can belong to; 0 without one."""
    most = 0.0
    for three in combinations(patterns, 3):
        sizes = [each.width * each.height for each in three]
        if max(sizes) > _SIZES * min(sizes):
            continue
        for corner in range(3):
            most = max(most, _area_from(three[corner], *(three[at] for at in range(3) if at != corner)))
    return most


def _area_from(corner: _Pattern, one: _Pattern, other: _Pattern) -> float:
    """Pixels of the code with its second corner here; 0 if the three do not stand like a code's."""
    a, b = np.array([one.x - corner.x, one.y - corner.y]), np.array([other.x - corner.x, other.y - corner.y])
    long, high = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    side = math.sqrt(corner.width * corner.height)
    if min(long, high) < _FEWEST_SIDES * side or not _within(long / high, _LEGS):
        return 0.0
    if abs(float(a @ b)) > _COSINE * long * high:
        return 0.0
    return (long + side) * (high + side)
