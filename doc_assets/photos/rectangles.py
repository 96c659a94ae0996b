"""The rectangle that a blob of non-paper pixels fills: its skew and its four sides.

A photo on a scan is a filled rectangle with flaws: a bright sky that looks like paper, a stamp or a
table line that sticks out. Sides are therefore found by vote among the blob's outermost pixels, not as
its extent.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]
"""(H, W) uint8, 1 where there is ink."""

_MAX_SKEW_DEG = 8.0
_SKEW_STEP_DEG = 0.2
_STRAIGHT_BELOW_DEG = 0.15
_SLOPES = np.tan(np.radians(np.arange(-_MAX_SKEW_DEG, _MAX_SKEW_DEG + 1e-6, _SKEW_STEP_DEG)))
_MIN_SIDE_VOTE = 0.25  # of a side's length must lie on one line before its slope counts
_STEEPNESS_COST = 0.2  # prefers the smaller of two equally supported slopes
_CLOSING_PX = 15
_CORE_SHARE = 0.5  # a row belongs to the core if it is at least half as full as the fullest
_MIN_EDGE_SUPPORT = 0.03
_SNAP_SUPPORT = 0.15
_SNAP_PX = 4
_MIN_BAND_FILL = 0.15
_MIN_FILL = 0.5
_MIN_SIDE_PX = 8


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Centre, size and counter-clockwise skew, in pixels of the mask; (x, y) with y down."""

    x: float
    y: float
    width: float
    height: float
    skew_deg: float

    def contains(self, x: float, y: float) -> bool:
        """Whether a point lies in its upright extent."""
        return abs(x - self.x) < self.width / 2 and abs(y - self.y) < self.height / 2


def fit_rectangle(blob: Mask) -> Rectangle | None:
    """The filled rectangle in ``blob``; None if nothing in it is one (a table, text, a line).

    Args:
        blob: one connected component, cut to its extent.
    """
    import cv2

    skew_deg = _skew(blob)
    height, width = blob.shape
    pad = int(max(height, width) * math.sin(math.radians(abs(skew_deg)))) + _MIN_SIDE_PX
    padded = cv2.copyMakeBorder(blob, pad, pad, pad, pad, cv2.BORDER_CONSTANT)
    turn = cv2.getRotationMatrix2D((width / 2 + pad, height / 2 + pad), -skew_deg, 1)
    straight = cv2.warpAffine(padded, turn, padded.shape[::-1], flags=cv2.INTER_NEAREST) if skew_deg else padded
    sides = _sides(straight)
    if sides is None:
        return None
    left, top, right, bottom = sides
    x, y = cv2.invertAffineTransform(turn) @ ((left + right) / 2, (top + bottom) / 2, 1.0)
    return Rectangle(float(x) - pad, float(y) - pad, right - left, bottom - top, skew_deg)


def _sides(straight: Mask) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom of the filled rectangle in an upright blob."""
    import cv2

    closed = cv2.morphologyEx(straight, cv2.MORPH_CLOSE, np.ones((_CLOSING_PX, _CLOSING_PX), np.uint8))
    core = _core(closed)
    if core is None:
        return None
    left, top, right, bottom = core
    up, down, west, east = _extremes(straight)
    for _ in range(2):  # the sides bound each other's votes
        rows = _fill(closed[:, left:right], axis=1)
        top = _outermost(up[left:right], rows, top, -1)
        bottom = _outermost(down[left:right], rows, bottom - 1, 1) + 1
        columns = _fill(closed[top:bottom], axis=0)
        left = _outermost(west[top:bottom], columns, left, -1)
        right = _outermost(east[top:bottom], columns, right - 1, 1) + 1
    if min(right - left, bottom - top) < _MIN_SIDE_PX or cv2.mean(closed[top:bottom, left:right])[0] < _MIN_FILL:
        return None
    return left, top, right, bottom


def _fill(mask: Mask, axis: int) -> NDArray[np.float32]:
    """Share of ink of every row (axis 1) or column (axis 0)."""
    import cv2

    return np.asarray(cv2.reduce(mask, axis, cv2.REDUCE_AVG, dtype=cv2.CV_32F), np.float32).ravel()


def _extremes(blob: Mask) -> tuple[NDArray[np.int64], ...]:
    """First and last ink of every column, then of every row; -1 where there is none."""
    height, width = blob.shape
    columns, rows = blob.any(axis=0), blob.any(axis=1)
    return (
        np.where(columns, blob.argmax(axis=0), -1),
        np.where(columns, height - 1 - blob[::-1].argmax(axis=0), -1),
        np.where(rows, blob.argmax(axis=1), -1),
        np.where(rows, width - 1 - blob[:, ::-1].argmax(axis=1), -1),
    )


def _skew(blob: Mask) -> float:
    """Counter-clockwise skew in degrees: the median slope of the four sides, weighted by their support."""
    votes: list[tuple[float, float]] = []
    for i, side in enumerate(_extremes(blob)):
        slope, support = _slope(side)
        if support > _MIN_SIDE_VOTE:
            votes.append((slope if i < 2 else -slope, support * len(side)))  # noqa: PLR2004 - columns, then rows
    if not votes:
        return 0.0
    votes.sort()
    running = np.cumsum([weight for _, weight in votes])
    slope, _ = votes[int(np.searchsorted(running, running[-1] / 2))]
    # y points down, so a positive slope is a clockwise turn.
    degrees = -math.degrees(math.atan(slope))
    return 0.0 if abs(degrees) < _STRAIGHT_BELOW_DEG else round(degrees, 2)


def _slope(side: NDArray[np.int64]) -> tuple[float, float]:
    """Slope of the line that most of a side's pixels lie on, and the share of the side that does."""
    at = np.flatnonzero(side >= 0)
    if len(at) < 2 * _MIN_SIDE_PX:
        return 0.0, 0.0
    at = at[:: max(1, len(at) // 400)]  # 400 points settle a vote
    residual = side[at][None, :] - _SLOPES[:, None] * at[None, :]
    bins = (residual - residual.min(axis=1, keepdims=True) + 0.5).astype(np.int64)
    width = int(bins.max()) + 2
    counts = np.bincount((bins + np.arange(len(_SLOPES))[:, None] * width).ravel(), minlength=len(_SLOPES) * width)
    counts = counts.reshape(len(_SLOPES), width)
    support = (counts[:, :-1] + counts[:, 1:]).max(axis=1) / len(at) - _STEEPNESS_COST * np.abs(_SLOPES)
    best = int(np.argmax(support))
    return float(_SLOPES[best]), float(support[best])


def _core(closed: Mask) -> tuple[int, int, int, int] | None:
    """The longest run of rows and of columns that are mostly filled: what certainly is photo."""
    height, width = closed.shape
    left, right, top, bottom = 0, width, 0, height
    for _ in range(3):
        rows = _longest_run(_fill(closed[:, left:right], axis=1))
        if rows is None:
            return None
        top, bottom = rows
        columns = _longest_run(_fill(closed[top:bottom], axis=0))
        if columns is None:
            return None
        left, right = columns
    return left, top, right, bottom


def _longest_run(fill: NDArray[np.float32]) -> tuple[int, int] | None:
    full = fill >= _CORE_SHARE * float(fill.max(initial=0.0))
    if not full.any() or float(fill.max()) < _MIN_FILL / 2:
        return None
    change = np.diff(np.concatenate(([0], full.astype(np.int8), [0])))
    starts, ends = np.flatnonzero(change == 1), np.flatnonzero(change == -1)
    longest = int(np.argmax(ends - starts))
    return int(starts[longest]), int(ends[longest])


def _outermost(side: NDArray[np.int64], fill: NDArray[np.float32], at: int, outward: int) -> int:
    """Moves one side of the core outward to where the photo ends.

    Args:
        side: outermost ink of every line across this side; -1 where there is none.
        fill: share of ink of every line along it.
        at: the core's outermost line.
        outward: -1 if smaller positions are farther out, else 1.
    """
    known = side[side >= 0]
    if len(known) == 0:
        return at
    votes = np.bincount(known, minlength=max(int(known.max()), at) + _SNAP_PX + 2)
    spread = votes.astype(np.int64)
    spread[1:] += votes[:-1]
    spread[:-1] += votes[1:]
    supported = np.flatnonzero(spread >= _MIN_EDGE_SUPPORT * len(side))
    outside = supported[supported < at] if outward < 0 else supported[(supported > at) & (supported < len(fill))][::-1]
    for position in outside:
        band = fill[position:at] if outward < 0 else fill[at + 1 : position + 1]
        if band.mean() >= _MIN_BAND_FILL:
            at = int(position)
            break
    low = max(0, at - _SNAP_PX)
    nearest = low + int(np.argmax(votes[low : at + _SNAP_PX + 1]))
    return nearest if votes[nearest] >= _SNAP_SUPPORT * len(side) else at
