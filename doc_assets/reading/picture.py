"""JPEG, PNG, WebP and BMP files: one picture each, upright, on white, or the reason why not. Runs in the child only.

Of a file that holds several pictures (an animation, a phone's photo with its depth map) the first is the document.
"""

import io
import os
import re
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from doc_assets.datatypes import RgbImage
from doc_assets.errors import UnreadableDocumentError
from doc_assets.faults import Fault, FaultCode
from doc_assets.reading.formats import Kind
from doc_assets.reading.library_messages import Noise
from doc_assets.reading.opened_document import FileContent, in_words
from doc_assets.reading.preflight import Limits

_MAX_BYTE = 255
_WHITE = (_MAX_BYTE, _MAX_BYTE, _MAX_BYTE)
_GREY, _COLOUR = 2, 3
_HARMLESS_REST = 4
_RESTS = re.compile(r"Corrupt JPEG data: (\d+) extraneous bytes before marker 0xd9")
"""Cameras pad the end of a photo with a few bytes; a broken stream leaves more behind."""

_READERS = {Kind.JPEG: ("JPEG", "MPO"), Kind.PNG: ("PNG",), Kind.WEBP: ("WEBP",), Kind.BMP: ("BMP", "DIB")}


class PictureDocument:
    """The one picture of a file.

    Args:
        content: the file.
        kind: its format.
        limits: what it may ask for.
        noise: what libraries print.

    Raises:
        UnreadableDocumentError: if its header is damaged, it is cut short, or breaks the limit on pixels.
    """

    faults: ClassVar[Sequence[Fault]] = ()

    def __init__(self, content: FileContent, kind: Kind, limits: Limits, noise: Noise) -> None:
        self._content, self._kind, self._noise = content, kind, noise
        _WHOLE[kind](content.view)
        width, height = self._size()
        limits.require_page(width, height, "The picture has")
        limits.require_document(width * height)

    def __len__(self) -> int:
        return 1

    def is_picture(self, index: int) -> bool:
        """Whether the page may be a bare photo."""
        return True

    def page(self, index: int) -> RgbImage:
        """The picture as (H, W, 3) uint8 RGB, turned as its EXIF orientation asks.

        Raises:
            UnreadableDocumentError: if it is damaged anywhere.
            MemoryError: if the child's memory does not suffice.
        """
        if self._kind is Kind.JPEG:
            damage = jpeg_damage(np.frombuffer(self._content.view, np.uint8), self._noise)
            if damage is not None:
                raise UnreadableDocumentError(damage[0], f"The JPEG is damaged: {damage[1]}")
        try:
            with self._opened() as image:
                image.seek(0)
                image.load()
                return _to_rgb(_upright(image))
        except (MemoryError, UnreadableDocumentError):
            raise
        except Exception as error:
            raise _damaged(self._kind, error) from error

    def _size(self) -> tuple[int, int]:
        try:
            with self._opened() as image:
                return image.size
        except MemoryError:
            raise
        except Exception as error:
            raise _damaged(self._kind, error) from error

    def _opened(self) -> Image.Image:
        Image.MAX_IMAGE_PIXELS = None  # the size is judged by this class, in a sentence
        warnings.simplefilter("ignore")  # odd metadata is no damage
        file = os.fdopen(os.dup(self._content.descriptor), "rb")
        file.seek(0)
        return Image.open(file, formats=_READERS[self._kind])


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


def _damaged(kind: Kind, error: Exception) -> UnreadableDocumentError:
    reason = in_words(error)
    code = FaultCode.TRUNCATED if "truncated" in reason.lower() else FaultCode.DAMAGED
    return UnreadableDocumentError(code, f"The {kind} cannot be decoded: {reason}")


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - a broken EXIF block says nothing about the picture, nor about its orientation
        return image


def _to_rgb(image: Image.Image) -> RgbImage:
    if image.mode.startswith("I") or image.mode == "F":
        return _stacked(_eight_bits(np.asarray(image), image.info.get("transparency")))
    if image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info:
        layered = image.convert("RGBA")
        paper = Image.new("RGBA", layered.size, (*_WHITE, _MAX_BYTE))
        return np.asarray(Image.alpha_composite(paper, layered).convert("RGB"))
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _eight_bits(samples: NDArray[Any], clear: object) -> NDArray[np.uint8]:
    """16-bit grey as 8 bits; the one value that a PNG may declare as clear is white."""
    top = 65535.0
    eight: NDArray[np.uint8] = (np.clip(samples, 0, top) * (_MAX_BYTE / top)).round().astype(np.uint8)
    if isinstance(clear, int):
        eight[samples == clear] = _MAX_BYTE
    return eight


def _stacked(grey: NDArray[np.uint8]) -> RgbImage:
    return np.ascontiguousarray(np.repeat(grey[:, :, None], 3, axis=2))


def _whole_jpeg(content: Any) -> None:  # noqa: ANN401 - bytes, mapped or not
    if content.rfind(b"\xff\xd9") < 0:
        raise UnreadableDocumentError(FaultCode.TRUNCATED, "The JPEG has no end mark: it is cut short.")


def _whole_png(content: Any) -> None:  # noqa: ANN401 - bytes, mapped or not
    """Refuses a PNG with a chunk that is cut short or fails its checksum; readers look at few of them."""
    for name, start, size in _chunks(content, 8, ">I4s", 4):
        body = io.BytesIO(content[start - 4 : start + size]).getvalue()
        (declared,) = struct.unpack_from(">I", content, start + size)
        critical = not name[0] & 0x20
        if critical and zlib.crc32(body) != declared:
            raise UnreadableDocumentError(
                FaultCode.DAMAGED, f"The PNG is damaged: its part {name.decode('latin-1')} fails its checksum."
            )
        if name == b"IEND":
            return
    raise UnreadableDocumentError(FaultCode.TRUNCATED, "The PNG has no end mark: it is cut short.")


def _chunks(content: Any, at: int, form: str, behind: int) -> Iterator[tuple[bytes, int, int]]:  # noqa: ANN401
    while at + 8 <= len(content):
        size, name = struct.unpack_from(form, content, at)
        if at + 8 + size + behind > len(content):
            raise UnreadableDocumentError(
                FaultCode.TRUNCATED,
                f"The PNG is cut short: its part {name.decode('latin-1', 'replace')!r} needs {size} bytes at {at}, "
                f"the file has {len(content)}.",
            )
        yield name, at + 8, size
        at += 8 + size + behind


def _whole_webp(content: Any) -> None:  # noqa: ANN401 - bytes, mapped or not
    (declared,) = struct.unpack_from("<I", content, 4)
    if declared + 8 > len(content):
        raise UnreadableDocumentError(
            FaultCode.TRUNCATED,
            f"The WebP is cut short: it declares {declared + 8} bytes, the file has {len(content)}.",
        )


_WHOLE: dict[Kind, Callable[[Any], None]] = {
    Kind.JPEG: _whole_jpeg,
    Kind.PNG: _whole_png,
    Kind.WEBP: _whole_webp,
    Kind.BMP: lambda _: None,  # a reader that finds too few bytes says so
}
