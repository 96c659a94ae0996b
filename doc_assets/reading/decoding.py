"""One TIFF page -> RGB by one library each. Runs in the decoder child only; a page is shown alone in its file.

OpenCV passes on what libtiff and libjpeg say of damaged JPEG and fax data; nobody else does. imagecodecs hands out
libtiff's raw samples, tifffile those that libtiff does not know; both refuse data that is too short. Pillow reads JPEG
of the old style.
"""

import warnings
from dataclasses import replace
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from doc_assets.datatypes import RgbImage
from doc_assets.reading.colours import to_rgb, upright
from doc_assets.reading.opened import FileContent
from doc_assets.reading.subsampled import full_samples
from doc_assets.reading.tiff_layout import (
    DEFLATE,
    FAX,
    INTERLEAVED,
    PLAIN,
    SEPARATE,
    Compression,
    PageLayout,
    Photometric,
    SampleKind,
)

_BYTE_BITS, _THREE_BYTES = 8, 24
_RGB = 3
_JPEG_PICTURES = {(1, Photometric.WHITE_IS_ZERO), (1, Photometric.BLACK_IS_ZERO), (3, Photometric.RGB),
                  (3, Photometric.YCBCR)}  # fmt: skip


def suits_opencv(layout: PageLayout) -> bool:
    """Whether this is ordinary fax or JPEG, whose damage only OpenCV reports."""
    if layout.compression in FAX:
        return layout.bits == layout.samples == 1 and layout.photometric <= Photometric.BLACK_IS_ZERO
    if layout.compression != Compression.JPEG or layout.bits != _BYTE_BITS or layout.extra:
        return False
    is_interleaved = layout.planar == INTERLEAVED or layout.samples == 1
    return is_interleaved and (layout.samples, layout.photometric) in _JPEG_PICTURES


def decode_with_opencv(content: FileContent, layout: PageLayout) -> RgbImage:
    """The page, turned upright by its orientation tag.

    Raises:
        Exception: whatever OpenCV raises.
        ValueError: if it gives no picture.
    """
    import cv2

    mode = cv2.IMREAD_GRAYSCALE if layout.samples == 1 else cv2.IMREAD_COLOR_RGB
    # OpenCV turns a TIFF upright whatever this says; without it, it would look for EXIF as well.
    found = cv2.imdecode(np.frombuffer(content.view, np.uint8), mode | cv2.IMREAD_IGNORE_ORIENTATION)
    if found is None:
        raise ValueError("no picture")
    return np.asarray(cv2.cvtColor(found, cv2.COLOR_GRAY2RGB) if found.ndim == 2 else found, np.uint8)  # noqa: PLR2004


def suits_tifffile(layout: PageLayout) -> bool:
    """Whether tifffile is asked before libtiff.

    Ink and YCbCr are converted by imagecodecs' libtiff, not well. Checksums of deflate data are compared by tifffile
    only. Samples of three bytes come wrong from it.
    """
    if layout.bits == _THREE_BYTES and layout.kind == SampleKind.UNSIGNED and layout.is_even:
        return False
    is_converted = layout.photometric in {Photometric.INKS, Photometric.YCBCR} and layout.compression in PLAIN
    is_strict = layout.compression in DEFLATE
    return is_converted or is_strict or not layout.is_even or layout.compression == Compression.JPEG


def decode_with_libtiff(content: FileContent, layout: PageLayout) -> RgbImage:
    """The page, turned upright.

    Raises:
        Exception: whatever imagecodecs raises.
    """
    samples = imagecodecs.tiff_decode(content.view, index=0)
    if layout.bits == _THREE_BYTES:  # it takes the first byte for the highest, libtiff has put the lowest there
        samples = (samples >> 16) | (samples & 0xFF00) | ((samples & 0xFF) << 16)
    return upright(to_rgb(_interleaved(samples, layout), _as_decoded(layout)), layout.orientation)


def decode_with_tifffile(file: BinaryIO, layout: PageLayout) -> RgbImage:
    """The page, turned upright.

    Raises:
        Exception: whatever tifffile or imagecodecs raise.
        ValueError: for pages that hold no picture.
    """
    import tifffile

    with tifffile.TiffFile(file, name="page") as document:
        page = document.pages[0]
        if layout.photometric == Photometric.YCBCR and layout.compression in PLAIN and layout.subsampling != (1, 1):
            samples = full_samples(page, layout)
        else:
            samples = _interleaved(np.asarray(page.asarray(maxworkers=1)), layout)
    return upright(to_rgb(samples, _as_decoded(layout)), layout.orientation)


def decode_with_pillow(file: BinaryIO, layout: PageLayout, max_px: int) -> RgbImage:
    """The page, turned upright.

    Raises:
        Exception: whatever Pillow raises; damaged files make it raise almost anything.
        ValueError: for samples that Pillow does not convert as a person would see them.
    """
    Image.MAX_IMAGE_PIXELS = max_px
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(file, formats=("TIFF",)) as image:
            image.load()
            if image.mode not in {"1", "L", "RGB", "YCbCr"} or layout.bits > _BYTE_BITS:
                raise ValueError(f"samples of mode {image.mode}")
            return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _interleaved(samples: NDArray[Any], layout: PageLayout) -> NDArray[Any]:
    """(H, W, S) of samples that were stored plane by plane."""
    is_planar = layout.planar == SEPARATE and samples.ndim == 3 and samples.shape[0] == layout.samples  # noqa: PLR2004
    return np.moveaxis(samples, 0, -1) if is_planar else samples


def _as_decoded(layout: PageLayout) -> PageLayout:
    """The layout of the samples that a decoder hands out: YCbCr within a JPEG comes out as RGB."""
    if layout.photometric == Photometric.YCBCR and layout.compression not in PLAIN:
        return replace(layout, photometric=Photometric.RGB)
    return layout
