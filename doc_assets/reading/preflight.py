"""Walks a TIFF's directories before any library sees the file.

Readers hang on directory loops, allocate what a lying tag asks for, and end quietly at a broken
directory. This walk decodes nothing: it lists the pages, names what is wrong with each, and refuses
bombs. Libraries are then shown one page at a time (``shown_alone``), so that they never follow a chain.

Source: TIFF Revision 6.0, sections 2 and 8; BigTIFF as in libtiff's design note (8-byte offsets, magic 43).
"""

import contextlib
import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from doc_assets.errors import UnreadableDocumentError
from doc_assets.faults import Fault, FaultCode
from doc_assets.reading.formats import Kind, kind_of
from doc_assets.reading.tiff_layout import SEPARATE, Compression, PageLayout, Photometric, read_layout

_CLASSIC, _BIG = 42, 43
_MAX_TAGS = 2000
_MAX_SIDE_PX = 1 << 17
_MAX_SAMPLES = 8
_MAX_BITS = 64
_SLACK_BYTES = 1024  # some writers pad less than they declare; readers cope with this much

_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_REAL_TYPES = {5: "u4", 10: "i4", 11: "f4", 12: "f8"}
_INTEGER_TYPES = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8", 6: "i1", 8: "i2", 9: "i4", 17: "i8"}

_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 256, 257, 258, 259, 262
_STRIP_OFFSETS, _SAMPLES, _ROWS_PER_STRIP, _STRIP_COUNTS, _PLANAR = 273, 277, 278, 279, 284
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_COUNTS = 322, 323, 324, 325
_OLD_SUBFILE, _JPEG_STREAM, _JPEG_STREAM_BYTES, _JPEG_TABLES = 255, 513, 514, 347
_REDUCED, _MASK = 0b001, 0b100  # NewSubfileType bits: reduced-resolution image, transparency mask
_OLD_REDUCED = 2  # the old tag's value for it


@dataclass(frozen=True, slots=True)
class Limits:
    """What a document may ask for; the names are those of the settings."""

    max_pages: int = 5000
    max_page_px: int = 150_000_000
    max_document_px: int = 20_000_000_000

    def require_pages(self, n: int) -> None:
        """Raises UnreadableDocumentError if a document has more pages."""
        if n > self.max_pages:
            message = f"More than {self.max_pages} pages; DOC_ASSETS_MAX_PAGES sets the limit."
            raise UnreadableDocumentError(FaultCode.TOO_MANY_PAGES, message)

    def require_page(self, width: int, height: int, what: str = "The page has") -> None:
        """Raises UnreadableDocumentError, which begins with ``what``, if a page has more pixels."""
        if width * height > self.max_page_px:
            allowed = f"allowed are {self.max_page_px}; DOC_ASSETS_MAX_PAGE_PX sets the limit."
            raise UnreadableDocumentError(FaultCode.PAGE_TOO_LARGE, f"{what} {width} x {height} pixels, {allowed}")

    def require_document(self, n_px: int) -> None:
        """Raises UnreadableDocumentError if a document has more pixels."""
        if n_px > self.max_document_px:
            message = f"More than {self.max_document_px} pixels in all; DOC_ASSETS_MAX_DOCUMENT_PX sets the limit."
            raise UnreadableDocumentError(FaultCode.DOCUMENT_TOO_LARGE, message)


@dataclass(frozen=True, slots=True)
class Directory:
    """One page's directory: where it starts, where its pointer to the next one lies, the page's size and storage."""

    offset: int
    next_pointer_at: int
    width: int
    height: int
    layout: PageLayout


@dataclass(slots=True)
class Structure:
    """The pages of a document: a directory, or the fault that makes the page unusable."""

    big: bool
    order: str
    pages: list[Directory | Fault] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def fault_of(error: UnreadableDocumentError, page_index: int | None = None) -> Fault:
    """The fault that an error names, of one page or of the whole document."""
    return Fault(FaultCode(error.code), str(error), page_index)


def preflight(content: bytes | bytearray | mmap.mmap, limits: Limits) -> Structure:
    """The pages of a TIFF, none decoded; what is wrong with their chain as a whole, behind which pages may be lost.

    Raises:
        UnreadableDocumentError: if it is no TIFF, has no page, or breaks a limit on pages or pixels.
    """
    big, order, offset = _header(content)
    structure = Structure(big, order)
    pictures: list[tuple[Directory | Fault, bool]] = []
    seen: set[int] = set()
    total_px = 0
    while offset:
        if offset in seen:
            structure.faults.append(Fault(FaultCode.LOOP, f"The directories loop back to offset {offset}."))
            break
        seen.add(offset)
        limits.require_pages(len(seen))
        try:
            tags = _Tags(content, big, order, offset)
        except UnreadableDocumentError as error:
            structure.faults.append(Fault(FaultCode(error.code), f"{error} Later pages may be missing."))
            break
        page, is_reduced, is_mask = _page(tags, offset, limits)
        if not is_mask:
            pictures.append((page, is_reduced))
        if isinstance(page, Directory):
            total_px += page.width * page.height
        limits.require_document(total_px)
        offset = tags.pointer(tags.next_pointer_at)
    # Thumbnails are pages only where nothing else is there.
    shown = [page for page, is_reduced in pictures if not is_reduced] or [page for page, _ in pictures]
    structure.pages = [
        replace(page, page_index=index) if isinstance(page, Fault) else page for index, page in enumerate(shown)
    ]
    if not structure.pages:
        first = next(iter(structure.faults), Fault(FaultCode.NO_PAGE, "The file has no page."))
        raise UnreadableDocumentError(first.code, first.message)
    return structure


@dataclass(frozen=True, slots=True)
class Streams:
    """Offset and length of a page's compressed strips or tiles, and a JPEG stream of tables that they share, or b""."""

    places: list[tuple[int, int]]
    tables: bytes


def streams_of(content: bytes | bytearray | mmap.mmap, structure: Structure, page: Directory) -> Streams:
    """Where the strips or tiles of a page lie; of JPEG of the old style its one stream, if it has one."""
    tags = _Tags(content, structure.big, structure.order, page.offset)
    pairs = [(_TILE_OFFSETS, _TILE_COUNTS), (_STRIP_OFFSETS, _STRIP_COUNTS)]
    if page.layout.compression == Compression.OLD_JPEG:
        pairs.insert(0, (_JPEG_STREAM, _JPEG_STREAM_BYTES))
    places: list[tuple[int, int]] = []
    for at, size in pairs:
        offsets, counts = tags.whole(at), tags.whole(size)
        if offsets is not None and counts is not None:
            places = list(zip(offsets.tolist(), counts.tolist(), strict=False))
            break
    shared = tags.found.get(_JPEG_TABLES)
    tables = b"" if shared is None else bytes(content[shared.value_at : shared.value_at + shared.count])
    return Streams(places, tables)


@contextlib.contextmanager
def shown_alone(content: bytearray | mmap.mmap, structure: Structure, page: Directory) -> Iterator[None]:
    """``page`` alone is the document in this block: the header points at it, nothing follows it.

    ``content`` is changed during the block and restored after it.
    """
    word = f"{structure.order}{'Q' if structure.big else 'I'}"
    size = struct.calcsize(word)
    first_at = 8 if structure.big else 4
    kept = {at: bytes(content[at : at + size]) for at in (first_at, page.next_pointer_at)}
    struct.pack_into(word, content, first_at, page.offset)
    struct.pack_into(word, content, page.next_pointer_at, 0)
    try:
        yield
    finally:
        for at, original in kept.items():
            content[at : at + size] = original


def _header(content: bytes | bytearray | mmap.mmap) -> tuple[bool, str, int]:
    start = bytes(content[:16])
    if not start:
        raise UnreadableDocumentError(FaultCode.EMPTY, "The file is empty.")
    order = {b"II": "<", b"MM": ">"}.get(start[:2])
    magic = struct.unpack_from(f"{order}H", start, 2)[0] if order and len(start) >= 4 else None  # noqa: PLR2004
    if magic == _CLASSIC and len(start) >= 8:  # noqa: PLR2004
        return False, str(order), struct.unpack_from(f"{order}I", start, 4)[0]
    if magic == _BIG and len(start) >= 16:  # noqa: PLR2004
        return True, str(order), struct.unpack_from(f"{order}Q", start, 8)[0]
    message = f"No TIFF header; the file starts with {start[:8].hex(' ')}."
    with contextlib.suppress(UnreadableDocumentError):
        kind = kind_of(start)
        message = message if kind is Kind.TIFF else f"This is a {kind}, not a TIFF."
    raise UnreadableDocumentError(FaultCode.NOT_TIFF, message)


@dataclass(frozen=True, slots=True)
class _Tag:
    type: int
    count: int
    value_at: int


class _Tags:
    """The tags of the directory at ``offset``; every offset is checked before it is used.

    Attributes:
        found: number -> tag, the first of a number.
        next_pointer_at: where the directory's pointer to the next one lies.
        size: of the file in bytes.
    """

    def __init__(self, content: bytes | bytearray | mmap.mmap, big: bool, order: str, offset: int) -> None:
        self._content, self._order, self.size = content, order, len(content)
        self._word, word_bytes = (f"{order}Q", 8) if big else (f"{order}I", 4)
        count_word, count_bytes, entry_bytes = (f"{order}Q", 8, 20) if big else (f"{order}H", 2, 12)
        if offset + count_bytes > self.size:
            raise UnreadableDocumentError(
                FaultCode.TRUNCATED, f"A directory should be at byte {offset}, the file has {self.size} bytes."
            )
        count = int(struct.unpack_from(count_word, content, offset)[0])
        first = offset + count_bytes
        self.next_pointer_at = first + count * entry_bytes
        if not 0 < count <= _MAX_TAGS:
            raise UnreadableDocumentError(
                FaultCode.BROKEN_DIRECTORY, f"The directory at byte {offset} claims {count} tags."
            )
        if self.next_pointer_at + word_bytes > self.size:
            raise UnreadableDocumentError(
                FaultCode.TRUNCATED, f"The directory at byte {offset} runs past the end of the file."
            )
        self.found: dict[int, _Tag] = {}
        for at in range(first, self.next_pointer_at, entry_bytes):
            number, kind = struct.unpack_from(f"{order}HH", content, at)
            n, value_at = self.pointer(at + 4), at + 4 + word_bytes
            if _TYPE_BYTES.get(kind, 1) * n > word_bytes:
                value_at = self.pointer(value_at)
            self.found.setdefault(number, _Tag(kind, n, value_at))

    def pointer(self, at: int) -> int:
        return int(struct.unpack_from(self._word, self._content, at)[0])

    def integers(self, number: int) -> NDArray[np.int64] | None:
        """The values of a tag, None if it is absent."""
        tag = self.found.get(number)
        if tag is None:
            return None
        kind = _INTEGER_TYPES.get(tag.type)
        if kind is None or tag.count == 0:
            raise UnreadableDocumentError(
                FaultCode.BROKEN_DIRECTORY, f"Tag {number} has type {tag.type} and {tag.count} values."
            )
        if tag.value_at + tag.count * _TYPE_BYTES[tag.type] > self.size:
            raise UnreadableDocumentError(FaultCode.TRUNCATED, f"The values of tag {number} lie outside the file.")
        return np.frombuffer(self._content, f"{self._order}{kind}", tag.count, tag.value_at).astype(np.int64)

    def integer(self, number: int, default: int) -> int:
        values = self.integers(number)
        return default if values is None else int(values[0])

    def whole(self, number: int) -> NDArray[np.int64] | None:
        """The values of a tag of integers, None if it is absent or unreadable."""
        try:
            return self.integers(number)
        except UnreadableDocumentError:
            return None

    def real(self, number: int) -> list[float] | None:
        """The values of a tag of fractions or integers, None if it is absent or unreadable."""
        tag = self.found.get(number)
        kind = _REAL_TYPES.get(tag.type) if tag is not None else None
        if tag is None or kind is None:
            values = self.whole(number)
            return None if values is None else [float(value) for value in values]
        if tag.count == 0 or tag.value_at + tag.count * _TYPE_BYTES[tag.type] > self.size:
            return None
        is_fraction = kind[0] != "f"
        found = np.frombuffer(self._content, f"{self._order}{kind}", tag.count * (1 + is_fraction), tag.value_at)
        numbers = [float(value) for value in found]
        if not is_fraction:
            return numbers
        return [over / under if under else 0.0 for over, under in zip(numbers[::2], numbers[1::2], strict=True)]


def _page(tags: _Tags, offset: int, limits: Limits) -> tuple[Directory | Fault, bool, bool]:
    """The page, or the fault that makes it unusable; whether it says that it is a thumbnail, or a mask."""
    try:
        subfile = tags.integer(_SUBFILE, 0)
    except UnreadableDocumentError as error:
        return fault_of(error), False, False
    old = tags.whole(_OLD_SUBFILE)
    is_reduced = bool(subfile & _REDUCED) or (old is not None and int(old[0]) == _OLD_REDUCED)
    content: Directory | Fault
    try:
        width, height, samples = _geometry(tags, limits)
        _check_strips(tags, width, height, samples, limits)
        content = Directory(offset, tags.next_pointer_at, width, height, read_layout(tags.whole, tags.real))
    except UnreadableDocumentError as error:
        content = fault_of(error)
    return content, is_reduced, bool(subfile & _MASK)


def _geometry(tags: _Tags, limits: Limits) -> tuple[int, int, int]:
    """Width, height and samples per pixel, if they can be true."""
    width, height = tags.integer(_WIDTH, 0), tags.integer(_HEIGHT, 0)
    if not (0 < width < _MAX_SIDE_PX and 0 < height < _MAX_SIDE_PX):
        raise UnreadableDocumentError(FaultCode.BROKEN_DIRECTORY, f"The page claims {width} x {height} pixels.")
    limits.require_page(width, height)
    bits = tags.integers(_BITS)
    samples, depth = tags.integer(_SAMPLES, 1), 1 if bits is None else int(bits.max())
    if not (0 < samples <= _MAX_SAMPLES and 0 < depth <= _MAX_BITS):
        raise UnreadableDocumentError(FaultCode.UNSUPPORTED, f"The page claims {samples} samples of {depth} bits.")
    # Samples of YCbCr may be stored for several pixels at once.
    is_plain = tags.integer(_COMPRESSION, 1) == Compression.NONE and tags.integer(_PHOTOMETRIC, 1) != Photometric.YCBCR
    plain_bytes = -(-width * depth * samples // 8) * height
    if is_plain and plain_bytes > tags.size + _SLACK_BYTES:
        message = f"The page needs {plain_bytes} bytes uncompressed, the file has {tags.size}."
        raise UnreadableDocumentError(FaultCode.TRUNCATED, message)
    return width, height, samples


def _check_strips(tags: _Tags, width: int, height: int, samples: int, limits: Limits) -> None:
    """Refuses a page whose strips or tiles are too few or lie outside the file."""
    compression = tags.integer(_COMPRESSION, 1)
    tiled = _TILE_OFFSETS in tags.found
    offsets = tags.integers(_TILE_OFFSETS if tiled else _STRIP_OFFSETS)
    if offsets is None:
        if compression == Compression.OLD_JPEG:  # may carry one stream instead of strips
            return
        raise UnreadableDocumentError(FaultCode.BROKEN_DIRECTORY, "The page has no strips.")
    if tiled:
        across, down = tags.integer(_TILE_WIDTH, 0), tags.integer(_TILE_HEIGHT, 0)
        if across <= 0 or down <= 0 or across * down > limits.max_page_px:
            raise UnreadableDocumentError(
                FaultCode.BROKEN_DIRECTORY, f"The page claims tiles of {across} x {down} pixels."
            )
    else:
        across, down = width, min(tags.integer(_ROWS_PER_STRIP, height), height)
        if down <= 0:
            raise UnreadableDocumentError(FaultCode.BROKEN_DIRECTORY, f"The page claims strips of {down} rows.")
    needed = -(-width // across) * -(-height // down)
    needed *= samples if tags.integer(_PLANAR, 1) == SEPARATE else 1
    if len(offsets) < needed:
        message = f"The page has {len(offsets)} strips or tiles, {needed} are needed."
        raise UnreadableDocumentError(FaultCode.BROKEN_DIRECTORY, message)
    offsets = offsets[:needed]
    counts = tags.integers(_TILE_COUNTS if tiled else _STRIP_COUNTS)
    sizes = np.ones(needed, np.int64)
    if counts is not None:
        sizes[: len(counts)] = counts[:needed]
    slack = _SLACK_BYTES if compression == Compression.NONE else 0
    outside = (offsets <= 0) | (offsets >= tags.size) | (sizes < 0) | (sizes > tags.size + slack - offsets)
    if outside.any():
        message = f"{int(outside.sum())} of {needed} strips or tiles lie outside the file of {tags.size} bytes."
        raise UnreadableDocumentError(FaultCode.TRUNCATED, message)
