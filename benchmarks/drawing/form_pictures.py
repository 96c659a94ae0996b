"""Pictures that belong to a form and not to a shop: codes, maps, banners, logos, seals, title blocks.

One kind and seed, one picture; a form prints the same one into every document.
"""

import math
from enum import StrEnum

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from doc_assets.datatypes import RgbImage
from doc_assets.util.fonts import font

_WORDS = ["가맹점", "실사", "보고서", "고객센터", "행복은행", "확인", "결제", "안내", "본사", "등록", "서비스", "카드"]
_STREETS = ["중앙로", "시장길", "역전로", "한강대로", "은행나무길", "테헤란로", "충무로", "남산길", "새마을로"]
_PLACES = ["시청", "우체국", "초등학교", "공원", "주차장", "병원", "도서관", "구청", "역", "시장"]
_PAPER = (255, 255, 255)
_QUIET_MODULES = 4  # of ISO/IEC 18004
_BAR_WIDTHS = (1, 2, 3, 4)  # modules, as in Code 128

Colour = tuple[int, int, int]


class FormPicture(StrEnum):
    """What a form prints."""

    QR = "qr"
    BARCODE = "barcode"
    MAP = "map"
    BANNER = "banner"
    LOGO = "logo"
    SEAL = "seal"
    TITLE_BLOCK = "title block"


def draw_form_picture(kind: FormPicture, seed: int, width: int = 640) -> RgbImage:
    """Picture ``seed`` of that kind, ``width`` px wide; the same seed always draws the same picture."""
    rng = np.random.default_rng([seed, 11])
    draw = {
        FormPicture.QR: _qr,
        FormPicture.BARCODE: _barcode,
        FormPicture.MAP: _map,
        FormPicture.BANNER: _banner,
        FormPicture.LOGO: _logo,
        FormPicture.SEAL: _seal,
        FormPicture.TITLE_BLOCK: _title_block,
    }[kind]
    return draw(rng, width)


def _pick(rng: Generator, choices: list[str]) -> str:
    return str(rng.choice(choices))


def _strong(rng: Generator) -> Colour:
    """A saturated colour, as printed matter of a company has."""
    hue, saturation, value = int(rng.integers(180)), int(rng.integers(140, 256)), int(rng.integers(90, 240))
    pixel = cv2.cvtColor(np.array([[[hue, saturation, value]]], np.uint8), cv2.COLOR_HSV2RGB)[0, 0]
    return int(pixel[0]), int(pixel[1]), int(pixel[2])


def _pale(rng: Generator) -> Colour:
    r, g, b = (int(value) for value in rng.integers(205, 250, 3))
    return r, g, b


def _text(draw: ImageDraw.ImageDraw, at: tuple[float, float], words: str, size: float, colour: Colour) -> None:
    draw.text(at, words, font=font(max(8, int(size))), fill=colour, anchor="mm")


def _qr(rng: Generator, width: int) -> RgbImage:
    address = "https://example.com/" + "".join(str(digit) for digit in rng.integers(0, 10, int(rng.integers(4, 60))))
    modules: NDArray[np.uint8] = cv2.QRCodeEncoder.create().encode(address)
    modules = modules[modules.min(axis=1) < 255][:, modules.min(axis=0) < 255]  # its own margin varies
    modules = np.pad(modules, _QUIET_MODULES, constant_values=255)
    ink = np.array((0, 0, 0) if rng.random() < 0.8 else [value // 2 for value in _strong(rng)], np.uint8)
    code = np.where(modules[:, :, None] > 0, np.uint8(255), ink).astype(np.uint8)
    code = cv2.resize(code, (width, width), interpolation=cv2.INTER_NEAREST)
    framed = Image.new("RGB", (width, int(width * 1.16)), _PAPER)
    framed.paste(Image.fromarray(code))
    draw = ImageDraw.Draw(framed)
    draw.rectangle((2, 2, width - 3, framed.height - 3), outline=(0, 0, 0), width=max(2, width // 160))
    _text(draw, (width / 2, width * 1.06), f"{_pick(rng, _WORDS)} {_pick(rng, _WORDS)}", width * 0.09, (0, 0, 0))
    return np.asarray(framed)


def _barcode(rng: Generator, width: int) -> RgbImage:
    height = int(width * rng.uniform(0.3, 0.55))
    picture = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(picture)
    module = width / rng.uniform(100, 150)
    x, ink = 6 * module, True
    while x < width - 8 * module:
        bar = module * float(rng.choice(_BAR_WIDTHS))
        if ink:
            draw.rectangle((round(x), height * 0.07, round(x + bar) - 1, height * 0.8), fill=(0, 0, 0))
        x, ink = x + bar, not ink
    number = " ".join(str(value) for value in rng.integers(1000, 10000, 4))
    _text(draw, (width / 2, height * 0.9), number, height * 0.13, (0, 0, 0))
    draw.rectangle((1, 1, width - 2, height - 2), outline=(0, 0, 0), width=2)
    return np.asarray(picture)


def _map(rng: Generator, width: int) -> RgbImage:
    height = int(width * rng.uniform(0.55, 0.95))
    ground, road, casing = _pale(rng), (255, 255, 255), tuple(int(v) for v in rng.integers(150, 215, 3))
    picture = Image.new("RGB", (width, height), ground)
    draw = ImageDraw.Draw(picture)
    for _ in range(int(rng.integers(2, 6))):  # parks, water, blocks of houses
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        corners = [
            (x + rng.uniform(-0.2, 0.2) * width, y + rng.uniform(-0.2, 0.2) * height) for _ in range(rng.integers(3, 7))
        ]
        fill = [(200, 226, 190), (170, 205, 232), (235, 225, 205)][int(rng.integers(3))]
        draw.polygon(corners, fill=fill)
    turn = rng.uniform(-0.4, 0.4)
    streets = []
    for number in range(int(rng.integers(7, 15))):
        angle = turn + (math.pi / 2 if number % 2 else 0) + rng.normal(0, 0.06)
        x, y = rng.uniform(0.05, 0.95) * width, rng.uniform(0.05, 0.95) * height
        dx, dy = math.cos(angle) * 2 * width, math.sin(angle) * 2 * width
        streets.append(((x - dx, y - dy, x + dx, y + dy), width * rng.uniform(0.008, 0.035)))
    for line, wide in streets:
        draw.line(line, fill=casing, width=int(wide) + max(2, width // 200))
    for line, wide in streets:
        yellow = wide > width * 0.026
        draw.line(line, fill=(250, 216, 120) if yellow else road, width=int(wide))
    for _ in range(int(rng.integers(6, 16))):
        name = _pick(rng, _STREETS + _PLACES)
        at = rng.uniform(0.1, 0.9) * width, rng.uniform(0.07, 0.93) * height
        _text(draw, at, name, width * rng.uniform(0.025, 0.04), (60, 60, 60))
    x, y, r = rng.uniform(0.3, 0.7) * width, rng.uniform(0.3, 0.7) * height, width * 0.03
    draw.ellipse((x - r, y - r, x + r, y + r), fill=(220, 40, 40))
    draw.polygon([(x - r * 0.9, y + r * 0.4), (x + r * 0.9, y + r * 0.4), (x, y + r * 2.4)], fill=(220, 40, 40))
    _text(draw, (x, y - r * 2), _pick(rng, _WORDS), width * 0.045, (180, 20, 20))
    draw.rectangle((0, 0, width - 1, height - 1), outline=(120, 120, 120), width=2)
    return np.asarray(picture)


def _ramp(rng: Generator, height: int, width: int, one: Colour, other: Colour) -> RgbImage:
    """A colour that passes into another, along any direction or around a point."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    if rng.random() < 0.8:
        angle = float(rng.choice([0.0, math.pi / 2, rng.uniform(0, math.pi)]))
        along = x * math.cos(angle) + y * math.sin(angle)
    else:
        along = np.hypot(x - rng.uniform(0, width), y - rng.uniform(0, height))
    along = (along - along.min()) / max(1.0, float(np.ptp(along)))
    mixed = np.array(one) * (1 - along[:, :, None]) + np.array(other) * along[:, :, None]
    return np.asarray(mixed.round(), np.uint8)


def _banner(rng: Generator, width: int) -> RgbImage:
    height = int(width * rng.uniform(0.22, 0.5))
    ground = _ramp(rng, height, width, _strong(rng), _strong(rng) if rng.random() < 0.6 else _pale(rng))
    picture = Image.fromarray(ground)
    draw = ImageDraw.Draw(picture)
    for _ in range(int(rng.integers(0, 5))):
        x, y, r = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0.05, 0.4) * height
        draw.ellipse((x - r, y - r, x + r, y + r), outline=(255, 255, 255), width=max(2, int(r * 0.1)))
    title = " ".join(_pick(rng, _WORDS) for _ in range(int(rng.integers(1, 4))))
    _text(draw, (width * 0.5, height * 0.38), title, height * rng.uniform(0.2, 0.3), (255, 255, 255))
    line = f"{_pick(rng, _WORDS)} 1588-{rng.integers(1000, 10000)}"
    _text(draw, (width * 0.5, height * 0.76), line, height * 0.15, (255, 255, 255))
    return np.asarray(picture)


def _logo(rng: Generator, width: int) -> RgbImage:
    height = int(width * rng.uniform(0.4, 0.9))
    ground = _PAPER if rng.random() < 0.3 else _strong(rng)
    ink = (255, 255, 255) if ground != _PAPER else _strong(rng)
    picture = Image.new("RGB", (width, height), ground)
    draw = ImageDraw.Draw(picture)
    x, y, r = width * rng.uniform(0.25, 0.75), height * 0.38, height * rng.uniform(0.2, 0.3)
    shape = int(rng.integers(4))
    if shape == 0:
        draw.ellipse((x - r, y - r, x + r, y + r), fill=ink)
        draw.ellipse((x - r * 0.55, y - r * 0.75, x + r * 0.75, y + r * 0.55), fill=_strong(rng))
    elif shape == 1:
        for number in range(int(rng.integers(3, 6))):
            side = r * (1 - number * 0.18)
            draw.rectangle((x - side, y - side, x + side, y + side), fill=_strong(rng) if number % 2 else ink)
    elif shape == 2:
        points = int(rng.integers(5, 9))
        radii = [r, r * rng.uniform(0.4, 0.7)]
        star = [
            (x + radii[i % 2] * math.sin(i * math.pi / points), y - radii[i % 2] * math.cos(i * math.pi / points))
            for i in range(2 * points)
        ]
        draw.polygon(star, fill=ink)
    else:
        for number in range(3):
            draw.pieslice((x - r, y - r, x + r, y + r), number * 120, number * 120 + 105, fill=_strong(rng))
    _text(draw, (width / 2, height * 0.8), _pick(rng, _WORDS) + _pick(rng, _WORDS), height * 0.17, ink)
    draw.rectangle((0, 0, width - 1, height - 1), outline=(90, 90, 90), width=3)
    return np.asarray(picture)


def _seal(rng: Generator, width: int) -> RgbImage:
    red = int(rng.integers(185, 226)), int(rng.integers(15, 60)), int(rng.integers(20, 60))
    ground, ink = (red, (255, 250, 245)) if rng.random() < 0.5 else (_pale(rng), red)
    picture = Image.new("RGB", (width, width), ground)
    draw = ImageDraw.Draw(picture)
    middle, r, line = width / 2, width * rng.uniform(0.38, 0.46), max(3, int(width * rng.uniform(0.012, 0.03)))
    frame = (middle - r, middle - r, middle + r, middle + r)
    if rng.random() < 0.5:
        draw.ellipse(frame, outline=ink, width=line)
    else:
        draw.rectangle(frame, outline=ink, width=line)
    words = "".join(_pick(rng, _WORDS) for _ in range(4))[:4]
    for number, letter in enumerate(words):
        at = middle + (0.42 if number < 2 else -0.42) * r, middle + (0.42 if number % 2 else -0.42) * r
        _text(draw, at, letter, r * 0.72, ink)
    draw.rectangle((0, 0, width - 1, width - 1), outline=ink, width=2)
    return np.asarray(picture)


def _title_block(rng: Generator, width: int) -> RgbImage:
    height = int(width * rng.uniform(0.25, 0.45))
    ground, head = _pale(rng), _strong(rng)
    picture = Image.new("RGB", (width, height), ground)
    draw = ImageDraw.Draw(picture)
    rows, columns = int(rng.integers(3, 6)), int(rng.integers(2, 5))
    draw.rectangle((0, 0, width, height / rows), fill=head)
    for row in range(rows):
        draw.line((0, row * height / rows, width, row * height / rows), fill=(70, 70, 70), width=2)
        for column in range(columns):
            at = (column + 0.5) * width / columns, (row + 0.5) * height / rows
            words = _pick(rng, _WORDS) if row else _pick(rng, _WORDS) * 2
            _text(draw, at, words, height / rows * 0.45, (255, 255, 255) if row == 0 else (30, 30, 30))
    for column in range(1, columns):
        draw.line(
            (column * width / columns, height / rows, column * width / columns, height), fill=(70, 70, 70), width=2
        )
    draw.rectangle((0, 0, width - 1, height - 1), outline=(40, 40, 40), width=3)
    return np.asarray(picture)
