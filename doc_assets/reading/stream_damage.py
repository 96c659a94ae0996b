"""Damage of the strips and tiles of a TIFF page that its reader keeps to itself: they end early or were changed."""

import zlib

import numpy as np

from doc_assets.reading.noise import Noise
from doc_assets.reading.opened import FileContent
from doc_assets.reading.preflight import Streams

_END = b"\xff\xd9"
_SLACK = 16


def all_have_ends(content: FileContent, streams: Streams) -> bool:
    """Whether every stream ends with the mark that says so; bytes that only fill up may follow it."""
    ends = (content.view[max(offset, offset + length - _SLACK) : offset + length] for offset, length in streams.places)
    return all(_END in end for end in ends)


def jpeg_damage(content: FileContent, streams: Streams, noise: Noise) -> str:
    """What libjpeg says of the streams; "" if nothing.

    A stream that lacks only its end mark is whole: it is given one here, and libjpeg complains if data is missing too.
    """
    import cv2

    noise.take()
    for offset, length in streams.places:
        stream = content.view[offset : offset + length] + _END
        if streams.tables:
            stream = streams.tables.removesuffix(_END) + stream[2:]
        # A stream that OpenCV cannot read, of 12 bits or lossless, is not judged.
        try:
            cv2.imdecode(np.frombuffer(stream, np.uint8), cv2.IMREAD_UNCHANGED)
        except cv2.error as error:
            if error.code == cv2.Error.StsNoMem:
                raise MemoryError(str(error)) from error
        damage = noise.take().damage
        if damage:
            return damage
    return ""


def deflate_damage(content: FileContent, streams: Streams) -> str:
    """What zlib says of the streams; "" if nothing. libtiff does not look at their checksums."""
    for offset, length in streams.places:
        try:
            zlib.decompressobj().decompress(content.view[offset : offset + length])
        except zlib.error as error:
            return str(error)
    return ""
