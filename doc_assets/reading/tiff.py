"""TIFF documents: each page through the reader that can decode it, as the picture a person would see."""

import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from doc_assets.datatypes import RgbImage
from doc_assets.errors import UnreadableDocumentError
from doc_assets.faults import Fault, FaultCode
from doc_assets.reading import decoding
from doc_assets.reading.formats import FileContent, in_words
from doc_assets.reading.library_messages import Complaints, Noise
from doc_assets.reading.preflight import Directory, Limits, Streams, preflight, shown_alone, streams_of
from doc_assets.reading.tiff_layout import DEFLATE, FAX, Compression, PageLayout

_OPENCV = "OpenCV"
_JPEG_DAMAGED = "Premature end of JPEG file, or bytes in it were changed"
_JPEG_END = b"\xff\xd9"
_FILLING_BYTES = 16
_TURNED = range(5, 9)
"""Orientations that swap width and height."""
_FAX_ROWS_TOLERATED = 0.01
"""Share of rows that a noisy line may have spoilt; libtiff repairs them from the row above."""


class TiffDocument:
    """The pages of a TIFF; ``noise`` is what libraries print.

    Raises:
        UnreadableDocumentError: if it has no page, or breaks a limit on pages or pixels.
    """

    def __init__(self, content: FileContent, limits: Limits, noise: Noise) -> None:
        self._content, self._limits, self._noise = content, limits, noise
        self._structure = preflight(content.view, limits)
        self.faults: Sequence[Fault] = self._structure.faults

    def __len__(self) -> int:
        return len(self._structure.pages)

    def is_picture(self, index: int) -> bool:
        """False: a TIFF is a scan of pages."""
        return False

    def page(self, index: int) -> RgbImage:
        """As ``OpenedDocument.page``."""
        page = self._structure.pages[index]
        if isinstance(page, Fault):
            raise UnreadableDocumentError(page.code, page.message)
        with shown_alone(self._content.view, self._structure, page):
            picture = self._decoded(page, index)
        return _squared(picture, page.layout, self._limits.max_page_px)

    def _decoded(self, page: Directory, index: int) -> RgbImage:
        refusals = []
        for name, read in self._readers(page.layout):
            self._noise.take()  # another page's or library's complaints say nothing about this one
            try:
                picture = read()
            except MemoryError:
                raise
            except Exception as error:
                self._judge(page, index, self._noise.take(), has_picture=False)
                # Before a reader is tried that is not as strict.
                if page.layout.compression in DEFLATE and (
                    damage := _deflate_damage(self._content, self._streams(page))
                ):
                    message = f"The deflate data is damaged: {damage}"
                    raise UnreadableDocumentError(FaultCode.DAMAGED, message) from error
                refusals.append(f"{name}: {in_words(error)}")
            else:
                self._judge(page, index, self._noise.take(), has_picture=True)
                if name != _OPENCV:
                    self._refuse_damaged_jpeg(page)
                return picture
        raise UnreadableDocumentError(FaultCode.DAMAGED, f"No reader can decode it: {'; '.join(refusals)}")

    def _readers(self, layout: PageLayout) -> Iterator[tuple[str, Callable[[], RgbImage]]]:
        """Libraries that may read the page, best one first."""
        pillow = "Pillow", partial(self._on_file, decoding.decode_with_pillow, layout, self._limits.max_page_px)
        if decoding.suits_opencv(layout):
            yield _OPENCV, partial(decoding.decode_with_opencv, self._content, layout)
        if layout.compression == Compression.OLD_JPEG:
            yield pillow
        libtiff = "libtiff", partial(decoding.decode_with_libtiff, self._content, layout)
        tifffile = "tifffile", partial(self._on_file, decoding.decode_with_tifffile, layout)
        yield from [tifffile, libtiff] if decoding.suits_tifffile(layout) else [libtiff, tifffile]
        if layout.compression != Compression.OLD_JPEG:
            yield pillow

    def _on_file(self, read: Callable[..., RgbImage], *args: object) -> RgbImage:
        with os.fdopen(os.dup(self._content.descriptor), "rb") as file:
            file.seek(0)  # duplicates of a descriptor share their place in the file
            return read(file, *args)

    def _judge(self, page: Directory, index: int, complaints: Complaints, *, has_picture: bool) -> None:
        """Refuses a page whose data is damaged; single rows of a fax, which starts every row anew, are remarked."""
        damage = complaints.damage_or_error if has_picture else complaints.damage
        if not damage:
            return
        if page.layout.compression == Compression.JPEG:
            # libjpeg says the same whether data is missing or only the mark that it ends; this is looked at.
            streams = self._streams(page)
            if _all_have_ends(self._content, streams) or _jpeg_damage(self._content, streams, self._noise):
                raise UnreadableDocumentError(FaultCode.DAMAGED, f"{_JPEG_DAMAGED}: {damage}")
            return
        rows = complaints.fax_rows
        is_by_row = page.layout.compression in FAX and page.layout.compression != Compression.G4
        if has_picture and is_by_row and rows is not None and rows <= page.height * _FAX_ROWS_TOLERATED:
            message = f"{rows} of {page.height} fax rows are damaged; the page is used: {damage}"
            self._structure.faults.append(Fault(FaultCode.DAMAGED, message, index))
            return
        raise UnreadableDocumentError(FaultCode.DAMAGED, f"The decoder complained: {damage}")

    def _refuse_damaged_jpeg(self, page: Directory) -> None:
        """What the other libraries keep to themselves."""
        if page.layout.compression in {Compression.JPEG, Compression.OLD_JPEG}:
            damage = _jpeg_damage(self._content, self._streams(page), self._noise)
            if damage:
                raise UnreadableDocumentError(FaultCode.DAMAGED, f"{_JPEG_DAMAGED}: {damage}")

    def _streams(self, page: Directory) -> Streams:
        return streams_of(self._content.view, self._structure, page)


def _all_have_ends(content: FileContent, streams: Streams) -> bool:
    """Whether every stream ends with the mark that says so; bytes that only fill up may follow it."""
    ends = (
        content.view[max(offset, offset + length - _FILLING_BYTES) : offset + length]
        for offset, length in streams.places
    )
    return all(_JPEG_END in end for end in ends)


def _jpeg_damage(content: FileContent, streams: Streams, noise: Noise) -> str:
    """What libjpeg says of the streams; "" if nothing.

    A stream that lacks only its end mark is whole: it is given one here, and libjpeg complains if data is missing too.
    """
    import cv2

    noise.take()
    for offset, length in streams.places:
        stream = content.view[offset : offset + length] + _JPEG_END
        if streams.tables:
            stream = streams.tables.removesuffix(_JPEG_END) + stream[2:]
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


def _deflate_damage(content: FileContent, streams: Streams) -> str:
    """What zlib says of the streams; "" if nothing. libtiff does not look at their checksums."""
    for offset, length in streams.places:
        try:
            zlib.decompressobj().decompress(content.view[offset : offset + length])
        except zlib.error as error:
            return str(error)
    return ""


def _squared(picture: RgbImage, layout: PageLayout, max_px: int) -> RgbImage:
    """The upright page with square pixels, which a fax does not have: it has more dots across than down.

    The coarser direction is scaled up, or the finer one down if the page would have more than ``max_px`` pixels.
    """
    ratio = 1 / layout.pixel_ratio if layout.orientation in _TURNED else layout.pixel_ratio  # height by width
    if ratio == 1:
        return picture
    import cv2

    height, width = picture.shape[:2]
    longer, wider = (width, max(1, round(height * ratio))), (max(1, round(width / ratio)), height)
    size, way = longer if ratio > 1 else wider, cv2.INTER_LINEAR
    if size[0] * size[1] > max_px:
        size, way = wider if ratio > 1 else longer, cv2.INTER_AREA
    return np.asarray(cv2.resize(picture, size, interpolation=way), np.uint8)
