"""Printed things that stand in many shops of one chain, and photographs that happen to show the same one.

Two photographs with the same sign, poster or menu board are two photographs: no re-use. All sizes are in pixels.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from benchmarks.drawing.surfaces import (
    clipped,
    clouds,
    fitted_size,
    ink_on,
    label,
    motif,
    paint,
    price_card,
    price_of,
    word,
    write,
)
from doc_assets.datatypes import RgbImage
from doc_assets.lab.attacks import noise, recompress

LEAST_SHARE, MOST_SHARE = 0.05, 0.92
"""Of a photograph's area that ``put_into`` covers."""

_LEAN = 0.06  # of the thing's side, how far each of its corners moves
_QUALITY = 85
_COARSE_PX = 256  # long side of the mask that a share is measured on
_TRADES = ["약국", "식당", "미용실", "편의점", "카페", "분식", "안경", "세탁소", "치킨", "꽃집", "문구", "빵집"]
_DISHES = [
    "아메리카노", "카페라떼", "김치찌개", "된장찌개", "비빔밥", "칼국수",
    "떡볶이", "순대", "돈까스", "냉면", "우동",
]  # fmt: skip
_SLOGANS = ["그랜드 오픈", "전 품목 할인", "신메뉴 출시", "오늘만 특가", "배달 환영", "고객 감사 행사"]
Matrix = NDArray[np.float64]


def draw_thing(kind: str, seed: int, pictures: Sequence[RgbImage] = ()) -> RgbImage:
    """A printed thing, seen from the front.

    Args:
        kind: one of ``KINDS``.
        seed: the same seed and kind draw the same thing.
        pictures: photographs that its illustrations are cut from; drawn shapes without any.

    Raises:
        ValueError: if there is no such kind.
    """
    if kind not in KINDS:
        raise ValueError(f"There is no thing {kind!r}; there are {', '.join(KINDS)}.")
    return KINDS[kind](np.random.default_rng([seed, 21, list(KINDS).index(kind)]), pictures)


def put_into(photo: RgbImage, thing: RgbImage, share: float, rng: Generator) -> RgbImage:
    """A photograph that shows the thing: its own place, perspective, light, tint, blur and noise; JPEG 85.

    A thing whose proportions do not fit is shown in part; corners may lie outside of the photograph.

    Args:
        photo: what is around it.
        thing: as ``draw_thing`` makes it.
        share: of the photograph's area that it covers, ``LEAST_SHARE`` to ``MOST_SHARE``; kept to 0.01.
        rng: of everything that differs from one photograph to the next.

    Raises:
        ValueError: if the share is out of range.
    """
    if not LEAST_SHARE <= share <= MOST_SHARE:
        raise ValueError(f"A thing can cover {LEAST_SHARE} to {MOST_SHARE} of a photograph, not {share}.")
    height, width = photo.shape[:2]
    seen = _part_that_fits(thing, share, width / height, rng)
    corners = _corners(seen, share, width, height, rng)
    size = seen.shape[1::-1]
    frame = np.array([[0, 0], [size[0], 0], size, [0, size[1]]], np.float32)
    matrix = cv2.getPerspectiveTransform(frame, corners.astype(np.float32))
    lit = _lit(seen, rng)
    flags = {"flags": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_REPLICATE}
    laid = cv2.warpPerspective(lit, matrix, (width, height), **flags)
    cover = cv2.warpPerspective(np.full(lit.shape[:2], 255, np.uint8), matrix, (width, height))
    weight = (cover.astype(np.float32) / 255)[:, :, None]
    shown = photo * _shadow(weight, width) * (1 - weight) + laid * weight
    blurred = cv2.GaussianBlur(clipped(shown), (0, 0), width / 1000 * rng.uniform(0.5, 1.4))
    return recompress(noise(np.asarray(blurred, np.uint8), rng.uniform(1, 5), rng), _QUALITY)


def _part_that_fits(thing: RgbImage, share: float, frame_aspect: float, rng: Generator) -> RgbImage:
    """The thing, or the part of it that can cover the share of a frame with this width per height."""
    height, width = thing.shape[:2]
    least, most = frame_aspect * share, frame_aspect / share
    aspect = float(np.clip(width / height, least, most))
    w, h = min(width, round(height * aspect)), min(height, round(width / aspect))
    x, y = int((width - w) * rng.uniform(0.3, 0.7)), int((height - h) * rng.uniform(0.3, 0.7))
    return thing[y : y + h, x : x + w]


def _corners(thing: RgbImage, share: float, width: int, height: int, rng: Generator) -> Matrix:
    """(4, 2) where the thing's corners lie, so that it covers the share of the frame."""
    aspect = thing.shape[1] / thing.shape[0]
    h = np.sqrt(share * width * height / aspect)
    size = np.array([h * aspect, h])
    lean = 1 + rng.uniform(-_LEAN, _LEAN, (4, 2))
    shape = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]]) * lean * size
    room = np.maximum(np.array([width, height]) - size, 0)
    centre = size / 2 + rng.uniform(0, 1, 2) * room - (size > [width, height]) * (size - [width, height]) / 2
    low, high = 0.5, 2.0
    for _ in range(18):  # the visible share grows with the size
        middle = (low + high) / 2
        if _visible(centre + shape * middle, width, height) < share:
            low = middle
        else:
            high = middle
    return np.asarray(centre + shape * high, np.float64)


def _visible(corners: Matrix, width: int, height: int) -> float:
    scale = _COARSE_PX / max(width, height)
    mask = np.zeros((round(height * scale), round(width * scale)), np.uint8)
    cv2.fillPoly(mask, [np.round(corners * scale * 16).astype(np.int32)], 1, shift=4)
    return float(mask.mean())


def _lit(thing: RgbImage, rng: Generator) -> RgbImage:
    """Under a light of its own: gradient, glare, tint."""
    height, width = thing.shape[:2]
    across = np.linspace(-1, 1, width)[None, :] * rng.uniform(-0.2, 0.2)
    light = 1 + across + np.linspace(-1, 1, height)[:, None] * rng.uniform(-0.2, 0.2)
    glare = np.clip(clouds(rng, height, width, 0.3) - rng.uniform(1.0, 2.5), 0, 1) * rng.uniform(0, 70)
    tint = rng.uniform(0.75, 1.15) * (1 + rng.normal(0, 0.06, 3))
    return clipped(thing * light[:, :, None] * tint + glare[:, :, None])


def _shadow(weight: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """A factor on what surrounds a thing that hangs a little before it."""
    soft = cv2.GaussianBlur(weight, (0, 0), width * 0.006).reshape(weight.shape)
    return np.asarray(1 - 0.45 * soft, np.float32)


def sign(rng: Generator, pictures: Sequence[RgbImage] = ()) -> RgbImage:
    """A shop sign: logo, name and trade on a flat ground; about four times as wide as high."""
    height, width = 240, int(240 * rng.uniform(2.6, 4.6))
    ground = paint(rng, vivid=60)
    surface = clipped(np.array(ground) + clouds(rng, height, width, 0.5)[:, :, None] * 2)
    ink = ink_on(ground) if rng.random() < 0.6 else paint(rng, 0, 90, 60) if sum(ground) > 384 else (255, 225, 60)
    centre = int(height * 0.5), int(height * 0.5)
    for r, colour in ((0.36, ink), (0.27, paint(rng, vivid=70)), (0.14, ink)):
        if rng.random() < 0.5:
            cv2.circle(surface, centre, int(height * r), colour, -1, cv2.LINE_AA)
        else:
            corners = cv2.boxPoints((centre, (height * r * 1.7, height * r * 1.7), float(rng.uniform(0, 90))))
            cv2.fillPoly(surface, [corners.astype(np.int32)], colour, cv2.LINE_AA)
    name = f"{word(rng)} {rng.choice(_TRADES)}"
    size = fitted_size(name, width - height * 1.2, height * 0.55)
    surface = write(surface, name, (height, height * 0.1), size, ink)
    small = f"TEL 02-{rng.integers(200, 999)}-{rng.integers(1000, 9999)}  {word(rng, True)}"
    surface = write(
        surface, small, (height, height * 0.75), fitted_size(small, width - height * 1.3, height * 0.16), ink
    )
    cv2.rectangle(surface, (3, 3), (width - 4, height - 4), ink, 3)
    return surface


def poster(rng: Generator, pictures: Sequence[RgbImage] = ()) -> RgbImage:
    """A picture with a slogan, a name and a price across it; upright."""
    width, height = 480, int(480 * rng.uniform(1.2, 1.5))
    surface = motif(rng, height, width, pictures)
    band = paint(rng, vivid=60)
    top = int(height * rng.choice([0.04, 0.68]))
    cv2.rectangle(surface, (0, top), (width, top + int(height * 0.26)), band, -1)
    slogan, name, price = str(rng.choice(_SLOGANS)), f"{word(rng)} {rng.choice(_DISHES)}", price_of(rng)
    for line, (text, share) in enumerate(((slogan, 0.1), (name, 0.09))):
        size = fitted_size(text, width * 0.9, height * share)
        surface = write(surface, text, (width * 0.05, top + height * (0.02 + line * 0.12)), size, ink_on(band))
    size = fitted_size(price, width * 0.5, height * 0.12)
    surface = write(surface, price, (width * 0.4, height * 0.45), size, (255, 240, 40))
    cv2.rectangle(surface, (0, 0), (width - 1, height - 1), (245, 245, 240), 8)
    return surface


def menu_board(rng: Generator, pictures: Sequence[RgbImage] = ()) -> RgbImage:
    """Eight to twelve dishes with prices under a title."""
    width = 640
    lines = int(rng.integers(8, 13))
    line_px = int(rng.integers(48, 62))
    height = line_px * (lines + 2)
    ground = paint(rng, 5, 70, 15) if rng.random() < 0.5 else paint(rng, 190, 250, 12)
    surface = clipped(np.array(ground) + clouds(rng, height, width, 0.6)[:, :, None] * 3)
    ink, accent = ink_on(ground), paint(rng, 90, 200, 70)
    title = f"{word(rng)} 메뉴"
    surface = write(surface, title, (width * 0.06, line_px * 0.3), line_px * 0.95, accent)
    cv2.line(surface, (30, int(line_px * 1.6)), (width - 30, int(line_px * 1.6)), accent, 3)
    for line in range(lines):
        y = line_px * (line + 1.8)
        dish, price = f"{word(rng, False) if rng.random() < 0.3 else ''}{rng.choice(_DISHES)}", price_of(rng)
        surface = write(surface, dish, (width * 0.06, y), fitted_size(dish, width * 0.55, line_px * 0.7), ink)
        surface = write(surface, price, (width * 0.7, y), line_px * 0.66, accent if rng.random() < 0.3 else ink)
    return surface


def banner(rng: Generator, pictures: Sequence[RgbImage] = ()) -> RgbImage:
    """A long strip of cloth with a slogan, an illustration at one end and small print."""
    height, width = 200, int(200 * rng.uniform(3.5, 6))
    ground = paint(rng, vivid=70)
    folds = clouds(rng, 4, width, 0.7)[:1, :, None] * 8
    surface = clipped(np.array(ground) + np.broadcast_to(folds, (height, width, 1)))
    at = 0 if rng.random() < 0.5 else width - height
    surface[:, at : at + height] = motif(rng, height, height, pictures)
    x = height * 1.1 if at == 0 else height * 0.1
    slogan, small = f"{word(rng)} {rng.choice(_SLOGANS)}", f"{rng.choice(_TRADES)} {word(rng)} {price_of(rng)}"
    room = width - height * 1.3
    surface = write(surface, slogan, (x, height * 0.08), fitted_size(slogan, room, height * 0.55), ink_on(ground))
    return write(surface, small, (x, height * 0.72), fitted_size(small, room, height * 0.2), ink_on(ground))


def shelf(rng: Generator, pictures: Sequence[RgbImage] = ()) -> RgbImage:
    """A shelf as a chain fills it: rows of the same few packages, with price cards."""
    width, rows = 720, int(rng.integers(2, 5))
    row_px = int(rng.integers(150, 230))
    surface = np.full((row_px * rows, width, 3), paint(rng, 20, 90, 8), np.uint8)
    designs = [label(rng, 260, int(260 * rng.uniform(0.4, 0.9)), pictures) for _ in range(int(rng.integers(3, 7)))]
    for row in range(rows):
        base = (row + 1) * row_px - int(row_px * 0.16)
        _packages(rng, surface, base, int(row_px * 0.8), designs)
        cv2.rectangle(surface, (0, base), (width, base + int(row_px * 0.16)), (205, 205, 200), -1)
        for x in range(10, width - 80, int(rng.integers(110, 190))):
            card = price_card(rng, int(row_px * 0.14), int(row_px * 0.34))
            surface[base + 1 : base + 1 + len(card), x : x + card.shape[1]] = card
    return surface


def _packages(rng: Generator, surface: RgbImage, base: int, room_px: int, designs: Sequence[RgbImage]) -> None:
    """Stands packages on a board, each design a few times side by side."""
    x, width = int(rng.integers(0, 20)), surface.shape[1]
    while x < width - 20:
        design = designs[int(rng.integers(len(designs)))]
        h = int(room_px * rng.uniform(0.7, 1.0))
        w = max(12, int(h * design.shape[1] / design.shape[0]))
        pack = cv2.resize(design, (w, h), interpolation=cv2.INTER_AREA)
        for _ in range(int(rng.integers(1, 5))):
            shown = min(w, width - x)
            if shown <= 0:
                break
            surface[base - h : base, x : x + shown] = clipped(pack[:, :shown] * rng.uniform(0.8, 1.05))
            x += w + int(rng.integers(1, 6))


KINDS: dict[str, Callable[[Generator, Sequence[RgbImage]], RgbImage]] = {
    "sign": sign,
    "poster": poster,
    "menu board": menu_board,
    "shelf": shelf,
    "banner": banner,
}
"""Kind -> how one is drawn."""
