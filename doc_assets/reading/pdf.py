"""PDF files: each page drawn by PDFium, a scan at its own resolution. Runs in the decoder child only.

The build of PDFium that is used holds no JavaScript and no XFA: nothing of a document runs, fetches or computes.
"""

import ctypes
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from doc_assets.datatypes import RgbImage
from doc_assets.errors import UnreadableDocumentError
from doc_assets.faults import Fault, FaultCode
from doc_assets.reading.formats import FileContent
from doc_assets.reading.library_messages import Noise
from doc_assets.reading.picture import jpeg_damage
from doc_assets.reading.preflight import Limits

if TYPE_CHECKING:
    import pypdfium2

_POINTS_PER_INCH = 72.0
_DRAWN_DPI = 200.0
"""Of pages that are drawn, not scanned: type of 6 points is 17 px high, enough to be read."""
_MOST_DRAWN_DPI = 400.0
_MOST_PAGE_PX = 60_000_000
"""Larger pages are drawn smaller: A0 at 200 dpi. A copy of the page must fit the child's memory beside it."""
_A_BIT_LESS = 0.98
_LEAST_COVER = 0.01
_SCAN_COVER = 0.5
_WHOLE_COVER = 0.9
_END_ROOM_BYTES = 2048
"""Where the end mark is looked for: some writers and mail gateways leave a few bytes behind it."""
_XFA_FULL = 2
_SIMPLE_FILTERS = frozenset({"FlateDecode", "LZWDecode", "RunLengthDecode", "ASCIIHexDecode", "ASCII85Decode"})


@dataclass(frozen=True, slots=True)
class _Placed:
    """A picture on a page: the share of the page that it covers, and its resolution there."""

    cover: float
    dpi: float


class PdfPages:
    """The pages of a PDF; ``noise`` is what libraries print.

    Raises:
        UnreadableDocumentError: if it is encrypted or damaged, has no page, too many, or pages that only XFA shows.
    """

    def __init__(self, content: FileContent, limits: Limits, noise: Noise) -> None:
        self._limits, self._noise = limits, noise
        self._drawn_px = 0
        self._bare: set[int] = set()
        tail = bytes(content.view[-_END_ROOM_BYTES:])
        self.faults: list[Fault] = []
        if b"%%EOF" not in tail:
            reason = "The PDF has no end mark: it is cut short, and pages may be missing."
            self.faults.append(Fault(FaultCode.TRUNCATED, reason))
        self._pdf = self._loaded(content)
        limits.require_pages(len(self._pdf))
        if not len(self._pdf):
            raise UnreadableDocumentError(FaultCode.NO_PAGE, "The PDF has no page.")
        self._prepare_forms()

    def __len__(self) -> int:
        return len(self._pdf)

    def is_picture(self, index: int) -> bool:
        """Whether the page, which was drawn, is one picture from edge to edge and may be a bare photo."""
        return index in self._bare

    def page(self, index: int) -> RgbImage:
        """As ``OpenedDocument.page``, drawn on white; also refused if a picture on it is damaged or breaks a limit."""
        from pypdfium2 import PdfiumError

        try:
            page = self._pdf[index]
            placed = list(self._pictures(page))
            scale = self._scale(page, placed)
            bitmap = page.render(scale=scale, rev_byteorder=True, may_draw_forms=True)
        except PdfiumError as error:
            raise UnreadableDocumentError(FaultCode.DAMAGED, f"PDFium cannot read the page: {error}") from error
        if len(placed) == 1 and placed[0].cover >= _WHOLE_COVER:
            self._bare.add(index)
        pixels: RgbImage = np.array(bitmap.to_numpy()[:, :, :3], np.uint8, order="C")
        bitmap.close()
        page.close()
        return pixels

    def _loaded(self, content: FileContent) -> "pypdfium2.PdfDocument":
        import pypdfium2

        held = (ctypes.c_ubyte * len(content.view)).from_buffer(content.view)
        try:
            return pypdfium2.PdfDocument(held)
        except pypdfium2.PdfiumError as error:
            code = error.err_code
        raw = pypdfium2.raw
        reasons = {
            raw.FPDF_ERR_PASSWORD: "The PDF is encrypted and opens with a password only; save it without one.",
            raw.FPDF_ERR_SECURITY: "The PDF is encrypted in a way that PDFium does not know.",
        }
        if code in reasons:
            raise UnreadableDocumentError(FaultCode.ENCRYPTED, reasons[code])
        broken = Fault(FaultCode.DAMAGED, "PDFium cannot read the PDF: its structure is broken.")
        fault = next(iter(self.faults), broken)
        raise UnreadableDocumentError(fault.code, fault.message)

    def _prepare_forms(self) -> None:
        """Fields that were filled in are shown; they are part of the page to whoever reads it."""
        kind = self._pdf.get_formtype()
        if kind == _XFA_FULL:
            reason = "The PDF holds an XFA form, which draws its pages by a program; print it to a PDF."
            raise UnreadableDocumentError(FaultCode.UNSUPPORTED, reason)
        if kind:
            self._pdf.init_forms()

    def _pictures(self, page: "pypdfium2.PdfPage") -> Iterator[_Placed]:
        """The pictures of a page; one that is damaged or too large makes the page unusable."""
        import pypdfium2

        page_area = page.get_width() * page.get_height()
        for picture in page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE]):
            width, height = picture.get_px_size()
            self._limits.require_page(width, height, "The page holds a picture of")
            left, bottom, right, top = picture.get_bounds()
            area = max(0.0, right - left) * max(0.0, top - bottom)
            if area <= 0 or width * height <= 1:
                continue
            self._refuse_damage(picture, width, height)
            yield _Placed(area / page_area, math.sqrt(width * height / area) * _POINTS_PER_INCH)

    def _refuse_damage(self, picture: Any, width: int, height: int) -> None:  # noqa: ANN401 - pypdfium2 is untyped
        """PDFium draws a picture as far as it can be decoded, and says nothing."""
        filters = picture.get_filters()
        if filters and filters[-1] == "DCTDecode" and _SIMPLE_FILTERS.issuperset(filters[:-1]):
            damage = jpeg_damage(np.frombuffer(picture.get_data(decode_simple=True), np.uint8), self._noise)
            if damage is not None:
                raise UnreadableDocumentError(damage[0], f"A picture on the page is damaged: {damage[1]}")
        elif _SIMPLE_FILTERS.issuperset(filters):
            found, bits = len(picture.get_data(decode_simple=True)), picture.get_metadata().bits_per_pixel
            needed = -(-width * bits // 8) * height
            if found < needed:
                reason = f"{width} x {height} pixels need {needed} bytes, there are {found}."
                raise UnreadableDocumentError(FaultCode.TRUNCATED, f"A picture on the page is cut short: {reason}")

    def _scale(self, page: "pypdfium2.PdfPage", placed: Sequence[_Placed]) -> float:
        """Pixels for each point of the page."""
        width, height = page.get_width(), page.get_height()
        if not (width > 0 and height > 0 and math.isfinite(width * height)):
            reason = f"The page claims to be {width:g} x {height:g} points large."
            raise UnreadableDocumentError(FaultCode.BROKEN_DIRECTORY, reason)
        wanted = _dpi(placed) / _POINTS_PER_INCH
        most = min(self._limits.max_page_px, _MOST_PAGE_PX)
        scale = min(wanted, math.sqrt(most / (width * height)))
        while math.ceil(width * scale) * math.ceil(height * scale) > most:
            scale *= _A_BIT_LESS  # both sides are rounded up
        self._drawn_px += math.ceil(width * scale) * math.ceil(height * scale)
        self._limits.require_document(self._drawn_px)
        return scale


def _dpi(placed: Sequence[_Placed]) -> float:
    """A scan's own resolution, also of one in strips; that of a drawn page's pictures within what text needs."""
    seen = [picture for picture in placed if picture.cover >= _LEAST_COVER]
    finest = max((picture.dpi for picture in seen), default=0.0)
    if sum(picture.cover for picture in placed) >= _SCAN_COVER:
        return finest or max(picture.dpi for picture in placed)
    return min(max(finest, _DRAWN_DPI), _MOST_DRAWN_DPI)
