"""Surfaces of drawn things: noise, stone, wood, fruit, labels, leaves. All sizes are in pixels, all colours RGB."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from benchmarks.drawing.rendering import Texture
from doc_assets.datatypes import RgbImage
from doc_assets.util.fonts import font

Colour = tuple[int, int, int]
Plane = NDArray[np.float32]

_RIPE: tuple[Colour, ...] = (
    (200, 45, 35), (225, 120, 35), (230, 195, 60), (120, 160, 60), (190, 200, 110), (120, 85, 55),
    (95, 45, 80), (215, 190, 150),
)  # fmt: skip
"""Of fruit and vegetables: apple, orange, lemon, cucumber, melon, potato, plum, onion."""
_SYLLABLES = list(
    "가나다라마바사아자차카하고노도로모보소오조초코호구누두루무부수우주미리기시지치비산선한진은별달새봄늘온"
)
_LATIN = list("ABCDEFGHIKLMNOPRSTUVWZ")
_GOODS = [
    "우유", "라면", "두유", "커피", "녹차", "김치", "만두",
    "과자", "식초", "간장", "치즈", "버터", "주스", "생수",
]  # fmt: skip
_FINE_PRINT = [
    "원산지 국내산", "유통기한 별도표기", "내용량 500g", "보관방법 냉장", "열량 120kcal", "무첨가", "특가", "1+1 행사",
]  # fmt: skip


def clouds(rng: Generator, height: int, width: int, roughness: float = 0.6) -> Plane:
    """(H, W) noise of zero mean and unit deviation over all sizes; each half as large carries ``roughness`` as much."""
    total = np.zeros((height, width), np.float32)
    cells, weight = 2, 1.0
    while cells < max(height, width):
        grid = rng.normal(size=(cells * height // max(height, width) + 2, cells * width // max(height, width) + 2))
        total += weight * cv2.resize(grid.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
        cells, weight = cells * 2, weight * roughness
    total -= total.mean()
    return total / np.float32(max(1e-6, float(total.std())))


def paint(rng: Generator, low: float = 30, high: float = 235, vivid: float = 25) -> Colour:
    """A colour around a random grey; ``vivid`` is how far channels go apart."""
    r, g, b = np.clip(rng.uniform(low, high) + rng.normal(0, vivid, 3), 0, 255).astype(int).tolist()
    return r, g, b


def ink_on(ground: Colour) -> Colour:
    """White or nearly black, whichever can be read."""
    return (250, 250, 245) if sum(ground) < 384 else (25, 20, 30)


def clipped(picture: NDArray[np.floating]) -> RgbImage:
    """As 8 bits."""
    return np.asarray(np.clip(picture, 0, 255), np.uint8)


def plaster(rng: Generator, height: int, width: int, colour: Colour) -> RgbImage:
    """A painted or concrete surface: mottled, with streaks of dirt, cracks and specks."""
    picture = np.full((height, width, 3), colour, np.float32)
    picture += clouds(rng, height, width, rng.uniform(0.6, 0.95))[:, :, None] * rng.uniform(5, 13)
    stains = np.clip(clouds(rng, height, width, 0.5) - 0.9, 0, 1)[:, :, None]
    picture *= 1 - stains * rng.uniform(0.1, 0.5)
    surface = clipped(picture)
    for _ in range(int(rng.integers(0, 6))):
        path = np.cumsum(rng.normal(0, width * 0.03, (9, 2)), axis=0) + rng.uniform(0, 1, 2) * [width, height]
        cv2.polylines(surface, [path.astype(np.int32)], False, paint(rng, 20, 120, 10), 1, cv2.LINE_AA)
    return surface


def tiles(rng: Generator, height: int, width: int, colour: Colour, rows: int, is_brick: bool) -> RgbImage:
    """Bricks or floor tiles with joints, each of its own shade."""
    surface = plaster(rng, height, width, paint(rng, 90, 190, 8))
    h = height / rows
    w = h * (2.2 if is_brick else 1.0)
    joint = max(1, int(h * 0.07))
    for row in range(rows):
        x = -w * (0.5 * (row % 2) if is_brick else 0)
        while x < width:
            shade = tuple(int(v) for v in np.clip(np.array(colour) * rng.uniform(0.75, 1.2), 0, 255))
            ends = (int(x) + joint, int(row * h) + joint), (int(x + w) - 1, int((row + 1) * h) - 1)
            cv2.rectangle(surface, *ends, shade, -1)
            x += w
    grain = clouds(rng, height, width, 0.9)[:, :, None] * 9
    return clipped(surface + grain)


def wood(rng: Generator, height: int, width: int) -> RgbImage:
    """Boards with grain along the width."""
    grain = cv2.resize(clouds(rng, height, max(8, width // 12), 0.9), (width, height)) * 14
    brown = np.array([150, 110, 70]) * rng.uniform(0.5, 1.4) + rng.normal(0, 12, 3)
    surface = clipped(brown + grain[:, :, None] + clouds(rng, height, width, 0.8)[:, :, None] * 5)
    for y in np.arange(1, rng.integers(2, 6)) * (height // 5):
        cv2.line(surface, (0, int(y)), (width, int(y)), (40, 30, 20), max(1, height // 120))
    return surface


def peel(rng: Generator, height: int) -> Callable[[Generator], RgbImage]:
    """One kind of fruit: a function that draws the skin of another one each time, (height, 2 * height, 3)."""
    first, second = rng.integers(len(_RIPE), size=2)
    base, blush = (np.array(_RIPE[int(i)], np.float32) * rng.uniform(0.75, 1.15) for i in (first, second))
    roughness, mottle, spots = rng.uniform(0.5, 0.95), rng.uniform(0.3, 1.2), int(rng.integers(0, 260))
    speck = paint(rng, 40, 230, 20)

    def one(own: Generator) -> RgbImage:
        mix = 1 / (1 + np.exp(-2 * (mottle * clouds(own, height, 2 * height, roughness) + own.normal(0, 0.5))))
        surface = clipped(base * (1 - mix[:, :, None]) + blush * mix[:, :, None])
        for x, y, r in zip(
            own.integers(0, 2 * height, spots), own.integers(0, height, spots), own.integers(1, 3, spots), strict=True
        ):
            cv2.circle(surface, (int(x), int(y)), int(r), speck, -1)
        for _ in range(int(own.integers(0, 3))):  # bruises and the stalk
            at = int(own.integers(0, 2 * height)), int(own.integers(0, height))
            size = int(own.integers(2, 9)), int(own.integers(2, 6))
            cv2.ellipse(surface, at, size, float(own.uniform(0, 180)), 0, 360, (70, 50, 30), -1, cv2.LINE_AA)
        return surface

    return one


def word(rng: Generator, is_latin: bool | None = None) -> str:
    """A made-up name of two to eight letters."""
    latin = bool(rng.random() < 0.3) if is_latin is None else is_latin
    letters = _LATIN if latin else _SYLLABLES
    n = int(rng.integers(4, 9)) if latin else int(rng.integers(2, 5))
    return "".join(str(letter) for letter in rng.choice(letters, n))


def write(picture: RgbImage, text: str, at: tuple[float, float], size_px: float, colour: Colour) -> RgbImage:
    """The picture with text whose upper left corner is at ``at``."""
    image = Image.fromarray(picture)
    ImageDraw.Draw(image).text(at, text, font=font(max(6, int(size_px))), fill=colour)
    return np.asarray(image).copy()


def fitted_size(text: str, width: float, height: float) -> float:
    """The font size in pixels at which text fits a box."""
    length = font(100).getlength(text)
    return max(6.0, min(height, 100 * width / max(1.0, float(length))))


def motif(rng: Generator, height: int, width: int, pictures: Sequence[RgbImage] = ()) -> RgbImage:
    """A small illustration: a part of one of ``pictures``, or drawn shapes."""
    if pictures:
        return cut_from(rng, pictures, height, width)
    colours = [paint(rng, vivid=50) for _ in range(5)]
    surface = clipped(np.array(colours[0]) + clouds(rng, height, width, 0.5)[:, :, None] * 12)
    for _ in range(int(rng.integers(6, 30))):
        at = int(rng.uniform(0, width)), int(rng.uniform(0, height))
        r = max(2, int(min(height, width) * rng.uniform(0.03, 0.3)))
        colour = colours[int(rng.integers(5))]
        if rng.random() < 0.5:
            size = r, max(1, int(r * rng.uniform(0.3, 1)))
            cv2.ellipse(surface, at, size, float(rng.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
        else:
            corners = np.array(at) + rng.normal(0, r, (int(rng.integers(3, 6)), 2))
            cv2.fillPoly(surface, [corners.astype(np.int32)], colour, cv2.LINE_AA)
    return surface


def cut_from(rng: Generator, pictures: Sequence[RgbImage], height: int, width: int) -> RgbImage:
    """A part of one of the pictures with these proportions, at this size."""
    picture = pictures[int(rng.integers(len(pictures)))]
    h, w = picture.shape[:2]
    most = min(w / width, h / height)
    scale = most * rng.uniform(0.4, 1.0)
    part_w, part_h = max(1, int(width * scale)), max(1, int(height * scale))
    x, y = int(rng.integers(0, w - part_w + 1)), int(rng.integers(0, h - part_h + 1))
    part = picture[y : y + part_h, x : x + part_w]
    return np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def label(rng: Generator, height: int, width: int, pictures: Sequence[RgbImage] = ()) -> RgbImage:
    """The front of a package: ground, name, illustration, claims, fine print."""
    ground = paint(rng, vivid=45)
    slope = np.linspace(1, rng.uniform(0.7, 1.2), height)[:, None, None]
    surface = clipped(np.array(ground) * slope + clouds(rng, height, width, 0.5)[:, :, None] * 3)
    top, bottom = int(height * rng.uniform(0.3, 0.5)), int(height * rng.uniform(0.75, 0.9))
    surface[top:bottom] = motif(rng, bottom - top, width, pictures)
    band = paint(rng, vivid=45)
    y = int(height * rng.uniform(0.05, 0.2))
    cv2.rectangle(surface, (0, y), (width, int(y + height * 0.18)), band, -1)
    name, kind = word(rng), str(rng.choice(_GOODS))
    surface = write(
        surface, name, (width * 0.06, y + height * 0.015), fitted_size(name, width * 0.88, height * 0.15), ink_on(band)
    )
    size = fitted_size(kind, width * rng.uniform(0.4, 0.9), height * 0.14)
    at = width * rng.uniform(0.03, 0.1), top - height * 0.03
    surface = write(surface, kind, at, size, ink_on(ground))
    for line in range(int(rng.integers(1, 4))):
        text = str(rng.choice(_FINE_PRINT))
        size = fitted_size(text, width * 0.8, height * 0.05)
        surface = write(surface, text, (width * 0.06, bottom + line * height * 0.055), size, ink_on(ground))
    return surface


def side_of(rng: Generator, front: RgbImage, width: int) -> RgbImage:
    """Another face of that package: its ground, small print, a bar code."""
    height = front.shape[0]
    ground = front[2, 2].tolist()
    colour = int(ground[0]), int(ground[1]), int(ground[2])
    surface = np.full((height, width, 3), colour, np.uint8)
    for line in range(int(height * 0.7 / max(7, height // 18))):
        text = f"{rng.choice(_FINE_PRINT)} {word(rng)}"
        size = height / 26
        surface = write(surface, text, (width * 0.08, height * 0.06 + line * size * 1.5), size, ink_on(colour))
    x = int(width * 0.1)
    while x < width * 0.8:
        step = int(rng.integers(1, 4))
        shade = (20, 20, 20) if rng.random() < 0.5 else (240, 240, 240)
        cv2.rectangle(surface, (x, int(height * 0.8)), (x + step, int(height * 0.95)), shade, -1)
        x += step
    return surface


def price_card(rng: Generator, height: int, width: int) -> RgbImage:
    """What stands beside goods: a name, a large price, a border."""
    ground = (250, 245, 235) if rng.random() < 0.6 else paint(rng, 120, 240, 60)
    surface = np.full((height, width, 3), ground, np.uint8)
    ink = (200, 30, 30) if rng.random() < 0.6 and sum(ground) > 400 else ink_on(ground)
    name, price = f"{word(rng, False)} {rng.choice(_GOODS)}", price_of(rng)
    surface = write(
        surface, name, (width * 0.06, height * 0.05), fitted_size(name, width * 0.88, height * 0.28), ink_on(ground)
    )
    size = fitted_size(price, width * 0.88, height * 0.55)
    surface = write(surface, price, (width * 0.06, height * 0.36), size, ink)
    cv2.rectangle(surface, (0, 0), (width - 1, height - 1), ink, max(1, height // 40))
    return surface


def price_of(rng: Generator) -> str:
    """A price in won."""
    return f"{int(rng.integers(8, 250)) * 100:,}원"


def foliage(rng: Generator, height: int, width: int) -> Texture:
    """(H, W, 4) leaves with air between them."""
    surface = np.zeros((height, width, 4), np.uint8)
    green = np.array([60, 110, 50]) * rng.uniform(0.6, 1.5)
    for _ in range(int(rng.integers(90, 220))):
        r, theta = np.sqrt(rng.random()) * 0.47, rng.uniform(0, 2 * np.pi)
        at = int(width * (0.5 + r * np.cos(theta))), int(height * (0.5 + r * np.sin(theta)))
        size = max(2, int(width * rng.uniform(0.02, 0.09))), max(1, int(width * rng.uniform(0.01, 0.03)))
        leaf = np.clip(green * rng.uniform(0.4, 1.5) + rng.normal(0, 8, 3), 0, 255).astype(int).tolist()
        cv2.ellipse(surface, at, size, float(rng.uniform(0, 180)), 0, 360, (*leaf, 255), -1)
    return surface


def person(rng: Generator) -> Texture:
    """(480, 180, 4) somebody who stands or walks, seen whole."""
    height, width = 480, 180
    surface = np.zeros((height, width, 4), np.uint8)
    skin = (*np.clip(np.array([205, 165, 140]) * rng.uniform(0.6, 1.1), 0, 255).astype(int).tolist(), 255)
    coat, trousers = (*paint(rng, 20, 200), 255), (*paint(rng, 15, 120, 15), 255)
    lean = int(rng.integers(-8, 9))
    for hip, foot in ((75, 75 - abs(lean) * 2), (105, 105 + abs(lean) * 2)):
        cv2.line(surface, (hip, 250), (foot, 460), trousers, 34)
        cv2.ellipse(surface, (foot + 6, 466), (24, 10), 0, 0, 360, (30, 28, 30, 255), -1)
    torso = np.array([[55, 95], [125, 95], [132, 270], [48, 270]]) + np.array([lean, 0])
    cv2.fillPoly(surface, [torso.astype(np.int32)], coat)
    for shoulder, hand in ((58, 34 - lean), (122, 146 - lean)):
        cv2.line(surface, (shoulder + lean, 108), (hand, 250), coat, 26)
        cv2.circle(surface, (hand, 262), 13, skin, -1)
    cv2.ellipse(surface, (90 + lean, 55), (27, 36), 0, 0, 360, skin, -1)
    cv2.ellipse(surface, (90 + lean, 38), (30, 26), 0, 180, 360, (*paint(rng, 10, 110, 15), 255), -1)
    cloth = clouds(rng, height, width, 0.8)[:, :, None] * 13
    surface[:, :, :3] = clipped(surface[:, :, :3] * np.linspace(1.1, 0.8, width)[None, :, None] + cloth)
    return surface


def car(rng: Generator) -> Texture:
    """(240, 640, 4) a car from its side."""
    height, width = 240, 640
    surface = np.zeros((height, width, 4), np.uint8)
    body = np.array(paint(rng, 20, 235, 40))
    roof = rng.uniform(0.25, 0.35), rng.uniform(0.7, 0.85)
    cabin = np.array([[width * (roof[0] - 0.12), 110], [width * roof[0], 25], [width * roof[1], 25],
                      [width * (roof[1] + 0.1), 110]], np.int32)  # fmt: skip
    cv2.fillPoly(surface, [cabin], (*body.tolist(), 255))
    glass = ((cabin - cabin.mean(axis=0)) * [0.9, 0.75] + cabin.mean(axis=0)).astype(np.int32)
    cv2.fillPoly(surface, [glass], (45, 55, 65, 255))
    cv2.ellipse(surface, (width // 2, 150), (width // 2 - 8, 55), 0, 0, 360, (*body.tolist(), 255), -1)
    cv2.rectangle(surface, (22, 130), (width - 22, 200), (*body.tolist(), 255), -1)
    for x in (0.36, 0.5, 0.66):
        cv2.line(surface, (int(width * x), 40), (int(width * x), 195), (*(body * 0.6).astype(int).tolist(), 255), 3)
    for x in (0.2, 0.8):
        cv2.circle(surface, (int(width * x), 195), 42, (25, 25, 28, 255), -1)
        cv2.circle(surface, (int(width * x), 195), 24, (150, 150, 155, 255), -1)
    cv2.rectangle(surface, (28, 140), (60, 158), (240, 230, 200, 255), -1)
    shine = np.linspace(1.25, 0.65, height)[:, None, None]
    grain = clouds(rng, height, width, 0.5)[:, :, None] * 9
    surface[:, :, :3] = clipped(surface[:, :, :3] * shine + grain)
    return surface
