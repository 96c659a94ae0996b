"""Inspection documents as merchants' inspectors send them: A4 scans at 200 dpi with photos in slots."""

import math
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from doc_assets.datatypes import Box, RgbImage
from doc_assets.util.fonts import font

A4_PX = (1652, 2336)
TITLE = "가맹점 실사 사진"
_PAPER = (253, 253, 253)
_LINE = (150, 150, 150)
_FORM_FIELDS = ["상호", "주소", "업종", "대표자", "전화", "비고", "개업일"]
_CAPTIONS = ["가맹점 외부 사진", "가맹점 내부 사진"]
_TWO = ((171, 236, 1480, 1100), (171, 1168, 1480, 2032))
_THREE = ((171, 236, 1480, 800), (171, 860, 1480, 1424), (171, 1484, 1480, 2048))
_FOUR = ((171, 236, 810, 1100), (841, 236, 1480, 1100), (171, 1168, 810, 2032), (841, 1168, 1480, 2032))
_WIDE = ((120, 300, 1120, 1300), (1216, 300, 2216, 1300))


class Style(StrEnum):
    """How a document's pages look."""

    CLASSIC = "classic"
    SKEWED = "skewed"
    SHIFTED = "shifted"
    GREY = "grey"
    BITONAL = "bitonal"
    LZW = "lzw"
    SIDEWAYS = "sideways"
    THREE_UP = "three up"
    FOUR_UP = "four up"
    SINGLE = "single"
    LANDSCAPE = "landscape"
    TABLE = "table"
    NOISY = "noisy"

    @property
    def n_photos(self) -> int:
        """Photos on one page."""
        return {Style.THREE_UP: 3, Style.FOUR_UP: 4, Style.SINGLE: 1}.get(self, 2)


@dataclass(frozen=True, slots=True)
class DrawnPage:
    """A page and where its photos are."""

    pixels: RgbImage
    boxes: tuple[Box, ...]


def photo_page(photos: list[RgbImage], style: Style, first_number: int, rng: Generator) -> DrawnPage:
    """A titled page with captioned photos, each stretched to its slot as the inspectors' program does."""
    size = (A4_PX[1], A4_PX[0]) if style is Style.LANDSCAPE else A4_PX
    dx, dy = (int(rng.integers(-60, 61)), int(rng.integers(-40, 151))) if style is Style.SHIFTED else (0, 0)
    slots = [(l + dx, t + dy, r + dx, b + dy) for l, t, r, b in _slots(style)[: len(photos)]]  # noqa: E741
    page = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(page)
    _title(draw, size[0], dx, dy)
    if style is Style.TABLE:
        _table_around(draw, slots)
    for i, (photo, slot) in enumerate(zip(photos, slots, strict=True)):
        left, top, right, bottom = slot
        caption = f"{first_number + i}.{_CAPTIONS[(first_number - 1) // 2 % 2]} ({i + 1}/{len(photos)})"
        draw.text((left - 21, top - 44), caption, font=font(34), fill="black")
        fitted = cv2.resize(photo, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
        page.paste(Image.fromarray(fitted), (left, top))
    return _scanned(np.asarray(page), [Box(*slot) for slot in slots], style, rng)


def form_page(merchant: str, rng: Generator) -> RgbImage:
    """A page with a table of text and no photo."""
    page = Image.new("RGB", A4_PX, "white")
    draw = ImageDraw.Draw(page)
    draw.rectangle((150, 60, 1500, 160), outline=(90, 90, 90), width=3)
    draw.text((560, 80), "가맹점 실사 보고서", font=font(52), fill="black")
    for row in range(16):
        top = 220 + row * 110
        draw.rectangle((150, top, 1500, top + 110), outline=(120, 120, 120), width=2)
        draw.line((520, top, 520, top + 110), fill=(120, 120, 120), width=2)
        draw.text((180, top + 32), str(rng.choice(_FORM_FIELDS)), font=font(34), fill="black")
        draw.text((560, top + 32), f"{merchant} {rng.integers(1, 999)}", font=font(34), fill="black")
    return np.asarray(page)


def write_tif(path: Path, pages: list[RgbImage], style: Style) -> None:
    """The pages as one TIF, compressed as scanners of this style compress."""
    encoded = [_encoded(page, style) for page in pages]
    first, options = encoded[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    first.save(path, save_all=True, append_images=[image for image, _ in encoded[1:]], dpi=(200, 200), **options)


def _slots(style: Style) -> tuple[tuple[int, int, int, int], ...]:
    if style is Style.SINGLE:
        return ((171, 500, 1480, 1500),)
    return {Style.THREE_UP: _THREE, Style.FOUR_UP: _FOUR, Style.LANDSCAPE: _WIDE}.get(style, _TWO)


def _title(draw: ImageDraw.ImageDraw, width: int, dx: int, dy: int) -> None:
    draw.rectangle((150 + dx, 5 + dy, width - 162 + dx, 120 + dy), outline=_LINE, width=2)
    draw.text((width / 2 - 236 + dx, 32 + dy), TITLE, font=font(56), fill="black")


def _table_around(draw: ImageDraw.ImageDraw, slots: list[tuple[int, int, int, int]]) -> None:
    """Ruled cells that touch the photos, as in forms where photos are pasted into a table."""
    for left, top, right, bottom in slots:
        draw.rectangle((left - 4, top - 52, right + 4, bottom + 4), outline=(60, 60, 60), width=4)
        draw.line((left - 4, top - 4, right + 4, top - 4), fill=(60, 60, 60), width=4)
    draw.line((slots[0][0] - 4, slots[0][1], slots[0][0] - 4, slots[-1][3]), fill=(60, 60, 60), width=4)


def _scanned(page: RgbImage, boxes: list[Box], style: Style, rng: Generator) -> DrawnPage:
    if style is Style.SKEWED:
        return _skewed(page, boxes, float(rng.uniform(-2.5, 2.5)))
    if style is Style.SIDEWAYS:
        width = page.shape[1]
        turned = [Box(box.top, width - box.right, box.bottom, width - box.left) for box in boxes]
        return DrawnPage(np.ascontiguousarray(np.rot90(page)), tuple(turned))
    if style is Style.NOISY:
        grain = page + rng.normal(0, 3, page.shape) - rng.uniform(5, 30)
        return DrawnPage(np.clip(grain, 0, 255).astype(np.uint8), tuple(boxes))
    return DrawnPage(page, tuple(boxes))


def _skewed(page: RgbImage, boxes: list[Box], degrees: float) -> DrawnPage:
    height, width = page.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    turned = cv2.warpAffine(page, matrix, (width, height), borderValue=_PAPER)
    return DrawnPage(turned, tuple(_turned_box(box, matrix, width, height) for box in boxes))


def _turned_box(box: Box, matrix: NDArray[np.float64], width: int, height: int) -> Box:
    corners = np.array([[x, y, 1] for x in (box.left, box.right) for y in (box.top, box.bottom)], np.float64)
    moved = corners @ matrix.T
    (left, top), (right, bottom) = moved.min(axis=0), moved.max(axis=0)
    return Box.clipped(math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom), width, height)


def _encoded(page: RgbImage, style: Style) -> tuple[Image.Image, dict[str, Any]]:
    """A Pillow image and its options for saving."""
    if style is Style.BITONAL:
        return Image.fromarray(page).convert("L").convert("1"), {"compression": "group4"}
    if style is Style.GREY:
        return Image.fromarray(page).convert("L"), {"compression": "jpeg", "quality": 75}
    if style is Style.LZW:
        return Image.fromarray(page), {"compression": "tiff_lzw"}
    return Image.fromarray(page), {"compression": "jpeg", "quality": 80}
