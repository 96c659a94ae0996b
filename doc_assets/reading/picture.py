"""JPEG, PNG, WebP and BMP files: one picture each, upright, on white, or the reason why not. Runs in the child only.

Of a file that holds several pictures (an animation, a phone's photo with its depth map) the first is the document.
"""

import os
import re
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from doc_assets.datatypes import RgbImage
from doc_assets.errors import UnreadableDocumentError
from doc_assets.faults import Fault, FaultCode
from doc_assets.reading.colours import grey_as_rgb
from doc_assets.reading.formats import FileContent, Kind, in_words
from doc_assets.reading.library_messages import Noise
from doc_assets.reading.preflight import Limits

_MAX_BYTE = 255
_HARMLESS_REST = 4
_RESTS = re.compile(r"Corrupt JPEG data: (\d+) extraneous bytes before marker 0xd9")
"""Cameras pad the end of a photo with a few bytes; a broken stream leaves more behind."""

_READERS = {Kind.JPEG: ("JPEG", "MPO"), Kind.PNG: ("PNG",), Kind.WEBP: ("WEBP",), Kind.BMP: ("BMP", "DIB")}


class PictureDocument:
    """The one picture of a file; ``noise`` is what libraries print.

    Raises:
        UnreadableDocumentError: if its header is damaged, it is cut short, or breaks the limit on pixels.
    """

    faults: ClassVar[Sequence[Fault]] = ()

    def __init__(self, content: FileContent, kind: Kind, limits: Limits, noise: Noise) -> None:
        self._content, self._kind, self._noise = content, kind, noise
        _WHOLE[kind](content.view)
        with self._opened() as image:
            width, height = image.size
        limits.require_page(width, height, "The picture has")
        limits.require_document(width * height)

    def __len__(self) -> int:
        return 1

    def is_picture(self, index: int) -> bool:
        """Whether the page may be a bare photo."""
        return True

    def page(self, index: int) -> RgbImage:
        """As ``OpenedDocument.page``, turned as its EXIF orientation asks; refused if it is damaged anywhere."""
        if self._kind is Kind.JPEG:
            damage = jpeg_damage(np.frombuffer(self._content.view, np.uint8), self._noise)
            if damage is not None:
                raise UnreadableDocumentError(damage[0], f"The JPEG is damaged: {damage[1]}")
        with self._opened() as image:
            image.seek(0)
            image.load()
            return _to_rgb(_upright(image))

    @contextmanager
    def _opened(self) -> Iterator[Image.Image]:
        """The file in Pillow; whatever breaks on it in the block is damage."""
        Image.MAX_IMAGE_PIXELS = None  # the size is judged by this class, in a sentence
        warnings.simplefilter("ignore")  # odd metadata is no damage
        file = os.fdopen(os.dup(self._content.descriptor), "rb")
        file.seek(0)
        try:
            with Image.open(file, formats=_READERS[self._kind]) as image:
                yield image
        except MemoryError:
            raise
        except Exception as error:
            reason = in_words(error)
            code = FaultCode.TRUNCATED if "truncated" in reason.lower() else FaultCode.DAMAGED
            raise UnreadableDocumentError(code, f"The {self._kind} cannot be decoded: {reason}") from error


def jpeg_damage(content: NDArray[np.uint8], noise: Noise) -> tuple[FaultCode, str] | None:
    """What is wrong with a JPEG; None if it is whole.

    A second reader runs over all of it, small: Pillow and PDFium say nothing of damage that they guess over.
    """
    import cv2

    noise.take()
    seen = cv2.imdecode(content, cv2.IMREAD_REDUCED_GRAYSCALE_8 | cv2.IMREAD_IGNORE_ORIENTATION)
    complaint = noise.take().damage_or_error
    rest = _RESTS.fullmatch(complaint)
    if complaint and not (rest and int(rest[1]) <= _HARMLESS_REST):
        return FaultCode.DAMAGED, f"{complaint}."
    if seen is None:
        return FaultCode.TRUNCATED, "it ends before its picture does, or its structure is broken."
    return None


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - a broken EXIF block says nothing about the picture, nor about its orientation
        return image


def _to_rgb(image: Image.Image) -> RgbImage:
    if image.mode.startswith("I") or image.mode == "F":
        samples, clear, top = np.asarray(image), image.info.get("transparency"), 65535.0
        grey: NDArray[np.uint8] = (np.clip(samples, 0, top) * (_MAX_BYTE / top)).round().astype(np.uint8)
        if isinstance(clear, int):
            grey[samples == clear] = _MAX_BYTE  # the one value that a PNG may declare as clear is white
        return grey_as_rgb(grey)
    if image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info:
        layered = image.convert("RGBA")
        paper = Image.new("RGBA", layered.size, "white")
        return np.asarray(Image.alpha_composite(paper, layered).convert("RGB"))
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _whole_jpeg(content: Any) -> None:  # noqa: ANN401 - bytes, mapped or not
    if content.rfind(b"\xff\xd9") < 0:
        raise UnreadableDocumentError(FaultCode.TRUNCATED, "The JPEG has no end mark: it is cut short.")


def _whole_png(content: Any) -> None:  # noqa: ANN401 - bytes, mapped or not
    """Refuses a PNG with a chunk that is cut short or fails its checksum; readers look at few of them."""
    for name, start, size in _chunks(content):
        (declared,) = struct.unpack_from(">I", content, start + size)
        critical = not name[0] & 0x20
        if critical and zlib.crc32(content[start - 4 : start + size]) != declared:
            reason = f"The PNG is damaged: its part {name.decode('latin-1')} fails its checksum."
            raise UnreadableDocumentError(FaultCode.DAMAGED, reason)
        if name == b"IEND":
            return
    raise UnreadableDocumentError(FaultCode.TRUNCATED, "The PNG has no end mark: it is cut short.")


def _chunks(content: Any) -> Iterator[tuple[bytes, int, int]]:  # noqa: ANN401
    """Name, start and bytes of a PNG's parts; a checksum of 4 bytes follows each."""
    at = 8
    while at + 8 <= len(content):
        size, name = struct.unpack_from(">I4s", content, at)
        if at + 12 + size > len(content):
            part = f"its part {name.decode('latin-1', 'replace')!r} needs {size} bytes at {at}"
            reason = f"The PNG is cut short: {part}, the file has {len(content)}."
            raise UnreadableDocumentError(FaultCode.TRUNCATED, reason)
        yield name, at + 8, size
        at += 12 + size


def _whole_webp(content: Any) -> None:  # noqa: ANN401 - bytes, mapped or not
    (declared,) = struct.unpack_from("<I", content, 4)
    if declared + 8 > len(content):
        reason = f"The WebP is cut short: it declares {declared + 8} bytes, the file has {len(content)}."
        raise UnreadableDocumentError(FaultCode.TRUNCATED, reason)


_WHOLE: dict[Kind, Callable[[Any], None]] = {
    Kind.JPEG: _whole_jpeg,
    Kind.PNG: _whole_png,
    Kind.WEBP: _whole_webp,
    Kind.BMP: lambda _: None,  # a reader that finds too few bytes says so
}
