"""Drawn pictures with the look of shop photographs: facades, rooms, collages. One seed, one picture.

Also the processes that draw many of them, or look at them, side by side.
"""

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from doc_assets.datatypes import RgbImage
from doc_assets.util.fonts import font
from doc_assets.util.progress import track

_NAMES = ["행복", "우리", "서울", "한빛", "미소", "강남", "은하", "제일", "푸른", "명가", "정원", "하늘", "온누리"]
_TRADES = ["약국", "식당", "미용실", "편의점", "카페", "분식", "안경", "세탁소", "노래방", "치킨", "꽃집", "문구"]
_ASPECTS = (0.66, 0.75, 0.75, 1.33, 0.56)
Colour = tuple[int, int, int]
Canvas = NDArray[np.uint8]
PictureSource = Callable[[int], RgbImage]
"""Number -> picture, the same one always; handed to other processes, so it must be picklable."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def draw_picture(seed: int, width: int = 800) -> RgbImage:
    """Picture number ``seed``, ``width`` px wide; the same seed always draws the same picture."""
    rng = np.random.default_rng([seed, 1])
    height = int(width * rng.choice(_ASPECTS))
    kind = rng.choice(["facade", "room", "collage"], p=[0.5, 0.2, 0.3])
    draw = {"facade": _facade, "room": _room, "collage": _collage}[str(kind)]
    return _weathered(rng, draw(rng, height, width))


def _colour(rng: Generator, low: int = 20, high: int = 235) -> Colour:
    """A muted colour, as paint and stone have."""
    grey = rng.uniform(low, high)
    tint = rng.normal(0, 28, 3)
    r, g, b = np.clip(grey + tint, 0, 255).astype(int)
    return int(r), int(g), int(b)


def _near(rng: Generator, colour: Colour, spread: float) -> Colour:
    r, g, b = np.clip(np.array(colour) + rng.normal(0, spread, 3), 0, 255).astype(int)
    return int(r), int(g), int(b)


def _blank(rng: Generator, height: int, width: int, colour: Colour) -> Canvas:
    slope = np.linspace(1, rng.uniform(0.65, 1.0), height)[:, None, None]
    return np.broadcast_to(np.array(colour) * slope, (height, width, 3)).astype(np.uint8).copy()


def _box(canvas: Canvas, x: float, y: float, w: float, h: float, colour: Colour, line: int = -1) -> None:
    cv2.rectangle(canvas, (int(x), int(y)), (int(x + w), int(y + h)), colour, line)


def _facade(rng: Generator, height: int, width: int) -> Canvas:
    canvas = _blank(rng, height, width, _colour(rng, 120, 250))
    top, street = height * rng.uniform(0, 0.3), height * rng.uniform(0.55, 0.7)
    left, right = width * rng.uniform(-0.2, 0.15), width * rng.uniform(0.8, 1.2)
    _box(canvas, left, top, right - left, height, _colour(rng))
    _windows(rng, canvas, left, top, right - left, street - top)
    _shops(rng, canvas, left, street, right)
    ground = height * rng.uniform(0.86, 0.95)
    _box(canvas, 0, ground, width, height, _colour(rng, 60, 170))
    _clutter(rng, canvas, int(rng.integers(2, 14)))
    return _tilted(rng, canvas)


def _windows(rng: Generator, canvas: Canvas, x: float, y: float, w: float, h: float) -> None:
    rows, columns = int(rng.integers(1, 5)), int(rng.integers(2, 9))
    frame, glass = _colour(rng), _colour(rng, 20, 200)
    share_w, share_h = rng.uniform(0.4, 0.85, 2)
    cell_w, cell_h = w / columns, h / rows
    thin = max(1, canvas.shape[1] // 350)
    for row in range(rows):
        for column in range(columns):
            if rng.random() < 0.08:
                continue
            at_x = x + (column + (1 - share_w) / 2) * cell_w
            at_y = y + (row + (1 - share_h) / 2) * cell_h
            _box(canvas, at_x, at_y, cell_w * share_w, cell_h * share_h, _near(rng, glass, 25))
            _box(canvas, at_x, at_y, cell_w * share_w, cell_h * share_h, frame, thin)
            if rng.random() < 0.5:
                _box(canvas, at_x, at_y, cell_w * share_w / 2, cell_h * share_h, frame, thin)


def _shops(rng: Generator, canvas: Canvas, left: float, street: float, right: float) -> None:
    height, width = canvas.shape[:2]
    x = left
    while x < right:
        w = width * rng.uniform(0.06, 0.25)
        _box(canvas, x, street + height * 0.07, w, height * 0.25, _colour(rng, 15, 180))
        _box(canvas, x, street + height * 0.07, w, height * 0.25, _colour(rng), max(1, width // 250))
        x += w + width * rng.uniform(0, 0.06)
    for _ in range(int(rng.integers(1, 4))):
        w, h = width * rng.uniform(0.2, 0.55), height * rng.uniform(0.06, 0.14)
        _sign(rng, canvas, width * rng.uniform(-0.05, 0.6), street + height * rng.uniform(-0.1, 0.02), w, h)


def _sign(rng: Generator, canvas: Canvas, x: float, y: float, w: float, h: float) -> None:
    ground = _colour(rng)
    ink = tuple(255 - value if abs(value - 128) > 40 else 255 for value in ground)
    _box(canvas, x, y, w, h, ground)
    text = f"{rng.choice(_NAMES)} {rng.choice(_TRADES)} {rng.integers(100, 9999)}"
    image = Image.fromarray(canvas)
    ImageDraw.Draw(image).text((x + 0.04 * w, y + 0.12 * h), text, font=font(max(8, int(h * 0.7))), fill=ink)
    canvas[:] = np.asarray(image)


def _clutter(rng: Generator, canvas: Canvas, n: int) -> None:
    """People, cars, plants and wires, as far as blobs and lines can be."""
    height, width = canvas.shape[:2]
    for _ in range(n):
        x, y = rng.uniform(0, width), rng.uniform(height * 0.5, height)
        r = width * rng.uniform(0.01, 0.08)
        if rng.random() < 0.5:
            size = max(1, int(r)), max(1, int(r * rng.uniform(0.4, 2)))
            cv2.ellipse(canvas, (int(x), int(y)), size, 0, 0, 360, _colour(rng), -1, cv2.LINE_AA)
        else:
            _box(canvas, x, y, r, r * rng.uniform(0.4, 3), _colour(rng))
    for _ in range(int(rng.integers(0, 4))):
        ends = (int(rng.uniform(0, width)), 0), (int(rng.uniform(0, width)), height)
        cv2.line(canvas, *ends, _colour(rng, 0, 110), max(1, int(width * rng.uniform(0.001, 0.005))), cv2.LINE_AA)


def _room(rng: Generator, height: int, width: int) -> Canvas:
    canvas = _blank(rng, height, width, _colour(rng, 110, 240))
    corner = int(width * rng.uniform(0.2, 0.8)), int(height * rng.uniform(0.25, 0.5))
    floor = np.array([corner, (width, height * rng.uniform(0.6, 0.9)), (width, height), (0, height),
                      (0, height * rng.uniform(0.6, 0.9))], np.int32)  # fmt: skip
    cv2.fillPoly(canvas, [floor], _colour(rng, 60, 180), cv2.LINE_AA)
    for _ in range(int(rng.integers(2, 6))):
        _shelf(rng, canvas)
    for _ in range(int(rng.integers(0, 3))):
        w, h = width * rng.uniform(0.15, 0.4), height * rng.uniform(0.05, 0.12)
        _sign(rng, canvas, width * rng.uniform(0, 0.6), height * rng.uniform(0.02, 0.4), w, h)
    _clutter(rng, canvas, int(rng.integers(6, 25)))
    return _tilted(rng, canvas)


def _shelf(rng: Generator, canvas: Canvas) -> None:
    height, width = canvas.shape[:2]
    x, y = width * rng.uniform(-0.05, 0.7), height * rng.uniform(0.1, 0.7)
    w, h = width * rng.uniform(0.15, 0.4), height * rng.uniform(0.15, 0.4)
    _box(canvas, x, y, w, h, _colour(rng, 40, 160))
    boards = int(rng.integers(2, 6))
    for board in range(boards):
        base = y + (board + 1) * h / boards
        at = x
        while at < x + w:
            item = w * rng.uniform(0.03, 0.12)
            tall = h / boards * rng.uniform(0.3, 0.9)
            _box(canvas, at, base - tall, item, tall, _colour(rng))
            at += item * rng.uniform(1.0, 1.4)


def _collage(rng: Generator, height: int, width: int) -> Canvas:
    """Overlapping shapes of all sizes: the statistics of edges and occlusion that photographs have."""
    palette = [_colour(rng) for _ in range(int(rng.integers(4, 12)))]
    canvas = _blank(rng, height, width, palette[0])
    n = int(rng.integers(80, 400))
    for i in range(n):
        r = max(3.0, (1 - i / n) ** 1.5 * 0.35 * min(height, width) * rng.uniform(0.2, 1.2))
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        colour = _near(rng, palette[int(rng.integers(len(palette)))], 15)
        shape = rng.integers(4)
        if shape == 0:
            size = int(r), max(1, int(r * rng.uniform(0.2, 1)))
            cv2.ellipse(canvas, (int(x), int(y)), size, rng.uniform(0, 180), 0, 360, colour, -1, cv2.LINE_AA)
        elif shape == 1:
            sides = (2 * r, 2 * r * rng.uniform(0.15, 1))
            corners = cv2.boxPoints(((x, y), sides, float(rng.choice([0.0, 90.0, rng.uniform(0, 180)]))))
            cv2.fillPoly(canvas, [corners.astype(np.int32)], colour, cv2.LINE_AA)
        elif shape == 2:
            points = np.array([x, y]) + rng.normal(0, r, (int(rng.integers(3, 7)), 2))
            cv2.fillPoly(canvas, [points.astype(np.int32)], colour, cv2.LINE_AA)
        else:
            end = int(x + rng.normal(0, 2 * r)), int(y + rng.normal(0, 2 * r))
            cv2.line(canvas, (int(x), int(y)), end, colour, max(1, int(r * 0.1)), cv2.LINE_AA)
    return canvas


def _tilted(rng: Generator, canvas: Canvas) -> Canvas:
    """As a camera that is not held square sees it."""
    height, width = canvas.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = (corners + rng.normal(0, 0.05, (4, 2)) * [width, height]).astype(np.float32)
    matrix = cv2.getPerspectiveTransform(corners, moved)
    tilted: Canvas = cv2.warpPerspective(canvas, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)
    return tilted


def _weathered(rng: Generator, canvas: Canvas) -> Canvas:
    """Texture, uneven light, a lens."""
    height, width = canvas.shape[:2]
    picture = canvas.astype(np.float32)
    picture += _cloud(rng, height, width, rng.uniform(0.6, 1.4))[:, :, None] * rng.uniform(4, 22)
    picture *= 1 + _cloud(rng, height, width, 2.0)[:, :, None] * rng.uniform(0.02, 0.12)
    picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 1.3))
    return np.asarray(np.clip(picture, 0, 255), np.uint8)


def _cloud(rng: Generator, height: int, width: int, slope: float) -> NDArray[np.float32]:
    """(H, W) noise with a spectrum that falls as 1 / frequency ** slope; zero mean, unit deviation."""
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    frequency[0, 0] = 1.0
    spectrum = (rng.normal(size=frequency.shape) + 1j * rng.normal(size=frequency.shape)) / frequency**slope
    spectrum[0, 0] = 0.0
    noise = np.fft.irfft2(spectrum, s=(height, width))
    return np.asarray(noise / noise.std(), np.float32)


def in_processes(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    what: str,
    workers: int = os.cpu_count() or 1,
    batch: int = 20,
) -> list[Result]:
    """``work`` of every item, in order, by processes of one thread each that take ``batch`` items at once.

    The work, its items and results must be picklable; ``what`` names it in the progress bar.
    """
    spawn = multiprocessing.get_context("spawn")  # forking after torch has started threads may hang
    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        return list(track(pool.map(work, items, chunksize=batch), what, len(items)))
