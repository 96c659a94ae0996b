"""Damage of the JPEG streams inside a TIFF page: strips and tiles that end early or were changed."""

import numpy as np

from doc_assets.documents.noise import Noise
from doc_assets.documents.opened import FileContent
from doc_assets.documents.preflight import JpegStreams

_END = b"\xff\xd9"


def jpeg_damage(content: FileContent, streams: JpegStreams, noise: Noise) -> str:
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
        cv2.imdecode(np.frombuffer(stream, np.uint8), cv2.IMREAD_UNCHANGED)
        damage = noise.take().damage
        if damage:
            return damage
    return ""
