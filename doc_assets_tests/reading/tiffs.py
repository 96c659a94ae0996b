"""Small TIFFs, good and bad, made by hand or by other writers than the code under test."""

import io
import struct

import numpy as np
import tifffile
from PIL import Image

_TYPES = {"H": 3, "I": 4}


def scan(height=120, width=90, seed=0):
    """(H, W, 3): white paper, dark strokes, a colourful patch; upright and mirror are told apart by it."""
    rng = np.random.default_rng(seed)
    page = np.full((height, width, 3), 250, np.uint8)
    page[10:14, 10:70] = 20
    patch = page[height // 4 : 2 * height // 3, 20:60]
    patch[:] = rng.integers(0, 256, patch.shape) // 2 + [100, 40, 0]
    page[height - 20 : height - 16, 10:30] = 20
    return page


def pillow_tif(*pages, mode="RGB", **options):
    """The pages as Pillow writes them."""
    images = [Image.fromarray(page).convert(mode) for page in pages]
    content = io.BytesIO()
    images[0].save(content, "TIFF", save_all=True, append_images=images[1:], **options)
    return content.getvalue()


def tifffile_tif(samples, **options):
    """Samples as tifffile writes them."""
    content = io.BytesIO()
    tifffile.imwrite(content, samples, **options)
    return content.getvalue()


def raw_tif(*pages, order="<", loop_to=None):
    """An uncompressed grey TIFF built byte by byte.

    Each page is a dict of tag number -> (type letter, value); missing tags get those of a good 4 x 3 page.
    """
    body = bytearray((b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 0))
    data_at = len(body)
    body += bytes(range(12))
    pointer_at = 4
    starts = []
    for tags in pages:
        entries = {
            256: ("H", 4),
            257: ("H", 3),
            258: ("H", 8),
            259: ("H", 1),
            262: ("H", 1),
            273: ("I", data_at),
            277: ("H", 1),
            278: ("H", 3),
            279: ("I", 12),
        } | tags
        starts.append(len(body))
        struct.pack_into(f"{order}I", body, pointer_at, len(body))
        body += struct.pack(f"{order}H", len(entries))
        for number, (letter, value) in sorted(entries.items()):
            body += struct.pack(f"{order}HHI", number, _TYPES[letter], 1)
            body += struct.pack(f"{order}{letter}", value).ljust(4, b"\0")
        pointer_at = len(body)
        body += struct.pack(f"{order}I", 0)
    if loop_to is not None:
        struct.pack_into(f"{order}I", body, pointer_at, starts[loop_to])
    return bytes(body)
