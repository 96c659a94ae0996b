"""Formats of documents, recognised by a file's first bytes, whatever its name says; the interface of their readers."""

import codecs
import mmap
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from doc_assets.datatypes import RgbImage
from doc_assets.errors import UnreadableDocumentError
from doc_assets.faults import Fault, FaultCode

HEAD_BYTES = 1024
"""A PDF may begin this far into its file, by the implementation notes of its standard."""

_DIB_BYTES = (12, 16, 40, 52, 56, 64, 108, 124)
"""Sizes of a BMP's second header, by which it is told from any text that begins with BM."""
_NAMED_BYTES = 8
_MESSAGE_CHARACTERS = 300
_FILE_OBJECT = re.compile(r" ?<_io\.[A-Za-z]+[^>]*>")


class Kind(StrEnum):
    """A format of documents."""

    TIFF = "TIFF"
    JPEG = "JPEG"
    PNG = "PNG"
    WEBP = "WebP"
    BMP = "BMP"
    PDF = "PDF"

    @property
    def is_picture(self) -> bool:
        """Whether a file of it is one picture, not a document of pages."""
        return self not in {Kind.TIFF, Kind.PDF}


_STARTS = (
    (b"II*\0", Kind.TIFF),
    (b"MM\0*", Kind.TIFF),
    (b"II+\0", Kind.TIFF),
    (b"MM\0+", Kind.TIFF),
    (b"\xff\xd8\xff", Kind.JPEG),
    (b"\x89PNG\r\n\x1a\n", Kind.PNG),
)
_OTHERS = (
    (b"GIF8", "a GIF"),
    (b"PK\x03\x04", "a ZIP or Office file"),
    (b"PK\x05\x06", "an empty ZIP file"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office or HWP file"),
    (b"HWP Document File", "a HWP file"),
    (b"RIFF", "a RIFF file"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL"),
    (b"\xff\x0a", "a JPEG XL"),
    (b"8BPS", "a Photoshop file"),
    (b"II\xbc\x01", "a JPEG XR"),
    (b"%!PS", "a PostScript file"),
    (b"\x1f\x8b", "a gzip file"),
    (b"BZh", "a bzip2 file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip file"),
    (b"Rar!", "a RAR file"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"{\\rtf", "an RTF file"),
    (b"<svg", "an SVG"),
    (b"<?xml", "an XML file"),
    (b"<!DOCTYPE", "an HTML page"),
    (b"<!doctype", "an HTML page"),
    (b"<html", "an HTML page"),
)
_BRANDS = {
    b"heic": "a HEIC photo", b"heix": "a HEIC photo", b"heim": "a HEIC photo", b"hevc": "a HEIC photo",
    b"mif1": "a HEIF photo", b"msf1": "a HEIF photo", b"avif": "an AVIF", b"avis": "an AVIF",
    b"qt  ": "a film", b"isom": "a film", b"mp42": "a film",
}  # fmt: skip


def kind_of(head: bytes) -> Kind:
    """The format of a file by its first ``HEAD_BYTES``.

    Raises:
        UnreadableDocumentError: if it is empty, or of no format that documents have; the message says what it is.
    """
    if not head:
        raise UnreadableDocumentError(FaultCode.EMPTY, "The file is empty.")
    for mark, kind in _STARTS:
        if head.startswith(mark):
            return kind
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return Kind.WEBP
    if head.startswith(b"BM") and len(head) >= 18 and struct.unpack_from("<I", head, 14)[0] in _DIB_BYTES:  # noqa: PLR2004
        return Kind.BMP
    if b"%PDF-" in head[:HEAD_BYTES]:
        return Kind.PDF
    raise UnreadableDocumentError(
        FaultCode.NOT_TIFF, f"{_described(head)}; a document is a TIFF, JPEG, PNG, WebP, BMP or PDF."
    )


def _described(head: bytes) -> str:
    """What a file is, as far as its first bytes tell."""
    for mark, name in _OTHERS:
        if head.startswith(mark):
            return f"This is {name}"
    if head[4:8] == b"ftyp":
        return f"This is {_BRANDS.get(head[8:12], 'a film or photo of the MP4 family')}"
    if not head.strip(b"\0"):
        return f"The file begins with {len(head)} zero bytes"
    if _is_text(head):
        return "This is a text file"
    return f"No known format: the file begins with {head[:_NAMED_BYTES].hex(' ')}"


def _is_text(head: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()  # the end of the head may cut a character in two
    try:
        return "".join(decoder.decode(head).split()).isprintable()
    except UnicodeDecodeError:
        return False


@dataclass(frozen=True, slots=True)
class FileContent:
    """A document's bytes in anonymous memory of this process alone, by descriptor for libraries that map a file.

    What is written to ``view`` is seen through the descriptor.
    """

    descriptor: int
    view: mmap.mmap


class OpenedDocument(Protocol):
    """A document whose pages are known and not decoded yet."""

    @property
    def faults(self) -> Sequence[Fault]:
        """What is wrong with the document as a whole, and, added while they are read, with pages that can be used."""

    def __len__(self) -> int:
        """Number of pages, unusable ones among them."""

    def is_picture(self, index: int) -> bool:
        """Whether the page, once decoded, is one picture from edge to edge, and so may be a bare photo."""

    def page(self, index: int) -> RgbImage:
        """The page as (H, W, 3) uint8 RGB, upright, with square pixels.

        Raises:
            UnreadableDocumentError: with the code and the reason, if the page cannot be used.
            MemoryError: if the child's memory does not suffice.
        """


def in_words(error: Exception) -> str:
    """What a library raised, in one line without addresses in memory."""
    text = _FILE_OBJECT.sub("", " ".join(str(error).split()))
    return f"{type(error).__name__}: {text}"[:_MESSAGE_CHARACTERS]
