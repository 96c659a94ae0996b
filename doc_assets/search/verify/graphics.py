"""Whether a picture is a photograph, or a code or flat graphics that a form prints: QR code, map, banner, logo, seal.

What is drawn has few shades, sharp edges between them and nothing else: no texture, no light that falls off, no blur,
no world that goes on around it. A photograph of a drawn thing (a sign, a menu board) has those, however near it was
taken. Scanning adds noise, screens and JPEG to both; they are averaged out before anything is measured.
"""

import math
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from doc_assets.datatypes import Look, LookKind, RgbImage
from doc_assets.features.weight_files import load_weights
from doc_assets.search.kinds import FLAT_ALONE, FLAT_EACH
from doc_assets.search.verify.codes import code_share

WEIGHTS_DIR = Path(__file__).with_name("weights")
MODEL = "graphics.safetensors"
"""Fitted by ``python -m benchmarks.graphics --fit``."""
Plane = NDArray[np.float32]
Vector = NDArray[np.float64]
Mask = NDArray[np.bool_]

_WORK_AREA_PX = 120_000  # small print is grey here, strokes of a title are lines
_NOISY_AREA_PX = 30_000  # of pictures made of dots
_NOISY = 3.0  # deviation of noise at the larger size, in levels, from which a picture is made of dots: dithers, screens
_SCREEN = 6.0  # ... and from which its dots are coarse
_TRIM = 0.01  # of the shorter side; the cut may be off by this much
_MOST_GAIN = 5.0
_RANGE = 230.0  # levels that dark and pale pictures are stretched to
_FLAT = 8.0  # range of levels in 5 x 5 px, up to which a place is flat
_ACTIVE = 5.0  # range of levels in 3 x 3 px, from which something is there
_WEAK, _STRONG = 18.0, 45.0  # ranges of levels in 3 x 3 px: up to which contrast is weak, from which it is strong
_EDGE = 60.0  # range of levels in 5 x 5 px and more, from which there is an edge
_FEWEST_EDGES = 40  # pixels that tell something
_TEXTURED = 0.35  # share of a block with weak contrast off all edges
_BORDER = 12  # a border strip is so many times narrower than the picture
_RIM = 20  # and a rim strip
_BUSY = 0.65  # share of a square of 9 x 9 px where something is, from which it is busy
_BLOCK_PX = 16
_SAME_SHADE = 4  # levels
_COLOURS = 6
_BLACK, _WHITE = 40, 215
_FLAT_AS_IS = 12.0  # range of levels in 5 x 5 px of the picture as it is; JPEG leaves as much on paper
_FEWEST = 100  # flat pixels that tell something
_CODE_SHARE = 0.12  # of the picture; a sticker in a shop window is smaller
_CODE_ALONE = 0.45  # of a picture that looks like a photograph otherwise: the dense squares of a code are texture to it
_FLAT_ENOUGH = 0.02  # below, nothing is drawn, and a code is not worth the search
_BITONAL = 0.97  # share of flat places that are black or white
_PALE = 3.0  # contrast that had to be multiplied by so much
_MOST_LOGIT = 12.0
_SMALLEST_REGION = 0.002  # of the picture


@dataclass(frozen=True, slots=True)
class Measures:
    """What tells drawn pictures from photographs; see ``measure``.

    Attributes:
        border: share of the busiest of four border strips that is busy, in [0, 1].
        rim: share of the busiest of four narrow strips where something is, in [0, 1].
        weakness: logarithm of the ratio of places with weak contrast to those with strong contrast.
        texture: share of blocks with weak contrast off all edges, in [0, 1].
        unevenness: logarithm of the levels by which flat regions leave their planes.
        bright, dark: share of strong edges that one bright, or one dark, shade lies at, in [0, 1].
        steepness: of strong edges, in shares of their height per pixel, in [0, 0.5], at the working size.
        crispness: the same of the picture as it is.
        gain: what its contrast was multiplied by.
        noise: logarithm of the deviation at the working size, in levels.
        palette: share of flat places that the six most frequent colours cover, in [0, 1].
        activity: share of places where something is, in [0, 1].
        bitonal: share of flat places that are black or white in the picture as it is, in [0, 1].
    """

    border: float
    rim: float
    weakness: float
    texture: float
    unevenness: float
    bright: float
    dark: float
    steepness: float
    crispness: float
    gain: float
    noise: float
    palette: float
    activity: float
    bitonal: float


MODEL_MEASURES = tuple(each.name for each in fields(Measures) if each.name != "bitonal")
"""What the model of flatness sees."""


def look_of(photo: RgbImage) -> Look:
    """What kind of picture a photo as stored is, (H, W, 3) uint8 RGB, and the measures that say so."""
    measures = measure(photo)
    flatness = flatness_of(measures)
    code = code_share(photo) if flatness >= _FLAT_ENOUGH else 0.0
    kind: LookKind = "graphics" if flatness >= FLAT_ALONE else "photograph"
    if code >= (_CODE_SHARE if flatness >= FLAT_EACH else _CODE_ALONE):
        kind = "code"
    numbers = {name: round(value, 3) for name, value in asdict(measures).items()} | {"code": round(code, 3)}
    return Look(kind, round(flatness, 4), numbers)


def flatness_of(measures: Measures) -> float:
    """How probable the measures are for drawn flat graphics, in [0, 1].

    Pictures with other flat places than black and white ones are judged by one model, those without by another: dots
    and thresholds leave less to tell drawn pictures by.
    """
    mean, deviation, weights = _models()
    which = int(is_bitonal(measures))
    logit = float(expanded(measures, mean[which], deviation[which]) @ weights[which])
    return 1 / (1 + math.exp(-min(max(logit, -_MOST_LOGIT), _MOST_LOGIT)))


def is_bitonal(measures: Measures) -> bool:
    """Whether the picture is black and white alone, or has too little contrast to tell."""
    return measures.bitonal >= _BITONAL or measures.gain >= _PALE


def expanded(measures: Measures, mean: Vector, deviation: Vector) -> Vector:
    """(P,) what the model weighs: the standardized measures, at most three deviations, their products, and 1."""
    values = np.array([getattr(measures, name) for name in MODEL_MEASURES])
    standard = np.clip((values - mean) / deviation, -3, 3)
    one, other = np.triu_indices(len(values))
    return np.concatenate([standard, standard[one] * standard[other] / 2, [1.0]])


@lru_cache(maxsize=1)
def _models() -> tuple[Vector, Vector, Vector]:
    """Mean and deviation (2, M) of the measures and weights (2, P): of pictures with shades, and of bitonal ones."""
    tensors, _ = load_weights(WEIGHTS_DIR / MODEL)
    return tensors["mean"], tensors["deviation"], tensors["weights"]


def measure(photo: RgbImage) -> Measures:
    """Measures edges, shades and what lies between edges of (H, W, 3) uint8 RGB, at least 16 px a side."""
    work, noise = _without_dots(photo)
    work, gain = _stretched(work)
    grey = cv2.cvtColor(work, cv2.COLOR_RGB2GRAY).astype(np.float32)
    near, wide = _local_range(work, 3), _local_range(work, 5)
    bright, dark = _shades(grey, wide > _EDGE)
    flat = wide <= _FLAT
    return Measures(
        border=_busiest_strip(_busy(near > _ACTIVE), _BORDER),
        rim=_busiest_strip(near > _ACTIVE, _RIM),
        weakness=_weakness(near),
        texture=_texture(wide),
        unevenness=math.log(max(_unevenness(grey, flat), 0.01)),
        bright=bright,
        dark=dark,
        steepness=_steepness(grey),
        crispness=_steepness(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float32)),
        gain=gain,
        noise=math.log(max(noise, 0.01)),
        palette=_palette(work[flat]),
        activity=float((near > _ACTIVE).mean()),
        bitonal=_bitonal(photo),
    )


def _without_dots(photo: RgbImage) -> tuple[RgbImage, float]:
    """The picture small enough that dithers, screens and noise are averaged out, and its noise before the last step."""
    work = _at_most(photo, _WORK_AREA_PX)
    noise = _noise(cv2.cvtColor(work, cv2.COLOR_RGB2GRAY).astype(np.float32))
    if noise >= _NOISY:
        work = _at_most(cv2.GaussianBlur(work, (0, 0), 1.2 if noise < _SCREEN else 2.0), _NOISY_AREA_PX)
    work = cv2.medianBlur(work, 3)
    trim = max(2, round(_TRIM * min(work.shape[:2])))
    return np.ascontiguousarray(work[trim:-trim, trim:-trim]), noise


def _at_most(photo: RgbImage, area_px: int) -> RgbImage:
    height, width = photo.shape[:2]
    scale = math.sqrt(area_px / (height * width))
    if scale >= 1:
        return photo
    size = max(16, round(width * scale)), max(16, round(height * scale))
    return np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), np.uint8)


def _noise(grey: Plane) -> float:
    """Deviation of noise in levels, where the picture is calm (Immerkaer, 1996, by blocks)."""
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    rough = np.abs(cv2.filter2D(grey, -1, mask))
    deviations = _block_means(rough) * math.sqrt(math.pi / 2) / 6
    return float(np.percentile(deviations, 30))


def _block_means(plane: Plane | Mask) -> Plane:
    """(N,) means of all whole blocks; of the plane if it has none."""
    rows, columns = plane.shape[0] // _BLOCK_PX, plane.shape[1] // _BLOCK_PX
    if not rows or not columns:
        return np.array([plane.mean()], np.float32)
    whole = plane[: rows * _BLOCK_PX, : columns * _BLOCK_PX]
    blocks = whole.reshape(rows, _BLOCK_PX, columns, _BLOCK_PX)
    return np.asarray(blocks.mean(axis=(1, 3), dtype=np.float32).ravel(), np.float32)


def _stretched(work: RgbImage) -> tuple[RgbImage, float]:
    """With full contrast, so that dark photographs show their texture, and the factor."""
    low, high = np.percentile(cv2.cvtColor(work, cv2.COLOR_RGB2GRAY), [1, 99])
    gain = min(_MOST_GAIN, _RANGE / max(float(high - low), 1.0))
    if gain <= 1:
        return work, gain
    return np.clip((work.astype(np.float32) - low) * gain + (255 - _RANGE) / 2, 0, 255).astype(np.uint8), gain


def _local_range(work: RgbImage, side_px: int) -> Plane:
    """(H, W) most less least in a square around each pixel, in levels, of the colour where it is largest."""
    kernel = np.ones((side_px, side_px), np.uint8)
    spread = cv2.dilate(work, kernel) - cv2.erode(work, kernel)
    return np.asarray(spread.max(axis=2), np.float32)


def _busy(active: Mask) -> Mask:
    return np.asarray(cv2.blur(active.astype(np.float32), (9, 9)) > _BUSY)


def _busiest_strip(there: Mask, narrowness: int) -> float:
    height, width = there.shape
    rows, columns = max(4, height // narrowness), max(4, width // narrowness)
    strips = there[:rows], there[-rows:], there[:, :columns], there[:, -columns:]
    return float(max(strip.mean() for strip in strips))


def _weakness(near: Plane) -> float:
    weak, strong = (near > _ACTIVE) & (near <= _WEAK), near > _STRONG
    return math.log(float(weak.sum()) / max(1.0, float(strong.sum()) + 0.01 * near.size) + 0.01)


def _texture(wide: Plane) -> float:
    off_edges = cv2.dilate((wide > _STRONG).astype(np.uint8), np.ones((5, 5), np.uint8)) == 0
    return float((_block_means((wide > _FLAT) & off_edges) > _TEXTURED).mean())


def _unevenness(grey: Plane, flat: Mask) -> float:
    """Levels by which the largest flat regions leave their planes, by area; a gradient that is drawn is a plane."""
    smooth = cv2.GaussianBlur(grey, (0, 0), 1)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(flat.astype(np.uint8), connectivity=4)
    areas = stats[1:, cv2.CC_STAT_AREA]
    total = summed = 0.0
    for label in np.argsort(-areas)[:10] + 1:
        area = float(stats[label, cv2.CC_STAT_AREA])
        if area < _SMALLEST_REGION * grey.size:
            break
        y, x = np.nonzero(labels == label)
        levels = smooth[y, x]
        design = np.stack([x, y, np.ones(len(x))], axis=1).astype(np.float64)
        plane, *_ = np.linalg.lstsq(design, levels.astype(np.float64), rcond=None)
        total, summed = total + area, summed + area * float((levels - design @ plane).std())
    return summed / total if total else 0.0


def _shades(grey: Plane, edges: Mask) -> tuple[float, float]:
    if edges.sum() < _FEWEST_EDGES:
        return 0.0, 0.0
    kernel = np.ones((9, 9), np.uint8)
    levels = grey.astype(np.uint8)
    return _in_one_shade(cv2.dilate(levels, kernel)[edges]), _in_one_shade(cv2.erode(levels, kernel)[edges])


def _in_one_shade(levels: NDArray[np.uint8]) -> float:
    counts = np.bincount(levels, minlength=256)
    return float(np.convolve(counts, np.ones(2 * _SAME_SHADE + 1), "same").max() / len(levels))


def _steepness(grey: Plane) -> float:
    """Median slope of strong edges as a share of their height, per pixel; 0 without edges, 0.5 from pixel to pixel."""
    slope = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0, scale=0.125), cv2.Sobel(grey, cv2.CV_32F, 0, 1, scale=0.125))
    kernel = np.ones((9, 9), np.uint8)
    height = cv2.dilate(grey, kernel) - cv2.erode(grey, kernel)
    at = (height > _EDGE) & (slope >= cv2.dilate(slope, np.ones((5, 5), np.uint8)) - 1e-3)
    return float(np.median(slope[at] / height[at])) if at.sum() >= _FEWEST_EDGES else 0.0


def _palette(colours: NDArray[np.uint8]) -> float:
    """Share of (N, 3) colours that six of them cover, each with what lies within four levels."""
    if not len(colours):
        return 0.0
    left = cv2.cvtColor(colours[None], cv2.COLOR_RGB2LAB)[0].astype(np.int32)
    n = len(left)
    for _ in range(_COLOURS):
        if not len(left):
            break
        coarse = left // _SAME_SHADE
        key = (coarse[:, 0] << 12) + (coarse[:, 1] << 6) + coarse[:, 2]
        middle = np.median(left[key == np.bincount(key).argmax()], axis=0)
        left = left[np.abs(left - middle).max(axis=1) > _SAME_SHADE]
    return 1 - len(left) / n


def _bitonal(photo: RgbImage) -> float:
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    flat = grey[_local_range(photo, 5) <= _FLAT_AS_IS]
    return float(((flat < _BLACK) | (flat > _WHITE)).mean()) if len(flat) >= _FEWEST else 0.0
