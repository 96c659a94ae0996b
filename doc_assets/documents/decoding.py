"""One TIFF page -> upright 8-bit RGB, by Pillow, then by tifffile. Runs in the decoder child only.

Pillow alone would show 16-bit grey as white, alpha as black and print damage on standard error only;
this module turns all of that into the picture a person would see, or into an error.
"""

import warnings
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from doc_assets.datatypes import RgbImage

_WHITE = (255, 255, 255)
_BYTE_BITS = 8
_MAX_BYTE = 255


def decode_with_pillow(page: BinaryIO, max_px: int) -> RgbImage:
    """The page of a single-page TIFF as (H, W, 3) uint8 RGB, turned upright by its orientation tag.

    Raises:
        Exception: whatever Pillow raises; damaged files make it raise almost anything.
    """
    Image.MAX_IMAGE_PIXELS = max_px
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(page, formats=("TIFF",)) as image:
            image.load()
            bits = _bit_depth(image)
            return _to_rgb(image, bits)


def _bit_depth(image: Image.Image) -> int:
    tag_bits = 258
    bits = image.tag_v2.get(tag_bits, (1,))  # type: ignore[attr-defined]
    return int(max(bits)) if isinstance(bits, tuple) else int(bits)


def _to_rgb(image: Image.Image, bits: int) -> RgbImage:
    if image.mode.startswith("I") or image.mode == "F":
        return _stack(_scaled(np.asarray(image), bits))
    if image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info:
        return np.asarray(_over_white(image))
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _over_white(image: Image.Image) -> Image.Image:
    """Transparent pixels as the white paper that a viewer shows behind them."""
    layered = image.convert("RGBA")
    paper = Image.new("RGBA", layered.size, (*_WHITE, _MAX_BYTE))
    return Image.alpha_composite(paper, layered).convert("RGB")


def _stack(grey: NDArray[np.uint8]) -> RgbImage:
    return np.ascontiguousarray(np.repeat(grey[:, :, None], 3, axis=2))


def _scaled(samples: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """Samples of any type and depth as 8 bits, black and white kept at the ends.

    Unsigned samples are scaled by their declared depth. Samples without a fixed white (signed, floating)
    are stretched from their smallest to their largest value.
    """
    if samples.dtype == np.bool_:
        return samples.astype(np.uint8) * _MAX_BYTE
    if samples.dtype.kind in "iu" and bits <= 16:  # noqa: PLR2004 - Pillow hands 16-bit grey as signed 32
        top = float((1 << bits) - 1)
        return np.asarray((np.clip(samples, 0, top) * (_MAX_BYTE / top)).round(), np.uint8)
    values = np.nan_to_num(samples.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    return ((values - low) * (_MAX_BYTE / ((high - low) or 1.0))).round().astype(np.uint8)


def decode_with_tifffile(page: BinaryIO) -> RgbImage:
    """As ``decode_with_pillow``, for pages Pillow cannot read: big-endian BigTIFF, odd depths, rare codecs.

    Raises:
        Exception: whatever tifffile or imagecodecs raise.
        ValueError: for pages that hold no picture.
    """
    import tifffile

    with tifffile.TiffFile(page, name="page") as document:
        frame = document.pages[0]
        bits = frame.bitspersample
        depth = int(max(bits)) if isinstance(bits, tuple) else int(bits)
        samples = np.asarray(frame.asarray(maxworkers=1))
        if samples.size == 0:
            raise ValueError("the page holds no pixel")
        photometric = getattr(frame.photometric, "name", str(frame.photometric))
        if int(frame.planarconfig) == 2 and samples.ndim == 3:  # noqa: PLR2004
            samples = np.moveaxis(samples, 0, -1)
        rgb = _colours(samples, photometric, depth, frame.colormap)
        orientation = frame.tags.get("Orientation")
        return _upright(rgb, int(orientation.value) if orientation is not None else 1)


def _colours(samples: NDArray[Any], photometric: str, depth: int, colormap: NDArray[Any] | None) -> RgbImage:
    if photometric == "PALETTE" and colormap is not None:
        table = (np.moveaxis(np.asarray(colormap), 0, -1) >> _BYTE_BITS).astype(np.uint8)
        return np.ascontiguousarray(table[np.minimum(samples.astype(np.int64), len(table) - 1)])
    eight = _scaled(samples, depth)
    if photometric == "MINISWHITE":
        eight = _MAX_BYTE - eight
    if eight.ndim == 2:  # noqa: PLR2004
        return _stack(eight)
    if eight.ndim != 3:  # noqa: PLR2004
        raise ValueError(f"the page has {eight.ndim} dimensions")
    if photometric == "SEPARATED":
        return np.asarray(Image.fromarray(np.ascontiguousarray(eight[:, :, :4]), "CMYK").convert("RGB"))
    channels = eight.shape[2]
    grey, grey_alpha, rgb, rgb_alpha = 1, 2, 3, 4
    if channels in {grey, grey_alpha}:
        return _stack(_blend(eight[:, :, :1], eight[:, :, 1:])[:, :, 0])
    if channels in {rgb, rgb_alpha}:
        return np.ascontiguousarray(_blend(eight[:, :, :3], eight[:, :, 3:]))
    raise ValueError(f"the page has {channels} samples a pixel")


def _blend(colour: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if alpha.shape[2] == 0:
        return colour
    share = alpha.astype(np.float32) / _MAX_BYTE
    return (colour * share + _MAX_BYTE * (1 - share)).round().astype(np.uint8)


def _upright(rgb: RgbImage, orientation: int) -> RgbImage:
    """Undoes the orientation tag (TIFF 6.0, tag 274); values outside 1-8 count as 1."""
    turns = {
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, 1),
    }
    return np.ascontiguousarray(turns[orientation](rgb)) if orientation in turns else rgb
