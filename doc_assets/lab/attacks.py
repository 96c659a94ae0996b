"""What happens to a photo between its first use and its second.

Every attack is ``f(photo, rng) -> photo`` on (H, W, 3) uint8 RGB; its strength is drawn from ``rng``.
``ATTACKS`` lists them by name; none of them turns by 90 degrees or mirrors except those named so, because
searches look at all eight views.
"""

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from doc_assets.datatypes import RgbImage

Attack = Callable[[RgbImage, Generator], RgbImage]
Plane = NDArray[np.float32]
_PAPER = 255


def recompress(photo: RgbImage, quality: int) -> RgbImage:
    """A JPEG of that quality, decoded again."""
    _, encoded = cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)


def resize(photo: RgbImage, x: float, y: float) -> RgbImage:
    """Scaled by ``x`` and ``y``."""
    height, width = photo.shape[:2]
    size = max(8, round(width * x)), max(8, round(height * y))
    return np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA if x < 1 else cv2.INTER_LINEAR), np.uint8)


def crop(photo: RgbImage, area_share: float, rng: Generator) -> RgbImage:
    """A part of ``area_share`` of the area, anywhere, with nearly the same proportions."""
    height, width = photo.shape[:2]
    across = float(np.clip(math.sqrt(area_share) * rng.uniform(0.9, 1.1), area_share, 1))
    w, h = max(8, int(width * across)), max(8, int(height * area_share / across))
    x, y = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
    return photo[y : y + h, x : x + w]


def rotate(photo: RgbImage, degrees: float, fill: int) -> RgbImage:
    """Turned counter-clockwise within the same frame, corners filled with the grey ``fill``."""
    height, width = photo.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return np.asarray(cv2.warpAffine(photo, matrix, (width, height), borderValue=(fill,) * 3), np.uint8)


def lean(photo: RgbImage, most: float, fill: int, rng: Generator) -> RgbImage:
    """Photographed at an angle: every corner moves inward by up to ``most`` of the side."""
    height, width = photo.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    inward = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * rng.uniform(0, most, (4, 2)) * [width, height]
    matrix = cv2.getPerspectiveTransform(corners, (corners + inward).astype(np.float32))
    return np.asarray(cv2.warpPerspective(photo, matrix, (width, height), borderValue=(fill,) * 3), np.uint8)


def tone(photo: RgbImage, contrast: float = 1.0, brightness: float = 0.0, gamma: float = 1.0) -> RgbImage:
    """A tone curve: gamma, contrast around middle grey, brightness in 8-bit levels."""
    curve = (np.linspace(0, 1, 256) ** gamma - 0.5) * contrast * 255 + 127.5 + brightness
    table = np.clip(curve, 0, 255).astype(np.uint8)
    return table[photo]


def grey(photo: RgbImage) -> NDArray[np.uint8]:
    """(H, W) luminance."""
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(photo), cv2.COLOR_RGB2GRAY), np.uint8)


def another_shot(photo: RgbImage, other: RgbImage, seed: int) -> RgbImage:
    """No copy: the same place as in ``photo``, taken from elsewhere at another time.

    Things at different depth move against each other by one to four hundredths of the side, a tenth to four tenths of
    the area is hidden by what stands there now (parts of ``other``), and the light is another.
    """
    rng = np.random.default_rng(seed)
    height, width = photo.shape[:2]
    shift = rng.normal(size=(2, 5, 5)).astype(np.float32)
    shift *= rng.uniform(0.01, 0.04) / np.abs(shift).max()
    x, y = (cv2.resize(plane, (width, height), interpolation=cv2.INTER_CUBIC) for plane in shift)
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    moved = cv2.remap(photo, columns + x * width, rows + y * height, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    seen = cv2.resize(other, (width, height), interpolation=cv2.INTER_AREA)
    hidden, wanted = np.zeros((height, width), bool), rng.uniform(0.1, 0.4)
    while hidden.mean() < wanted:
        w, h = (max(1, int(side * rng.uniform(0.1, 0.35))) for side in (width, height))
        left, top = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
        hidden[top : top + h, left : left + w] = True
    taken = np.where(hidden[:, :, None], seen, moved).astype(np.uint8)
    return lean(tone(taken, rng.uniform(0.7, 1.3), rng.uniform(-30, 30)), 0.08, _PAPER, rng)


def as_rgb(plane: NDArray[np.uint8]) -> RgbImage:
    """(H, W) as (H, W, 3)."""
    return np.repeat(plane[:, :, None], 3, axis=2)


def dither(photo: RgbImage) -> RgbImage:
    """Error-diffused to black and white, as a fax sends it."""
    return as_rgb(np.asarray(Image.fromarray(grey(photo)).convert("1")).astype(np.uint8) * 255)


def halftone(photo: RgbImage, rng: Generator) -> RgbImage:
    """A black-and-white dot screen, as a copier prints it."""
    height, width = photo.shape[:2]
    screen = _dots(height, width, rng.uniform(4, 8), rng.uniform(0, math.pi / 2))
    return as_rgb((screen < grey(photo) / 255.0).astype(np.uint8) * 255)


def _dots(height: int, width: int, period_px: float, angle: float) -> Plane:
    """(H, W) threshold in [0, 1] of a dot screen."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    k = 2 * math.pi / period_px
    u = (x * math.cos(angle) + y * math.sin(angle)) * k
    v = (y * math.cos(angle) - x * math.sin(angle)) * k
    return np.asarray((np.cos(u) + np.cos(v)) / 4 + 0.5, np.float32)


def noise(photo: RgbImage, deviation: float, rng: Generator) -> RgbImage:
    """Sensor noise of ``deviation`` 8-bit levels."""
    return np.clip(photo + rng.normal(0, deviation, photo.shape), 0, 255).astype(np.uint8)


def print_and_scan(photo: RgbImage, rng: Generator) -> RgbImage:
    """Printed in a colour dot screen on tinted paper, laid on a scanner a little askew, compressed."""
    height, width = photo.shape[:2]
    toned = tone(photo, rng.uniform(0.75, 1.0), rng.uniform(-10, 15), rng.uniform(0.8, 1.25))
    large = cv2.resize(toned, (2 * width, 2 * height)).astype(np.float32) / 255
    period = rng.uniform(3.5, 6)
    for channel in range(3):
        screen = _dots(2 * height, 2 * width, period, rng.uniform(0, math.pi / 2))
        large[:, :, channel] = np.clip((large[:, :, channel] - screen) * 4 + 0.5, 0, 1)
    inked = cv2.GaussianBlur(large, (0, 0), rng.uniform(0.9, 2.0)) * rng.uniform(190, 230) + rng.uniform(10, 30)
    scanned = rotate(np.clip(inked, 0, 255).astype(np.uint8), rng.uniform(-1.5, 1.5), int(rng.integers(235, 256)))
    return recompress(noise(resize(scanned, 0.4, 0.4), 4, rng), int(rng.integers(45, 85)))


def photograph_screen(photo: RgbImage, rng: Generator) -> RgbImage:
    """Shown on a screen and photographed by hand: sub-pixels, moire, perspective, glare, compressed."""
    scale = 1000 / max(photo.shape[:2])
    screen = resize(photo, scale, scale).astype(np.float32)
    pixels = np.full(screen.shape, 0.3, np.float32)
    for channel in range(3):
        pixels[:, channel::3, channel] = 1.1
    pixels[::3] *= 0.6
    lit = np.clip(screen * pixels * 1.3, 0, 255).astype(np.uint8)
    seen = rotate(lean(lit, 0.08, int(rng.integers(0, 60)), rng), rng.uniform(-4, 4), 30)
    seen = cv2.GaussianBlur(seen, (0, 0), rng.uniform(0.5, 1.0))
    sampling = rng.uniform(0.45, 0.75)
    shot = cv2.resize(seen, None, fx=sampling, fy=sampling, interpolation=cv2.INTER_LINEAR).astype(np.float32)
    y, x = np.mgrid[0 : shot.shape[0], 0 : shot.shape[1]].astype(np.float32)
    glare = np.cos(x / shot.shape[1] * 3 + rng.uniform(0, 6)) * np.cos(y / shot.shape[0] * 3 + rng.uniform(0, 6))
    shot *= (rng.uniform(0.8, 1.3) * (1 + rng.uniform(0.05, 0.3) * glare))[:, :, None]
    toned = tone(np.clip(shot, 0, 255).astype(np.uint8), rng.uniform(0.85, 1.25), rng.uniform(-15, 20))
    return recompress(noise(toned, 4, rng), int(rng.integers(50, 90)))


def overprint(photo: RgbImage, rng: Generator) -> RgbImage:
    """Captions and dates burnt into the photo."""
    marked = np.ascontiguousarray(photo.copy())
    height, width = marked.shape[:2]
    for _ in range(int(rng.integers(1, 5))):
        text = "".join(chr(int(code)) for code in rng.integers(48, 91, int(rng.integers(5, 16))))
        size = rng.uniform(0.001, 0.0032) * width
        at = int(rng.uniform(-0.1, 0.6) * width), int(rng.uniform(0.1, 1.0) * height)
        colour = tuple(int(value) for value in rng.integers(0, 256, 3))
        cv2.putText(marked, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, colour, max(1, int(2 * size)), cv2.LINE_AA)
    return marked


def frame(photo: RgbImage, rng: Generator) -> RgbImage:
    """Margins of paper of up to 12 % on each side."""
    height, width = photo.shape[:2]
    top, bottom, left, right = (rng.uniform(0, 0.12, 4) * [height, height, width, width]).astype(int).tolist()
    shade = (int(rng.integers(200, 256)),) * 3
    framed = cv2.copyMakeBorder(photo, top, bottom, left, right, cv2.BORDER_CONSTANT, value=shade)
    return np.asarray(framed, np.uint8)


def _shrink(photo: RgbImage, rng: Generator) -> RgbImage:
    scale = rng.uniform(0.2, 0.5)
    return resize(photo, scale, scale)


def _disguise(photo: RgbImage, rng: Generator) -> RgbImage:
    part = tone(crop(photo, rng.uniform(0.55, 0.9), rng), 1.2, 20)
    return recompress(overprint(part, rng), 30)


ATTACKS: dict[str, Attack] = {
    "recompressed": lambda p, r: recompress(p, int(r.integers(10, 50))),
    "shrunk": _shrink,
    "stretched": lambda p, r: resize(p, r.uniform(0.75, 0.95), 1.1),
    "cropped slightly": lambda p, r: crop(p, r.uniform(0.85, 0.97), r),
    "cropped": lambda p, r: crop(p, r.uniform(0.65, 0.85), r),
    "cropped by half": lambda p, r: crop(p, r.uniform(0.45, 0.65), r),
    "turned by 90°": lambda p, r: np.rot90(p, int(r.choice([1, 3]))),
    "turned by 180°": lambda p, r: np.rot90(p, 2),
    "mirrored": lambda p, r: p[:, ::-1],
    "tilted": lambda p, r: rotate(p, r.choice([-1, 1]) * r.uniform(1, 7), int(r.choice([_PAPER, _PAPER, 0]))),
    "tone changed": lambda p, r: tone(p, r.uniform(0.5, 1.8), r.uniform(-70, 70), math.exp(r.uniform(-0.7, 0.7))),
    "blurred": lambda p, r: cv2.GaussianBlur(p, (0, 0), max(p.shape) * r.uniform(0.002, 0.008)),
    "noisy": lambda p, r: noise(p, r.uniform(10, 35), r),
    "grey": lambda p, r: as_rgb(grey(p)),
    "faxed": lambda p, r: dither(p),
    "copied in dots": halftone,
    "black and white": lambda p, r: as_rgb(cv2.threshold(grey(p), 0, 255, cv2.THRESH_OTSU)[1]),
    "overprinted": overprint,
    "framed": frame,
    "at an angle": lambda p, r: lean(p, r.uniform(0.05, 0.15), _PAPER, r),
    "printed and scanned": print_and_scan,
    "from a screen": photograph_screen,
    "cropped, printed and scanned": lambda p, r: print_and_scan(crop(p, r.uniform(0.7, 0.95), r), r),
    "cropped, edited": _disguise,
    "cropped, from a screen": lambda p, r: photograph_screen(crop(p, r.uniform(0.65, 0.95), r), r),
}

TURNING = frozenset({"turned by 90°", "turned by 180°", "mirrored"})
"""Attacks that only change the view."""


def attack(name: str, photo: RgbImage, seed: int) -> RgbImage:
    """``photo`` after the attack of that name; the same seed gives the same pixels."""
    rng = np.random.default_rng([seed, 2])
    return np.ascontiguousarray(ATTACKS[name](np.ascontiguousarray(photo), rng))
