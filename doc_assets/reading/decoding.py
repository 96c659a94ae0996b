"""One TIFF page -> RGB by one library each. Runs in the decoder child only; a page is shown alone in its file.

OpenCV passes on what libtiff and libjpeg say of damaged JPEG and fax data; nobody else does. imagecodecs hands out
libtiff's raw samples, tifffile those that libtiff does not know; both refuse data that is too short. Pillow reads JPEG
of the old style.
"""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from doc_assets.datatypes import RgbImage
from doc_assets.reading.colours import grey_as_rgb, to_rgb, upright
from doc_assets.reading.formats import FileContent
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
_SUBSAMPLINGS = {1, 2, 4}
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
    """The page, turned upright by its orientation tag; whatever OpenCV raises, ValueError if it gives no picture."""
    import cv2

    mode = cv2.IMREAD_GRAYSCALE if layout.samples == 1 else cv2.IMREAD_COLOR_RGB
    # OpenCV turns a TIFF upright whatever this says; without it, it would look for EXIF as well.
    found = cv2.imdecode(np.frombuffer(content.view, np.uint8), mode | cv2.IMREAD_IGNORE_ORIENTATION)
    if found is None:
        raise ValueError("no picture")
    return grey_as_rgb(found) if found.ndim == 2 else np.asarray(found, np.uint8)  # noqa: PLR2004


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
    """The page, turned upright; whatever imagecodecs raises."""
    samples = imagecodecs.tiff_decode(content.view, index=0)
    if layout.bits == _THREE_BYTES:  # it takes the first byte for the highest, libtiff has put the lowest there
        samples = (samples >> 16) | (samples & 0xFF00) | ((samples & 0xFF) << 16)
    return upright(to_rgb(_interleaved(samples, layout), _as_decoded(layout)), layout.orientation)


def decode_with_tifffile(file: BinaryIO, layout: PageLayout) -> RgbImage:
    """The page, turned upright; whatever tifffile or imagecodecs raise, ValueError for pages that hold no picture."""
    import tifffile

    with tifffile.TiffFile(file, name="page") as document:
        page = document.pages[0]
        if layout.photometric == Photometric.YCBCR and layout.compression in PLAIN and layout.subsampling != (1, 1):
            samples = _full_samples(page, layout)
        else:
            samples = _interleaved(np.asarray(page.asarray(maxworkers=1)), layout)
    return upright(to_rgb(samples, _as_decoded(layout)), layout.orientation)


def decode_with_pillow(file: BinaryIO, layout: PageLayout, max_px: int) -> RgbImage:
    """The page, turned upright; damaged files make Pillow raise almost anything.

    Raises:
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


def _full_samples(page: Any, layout: PageLayout) -> NDArray[np.uint8]:  # noqa: ANN401 - tifffile has no types
    """(H, W, 3) uint8 Y, Cb, Cr of a tifffile page that is no JPEG, chroma repeated for the pixels that share it.

    No library here reads such pages. Interleaved data comes in units: the luma samples of a block of pixels row by
    row, then one Cb and one Cr. Separate planes are smaller for Cb and Cr (TIFF Revision 6.0, section 21).

    Raises:
        ValueError: if the page is not stored as the format says, or its data ends early.
    """
    across, down = layout.subsampling
    if not {across, down} <= _SUBSAMPLINGS or layout.bits != _BYTE_BITS or layout.samples != 3 or page.predictor != 1:  # noqa: PLR2004
        raise ValueError(f"YCbCr of {layout.samples} x {layout.bits} bits, {across} x {down} pixels to a chroma sample")
    height, width = page.imagelength, page.imagewidth
    rows, columns = (page.tilelength, page.tilewidth) if page.is_tiled else (min(page.rowsperstrip, height), width)
    n_down, n_across = -(-height // rows), -(-width // columns)
    parts = list(_parts(page))
    whole = np.empty((n_down * rows + down, n_across * columns + across, 3), np.uint8)
    for i in range(n_down * n_across):
        top, left = i // n_across * rows, i % n_across * columns
        n_rows = rows if page.is_tiled else min(rows, height - top)
        if layout.planar == SEPARATE:
            part = _from_planes(parts[i :: n_down * n_across], n_rows, columns, across, down)
        else:
            part = _from_units(parts[i], n_rows, columns, across, down)
        whole[top : top + n_rows, left : left + columns] = part[:n_rows, :columns]
    return whole[:height, :width]


def _parts(page: Any) -> Iterator[NDArray[np.uint8]]:  # noqa: ANN401
    import tifffile

    decompress = None if page.compression == 1 else tifffile.TIFF.DECOMPRESSORS[page.compression]
    for data, _ in page.parent.filehandle.read_segments(page.dataoffsets, page.databytecounts, sort=False):
        octets = data or b""
        if page.fillorder == 2:  # noqa: PLR2004
            octets = imagecodecs.bitorder_decode(octets)
        yield np.frombuffer(octets if decompress is None else decompress(octets), np.uint8)


def _from_units(data: NDArray[np.uint8], rows: int, columns: int, across: int, down: int) -> NDArray[np.uint8]:
    n_down, n_across, size = -(-rows // down), -(-columns // across), across * down + 2
    units = _exactly(data, n_down * n_across * size).reshape(n_down, n_across, size)
    luma = units[:, :, :-2].reshape(n_down, n_across, down, across).transpose(0, 2, 1, 3)
    return _joined(luma.reshape(n_down * down, n_across * across), units[:, :, -2], units[:, :, -1], across, down)


def _from_planes(planes: list[NDArray[np.uint8]], rows: int, columns: int, across: int, down: int) -> NDArray[np.uint8]:
    n_down, n_across = -(-rows // down), -(-columns // across)
    luma = np.zeros((n_down * down, n_across * across), np.uint8)
    luma[:rows, :columns] = _exactly(planes[0], rows * columns).reshape(rows, columns)
    cb, cr = (_exactly(plane, n_down * n_across).reshape(n_down, n_across) for plane in planes[1:3])
    return _joined(luma, cb, cr, across, down)


def _joined(
    luma: NDArray[np.uint8], cb: NDArray[np.uint8], cr: NDArray[np.uint8], across: int, down: int
) -> NDArray[np.uint8]:
    return np.stack([luma, *(plane.repeat(down, 0).repeat(across, 1) for plane in (cb, cr))], -1)


def _exactly(data: NDArray[np.uint8], n: int) -> NDArray[np.uint8]:
    if len(data) < n:
        raise ValueError(f"a strip or tile has {len(data)} bytes of {n}")
    return data[:n]
