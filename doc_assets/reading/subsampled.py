"""YCbCr pages that are no JPEG and share chroma samples among pixels; no library here reads them.

Source: TIFF Revision 6.0, section 21. Interleaved data comes in units: the luma samples of a block of pixels row by
row, then one Cb and one Cr. Separate planes are smaller for Cb and Cr.
"""

from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from doc_assets.reading.tiff_layout import SEPARATE, PageLayout

_BYTE_BITS = 8
_SHARES = {1, 2, 4}


def full_samples(page: Any, layout: PageLayout) -> NDArray[np.uint8]:  # noqa: ANN401 - tifffile has no types
    """(H, W, 3) uint8 Y, Cb, Cr of a tifffile page, chroma repeated for the pixels that share it.

    Raises:
        ValueError: if the page is not stored as the format says, or its data ends early.
        Exception: what decompressors raise.
    """
    across, down = layout.subsampling
    if not {across, down} <= _SHARES or layout.bits != _BYTE_BITS or layout.samples != 3 or page.predictor != 1:  # noqa: PLR2004
        raise ValueError(f"YCbCr of {layout.samples} x {layout.bits} bits, {across} x {down} pixels to a chroma sample")
    height, width = page.imagelength, page.imagewidth
    rows, columns = (page.tilelength, page.tilewidth) if page.is_tiled else (min(page.rowsperstrip, height), width)
    n_down, n_across = -(-height // rows), -(-width // columns)
    parts = _parts(page)
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


def _parts(page: Any) -> list[NDArray[np.uint8]]:  # noqa: ANN401
    import tifffile

    decompress = None if page.compression == 1 else tifffile.TIFF.DECOMPRESSORS[page.compression]
    found = []
    for data, _ in page.parent.filehandle.read_segments(page.dataoffsets, page.databytecounts, sort=False):
        octets = data or b""
        if page.fillorder == 2:  # noqa: PLR2004
            octets = imagecodecs.bitorder_decode(octets)
        found.append(np.frombuffer(octets if decompress is None else decompress(octets), np.uint8))
    return found


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
