"""Writes TIFFs of any photometric, depth, format, plane order, compression, predictor and byte order.

Nothing of the readers under test is used but the plain compressors, so that a wrong idea of the format is not shared.
"""

import struct

import imagecodecs
import numpy as np

NONE, RLE, G3, G4, LZW, JPEG, DEFLATE, PACKBITS, LZMA, ZSTD = 1, 2, 3, 4, 5, 7, 8, 32773, 34925, 50000
UINT, INT, FLOAT = 1, 2, 3

_COMPRESSORS = {
    NONE: bytes,
    LZW: imagecodecs.lzw_encode,
    DEFLATE: imagecodecs.zlib_encode,
    PACKBITS: imagecodecs.packbits_encode,
    LZMA: imagecodecs.lzma_encode,
    ZSTD: imagecodecs.zstd_encode,
}
_LETTERS = {"B": (1, 1), "s": (2, 1), "H": (3, 2), "I": (4, 4), "R": (5, 8), "b": (6, 1), "h": (8, 2), "f": (11, 4),
            "d": (12, 8), "Q": (16, 8)}  # fmt: skip


def tif(
    samples,
    bits,
    photometric,
    *,
    kind=UINT,
    planar=1,
    compression=NONE,
    predictor=1,
    order="<",
    big=False,
    rows=None,
    tile=None,
    fill=1,
    tags=None,
):
    """One page.

    Args:
        samples: (H, W, S) integers or floats; negative ones as they are.
        bits: of each sample.
        photometric: TIFF's number.
        kind: SampleFormat.
        planar: 1 interleaved, 2 plane by plane.
        compression, predictor: TIFF's numbers.
        order: "<" or ">".
        big: whether it is a BigTIFF.
        rows: in a strip, all if None.
        tile: height and width of tiles; no strips then.
        fill: FillOrder.
        tags: further ones, number -> (letter, values), or None to leave one out.
    """
    height, width, n = samples.shape
    planes = [samples[:, :, i : i + 1] for i in range(n)] if planar == 2 else [samples]
    parts = [part for plane in planes for part in _parts(plane, rows, tile)]
    pieces = [_compressed(_packed(p, bits, kind, order, predictor), compression, fill) for p in parts]
    entries = {256: ("I", [width]), 257: ("I", [height]), 258: ("H", [bits] * n), 259: ("H", [compression]),
               262: ("H", [photometric]), 277: ("H", [n]), 284: ("H", [planar])}  # fmt: skip
    if kind != UINT:
        entries[339] = ("H", [kind] * n)
    if predictor != 1:
        entries[317] = ("H", [predictor])
    if fill != 1:
        entries[266] = ("H", [fill])
    if tile:
        entries |= {322: ("I", [tile[1]]), 323: ("I", [tile[0]])}
    else:
        entries[278] = ("I", [rows or height])
    return assembled(pieces, entries | (tags or {}), order=order, big=big, tiled=bool(tile))


def assembled(pieces, entries, *, order="<", big=False, tiled=False):
    """A file of one page from its compressed strips or tiles and its tags."""
    return document([(pieces, entries, tiled)], order=order, big=big)


def document(pages, *, order="<", big=False):
    """A file of several pages, each of its compressed pieces, its tags and whether they are tiles."""
    word, count = ("Q", "Q") if big else ("I", "H")
    size = 8 if big else 4
    body = bytearray(b"II" if order == "<" else b"MM")
    body += struct.pack(order + ("HHH" if big else "H"), *((43, 8, 0) if big else (42,)))
    pointer_at = len(body)
    body += bytes(size)
    for pieces, tags, tiled in pages:
        offsets = []
        for piece in pieces:
            body += bytes(len(body) % 2)
            offsets.append(len(body))
            body += piece
        where = {324 if tiled else 273: (word, offsets), 325 if tiled else 279: (word, [len(p) for p in pieces])}
        entries = {number: value for number, value in (where | tags).items() if value is not None}
        packed = {}
        for number, (letter, values) in entries.items():
            data = _values(order, letter, values)
            if len(data) > size:
                body += bytes(len(body) % 2)
                at = len(body)
                body += data
                data = struct.pack(order + word, at)
            packed[number] = (letter, len(values), data.ljust(size, b"\0"))
        body += bytes(len(body) % 2)
        struct.pack_into(order + word, body, pointer_at, len(body))
        body += struct.pack(order + count, len(packed))
        for number in sorted(packed):
            letter, n, data = packed[number]
            body += struct.pack(order + "HH" + word, number, _LETTERS[letter][0], n) + data
        pointer_at = len(body)
        body += bytes(size)
    return bytes(body)


def _values(order, letter, values):
    if letter == "s":
        return bytes(values)
    if letter == "R":
        return b"".join(struct.pack(order + "II", *pair) for pair in values)
    return struct.pack(f"{order}{len(values)}{letter}", *values)


def _parts(plane, rows, tile):
    height, width, _ = plane.shape
    if tile:
        down, across = tile
        padded = np.pad(plane, ((0, -height % down), (0, -width % across), (0, 0)), mode="edge")
        for y in range(0, height, down):
            for x in range(0, width, across):
                yield padded[y : y + down, x : x + across]
    else:
        step = rows or height
        for y in range(0, height, step):
            yield plane[y : y + step]


def _packed(part, bits, kind, order, predictor):
    """Rows of samples as bytes; rows begin on a byte."""
    height = part.shape[0]
    if kind == FLOAT:
        words = np.ascontiguousarray(part, f"{order}f{bits // 8}")
        if predictor == 3:
            return b"".join(_float_predicted(row.reshape(-1, part.shape[2]), bits // 8) for row in words)
        return words.tobytes()
    values = np.asarray(part).astype(np.int64) & ((1 << bits) - 1) if bits < 64 else np.asarray(part, np.uint64)
    if predictor == 2:
        values = values.copy()
        values[:, 1:] = (values[:, 1:] - values[:, :-1]) & ((1 << bits) - 1)
    if bits in {8, 16, 32, 64}:
        return values.astype(f"{order}u{bits // 8}").tobytes()
    if bits == 24:
        octets = values.astype(f"{order}u4").reshape(-1, 1).view(np.uint8)
        return np.ascontiguousarray(octets[:, 1:] if order == ">" else octets[:, :3]).tobytes()
    rows = values.reshape(height, -1)
    spread = ((rows[:, :, None] >> np.arange(bits - 1, -1, -1)) & 1).astype(np.uint8)
    return np.packbits(spread.reshape(height, -1), axis=1).tobytes()


def _float_predicted(row, size):
    """Adobe's technical note 3: the bytes of a row by significance, then differences of bytes."""
    n = row.shape[1]
    octets = row.astype(f">f{size}").reshape(-1).view(np.uint8).reshape(-1, size).T.reshape(-1).astype(np.int64)
    octets[n:] = octets[n:] - octets[:-n]
    return (octets & 255).astype(np.uint8).tobytes()


def _compressed(data, compression, fill):
    packed = _COMPRESSORS[compression](data)
    if fill == 2:
        return imagecodecs.bitorder_encode(bytes(packed))
    return bytes(packed)
