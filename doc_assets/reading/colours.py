"""Samples of a page -> 8-bit RGB as a person would see it, whatever the samples mean and however deep they are.

Sources: TIFF Revision 6.0, sections 16 (colour maps), 18 (alpha), 20-23 (YCbCr, Lab); RFC 3949 (ITULab); the sRGB curve
of IEC 61966-2-1.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from doc_assets.datatypes import RgbImage
from doc_assets.reading.tiff_layout import ALPHA, ASSOCIATED_ALPHA, CMYK_INKS, PageLayout, Photometric

_Unit = NDArray[np.float32]
"""(rows, W, S), 0 for black or no ink, 1 for white or full ink."""

_MAX_BYTE = 255
_BYTE_BITS = 8
_BAND_PX = 1 << 20
"""Pixels that are converted at a time, so that a deep page needs no second copy of itself."""
_GREY, _RGB, _CMYK = 1, 3, 4
_OVERSHOOT = 2.0
"""Floating samples up to this are meant from 0 to 1; a page of 0 to 255 that reaches no further would be black."""
_UNDERSHOOT = -0.25
_USED_SHARE = 0.25
"""A page of paper uses at least this share of the range it was meant for."""

_LAB_TO_XYZ_WHITE = np.array([0.95047, 1.0, 1.08883], np.float32)
_XYZ_TO_RGB = np.array(
    [[3.2404542, -1.5371385, -0.4985314], [-0.9692660, 1.8760108, 0.0415560], [0.0556434, -0.2040259, 1.0572252]],
    np.float32,
)
_USUAL_ITU_RANGE = (0.0, 100.0, -85.0, 85.0, -75.0, 125.0)
_USUAL_YCBCR_REFERENCE = (0.0, 255.0, 128.0, 255.0, 128.0, 255.0)


def to_rgb(samples: NDArray[Any], layout: PageLayout) -> RgbImage:
    """The picture that samples, (H, W) or (H, W, S) of any type, show.

    Raises:
        ValueError: for pages that hold no picture: too few channels, unknown inks, complex numbers.
    """
    if samples.size == 0:
        raise ValueError("the page holds no pixel")
    if samples.dtype.kind not in "buif":
        raise ValueError(f"the page holds samples of type {samples.dtype}")
    planes = samples[:, :, None] if samples.ndim == 2 else samples  # noqa: PLR2004
    if planes.ndim != 3:  # noqa: PLR2004
        raise ValueError(f"the page has {samples.ndim} dimensions")
    planes = _unwrapped(planes, layout)
    n_colours = _n_colours(planes.shape[2], layout)
    is_rgb = n_colours == _RGB and layout.photometric in _SHOWN_AS_IT_IS
    if planes.dtype == np.uint8 and layout.bits == _BYTE_BITS and planes.shape[2] == n_colours:
        if is_rgb:
            return np.ascontiguousarray(planes)
        if layout.photometric == Photometric.BLACK_IS_ZERO:
            return grey_as_rgb(planes[:, :, 0])
    if planes.dtype == np.bool_ and planes.shape[2] == _GREY and layout.photometric != Photometric.PALETTE:
        is_inverted = layout.photometric == Photometric.WHITE_IS_ZERO
        return grey_as_rgb((planes[:, :, 0].view(np.uint8) ^ np.uint8(is_inverted)) * np.uint8(_MAX_BYTE))
    return _in_bands(planes, layout, n_colours)


_SHOWN_AS_IT_IS = {Photometric.RGB, Photometric.BLACK_IS_ZERO, 34892}
"""34892: linear raw data of a camera that was demosaiced."""


def _unwrapped(planes: NDArray[Any], layout: PageLayout) -> NDArray[Any]:
    """Signed samples that are meant unsigned as such.

    Some programs, ImageMagick among them, call a page signed and leave its bits as they were: white becomes -1.
    Others move black to the smallest value. No tag tells them apart; paper does, which is white.
    """
    is_signed = planes.dtype.kind == "i" and layout.bits == 8 * planes.dtype.itemsize
    if not is_signed or layout.photometric in _LABS or int(planes.min()) >= 0:
        return planes
    unsigned = planes.view(f"u{planes.dtype.itemsize}")
    half = float(1 << (layout.bits - 1))
    is_inverted = layout.photometric in {Photometric.WHITE_IS_ZERO, Photometric.INKS}
    is_brighter = float(unsigned.mean()) > float(planes.mean()) + half
    return unsigned if is_brighter != is_inverted else planes


def _n_colours(n_samples: int, layout: PageLayout) -> int:
    """How many of a pixel's samples are colour; the others are alpha or nothing that is shown."""
    if layout.photometric == Photometric.INKS:
        if layout.ink_set != CMYK_INKS or n_samples < _CMYK:
            raise ValueError(f"the page has {n_samples} inks that are not cyan, magenta, yellow and black")
        return _CMYK
    n = n_samples - len(layout.extra)
    if layout.photometric in {Photometric.PALETTE, Photometric.MASK}:
        return _GREY
    return _RGB if n >= _RGB else _GREY


def _in_bands(planes: NDArray[Any], layout: PageLayout, n_colours: int) -> RgbImage:
    height, width, _ = planes.shape
    colours = _conversion(planes, layout, n_colours)
    alpha = _alpha(planes, layout, n_colours)
    picture = np.empty((height, width, 3), np.uint8)
    rows = max(1, _BAND_PX // width)
    for top in range(0, height, rows):
        band = planes[top : top + rows]
        unit = colours(band)
        if alpha is not None:
            unit = alpha(band, unit)
        picture[top : top + rows] = np.rint(np.clip(unit, 0, 1) * _MAX_BYTE).astype(np.uint8)
    return picture


def _conversion(planes: NDArray[Any], layout: PageLayout, n_colours: int) -> Callable[[NDArray[Any]], _Unit]:
    """What turns a band of samples into red, green and blue from 0 to 1."""
    if layout.photometric == Photometric.PALETTE:
        return partial(_palette, layout=layout)
    if layout.photometric in _LABS:
        return partial(_lab, layout=layout, n_colours=n_colours)
    low, high = _range(planes, layout)
    if layout.photometric == Photometric.YCBCR and n_colours == _RGB:
        return lambda band: _ycbcr(_unit(band[:, :, :_RGB], low, high), layout)
    if layout.photometric == Photometric.INKS:
        return lambda band: (1 - _unit(band[:, :, :3], low, high)) * (1 - _unit(band[:, :, 3:4], low, high))
    if layout.photometric == Photometric.WHITE_IS_ZERO:
        return lambda band: 1 - _unit(band[:, :, :n_colours], low, high)
    return lambda band: _unit(band[:, :, :n_colours], low, high)


_LABS = {Photometric.CIE_LAB, Photometric.ICC_LAB, Photometric.ITU_LAB}


def _range(planes: NDArray[Any], layout: PageLayout) -> tuple[float, float]:
    """The samples that mean 0 and 1.

    Unsigned samples say it by their depth. For signed and floating ones no standard does: full use of the range,
    positive values and 8-bit values are told apart by what is there, and anything else is stretched.
    """
    if planes.dtype == np.bool_:
        return 0.0, 1.0
    if planes.dtype.kind == "u":
        return 0.0, float((1 << layout.bits) - 1)
    low, high = _extent(planes)
    if planes.dtype.kind == "f":
        full = (0.0, 1.0) if low >= _UNDERSHOOT and high <= _OVERSHOOT else (0.0, 65535.0)
    else:
        half = float(1 << (layout.bits - 1))
        full = (-half if low < 0 else 0.0, half - 1)
    is_known = full[1] == 1 or layout.bits == _BYTE_BITS
    if is_known or (full[0] <= low and high <= full[1] and high - low >= _USED_SHARE * (full[1] - full[0])):
        return full
    if low >= 0 and high <= _MAX_BYTE:
        return 0.0, float(_MAX_BYTE)
    return low, high if high > low else low + 1


def _extent(planes: NDArray[Any]) -> tuple[float, float]:
    low, high = float(planes.min()), float(planes.max())
    if np.isfinite(low) and np.isfinite(high):
        return low, high
    finite = planes[np.isfinite(planes)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)


def _unit(samples: NDArray[Any], low: float, high: float) -> _Unit:
    values: NDArray[Any] = samples.astype(np.float64 if samples.dtype.itemsize > 2 else np.float32)  # noqa: PLR2004
    if samples.dtype.kind == "f":
        values = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
    unit: _Unit = ((values - low) / (high - low)).astype(np.float32)
    return unit


def _palette(band: NDArray[Any], layout: PageLayout) -> _Unit:
    if layout.colormap is None:
        raise ValueError("the page has a palette without colours")
    # Some writers store 8-bit colours in the 16-bit map; libtiff's rule tells them apart.
    top = 65535 if int(layout.colormap.max()) > _MAX_BYTE else _MAX_BYTE
    table = (layout.colormap.T / top).astype(np.float32)
    unit: _Unit = table[np.minimum(band[:, :, 0].astype(np.int64), len(table) - 1)]
    return unit


def _ycbcr(unit: _Unit, layout: PageLayout) -> _Unit:
    """As libtiff computes it: reference black and white in codes of 8 bits, at any depth."""
    codes = unit * _MAX_BYTE
    y_black, y_white, cb_black, cb_white, cr_black, cr_white = layout.reference or _USUAL_YCBCR_REFERENCE
    red_share, green_share, blue_share = layout.luma
    y = (codes[:, :, 0] - y_black) * _MAX_BYTE / ((y_white - y_black) or 1)
    cb = (codes[:, :, 1] - cb_black) * 127 / ((cb_white - cb_black) or 1)
    cr = (codes[:, :, 2] - cr_black) * 127 / ((cr_white - cr_black) or 1)
    red = y + cr * (2 - 2 * red_share)
    blue = y + cb * (2 - 2 * blue_share)
    green = (y - blue_share * blue - red_share * red) / (green_share or 1)
    rgb: _Unit = (np.stack([red, green, blue], -1) / _MAX_BYTE).astype(np.float32)
    return rgb


def _lab(band: NDArray[Any], layout: PageLayout, n_colours: int) -> _Unit:
    """Lab as sRGB; Lab's white is shown as white, whatever light it was measured under."""
    top = float((1 << layout.bits) - 1)
    codes = band[:, :, :n_colours]
    if codes.dtype.kind == "i":
        codes = codes.view(f"u{codes.dtype.itemsize}")
    lightness = codes[:, :, 0].astype(np.float32) * (100 / top)
    if n_colours < _RGB:
        a = b = np.zeros_like(lightness)
    elif layout.photometric == Photometric.CIE_LAB:  # signed, one unit a step of 8 bits
        a, b = ((_signed(codes[:, :, i], layout.bits) / (1 << (layout.bits - _BYTE_BITS))) for i in (1, 2))
    elif layout.photometric == Photometric.ICC_LAB:
        steps = 1 << (layout.bits - _BYTE_BITS)
        lightness = codes[:, :, 0].astype(np.float32) * (100 / (_MAX_BYTE * steps))
        a, b = ((codes[:, :, i].astype(np.float32) / steps - 128) for i in (1, 2))
    else:
        ends = layout.reference or _USUAL_ITU_RANGE
        lightness, a, b = (
            ends[2 * i] + codes[:, :, i].astype(np.float32) * ((ends[2 * i + 1] - ends[2 * i]) / top) for i in range(3)
        )
    return _lab_to_srgb(lightness, a, b)


def _signed(codes: NDArray[Any], bits: int) -> NDArray[np.float32]:
    values = codes.astype(np.float32)
    return np.where(values >= 1 << (bits - 1), values - (1 << bits), values).astype(np.float32)


def _lab_to_srgb(lightness: NDArray[np.float32], a: NDArray[np.float32], b: NDArray[np.float32]) -> _Unit:
    fy = (lightness + 16) / 116
    f = np.stack([fy + a / 500, fy, fy - b / 200], -1)
    xyz = np.where(f > 6 / 29, f**3, (f - 16 / 116) * (3 * (6 / 29) ** 2)) * _LAB_TO_XYZ_WHITE
    linear = np.clip(xyz @ _XYZ_TO_RGB.T, 0, 1)
    unit: _Unit = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)  # noqa: PLR2004
    return unit


def _alpha(planes: NDArray[Any], layout: PageLayout, n_colours: int) -> Callable[[NDArray[Any], _Unit], _Unit] | None:
    """What lays a band over white paper; None if the page has no transparency."""
    kinds = layout.extra[: planes.shape[2] - n_colours]
    at = next((i for i, kind in enumerate(kinds) if kind in {ASSOCIATED_ALPHA, ALPHA}), None)
    if at is None:
        return None
    is_associated = kinds[at] == ASSOCIATED_ALPHA
    if is_associated and layout.photometric in {Photometric.WHITE_IS_ZERO, Photometric.INKS}:
        return None  # less ink where it is transparent: over white already
    low, high = _range(planes[:, :, n_colours + at :][:, :, :1], layout)

    def over_white(band: NDArray[Any], unit: _Unit) -> _Unit:
        share = np.clip(_unit(band[:, :, n_colours + at :][:, :, :1], low, high), 0, 1)
        return unit + (1 - share) if is_associated else unit * share + (1 - share)

    return over_white


def grey_as_rgb(grey: NDArray[np.uint8]) -> RgbImage:
    """The same picture in three channels."""
    import cv2

    return np.asarray(cv2.cvtColor(np.ascontiguousarray(grey), cv2.COLOR_GRAY2RGB), np.uint8)


def upright(picture: RgbImage, orientation: int) -> RgbImage:
    """Undoes the orientation tag (TIFF 6.0, tag 274); values outside 1-8 count as 1."""
    turns: dict[int, Callable[[RgbImage], RgbImage]] = {
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, 1),
    }
    return np.ascontiguousarray(turns[orientation](picture)) if orientation in turns else picture
