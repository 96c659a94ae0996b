"""Re-uses that are hard to find and true all the same: the photo is bent, small, covered, turned or a part.

Every attack is ``f(photo, other, rng) -> photo`` on (H, W, 3) uint8 RGB; ``other`` is another picture, for what lies
around, over or beside the photo. ``HARD_ATTACKS`` lists them by name; strengths are drawn from ``rng``.
"""

import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from benchmarks.drawing.surfaces import clipped, clouds, paint, plaster, wood
from doc_assets.datatypes import RgbImage
from doc_assets.lab.attacks import (
    crop,
    lean,
    noise,
    overprint,
    photograph_screen,
    print_and_scan,
    recompress,
    rotate,
    tone,
)
from doc_assets.lab.pictures import draw_picture

HardAttack = Callable[[RgbImage, RgbImage, Generator], RgbImage]

_BENT_PX = 1000  # long side of a print as the phone sees it
_CELLS = 2, 2  # the finest waves of paper: two across, two down


def screen_at_an_angle(photo: RgbImage, other: RgbImage, rng: Generator) -> RgbImage:
    """On a screen that is photographed from the side: corners move inward by up to a quarter of the side."""
    return lean(photograph_screen(photo, rng), rng.uniform(0.15, 0.25), int(rng.integers(0, 60)), rng)


def strong_perspective(photo: RgbImage, other: RgbImage, rng: Generator) -> RgbImage:
    """Photographed from the side: corners move inward by up to a quarter of the side."""
    return recompress(lean(photo, rng.uniform(0.18, 0.26), int(rng.choice([0, 128, 255])), rng), 80)


def print_by_phone(photo: RgbImage, other: RgbImage, rng: Generator) -> RgbImage:
    """Printed, the paper curls on a desk, photographed by hand: smooth bends of up to 3 % of the side, shade, lean."""
    scale = _BENT_PX / max(photo.shape[:2])
    size = round(photo.shape[1] * scale), round(photo.shape[0] * scale)
    inked = cv2.resize(tone(photo, rng.uniform(0.75, 0.95), rng.uniform(-5, 20)), size, interpolation=cv2.INTER_AREA)
    margin = int(_BENT_PX * rng.uniform(0.0, 0.04))
    paper = _framed(np.asarray(inked, np.uint8), margin, 243)
    room = int(_BENT_PX * rng.uniform(0.02, 0.06))
    sheet, mask = _framed(paper, room, 0), _framed(np.full_like(paper, 255), room, 0)[:, :, 0]
    x, y, shade = _curl(sheet.shape[0], sheet.shape[1], rng)
    bent = cv2.remap(sheet, x, y, cv2.INTER_LINEAR) * shade[:, :, None]
    where = (cv2.remap(np.ascontiguousarray(mask), x, y, cv2.INTER_LINEAR).astype(np.float32) / 255)[:, :, None]
    desk = (
        wood(rng, sheet.shape[0], sheet.shape[1])
        if rng.random() < 0.6
        else plaster(rng, sheet.shape[0], sheet.shape[1], paint(rng))
    )
    seen = clipped(bent * where + desk * (1 - where))
    leaning = rotate(lean(seen, rng.uniform(0.02, 0.1), 60, rng), rng.uniform(-4, 4), 60)
    small = cv2.resize(leaning, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), rng.uniform(0.5, 1.1))
    return recompress(noise(tone(soft, rng.uniform(0.85, 1.15)), rng.uniform(2, 5), rng), int(rng.integers(60, 88)))


def _framed(picture: RgbImage, margin: int, grey: int) -> RgbImage:
    bordered = cv2.copyMakeBorder(
        picture, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=(grey, grey, grey)
    )
    return np.asarray(bordered, np.uint8)


def _curl(
    height: int, width: int, rng: Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Where each pixel of bent paper comes from, and its shade: a roll along one direction and low waves."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    angle, phase = rng.uniform(0, math.pi), rng.uniform(0, 2 * math.pi)
    along = (x / width - 0.5) * math.cos(angle) + (y / height - 0.5) * math.sin(angle)
    rise = rng.uniform(0.2, 1.0) * np.cos(math.pi * rng.uniform(0.7, 1.6) * along + phase)
    waves = cv2.resize(rng.normal(0, 0.3, (_CELLS[1] + 2, _CELLS[0] + 2)).astype(np.float32), (width, height),
                       interpolation=cv2.INTER_CUBIC)  # fmt: skip
    surface = np.asarray(rise + waves, np.float32)
    reach = rng.uniform(0.006, 0.03) * max(height, width) / max(1e-6, float(np.abs(surface).max()))
    lean_x, lean_y = rng.uniform(-1, 1, 2) * reach
    slope = cv2.Sobel(surface, cv2.CV_32F, 1, 0, ksize=5) * math.cos(angle)
    slope += cv2.Sobel(surface, cv2.CV_32F, 0, 1, ksize=5) * math.sin(angle)
    shade = 1 + rng.uniform(0.05, 0.25) * slope / max(1e-6, float(np.abs(slope).max()))
    moved = x + np.float32(lean_x) * surface, y + np.float32(lean_y) * surface
    return *moved, np.asarray(shade, np.float32)


def inset(photo: RgbImage, other: RgbImage, rng: Generator) -> RgbImage:
    """Laid into another picture, 15 to 50 % of whose area it covers."""
    height, width = other.shape[:2]
    room = rng.uniform(0.15, 0.5) * width * height
    scale = math.sqrt(room / (photo.shape[0] * photo.shape[1]))
    scale = min(scale, 0.95 * width / photo.shape[1], 0.95 * height / photo.shape[0])
    small = _sized(photo, max(8, round(photo.shape[1] * scale)), max(8, round(photo.shape[0] * scale)))
    h, w = small.shape[:2]
    x, y = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
    laid = other.copy()
    laid[y : y + h, x : x + w] = small
    if rng.random() < 0.5:
        cv2.rectangle(laid, (x, y), (x + w, y + h), (250, 250, 250), max(1, width // 150))
    return recompress(laid, int(rng.integers(60, 92)))


def collage(photo: RgbImage, other: RgbImage, rng: Generator) -> RgbImage:
    """One of two to four pictures on one sheet; the others are parts of ``other``."""
    columns, rows = ((2, 1), (1, 2), (2, 2), (3, 1))[int(rng.integers(4))]
    height, width = photo.shape[:2]
    gap = int(rng.integers(0, 14))
    own = int(rng.integers(columns * rows))
    sheet = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, 3), 255, np.uint8)
    for place in range(columns * rows):
        part = photo if place == own else _sized(crop(other, rng.uniform(0.3, 0.9), rng), width, height)
        y, x = gap + place // columns * (height + gap), gap + place % columns * (width + gap)
        sheet[y : y + height, x : x + width] = part
    scale = max(height, width) * 1.5 / max(sheet.shape[:2])
    return recompress(_sized(sheet, round(sheet.shape[1] * scale), round(sheet.shape[0] * scale)), 85)


def covered(photo: RgbImage, other: RgbImage, rng: Generator) -> RgbImage:
    """A tenth to four tenths of the area hidden under up to four stickers, parts of ``other`` and captions."""
    height, width = photo.shape[:2]
    wanted, hidden = rng.uniform(0.1, 0.4), np.zeros((height, width), bool)
    laid = photo.copy()
    n = int(rng.integers(1, 5))
    while hidden.mean() < wanted * 0.95:
        w = min(width, max(8, int(width * math.sqrt(wanted / n) * rng.uniform(0.8, 1.25))))
        h = min(height, max(8, int(height * math.sqrt(wanted / n) * rng.uniform(0.8, 1.25))))
        x, y = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
        is_part = rng.random() < 0.5
        flat = np.full((h, w, 3), paint(rng), np.uint8)
        laid[y : y + h, x : x + w] = _sized(crop(other, 0.4, rng), w, h) if is_part else overprint(flat, rng)
        hidden[y : y + h, x : x + w] = True
    return recompress(laid, int(rng.integers(70, 92)))


def turned_and_cut(photo: RgbImage, other: RgbImage, rng: Generator) -> RgbImage:
    """Turned by 10 to 45 degrees either way and cut to the largest part without corners."""
    degrees = float(rng.choice([-1, 1]) * rng.uniform(10, 45))
    turned = rotate(photo, degrees, 0)
    height, width = photo.shape[:2]
    cos, sin = math.cos(math.radians(abs(degrees))), math.sin(math.radians(abs(degrees)))
    scale = min(width / (width * cos + height * sin), height / (width * sin + height * cos))
    w, h = int(width * scale) - 2, int(height * scale) - 2
    x, y = (width - w) // 2, (height - h) // 2
    return recompress(turned[y : y + h, x : x + w], 88)


def turned_and_filled(photo: RgbImage, other: RgbImage, rng: Generator) -> RgbImage:
    """Turned by 10 to 45 degrees either way, nothing cut, corners filled."""
    degrees, fill = float(rng.choice([-1, 1]) * rng.uniform(10, 45)), int(rng.choice([0, 128, 255]))
    height, width = photo.shape[:2]
    cos, sin = math.cos(math.radians(abs(degrees))), math.sin(math.radians(abs(degrees)))
    w, h = math.ceil(width * cos + height * sin), math.ceil(width * sin + height * cos)
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    matrix[:, 2] += (w - width) / 2, (h - height) / 2
    turned = cv2.warpAffine(photo, matrix, (w, h), flags=cv2.INTER_LINEAR, borderValue=(fill,) * 3)
    return recompress(np.asarray(turned, np.uint8), 88)


def small_part(photo: RgbImage, other: RgbImage, rng: Generator) -> RgbImage:
    """A part of 20 to 30 % of the area, compressed."""
    return recompress(crop(photo, rng.uniform(0.2, 0.3), rng), int(rng.integers(50, 90)))


def print_in_shade(photo: RgbImage, other: RgbImage, rng: Generator) -> RgbImage:
    """Printed and scanned with the shadow of a fold and blotches over it."""
    scanned = print_and_scan(photo, rng)
    height, width = scanned.shape[:2]
    shade = 1 - np.clip(clouds(rng, height, width, 0.4) * rng.uniform(0.05, 0.2), 0, 0.5)
    return recompress(clipped(scanned * shade[:, :, None]), int(rng.integers(55, 85)))


def _sized(picture: RgbImage, width: int, height: int) -> RgbImage:
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


HARD_ATTACKS: dict[str, HardAttack] = {
    "screen at an angle": screen_at_an_angle,
    "print by phone": print_by_phone,
    "print in shade": print_in_shade,
    "strong perspective": strong_perspective,
    "inset": inset,
    "collage": collage,
    "covered": covered,
    "turned and cut": turned_and_cut,
    "turned and filled": turned_and_filled,
    "small part": small_part,
}


def hard_attack(name: str, photo: RgbImage, seed: int, others: Sequence[RgbImage] = ()) -> RgbImage:
    """``photo`` after the attack of that name; the same seed gives the same pixels.

    Args:
        name: one of ``HARD_ATTACKS``.
        photo: what is re-used.
        seed: of all that is random.
        others: pictures that what lies around, over or beside it is taken from; one is drawn if there are none.
    """
    rng = np.random.default_rng([seed, 3])
    number = int(rng.integers(1 << 30))
    other = others[number % len(others)] if others else draw_picture(number)
    return np.ascontiguousarray(HARD_ATTACKS[name](np.ascontiguousarray(photo), other, rng))
