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

from doc_assets.errors import UnreadableDocumentError
from doc_assets.faults import Fault, FaultCode
from doc_assets.reading.formats import Kind, kind_of
from doc_assets.reading.tiff_layout import PageLayout, read_layout

_CLASSIC, _BIG = 42, 43
_MAX_TAGS = 2000
_MAX_SIDE_PX = 1 << 17
_MAX_SAMPLES = 8
_MAX_BITS = 64
_UNCOMPRESSED, _OLD_JPEG = 1, 6
_YCBCR = 6  # photometric; its samples may be stored for several pixels at once
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
        """Refuses a document of more pages.

        Raises:
            UnreadableDocumentError: if ``n`` are too many.
        """
        if n > self.max_pages:
            message = f"More than {self.max_pages} pages; DOC_ASSETS_MAX_PAGES sets the limit."
            raise UnreadableDocumentError(FaultCode.TOO_MANY_PAGES, message)

    def require_page(self, width: int, height: int, what: str = "The page has") -> None:
        """Refuses a page of more pixels; ``what`` begins the message.

        Raises:
            UnreadableDocumentError: if they are too many.
        """
        if width * height > self.max_page_px:
            allowed = f"allowed are {self.max_page_px}; DOC_ASSETS_MAX_PAGE_PX sets the limit."
            raise UnreadableDocumentError(FaultCode.PAGE_TOO_LARGE, f"{what} {width} x {height} pixels, {allowed}")

    def require_document(self, n_px: int) -> None:
        """Refuses a document of more pixels.

        Raises:
            UnreadableDocumentError: if ``n_px`` are too many.
        """
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
    """Lists the pages of a TIFF without decoding any.

    Returns:
        The pages in order. ``faults`` holds what is wrong with the chain as a whole: a loop, or a
        directory that lies outside the file, behind which further pages may be lost.

    Raises:
        UnreadableDocumentError: if it is no TIFF, has no page, or breaks a limit on pages or pixels.
    """
    big, order, offset = _header(content)
    structure = Structure(big, order)
    walk = _Walk(content, big, order)
    found: list[_Found] = []
    seen: set[int] = set()
    total_px = 0
    while offset:
        if offset in seen:
            structure.faults.append(Fault(FaultCode.LOOP, f"The directories loop back to offset {offset}."))
            break
        seen.add(offset)
        limits.require_pages(len(seen))
        try:
            tags, next_pointer_at = walk.directory(offset)
        except UnreadableDocumentError as error:
            structure.faults.append(Fault(FaultCode(error.code), f"{error} Later pages may be missing."))
            break
        page = _page(walk, tags, offset, next_pointer_at, limits)
        found.append(page)
        if isinstance(page.content, Directory):
            total_px += page.content.width * page.content.height
        limits.require_document(total_px)
        offset = walk.pointer(next_pointer_at)
    structure.pages = [
        replace(page, page_index=index) if isinstance(page, Fault) else page for index, page in enumerate(_shown(found))
    ]
    if not structure.pages:
        first = next(iter(structure.faults), Fault(FaultCode.NO_PAGE, "The file has no page."))
        raise UnreadableDocumentError(first.code, first.message)
    return structure


def streams_of(content: bytes | bytearray | mmap.mmap, structure: Structure, page: Directory) -> "Streams":
    """Where the strips or tiles of a page lie; of JPEG of the old style its one stream, if it has one."""
    walk = _Walk(content, structure.big, structure.order)
    tags, _ = walk.directory(page.offset)
    pairs = ((_JPEG_STREAM, _JPEG_STREAM_BYTES), (_TILE_OFFSETS, _TILE_COUNTS), (_STRIP_OFFSETS, _STRIP_COUNTS))
    values = (
        (walk.whole(tags, offsets), walk.whole(tags, counts))
        for offsets, counts in pairs
        if page.layout.compression == _OLD_JPEG or offsets != _JPEG_STREAM
    )
    offsets, counts = next(((o, c) for o, c in values if o is not None and c is not None), ((), ()))
    shared = tags.get(_JPEG_TABLES)
    tables = b"" if shared is None else bytes(content[shared.value_at : shared.value_at + shared.count])
    return Streams([(int(at), int(size)) for at, size in zip(offsets, counts, strict=False)], tables)


@dataclass(frozen=True, slots=True)
class Streams:
    """The compressed strips or tiles of a page.

    Attributes:
        places: offset and length of each.
        tables: a JPEG stream of tables that they share, b"" if each has its own.
    """

    places: list[tuple[int, int]]
    tables: bytes


@contextlib.contextmanager
def shown_alone(content: bytearray | mmap.mmap, structure: Structure, page: Directory) -> Iterator[None]:
    """The document consists of ``page`` alone in this block: the header points at it, nothing follows it.

    Args:
        content: the document; changed during the block and restored after it.
        structure: what ``preflight`` said of it.
        page: one of its pages.
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
    try:
        kind = kind_of(start)
    except UnreadableDocumentError:
        kind = Kind.TIFF
    known = f"This is a {kind}, not a TIFF."
    raise UnreadableDocumentError(
        FaultCode.NOT_TIFF,
        known if kind is not Kind.TIFF else f"No TIFF header; the file starts with {start[:8].hex(' ')}.",
    )


@dataclass(frozen=True, slots=True)
class _Tag:
    type: int
    count: int
    value_at: int


class _Walk:
    """Reads directories of one file; every offset is checked before it is used."""

    def __init__(self, content: bytes | bytearray | mmap.mmap, big: bool, order: str) -> None:
        self._content, self._order = content, order
        self.size = len(content)
        self._word, self._word_bytes = (f"{order}Q", 8) if big else (f"{order}I", 4)
        self._count, self._count_bytes = (f"{order}Q", 8) if big else (f"{order}H", 2)
        self._entry_bytes = 20 if big else 12

    def pointer(self, at: int) -> int:
        """The offset stored at ``at``."""
        return int(struct.unpack_from(self._word, self._content, at)[0])

    def directory(self, offset: int) -> tuple[dict[int, _Tag], int]:
        """The tags of the directory at ``offset``, and where its pointer to the next directory lies."""
        if offset + self._count_bytes > self.size:
            raise UnreadableDocumentError(
                FaultCode.TRUNCATED, f"A directory should be at byte {offset}, the file has {self.size} bytes."
            )
        count = int(struct.unpack_from(self._count, self._content, offset)[0])
        next_pointer_at = offset + self._count_bytes + count * self._entry_bytes
        if not 0 < count <= _MAX_TAGS:
            raise UnreadableDocumentError(
                FaultCode.BROKEN_DIRECTORY, f"The directory at byte {offset} claims {count} tags."
            )
        if next_pointer_at + self._word_bytes > self.size:
            raise UnreadableDocumentError(
                FaultCode.TRUNCATED, f"The directory at byte {offset} runs past the end of the file."
            )
        tags: dict[int, _Tag] = {}
        for i in range(count):
            at = offset + self._count_bytes + i * self._entry_bytes
            number, kind = struct.unpack_from(f"{self._order}HH", self._content, at)
            n = self.pointer(at + 4)
            value_at = at + 4 + self._word_bytes
            if _TYPE_BYTES.get(kind, 1) * n > self._word_bytes:
                value_at = self.pointer(value_at)
            tags.setdefault(number, _Tag(kind, n, value_at))
        return tags, next_pointer_at

    def integers(self, tags: dict[int, _Tag], number: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]] | None":
        """The values of a tag, None if it is absent."""
        tag = tags.get(number)
        if tag is None:
            return None
        kind = _INTEGER_TYPES.get(tag.type)
        if kind is None or tag.count == 0:
            raise UnreadableDocumentError(
                FaultCode.BROKEN_DIRECTORY, f"Tag {number} has type {tag.type} and {tag.count} values."
            )
        if tag.value_at + tag.count * _TYPE_BYTES[tag.type] > self.size:
            raise UnreadableDocumentError(FaultCode.TRUNCATED, f"The values of tag {number} lie outside the file.")
        values = np.frombuffer(self._content, f"{self._order}{kind}", tag.count, tag.value_at)
        return values.astype(np.int64)

    def integer(self, tags: dict[int, _Tag], number: int, default: int) -> int:
        """The first value of a tag."""
        values = self.integers(tags, number)
        return default if values is None else int(values[0])

    def whole(self, tags: dict[int, _Tag], number: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]] | None":
        """The values of a tag of integers, None if it is absent or unreadable."""
        try:
            return self.integers(tags, number)
        except UnreadableDocumentError:
            return None

    def real(self, tags: dict[int, _Tag], number: int) -> list[float] | None:
        """The values of a tag of fractions or integers, None if it is absent or unreadable."""
        tag = tags.get(number)
        kind = _REAL_TYPES.get(tag.type) if tag is not None else None
        if tag is None or kind is None:
            values = self.whole(tags, number)
            return None if values is None else [float(value) for value in values]
        if tag.count == 0 or tag.value_at + tag.count * _TYPE_BYTES[tag.type] > self.size:
            return None
        is_fraction = kind[0] != "f"
        found = np.frombuffer(self._content, f"{self._order}{kind}", tag.count * (1 + is_fraction), tag.value_at)
        numbers = [float(value) for value in found]
        if not is_fraction:
            return numbers
        return [over / under if under else 0.0 for over, under in zip(numbers[::2], numbers[1::2], strict=True)]


@dataclass(frozen=True, slots=True)
class _TagsOf:
    """The tags of one directory, for ``read_layout``."""

    walk: _Walk
    tags: dict[int, _Tag]

    def whole(self, number: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]] | None":
        return self.walk.whole(self.tags, number)

    def real(self, number: int) -> list[float] | None:
        return self.walk.real(self.tags, number)


@dataclass(frozen=True, slots=True)
class _Found:
    """One directory of the chain: its content, and what it says it is."""

    content: Directory | Fault
    is_reduced: bool = False
    is_mask: bool = False


def _page(walk: _Walk, tags: dict[int, _Tag], offset: int, next_pointer_at: int, limits: Limits) -> _Found:
    """The page, or the fault that makes it unusable."""
    try:
        subfile = walk.integer(tags, _SUBFILE, 0)
    except UnreadableDocumentError as error:
        return _Found(fault_of(error))
    old = walk.whole(tags, _OLD_SUBFILE)
    is_reduced = bool(subfile & _REDUCED) or (old is not None and int(old[0]) == _OLD_REDUCED)
    content: Directory | Fault
    try:
        width, height, samples = _geometry(walk, tags, limits)
        _check_strips(walk, tags, width, height, samples, limits)
    except UnreadableDocumentError as error:
        content = fault_of(error)
    else:
        content = Directory(offset, next_pointer_at, width, height, read_layout(_TagsOf(walk, tags)))
    return _Found(content, is_reduced, bool(subfile & _MASK))


def _shown(found: list[_Found]) -> list[Directory | Fault]:
    """The pages among the directories: thumbnails and masks are none, but where nothing else is there."""
    pictures = [one for one in found if not one.is_mask]
    return [one.content for one in pictures if not one.is_reduced] or [one.content for one in pictures]


def _geometry(walk: _Walk, tags: dict[int, _Tag], limits: Limits) -> tuple[int, int, int]:
    """Width, height and samples per pixel, if they can be true."""
    width, height = walk.integer(tags, _WIDTH, 0), walk.integer(tags, _HEIGHT, 0)
    if not (0 < width < _MAX_SIDE_PX and 0 < height < _MAX_SIDE_PX):
        raise UnreadableDocumentError(FaultCode.BROKEN_DIRECTORY, f"The page claims {width} x {height} pixels.")
    limits.require_page(width, height)
    bits = walk.integers(tags, _BITS)
    samples, depth = walk.integer(tags, _SAMPLES, 1), 1 if bits is None else int(bits.max())
    if not (0 < samples <= _MAX_SAMPLES and 0 < depth <= _MAX_BITS):
        raise UnreadableDocumentError(FaultCode.UNSUPPORTED, f"The page claims {samples} samples of {depth} bits.")
    is_plain = walk.integer(tags, _COMPRESSION, 1) == _UNCOMPRESSED and walk.integer(tags, _PHOTOMETRIC, 1) != _YCBCR
    plain_bytes = -(-width * depth * samples // 8) * height
    if is_plain and plain_bytes > walk.size + _SLACK_BYTES:
        raise UnreadableDocumentError(
            FaultCode.TRUNCATED, f"The page needs {plain_bytes} bytes uncompressed, the file has {walk.size}."
        )
    return width, height, samples


def _check_strips(walk: _Walk, tags: dict[int, _Tag], width: int, height: int, samples: int, limits: Limits) -> None:
    compression = walk.integer(tags, _COMPRESSION, 1)
    tiled = _TILE_OFFSETS in tags
    offsets = walk.integers(tags, _TILE_OFFSETS if tiled else _STRIP_OFFSETS)
    if offsets is None:
        if compression == _OLD_JPEG:  # may carry one stream instead of strips
            return
        raise UnreadableDocumentError(FaultCode.BROKEN_DIRECTORY, "The page has no strips.")
    if tiled:
        across, down = walk.integer(tags, _TILE_WIDTH, 0), walk.integer(tags, _TILE_HEIGHT, 0)
        if across <= 0 or down <= 0 or across * down > limits.max_page_px:
            raise UnreadableDocumentError(
                FaultCode.BROKEN_DIRECTORY, f"The page claims tiles of {across} x {down} pixels."
            )
        needed = -(-width // across) * -(-height // down)
    else:
        rows = min(walk.integer(tags, _ROWS_PER_STRIP, height), height)
        if rows <= 0:
            raise UnreadableDocumentError(FaultCode.BROKEN_DIRECTORY, f"The page claims strips of {rows} rows.")
        needed = -(-height // rows)
    separate_planes = 2
    needed *= samples if walk.integer(tags, _PLANAR, 1) == separate_planes else 1
    if len(offsets) < needed:
        raise UnreadableDocumentError(
            FaultCode.BROKEN_DIRECTORY, f"The page has {len(offsets)} strips or tiles, {needed} are needed."
        )
    offsets = offsets[:needed]
    counts = walk.integers(tags, _TILE_COUNTS if tiled else _STRIP_COUNTS)
    sizes = np.ones(needed, np.int64)
    if counts is not None:
        sizes[: len(counts)] = counts[:needed]
    slack = _SLACK_BYTES if compression == _UNCOMPRESSED else 0
    outside = (offsets <= 0) | (offsets >= walk.size) | (sizes < 0) | (sizes > walk.size + slack - offsets)
    if outside.any():
        raise UnreadableDocumentError(
            FaultCode.TRUNCATED,
            f"{int(outside.sum())} of {needed} strips or tiles lie outside the file of {walk.size} bytes.",
        )
