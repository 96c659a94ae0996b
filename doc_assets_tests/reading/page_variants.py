"""One drawn page stored in every way TIFF knows: photometric, depth, format, planes, compression, order.

Each variant comes with the picture that it must show, computed from the drawing.
"""

from dataclasses import dataclass

import imagecodecs
import numpy as np
from PIL import Image

from doc_assets_tests.reading import tiff_writer as tiff
from doc_assets_tests.reading.tiff_writer import tif

HEIGHT, WIDTH = 40, 48
COMPRESSIONS = {"none": tiff.NONE, "lzw": tiff.LZW, "deflate": tiff.DEFLATE, "packbits": tiff.PACKBITS,
                "lzma": tiff.LZMA, "zstd": tiff.ZSTD}  # fmt: skip
ORDERS = {"le": "<", "be": ">"}


@dataclass(frozen=True)
class Variant:
    """A file of one page, and the levels (H, W, 3) that it shows."""

    name: str
    content: bytes
    shows: np.ndarray


def drawn():
    """(H, W, 3) from 0 to 1: paper, a stroke, a colourful patch; upright and mirror are told apart by it."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] / np.array([HEIGHT - 1, WIDTH - 1])[:, None, None]
    page = np.full((HEIGHT, WIDTH, 3), 0.96)
    page[4:7, 4:40] = 0.08
    patch = slice(10, 34), slice(8, 36)
    page[patch] = np.stack([0.15 + 0.7 * x[patch], 0.2 + 0.6 * y[patch], 0.8 - 0.6 * x[patch] * y[patch]], -1)
    page[36:38, 4:20] = [0.9, 0.1, 0.15]
    return page


PAGE = drawn()
GREY = (PAGE @ [0.299, 0.587, 0.114])[:, :, None]
ALPHA = np.clip(np.mgrid[0:HEIGHT, 0:WIDTH][1] / 40, 0, 1)[:, :, None]
OVER_WHITE = PAGE * ALPHA + 1 - ALPHA


def codes(unit, bits):
    """0 to 1 as unsigned integers of ``bits``."""
    if bits == 64:
        return np.round(unit * (2**32 - 1)).astype(np.uint64) * np.uint64(2**32 + 1)
    return np.round(unit * (2**bits - 1)).astype(np.int64)


def levels(unit):
    """0 to 1 as (H, W, 3) levels."""
    return np.broadcast_to(np.round(unit * 255), (HEIGHT, WIDTH, 3))


def seen(unit, bits):
    """As ``levels``, after the loss of few bits."""
    return levels(codes(unit, bits).astype(float) / (2.0**bits - 1))


def variants():
    """All of them."""
    for family in (depths, predictors, floats, signed, palettes, alphas, inks, luma_chroma, labs, orientations):
        yield from family()


def depths():
    for bits in (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 24, 32, 64):
        grey, rgb = codes(GREY, bits), codes(PAGE, bits)
        most = np.uint64(2**64 - 1) if bits == 64 else (1 << bits) - 1
        for name, order in ORDERS.items():
            yield Variant(f"grey{bits}-{name}", tif(grey, bits, 1, order=order), seen(GREY, bits))
            yield Variant(
                f"white-is-zero{bits}-{name}", tif(most - grey, bits, 0, order=order, rows=16), seen(GREY, bits)
            )
            if bits % 2 == 0:
                yield Variant(f"rgb{bits}-{name}", tif(rgb, bits, 2, order=order, rows=16), seen(PAGE, bits))
                yield Variant(f"planes{bits}-{name}", tif(rgb, bits, 2, order=order, planar=2), seen(PAGE, bits))
    for fill in (1, 2):
        for bits in (1, 4, 8, 16):
            content = tif(codes(GREY, bits), bits, 1, fill=fill, compression=tiff.LZW)
            yield Variant(f"fill{fill}-{bits}", content, seen(GREY, bits))


def predictors():
    for name, number in COMPRESSIONS.items():
        for predictor in (1, 2) if name not in {"none", "packbits"} else (1,):
            for bits in (8, 16, 32):
                for order_name, order in ORDERS.items():
                    options = {"compression": number, "predictor": predictor, "order": order}
                    label = f"{bits}-{name}-p{predictor}-{order_name}"
                    planar = 2 if bits == 16 else 1
                    yield Variant(f"rgb{label}", tif(codes(PAGE, bits), bits, 2, planar=planar, rows=16, **options),
                                  levels(PAGE))  # fmt: skip
                    yield Variant(f"tiles{label}", tif(codes(GREY, bits), bits, 1, tile=(16, 32), **options),
                                  levels(GREY))  # fmt: skip
    for name, order in ORDERS.items():
        for bits in (1, 8, 16):
            content = tif(codes(GREY, bits), bits, 1, big=True, order=order, compression=tiff.LZW)
            yield Variant(f"big{bits}-{name}", content, seen(GREY, bits))


def floats():
    for bits in (16, 32, 64):
        for name, order in ORDERS.items():
            for predictor in (1, 3):
                options = {"kind": tiff.FLOAT, "order": order, "predictor": predictor, "compression": tiff.LZW}
                label = f"{bits}-p{predictor}-{name}"
                yield Variant(f"float-grey{label}", tif(GREY, bits, 1, **options), levels(GREY))
                yield Variant(f"float-rgb{label}", tif(PAGE, bits, 2, **options), levels(PAGE))
                yield Variant(f"float-white-is-zero{label}", tif(1 - GREY, bits, 0, **options), levels(GREY))
            yield Variant(f"float-to-255-{bits}-{name}", tif(GREY * 255, bits, 1, kind=tiff.FLOAT, order=order),
                          levels(GREY))  # fmt: skip


def signed():
    for bits in (8, 16, 32):
        half = 2 ** (bits - 1)
        for name, order in ORDERS.items():
            options = {"kind": tiff.INT, "order": order}
            yield Variant(f"signed-moved{bits}-{name}", tif(codes(GREY, bits) - half, bits, 1, **options), levels(GREY))
            yield Variant(f"signed-positive{bits}-{name}", tif(codes(GREY, bits - 1), bits, 1, **options),
                          seen(GREY, bits - 1))  # fmt: skip
            yield Variant(f"signed-bits{bits}-{name}", tif(codes(GREY, bits), bits, 1, **options), levels(GREY))
            yield Variant(f"signed-white-is-zero{bits}-{name}", tif(codes(1 - GREY, bits - 1), bits, 0, **options),
                          levels(GREY))  # fmt: skip


def palettes():
    rgb = Image.fromarray(np.round(PAGE * 255).astype(np.uint8))
    for bits in (1, 2, 4, 8, 16):
        n = min(256, 1 << bits)
        indexed = rgb.quantize(n)
        table = np.zeros((1 << bits, 3), np.int64)
        used = np.array(indexed.getpalette()[: n * 3]).reshape(-1, 3)
        table[: len(used)] = used
        indices = np.asarray(indexed).astype(np.int64)[:, :, None]
        for name, order in ORDERS.items():
            for label, values in (("16-bit-map", table * 257), ("8-bit-map", table)):
                content = tif(indices, bits, 3, order=order, tags={320: ("H", list(values.T.ravel()))})
                yield Variant(f"palette{bits}-{label}-{name}", content, table[indices[:, :, 0]].astype(float))


def alphas():
    for bits in (8, 16):
        for planar in (1, 2):
            made = {
                "rgba": (np.concatenate([PAGE, ALPHA], 2), 2, [2], OVER_WHITE),
                "rgba-associated": (np.concatenate([PAGE * ALPHA, ALPHA], 2), 2, [1], OVER_WHITE),
                "rgb-extra": (np.concatenate([PAGE, ALPHA], 2), 2, [0], PAGE),
                "rgb-extra-unsaid": (np.concatenate([PAGE, ALPHA], 2), 2, None, PAGE),
                "rgb-extra-alpha": (np.concatenate([PAGE, 1 - ALPHA, ALPHA], 2), 2, [0, 2], OVER_WHITE),
                "grey-alpha": (np.concatenate([GREY, ALPHA], 2), 1, [2], GREY * ALPHA + 1 - ALPHA),
                "grey-alpha-associated": (np.concatenate([GREY * ALPHA, ALPHA], 2), 1, [1], GREY * ALPHA + 1 - ALPHA),
                "grey-extra": (np.concatenate([GREY, ALPHA], 2), 1, [0], GREY),
                "white-is-zero-alpha": (np.concatenate([1 - GREY, ALPHA], 2), 0, [2], GREY * ALPHA + 1 - ALPHA),
            }
            for name, (unit, photometric, extra, shows) in made.items():
                tags = None if extra is None else {338: ("H", extra)}
                content = tif(codes(unit, bits), bits, photometric, planar=planar, tags=tags)
                yield Variant(f"{name}{bits}-planes{planar}", content, levels(shows))


def inks():
    black = 1 - PAGE.max(2, keepdims=True)
    cmyk = np.concatenate([(1 - PAGE - black) / (1 - black), black], 2)
    for bits in (8, 16):
        for planar in (1, 2):
            for name in ("none", "lzw", "deflate"):
                content = tif(codes(cmyk, bits), bits, 5, planar=planar, compression=COMPRESSIONS[name], rows=16)
                yield Variant(f"cmyk{bits}-{name}-planes{planar}", content, levels(PAGE))
            with_alpha = codes(np.concatenate([cmyk, ALPHA], 2), bits)
            for label, extra, shows in (("alpha", 2, OVER_WHITE), ("extra", 0, PAGE)):
                content = tif(with_alpha, bits, 5, planar=planar, tags={338: ("H", [extra])})
                yield Variant(f"cmyk-{label}{bits}-planes{planar}", content, levels(shows))


def luma_chroma():
    for across, down in ((1, 1), (2, 1), (1, 2), (2, 2), (4, 1), (4, 2), (4, 4)):
        planes = _luma_chroma(PAGE, across, down)
        shows = _shown_luma_chroma(planes, across, down)
        tags = {256: ("I", [WIDTH]), 257: ("I", [HEIGHT]), 258: ("H", [8] * 3), 262: ("H", [6]), 277: ("H", [3]),
                530: ("H", [across, down])}  # fmt: skip
        for rows in (HEIGHT, 8):
            for name, pack in (("none", bytes), ("lzw", imagecodecs.lzw_encode), ("deflate", imagecodecs.zlib_encode)):
                units = _units(planes, across, down)
                pieces = [
                    bytes(pack(units[at // down : (at + rows) // down].tobytes())) for at in range(0, HEIGHT, rows)
                ]
                own = {259: ("H", [COMPRESSIONS[name]]), 278: ("I", [rows]), 284: ("H", [1])}
                yield Variant(f"ycbcr{across}{down}-{name}-{rows}", tiff.assembled(pieces, tags | own), shows)
        own = {259: ("H", [1]), 278: ("I", [HEIGHT]), 284: ("H", [2])}
        content = tiff.assembled([plane.tobytes() for plane in planes], tags | own)
        yield Variant(f"ycbcr-planes{across}{down}", content, shows)
    full = np.stack(_luma_chroma(PAGE, 1, 1), -1)
    studio = np.stack(
        [16 + full[:, :, 0] * (219 / 255), *(128 + (full[:, :, i] - 128.0) * (224 / 255) for i in (1, 2))], -1
    )
    reference = {530: ("H", [1, 1]), 532: ("R", [(16, 1), (235, 1), (128, 1), (240, 1), (128, 1), (240, 1)])}
    yield Variant("ycbcr-reference", tif(studio.round(), 8, 6, tags=reference), levels(PAGE))
    yield Variant("ycbcr-predictor", tif(full, 8, 6, compression=tiff.LZW, predictor=2, tags={530: ("H", [1, 1])}),
                  levels(PAGE))  # fmt: skip


def _luma_chroma(page, across, down):
    y = page @ [0.299, 0.587, 0.114]
    cb, cr = ((page[:, :, i] - y) / scale + 128 / 255 for i, scale in ((2, 1.772), (0, 1.402)))
    shared = [c.reshape(HEIGHT // down, down, WIDTH // across, across).mean((1, 3)) for c in (cb, cr)]
    return [np.clip(np.round(c * 255), 0, 255).astype(np.uint8) for c in (y, *shared)]


def _shown_luma_chroma(planes, across, down):
    y, cb, cr = (p.astype(float) for p in (planes[0], *(c.repeat(down, 0).repeat(across, 1) for c in planes[1:])))
    rgb = [y + 1.402 * (cr - 128), y - 0.344136 * (cb - 128) - 0.714136 * (cr - 128), y + 1.772 * (cb - 128)]
    return np.clip(np.stack(rgb, -1), 0, 255)


def _units(planes, across, down):
    y, cb, cr = planes
    blocks = y.reshape(HEIGHT // down, down, WIDTH // across, across).transpose(0, 2, 1, 3)
    return np.concatenate([blocks.reshape(*cb.shape, across * down), cb[:, :, None], cr[:, :, None]], 2)


def labs():
    lightness, a, b = _lab(PAGE)
    made = {
        "cielab8": (8, 8, [lightness * 2.55, a, b]),
        "cielab16": (16, 8, [lightness * 655.35, a * 256, b * 256]),
        "icclab8": (8, 9, [lightness * 2.55, a + 128, b + 128]),
        "icclab16": (16, 9, [lightness * 652.8, (a + 128) * 256, (b + 128) * 256]),
        "itulab8": (8, 10, [lightness * 2.55, (a + 85) * 1.5, (b + 75) * 1.275]),
    }
    for name, (bits, photometric, channels) in made.items():
        for planar in (1, 2):
            for order_name, order in ORDERS.items():
                stored = np.stack(channels, -1).round()
                content = tif(stored, bits, photometric, planar=planar, order=order, compression=tiff.DEFLATE)
                yield Variant(f"{name}-planes{planar}-{order_name}", content, levels(PAGE))


def _lab(page):
    linear = np.where(page <= 0.04045, page / 12.92, ((page + 0.055) / 1.055) ** 2.4)
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    t = linear @ np.array(to_xyz).T / [0.95047, 1, 1.08883]
    f = np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116)
    return 116 * f[:, :, 1] - 16, 500 * (f[:, :, 0] - f[:, :, 1]), 200 * (f[:, :, 1] - f[:, :, 2])


def orientations():
    stored = {1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
              5: lambda a: a.transpose(1, 0, 2), 6: np.rot90, 7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
              8: lambda a: np.rot90(a, -1)}  # fmt: skip
    for tag, turn in stored.items():
        for name, bits, photometric, unit in (("bit", 1, 1, GREY), ("grey16", 16, 1, GREY), ("rgb", 8, 2, PAGE)):
            turned = np.ascontiguousarray(turn(codes(unit, bits)))
            content = tif(turned, bits, photometric, tags={274: ("H", [tag])})
            yield Variant(f"orientation{tag}-{name}", content, seen(unit, bits))
