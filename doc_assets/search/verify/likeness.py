"""A dense look at two aligned photos: is it one photograph, another shot of the scene, or the same printed thing?

A photograph that is used again, however printed, filmed, cropped or turned, is one plane: after the homography and one
smooth warp (paper, lens, rolling page) every part of it fits to a fraction of a per cent of the width, and nothing is
hidden or uncovered. Of a scene with depth that was shot twice, parts lie off any smooth plane, and edges of near things
hide other ground. Of a printed thing in two photographs the thing fits, but both photographs go on beyond its edges and
disagree there; and where it fills the frame, light, grain and perspective are those of two shots.

The query photo is laid into the frame of the archive photo, both are brought to the same sharpness, and optical flow
(DIS; Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016) finds where each part really lies.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from doc_assets.datatypes import LikenessTraits, RgbImage
from doc_assets.search.verify.geometry import Alignment, shares_to_pixels

Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]
Matrix = NDArray[np.float64]

LONG_SIDE_PX = 384
"""Of the archive photo's frame; of 600 pairs twice as much told nothing more."""
BLOCK_PX = 16
FEWEST_BLOCKS = 6
"""With fewer blocks that show something nothing is said."""

_DEGREE = 3  # of the smooth warp, in x and y: a page that curls; more would follow things in depth
_POWERS = tuple((i, j) for i in range(_DEGREE + 1) for j in range(_DEGREE + 1 - i))
_ROUNDS = 8
_BLURS_PX = (0.5, 0.7, 0.9, 1.2, 1.6, 2.1, 2.8)
_SMOOTH_PX = 0.8
_NORM_PX, _NORM_FLOOR = 6.0, 4.0  # local contrast; below so many levels it is noise
_TEXTURE = 5.0  # standard deviation of a block, in 8-bit levels, from which on it shows something
_FINE_TEXTURE = 4.0  # the same within a few pixels
_COVERED = 0.85  # share of a block that both photos show
_WINDOW_PX, _WINDOW_FLOOR = 3.0, 2.0
_RING_SHARE = 0.02  # of the long side: how wide the outermost parts of the overlap are
_RING_KNOWN, _RING_PIXELS = 0.15, 30
_UNKNOWN_BORDER = 0.7  # what is said of borders that show nothing in either photo
_FLAT = 8.0  # standard deviation up to which grain is looked at, beyond it detail
_FINEST = 300  # pixels that a correlation needs
_GRAIN_PX, _GRAIN_LEVELS = 1.2, 6.0
_LIGHT_PX, _LIGHT_STEP = 8.0, 37
_FILL_LEVELS, _FILL_SPREAD, _FILL_SHARES = 14.0, 3.5, (0.001, 0.35)


@dataclass(frozen=True, slots=True)
class Examination:
    """A dense look in full, for the picture of a pair.

    Attributes:
        traits: what is judged by.
        block: height and width of a block, in shares of the frame's.
        telling: (R, C) blocks of the archive photo's frame that show something in both photos' overlap.
        agreement: (R, C) correlation of each block on the smooth plane.
        free: (R, C) the same where the block may move by itself.
        shift: (R, C, 2) how far, in shares of the frame's width and height, it lies off the plane.
    """

    traits: LikenessTraits
    block: tuple[float, float]
    telling: Mask
    agreement: Plane
    free: Plane
    shift: NDArray[np.float32]


def examine(
    query: RgbImage, archive: RgbImage, transform: Matrix, shares: tuple[float, float], *, mirrored: bool
) -> Examination | None:
    """Looks at two photos where they overlap; None if too little of it shows anything.

    Args:
        query: the query photo as it is.
        archive: the archive photo.
        transform: (3, 3) from the query photo (mirrored first if ``mirrored``) to the archive photo, in shares.
        shares: of the query photo's and the archive photo's area that lie in the overlap.
        mirrored: whether the query photo must be mirrored left-right first.
    """
    laid = _laid(query, archive, transform, mirrored=mirrored)
    if laid is None:
        return None
    flow = _flow(laid.archive, laid.query)
    blocks = _Blocks.of(laid, flow)
    if int(blocks.telling.sum()) < FEWEST_BLOCKS:
        return None
    warp = _smooth_warp(blocks)
    on_plane = laid.moved(warp.dense(laid.archive.shape))
    agreement = _block_correlation(_normed(on_plane.query), _normed(laid.archive), on_plane.seen)
    off = blocks.flow - warp.at_blocks
    traits = _traits(laid, on_plane, blocks, agreement, off, max(shares), transform)
    height, width = laid.archive.shape
    shift = (off / np.array([width, height], np.float32)).astype(np.float32)
    block = BLOCK_PX / height, BLOCK_PX / width
    return Examination(traits, block, blocks.telling, agreement, blocks.free, shift)


def measure(query: RgbImage, archive: RgbImage, alignment: Alignment) -> LikenessTraits | None:
    """What a dense look at an aligned pair measures; None if too little of the overlap shows anything."""
    shares = alignment.query_share, alignment.archive_share
    found = examine(query, archive, alignment.transform, shares, mirrored=alignment.mirrored)
    return found.traits if found is not None else None


@dataclass(frozen=True, slots=True)
class _Laid:
    """Both photos in the archive photo's frame, (H, W) grey: as they are, brought to one sharpness, and where both are.

    ``seen`` leaves out what was put around a photo when it was turned or photographed: even ground along its border.
    """

    raw_query: Plane
    raw_archive: Plane
    query: Plane
    archive: Plane
    seen: Mask

    def moved(self, flow: Plane) -> "_Laid":
        """With the query photo taken from where ``flow`` (H, W, 2) says, in pixels."""
        seen = _taken(self.seen.astype(np.float32), flow) > 0.99  # noqa: PLR2004 - all of it
        return _Laid(
            _taken(self.raw_query, flow), self.raw_archive, _taken(self.query, flow), self.archive, seen & self.seen
        )


def _laid(query: RgbImage, archive: RgbImage, transform: Matrix, *, mirrored: bool) -> _Laid | None:
    factor = LONG_SIDE_PX / max(archive.shape[:2])
    width, height = (max(8, round(side * factor)) for side in archive.shape[1::-1])
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    kept = np.asarray(cv2.resize(_grey(archive), (width, height), interpolation=how), np.float32)
    given = _grey(np.ascontiguousarray(query[:, ::-1]) if mirrored else query)
    across, down = _size_in_frame(transform, width, height)
    size = int(np.clip(across, 32, given.shape[1])), int(np.clip(down, 32, given.shape[0]))
    given = np.asarray(cv2.resize(given, size, interpolation=cv2.INTER_AREA), np.float32)
    matrix = shares_to_pixels(width, height) @ transform @ np.linalg.inv(shares_to_pixels(*size))
    laid = cv2.warpPerspective(given, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)
    there = cv2.warpPerspective((~_fill(given)).astype(np.float32), matrix, (width, height))
    seen = (np.asarray(there) > 0.999) & ~_fill(kept)  # noqa: PLR2004 - all of it
    if not seen.any():
        return None
    one, other = _equally_sharp(np.asarray(laid, np.float32), kept, seen)
    return _Laid(np.asarray(laid, np.float32), kept, _blurred(one, _SMOOTH_PX), _blurred(other, _SMOOTH_PX), seen)


def _grey(photo: RgbImage) -> Plane:
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(photo), cv2.COLOR_RGB2GRAY), np.float32)


def _blurred(plane: Plane, sigma_px: float) -> Plane:
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma_px), np.float32)


def _size_in_frame(transform: Matrix, width: int, height: int) -> tuple[float, float]:
    """Width and height of the query photo in pixels of the archive frame, as its centre is scaled."""
    step = 1e-3
    points = np.array([[0.5, 0.5, 1], [0.5 + step, 0.5, 1], [0.5, 0.5 + step, 1]]) @ transform.T
    centre, right, down = points[:, :2] / points[:, 2:] * [width, height]
    return float(np.linalg.norm(right - centre)) / step, float(np.linalg.norm(down - centre)) / step


def _fill(plane: Plane) -> Mask:
    """(H, W) even ground along the border of a photo: paper, desk or screen around it, of one brightness."""
    band = max(2, round(0.012 * max(plane.shape)))
    smooth = _blurred(plane, 1.0)
    edge = np.concatenate(
        [part.ravel() for part in (smooth[:band], smooth[-band:], smooth[:, :band], smooth[:, -band:])]
    )
    counts = np.bincount(np.clip(edge / 8, 0, 31).astype(np.intp), minlength=33)
    level = 8.0 * (int(np.argmax(counts[:-1] + counts[1:])) + 1)
    even = (abs(smooth - level) < _FILL_LEVELS) & (_spread(smooth, 2.0) < _FILL_SPREAD)
    _, parts = cv2.connectedComponents(np.pad(even, 1, constant_values=True).astype(np.uint8), connectivity=4)
    fill = np.asarray(parts == parts[0, 0])[1:-1, 1:-1]
    if not _FILL_SHARES[0] < fill.mean() < _FILL_SHARES[1]:
        return np.zeros(plane.shape, np.bool_)
    around = np.ones((2 * band + 5, 2 * band + 5), np.uint8)
    return np.asarray(cv2.dilate(fill.astype(np.uint8), around)) > 0


def _spread(plane: Plane, sigma_px: float) -> Plane:
    """Local standard deviation."""
    mean = _blurred(plane, sigma_px)
    return np.asarray(np.sqrt(np.maximum(_blurred(plane * plane, sigma_px) - mean * mean, 0)), np.float32)


def _equally_sharp(query: Plane, archive: Plane, seen: Mask) -> tuple[Plane, Plane]:
    """Both photos, the sharper one blurred until it has as much fine detail for its coarse detail as the other."""
    sharpness = [_sharpness(query, seen), _sharpness(archive, seen)]
    is_query = sharpness[0] > sharpness[1]
    sharper, wanted = (query, sharpness[1]) if is_query else (archive, sharpness[0])
    best, error = sharper, abs(np.log(max(sharpness[not is_query], 1e-3) / max(wanted, 1e-3)))
    for sigma_px in _BLURS_PX:
        blurred = _blurred(sharper, sigma_px)
        now = abs(np.log(max(_sharpness(blurred, seen), 1e-3) / max(wanted, 1e-3)))
        if now >= error:
            break
        best, error = blurred, now
    return (best, archive) if is_query else (query, best)


def _sharpness(plane: Plane, seen: Mask) -> float:
    smooth = _blurred(plane, 1.0)
    fine, coarse = (plane - smooth)[seen], (smooth - _blurred(smooth, 4.0))[seen]
    return float(fine.std()) / max(float(coarse.std()), 0.5)


def _normed(plane: Plane) -> Plane:
    """With local mean and contrast taken out."""
    mean = _blurred(plane, _NORM_PX)
    spread = np.maximum(_blurred(plane * plane, _NORM_PX) - mean * mean, 0)
    return np.asarray((plane - mean) / np.sqrt(spread + np.float32(_NORM_FLOOR**2)), np.float32)


def _flow(archive: Plane, query: Plane) -> Plane:
    """(H, W, 2) where each pixel of the archive photo lies in the query photo, as (x, y) off its own place."""
    one, other = (np.clip(_normed(plane) * 45 + 128, 0, 255).astype(np.uint8) for plane in (archive, query))
    finder: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return np.asarray(finder.calc(one, other, None), np.float32)


def _taken(plane: Plane, flow: Plane) -> Plane:
    rows, columns = np.mgrid[0 : plane.shape[0], 0 : plane.shape[1]].astype(np.float32)
    at = columns + flow[..., 0], rows + flow[..., 1]
    return np.asarray(cv2.remap(plane, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT), np.float32)


@dataclass(frozen=True, slots=True)
class _Blocks:
    """The frame in blocks (R, C): which show something in either photo and in both, how they agree where each may move.

    ``flow`` (R, C, 2) is how each moves, in pixels; ``at`` (R * C, 2) its centre, from -1 to 1.
    """

    telling: Mask
    in_both: Mask
    free: Plane
    flow: Plane
    at: Matrix

    @classmethod
    def of(cls, laid: _Laid, flow: Plane) -> "_Blocks":
        free = laid.moved(flow)
        correlation = _block_correlation(_normed(free.query), _normed(laid.archive), free.seen)
        covered = _in_blocks(free.seen.astype(np.float32)).mean(axis=(1, 3)) > _COVERED
        spreads = [_block_spread(plane, laid.seen) > _TEXTURE for plane in (laid.query, laid.archive)]
        rows, columns = correlation.shape
        whole = flow[: rows * BLOCK_PX, : columns * BLOCK_PX]
        means = [cv2.resize(whole[..., axis], (columns, rows), interpolation=cv2.INTER_AREA) for axis in (0, 1)]
        down, across = np.mgrid[0:rows, 0:columns].reshape(2, -1)
        height, width = laid.archive.shape
        at = np.stack([(across + 0.5) * BLOCK_PX / width, (down + 0.5) * BLOCK_PX / height], axis=1) * 2 - 1
        return cls(
            telling=covered & (spreads[0] | spreads[1]),
            in_both=covered & spreads[0] & spreads[1],
            free=correlation,
            flow=np.stack([np.asarray(mean).reshape(rows, columns) for mean in means], axis=-1).astype(np.float32),
            at=at,
        )


def _in_blocks(plane: Plane) -> Plane:
    """(R, block, C, block) the whole blocks of a plane."""
    rows, columns = plane.shape[0] // BLOCK_PX, plane.shape[1] // BLOCK_PX
    whole = plane[: rows * BLOCK_PX, : columns * BLOCK_PX]
    return whole.reshape(rows, BLOCK_PX, columns, BLOCK_PX)


def _block_correlation(one: Plane, other: Plane, seen: Mask) -> Plane:
    """(R, C) correlation of two planes in each block, over what is seen."""
    weight = _in_blocks(seen.astype(np.float32))
    n = np.maximum(weight.mean(axis=(1, 3)), 1e-6)

    def mean(plane: Plane) -> Plane:
        return np.asarray((plane * weight).mean(axis=(1, 3)) / n, np.float32)

    a, b = _in_blocks(one), _in_blocks(other)
    mean_a, mean_b = mean(a), mean(b)
    spread = np.maximum(mean(a * a) - mean_a**2, 1e-3) * np.maximum(mean(b * b) - mean_b**2, 1e-3)
    return np.asarray((mean(a * b) - mean_a * mean_b) / np.sqrt(spread), np.float32)


def _block_spread(plane: Plane, seen: Mask) -> Plane:
    """(R, C) standard deviation in each block, over what is seen."""
    weight, blocks = _in_blocks(seen.astype(np.float32)), _in_blocks(plane)
    n = np.maximum(weight.mean(axis=(1, 3)), 1e-6)
    mean = (blocks * weight).mean(axis=(1, 3)) / n
    spread = np.maximum((blocks * blocks * weight).mean(axis=(1, 3)) / n - mean**2, 0)
    return np.asarray(np.sqrt(spread), np.float32)


@dataclass(frozen=True, slots=True)
class _Warp:
    """A polynomial in x and y: its coefficients (T, 2), and (R, C, 2) what it says of the blocks, in pixels."""

    coefficients: Matrix
    at_blocks: Plane

    def dense(self, shape: tuple[int, ...]) -> Plane:
        """(H, W, 2) what it says of every pixel."""
        height, width = shape[:2]
        x, y = ((np.arange(n) / n * 2 - 1)[:, None] ** np.arange(_DEGREE + 1) for n in (width, height))
        by_power = np.zeros((2, _DEGREE + 1, _DEGREE + 1))
        for term, (i, j) in enumerate(_POWERS):
            by_power[:, j, i] = self.coefficients[term]
        return np.stack([y @ axis @ x.T for axis in by_power], axis=-1).astype(np.float32)


def _smooth_warp(blocks: _Blocks) -> _Warp:
    """The smooth warp that most blocks agree on: least squares, reweighted as Geman and McClure do."""
    x, y = blocks.at.T
    terms = np.stack([x**i * y**j for i, j in _POWERS], axis=1)
    wanted = blocks.flow.reshape(-1, 2).astype(np.float64)
    trust = (blocks.in_both * np.clip(blocks.free - 0.3, 0, 1) ** 2).ravel().astype(np.float64) + 1e-9
    ridge = 1e-5 * trust.sum() * np.diag([0.0] + [1.0] * (terms.shape[1] - 1))
    weight, found = trust, np.zeros((terms.shape[1], 2))
    for number in range(_ROUNDS):
        weighted = terms * weight[:, None]
        found = np.linalg.solve(weighted.T @ terms + ridge, weighted.T @ wanted)
        off = np.linalg.norm(wanted - terms @ found, axis=1)
        spread = 1.5 * float(np.sqrt((trust * off**2).sum() / trust.sum())) if number == 0 else 2 * _median(off, trust)
        weight = trust / (1 + (off / max(spread, 0.4)) ** 2) ** 2
    return _Warp(found, (terms @ found).reshape(blocks.flow.shape).astype(np.float32))


def _median(values: Matrix, weights: Matrix) -> float:
    order = np.argsort(values)
    heaped = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(heaped, heaped[-1] / 2)])


def _traits(
    laid: _Laid, on_plane: _Laid, blocks: _Blocks, agreement: Plane, off: Plane, share: float, transform: Matrix
) -> LikenessTraits:
    telling = blocks.telling
    fits, free = agreement[telling], blocks.free[telling]
    clear = blocks.in_both & (blocks.free > max(0.5, 0.8 * float(np.percentile(free, 60))))
    distance = np.linalg.norm(off, axis=-1)
    residual = np.percentile(distance[clear if clear.sum() > 3 else telling], 75)  # noqa: PLR2004 - enough for one
    level = float(np.percentile(fits, 75))
    agrees, known = _agreeing(on_plane, level)
    border, weak_side = _border(on_plane.seen, agrees, known)
    detail, grain = _finest(on_plane, agrees)
    return LikenessTraits(
        residual=100 * float(residual) / max(laid.archive.shape),
        moved=float(np.clip(free - fits, 0, 1).mean()),
        agreement=float(np.median(fits)),
        detail=detail,
        grain=grain,
        border=border,
        weak_side=weak_side,
        whole=float(agrees.sum()) / max(int(known.sum()), 1) * share,
        light=_light(on_plane),
        perspective=float(np.hypot(transform[2, 0], transform[2, 1]) / abs(transform[2, 2])),
    )


def _agreeing(laid: _Laid, level: float) -> tuple[Mask, Mask]:
    """(H, W) where the photos agree, and where that is known: there, or where both show something."""
    query, archive = laid.query, laid.archive
    mean_q, mean_a = _blurred(query, _WINDOW_PX), _blurred(archive, _WINDOW_PX)
    spread_q, spread_a = _spread(query, _WINDOW_PX), _spread(archive, _WINDOW_PX)
    common = _blurred(query * archive, _WINDOW_PX) - mean_q * mean_a
    correlation = common / np.sqrt((spread_q**2 + _WINDOW_FLOOR**2) * (spread_a**2 + _WINDOW_FLOOR**2))
    something = np.maximum(spread_q, spread_a) > 3  # noqa: PLR2004 - levels
    agrees = laid.seen & something & (correlation > level / 2)
    return agrees, agrees | (laid.seen & (np.minimum(spread_q, spread_a) > _FINE_TEXTURE))


def _border(seen: Mask, agrees: Mask, known: Mask) -> tuple[float, float]:
    """Share of the overlap's border that agrees, mean over its sides, and of the second worst side."""
    if not seen.any():
        return _UNKNOWN_BORDER, _UNKNOWN_BORDER
    width = 2 * max(3, int(_RING_SHARE * max(seen.shape))) + 1
    inside = cv2.erode(np.pad(seen, 1).astype(np.uint8), np.ones((width, width), np.uint8))[1:-1, 1:-1]
    ring = seen & (np.asarray(inside) == 0)
    rows, columns = np.nonzero(seen)
    down, across = np.mgrid[0 : seen.shape[0], 0 : seen.shape[1]]
    v = (down - (rows.min() + rows.max()) / 2) / max(int(np.ptp(rows)), 1)
    u = (across - (columns.min() + columns.max()) / 2) / max(int(np.ptp(columns)), 1)
    sides = [ring & side for side in (v < -abs(u), v > abs(u), u < -abs(v), u > abs(v))]
    shares = sorted(
        float((agrees & side).sum() / (known & side).sum())
        for side in sides
        if (known & side).sum() > max(_RING_PIXELS, _RING_KNOWN * side.sum())
    )
    if not shares:
        return _UNKNOWN_BORDER, _UNKNOWN_BORDER
    mean = float(np.mean(shares))
    return mean, shares[1] if len(shares) > 1 else mean


def _finest(laid: _Laid, agrees: Mask) -> tuple[float, float]:
    """How the finest detail correlates at edges, and the grain in flat parts."""
    spread = _spread(laid.raw_archive, 3.0)
    fine = [plane - _blurred(plane, _GRAIN_PX) for plane in (laid.raw_query, laid.raw_archive)]

    def correlation(where: Mask) -> float:
        if where.sum() < _FINEST:
            return 0.0
        a, b = (np.clip(plane[where] - plane[where].mean(), -_GRAIN_LEVELS, _GRAIN_LEVELS) for plane in fine)
        return float((a * b).sum() / np.sqrt(float((a * a).sum()) * float((b * b).sum()) + 1e-6))

    return correlation(agrees & (spread >= _FLAT)), correlation(agrees & (spread < _FLAT))


def _light(laid: _Laid) -> float:
    """Share of the query photo's coarse brightness that one tone curve of the archive photo's explains."""
    one, other = (_blurred(plane, _LIGHT_PX)[laid.seen][::_LIGHT_STEP] for plane in (laid.query, laid.archive))
    if len(one) == 0:
        return 1.0
    terms = np.stack([np.ones_like(other), other, other * other / 255], axis=1).astype(np.float64)
    curve, *_ = np.linalg.lstsq(terms, one.astype(np.float64), rcond=None)
    left = one - terms @ curve
    return 1 - float(left.var()) / max(float(one.var()), 1.0)
