"""The transform that lays one photo over another, found from their keypoints, and what it tells of the two.

Pairs of keypoints pass Lowe's ratio test and must choose each other; the transform is estimated by MAGSAC++
(Barath et al., "MAGSAC++, a fast, reliable and accurate robust estimator", CVPR 2020) and must be one that a
camera, a scanner or scissors can make.

Chance pairs of different photos often agree on a map that squeezes the photo to a line, or that a handful of points
on a line or in one spot does not settle. Such a map is refused before anything is inverted or divided by it.

Keypoints of repeated things agree between photos that are not the same: windows of one façade, bricks, shelves. What
lies between the keypoints then does not agree, so the overlap is compared block by block as well.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from doc_assets.datatypes import Box, Changes, LocalFeatures, unit_descriptors

Matrix = NDArray[np.float64]
Polygon = tuple[tuple[float, float], ...]
"""Corners (x, y) in shares of a photo's width and height; x right, y down."""

MIN_PAIRS = 6
"""Keypoint pairs at different places that a transform needs, to be looked for and to be believed."""

_RATIO = 0.9  # RootSIFT is compared by distance; 0.8 loses prints and screens
_TOLERANCE_PX = 4.0
_MAX_ROUNDS = 2000
_CONFIDENCE = 0.999
_SHORTEST_PX = 1e-6
_NEAREST_HORIZON = 0.05  # how far the frame's farthest corner may be away, against its nearest; 0 is the horizon
_SMALLEST_SCALE, _LARGEST_SCALE = 0.15, 6.0
_MOST_STRETCH = 2.2  # of one axis against the other, and of opposite sides
# Of 254 attacked copies of real photographs the worst had 23 places, 36 px, 0.99, 0.45 and 3.7 of what follows.
_SMALLEST_SPREAD_PX = 4.0  # of agreeing keypoints, across the line that they lie along
_SHARPEST_CORNER = 0.2  # sine of the frame's angles; 0 where the frame is a line
_SMALLEST_OVERLAP = 0.002  # of each photo
_WORST_CONDITION = 100.0  # of the transform in shares; its inverse multiplies errors by this
_BESIDE = 0.1  # of the picture's side; a keypoint lies no farther outside

_BLOCKS = 8  # a side of the overlap
_FEWEST_BLOCKS = 6  # fewer agree by chance
_SMOOTH_PX = 0.7
_COVERED = 0.7  # share of a block that both photos must show
_TEXTURE = 3.0  # standard deviation, in 8-bit levels, from which on a block of the archive photo shows something
_DARKEST = 1e-3
_UNIT_SQUARE = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64)


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


@dataclass(frozen=True, slots=True)
class Alignment:
    """How a query photo lies on an archive photo.

    Attributes:
        inliers: keypoint pairs that agree on the transform.
        pairs: keypoint pairs in all.
        transform: (3, 3) homography from the query photo, after mirroring if ``mirrored``, to the archive photo,
            both in shares of width and height.
        mirrored: whether the query photo must be mirrored left-right first.
        quarter_turns: 0-3, counter-clockwise, nearest to the turn of the (mirrored) query photo.
        query_area, archive_area: where the two overlap, in each photo as it is.
        query_share, archive_share: share of each photo's area that lies in the overlap, in [0, 1].
        lines: (inliers, 4) where the agreeing keypoints are, as (x, y) in the query photo as it is and (x, y) in
            the archive photo, in shares of width and height; the most telling ones first.
        appearance: how the overlap looks in both.
    """

    inliers: int
    pairs: int
    transform: Matrix
    mirrored: bool
    quarter_turns: int
    query_area: Polygon
    archive_area: Polygon
    query_share: float
    archive_share: float
    lines: NDArray[np.float32]
    appearance: Appearance


def align(query: LocalFeatures, query_mirrored: LocalFeatures, archive: LocalFeatures) -> Alignment | None:
    """The alignment with most inliers, upright or mirrored; None if keypoints agree on nothing plausible.

    Every number of an alignment is finite, whatever the keypoints are. ``query_mirrored`` are the features of the query
    photo mirrored left-right.
    """
    best: Alignment | None = None
    for features, is_mirrored in ((query, False), (query_mirrored, True)):
        pairs = paired(features, archive)
        pairs = pairs[_on_picture(features)[pairs[:, 0]] & _on_picture(archive)[pairs[:, 1]]]
        if len(pairs) < MIN_PAIRS or (best is not None and len(pairs) <= best.inliers):
            continue
        found = _estimate(features, archive, pairs)
        if found is not None and (best is None or len(found[1]) > best.inliers):
            best = _alignment(features, archive, found[0], found[1], len(pairs), is_mirrored) or best
    return best


def _on_picture(features: LocalFeatures) -> NDArray[np.bool_]:
    """(N,) which keypoints lie where the picture is; of damaged ones the others are used."""
    size = np.array([features.width, features.height])
    points = features.points
    return np.asarray(((points >= -_BESIDE * size) & (points <= (1 + _BESIDE) * size)).all(axis=1))


def paired(one: LocalFeatures, other: LocalFeatures) -> NDArray[np.intp]:
    """(P, 2) positions of keypoints that are each other's nearest and clearly nearer than the second."""
    if min(len(one.points), len(other.points)) < MIN_PAIRS:
        return np.empty((0, 2), np.intp)
    cosine = unit_descriptors(one.descriptors) @ unit_descriptors(other.descriptors).T
    rows = np.arange(len(cosine))
    nearest = cosine.argmax(axis=1)
    first = cosine[rows, nearest]
    rest = cosine.copy()
    rest[rows, nearest] = -1
    second = rest.max(axis=1)
    clear = (1 - first) < _RATIO**2 * (1 - second)  # squared distances of unit rows are 2 - 2 cosine
    mutual = cosine.argmax(axis=0)[nearest] == rows
    kept = clear & mutual
    return np.stack([rows[kept], nearest[kept]], axis=1)


def _estimate(
    one: LocalFeatures, other: LocalFeatures, pairs: NDArray[np.intp]
) -> tuple[Matrix, NDArray[np.intp]] | None:
    """The best plausible transform in pixels and its inlier pairs: a homography, or an affine map if that is absurd."""
    import cv2

    source, target = one.points[pairs[:, 0]], other.points[pairs[:, 1]]
    if not (_is_settled(source) and _is_settled(target)):
        return None
    homography, mask = cv2.findHomography(
        source, target, cv2.USAC_MAGSAC, _TOLERANCE_PX, maxIters=_MAX_ROUNDS, confidence=_CONFIDENCE
    )
    found = _believed(one, other, pairs, homography, mask)
    if found is not None:
        return found
    affine, mask = cv2.estimateAffine2D(
        source,
        target,
        method=cv2.USAC_MAGSAC,
        ransacReprojThreshold=_TOLERANCE_PX,
        maxIters=_MAX_ROUNDS,
        confidence=_CONFIDENCE,
    )
    return _believed(one, other, pairs, None if affine is None else np.vstack([affine, [0, 0, 1]]), mask)


def _believed(
    one: LocalFeatures,
    other: LocalFeatures,
    pairs: NDArray[np.intp],
    matrix: Matrix | None,
    mask: NDArray[np.uint8] | None,
) -> tuple[Matrix, NDArray[np.intp]] | None:
    """A transform with its inlier pairs, if they settle it and a camera, a scanner or scissors can make it."""
    if matrix is None or mask is None or not _is_plausible(matrix, one.width, one.height):
        return None
    inliers = pairs[mask.ravel() > 0]
    settled = _is_settled(one.points[inliers[:, 0]]) and _is_settled(other.points[inliers[:, 1]])
    return (matrix, inliers) if settled else None


def _is_settled(points: NDArray[np.float32]) -> bool:
    """Whether points are enough, at different places, and not all along one line: only then they fix a transform."""
    if len(np.unique(np.round(points), axis=0)) < MIN_PAIRS:
        return False
    centred = points.astype(np.float64) - points.mean(axis=0, dtype=np.float64)
    across = float(np.linalg.eigvalsh(centred.T @ centred / len(points))[0])
    return across >= _SMALLEST_SPREAD_PX**2


def _is_plausible(matrix: Matrix, width: int, height: int) -> bool:
    """Whether the frame stays convex, unfolded and no line, of a sane size and shape."""
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]], np.float64) @ matrix.T
    if not np.isfinite(corners).all() or corners[:, 2].min() <= _NEAREST_HORIZON * abs(corners[:, 2]).max():
        return False
    frame = corners[:, :2] / corners[:, 2:]
    sides = np.roll(frame, -1, axis=0) - frame
    following = np.roll(sides, -1, axis=0)
    lengths = np.linalg.norm(sides, axis=1)
    if not np.isfinite(lengths).all() or (lengths <= _SHORTEST_PX).any():
        return False
    turns = sides[:, 0] * following[:, 1] - sides[:, 1] * following[:, 0]
    if (turns < _SHARPEST_CORNER * lengths * np.roll(lengths, -1)).any():
        return False
    across, down = (lengths[0] + lengths[2]) / (2 * width), (lengths[1] + lengths[3]) / (2 * height)
    stretches = [lengths[0] / lengths[2], lengths[1] / lengths[3], across / down]
    if max(max(ratio, 1 / ratio) for ratio in stretches) > _MOST_STRETCH:
        return False
    return _SMALLEST_SCALE < math.sqrt(across * down) < _LARGEST_SCALE


def _alignment(
    query: LocalFeatures,
    archive: LocalFeatures,
    matrix: Matrix,
    inliers: NDArray[np.intp],
    n_pairs: int,
    is_mirrored: bool,
) -> Alignment | None:
    """What a transform says of the two photos; None if they hardly overlap or it cannot be turned round."""
    to_shares = np.linalg.inv(shares_to_pixels(archive.width, archive.height))
    transform = (to_shares @ matrix @ shares_to_pixels(query.width, query.height)).astype(np.float64)
    if np.linalg.cond(transform) > _WORST_CONDITION:
        return None
    archive_area, archive_share = _overlap(_moved(_UNIT_SQUARE, transform))
    # What lies in the overlap came from the query photo, where the transform is finite; the archive photo's other
    # corners may come from behind the horizon.
    query_area, query_share = _overlap(
        _moved(np.array(archive_area).reshape(-1, 2), np.linalg.inv(transform).astype(np.float64))
    )
    if min(archive_share, query_share) < _SMALLEST_OVERLAP:
        return None
    lines = np.concatenate(
        [
            (query.points[inliers[:, 0]] + 0.5) / [query.width, query.height],
            (archive.points[inliers[:, 1]] + 0.5) / [archive.width, archive.height],
        ],
        axis=1,
    ).astype(np.float32)
    if is_mirrored:
        query_area = tuple((1 - x, y) for x, y in reversed(query_area))
        lines[:, 0] = 1 - lines[:, 0]
    return Alignment(
        inliers=len(inliers),
        pairs=n_pairs,
        transform=transform,
        mirrored=is_mirrored,
        quarter_turns=_quarter_turns(matrix, query.width, query.height),
        query_area=query_area,
        archive_area=archive_area,
        query_share=query_share,
        archive_share=archive_share,
        lines=lines,
        appearance=compare(query.thumbnail, archive.thumbnail, transform),
    )


def _moved(points: Matrix, transform: Matrix) -> Matrix:
    """(N, 2) where a transform that keeps them finite takes points."""
    moved = np.column_stack([points, np.ones(len(points))]) @ transform.T
    return np.asarray(moved[:, :2] / moved[:, 2:])


def _overlap(area: Matrix) -> tuple[Polygon, float]:
    """The part of the unit square that a convex polygon covers, and its area."""
    for axis in (0, 1):
        for bound, side in ((0.0, 1.0), (1.0, -1.0)):
            area = _clipped(area, (area[:, axis] - bound) * side)
    if len(area) == 0:
        return (), 0.0
    x, y = area.T
    surface = abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
    return tuple((float(x), float(y)) for x, y in area), min(1.0, surface)


def _clipped(polygon: Matrix, inside: NDArray[np.float64]) -> Matrix:
    """The part of a convex polygon (N, 2) where ``inside``, linear in x and y, is not negative.

    One step of Sutherland and Hodgman, "Reentrant Polygon Clipping", CACM 17(1), 1974. OpenCV's own intersection
    returns nothing for polygons that share corners.
    """
    kept: list[NDArray[np.float64]] = []
    for i in range(len(polygon)):
        j = (i + 1) % len(polygon)
        if inside[i] >= 0:
            kept.append(polygon[i])
        if inside[i] * inside[j] < 0:
            kept.append(polygon[i] + (polygon[j] - polygon[i]) * inside[i] / (inside[i] - inside[j]))
    return np.array(kept).reshape(-1, 2)


def _quarter_turns(matrix: Matrix, width: int, height: int) -> int:
    """Counter-clockwise quarter turns nearest to what happens to the photo's rightward direction at its centre."""
    ends = np.array([[width / 2, height / 2, 1], [width / 2 + 1, height / 2, 1]]) @ matrix.T
    (x0, y0), (x1, y1) = ends[:, :2] / ends[:, 2:]
    return round(math.atan2(y0 - y1, x1 - x0) / (math.pi / 2)) % 4


def shares_to_pixels(width: int, height: int) -> NDArray[np.float64]:
    """(3, 3) from shares of width and height to pixels, whose centres lie half a pixel in."""
    return np.array([[width, 0, -0.5], [0, height, -0.5], [0, 0, 1.0]])


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


def changes_of(alignment: Alignment, query_box: Box, archive_box: Box) -> Changes:
    """The changes that an alignment tells of; the boxes give both photos' true proportions."""
    seen = alignment.query_share * query_box.area
    kept = alignment.archive_share * archive_box.area
    return Changes(
        mirrored=alignment.mirrored,
        quarter_turns=alignment.quarter_turns,
        tilt_deg=_tilt_deg(alignment, query_box, archive_box),
        scale=math.sqrt(seen / kept) if kept > 0 else 1.0,
        kept_share=alignment.archive_share,
        own_share=alignment.query_share,
        contrast=alignment.appearance.contrast,
        brightness=alignment.appearance.brightness,
    )


def _tilt_deg(alignment: Alignment, query_box: Box, archive_box: Box) -> float:
    """Mean turn of both axes at the photo's centre, beyond whole quarter turns."""
    step = 1e-3
    points = np.array([[0.5, 0.5, 1], [0.5 + step, 0.5, 1], [0.5, 0.5 + step, 1]]) @ alignment.transform.T
    centre, right, down = (points[:, :2] / points[:, 2:]) * [archive_box.width, archive_box.height]
    rightward = (right - centre) / query_box.width
    downward = (down - centre) / query_box.height
    angles = [math.atan2(-rightward[1], rightward[0]), math.atan2(downward[0], downward[1])]
    beyond = [math.degrees(angle) - 90 * alignment.quarter_turns for angle in angles]
    return float(np.mean([(degrees + 45) % 90 - 45 for degrees in beyond]))
