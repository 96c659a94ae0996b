"""Sheets of an Excel workbook (.xlsx), row by row, as people see their cells.

Nothing that a file states about itself is believed: not the used range, not its counts, not the numbers of rows.
Only what lies in the XML counts, in its order, and memory does not grow with the number of rows. Read by expat without
entities; of the archive's parts only those that are needed are unpacked, within a limit.
"""

import re
import tempfile
import zlib
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import IO, Final, Self
from xml.parsers import expat
from zipfile import BadZipFile, ZipFile

from doc_assets.sources.key_tables.layout import MAX_CELL_CHARACTERS, Unusable
from doc_assets.sources.key_tables.number_formats import NumberFormat, builtin_format, shown_number

MAX_UNPACKED_BYTES: Final = 4 << 30
MAX_ROW: Final = 1_048_576
MAX_COLUMNS: Final = 16_384

_CHUNK_BYTES: Final = 1 << 16
_MAX_TOKEN_BYTES: Final = 16 << 20
_MAX_DEPTH: Final = 64
_MAX_MERGES: Final = 1_000_000
_MAX_SHEETS: Final = 1000
_MAX_FORMATS: Final = 100_000
_STRICT = "http://purl.oclc.org/ooxml/"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_SAVE = "save as Excel Workbook (.xlsx)"
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_PLACE = re.compile(r"\$?([A-Za-z]{1,3})\$?(\d{1,12})")
_RANGE = re.compile(r"\$?([A-Z]{1,3})\$?(\d{1,7}):\$?([A-Z]{1,3})\$?(\d{1,7})", re.IGNORECASE)

_Start = Callable[[str, dict[str, str]], None]
_End = Callable[[str], None]
_Text = Callable[[str], None]


def _nothing(_tag: str) -> None:
    """No end of a tag matters."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet of cells.

    Attributes:
        name: as its tab shows it.
        part: the archive's file.
        hidden: whether people do not see it.
    """

    name: str
    part: str
    hidden: bool


@dataclass(frozen=True, slots=True)
class Merge:
    """A merged range, rows from 1, columns from 0."""

    top: int
    bottom: int
    left: int
    right: int


@dataclass(slots=True)
class SheetRow:
    """A row with something in it.

    Attributes:
        line: its number, from 1, always behind the row before.
        cells: place from 0 -> text; empty cells are left out.
        hidden: whether people do not see it.
        fault: why it cannot be used; empty if it can.
    """

    line: int
    cells: dict[int, str] = field(default_factory=dict)
    hidden: bool = False
    fault: str = ""


class Workbook:
    """A workbook that is open for reading.

    Raises:
        ValueError: if it is none, or none that can be read; says what it is and what to do.
    """

    def __init__(self, path: Path) -> None:
        _require_zip(path)
        self._opened: list[IO[bytes]] = []
        try:
            self._archive = ZipFile(path)
        except (BadZipFile, NotImplementedError) as error:
            raise ValueError(f"it is no Excel workbook: {error}") from error
        try:
            _require_size(self._archive)
            self._parts = {_part_name(name): name for name in self._archive.namelist()}
            _require_workbook(self._archive, self._parts)
            main = next((part for kind, part, _ in self._relations("") if kind == "officeDocument"), "xl/workbook.xml")
            self._related = self._relations(main)
            self._dates_from_1904 = False
            self.sheets = self._read_sheets(main)
            self._formats = self._read_formats()
            self._strings = self._read_strings()
        except BaseException:
            self._archive.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._strings.close()
        for source in self._opened:  # of rows that were not read to their end
            source.close()
        self._archive.close()

    def rows(self, sheet: Sheet) -> Iterator[SheetRow]:
        """The rows of a sheet that have anything in them, in the order of the file."""
        reader = _RowReader(self._cell_text)
        for _ in self._parsed(sheet.part, reader.start, reader.end, reader.text):
            if reader.ready:
                yield from reader.taken()
        yield from reader.taken()

    def merges(self, sheet: Sheet) -> list[Merge]:
        """Merged ranges of a sheet; they stand behind its rows, so it is read once more if it has any."""
        if not self._mentions(sheet.part, b"mergeCell"):
            return []
        found: list[Merge] = []

        def start(name: str, attributes: dict[str, str]) -> None:
            place = _RANGE.fullmatch(attributes.get("ref", "")) if name == "mergeCell" else None
            if place:
                rows, columns = sorted((int(place[2]), int(place[4]))), sorted((_column(place[1]), _column(place[3])))
                found.append(Merge(rows[0], min(rows[1], MAX_ROW), columns[0], columns[1]))
                if len(found) > _MAX_MERGES:
                    raise ValueError(f"sheet {sheet.name} has more than {_MAX_MERGES} merged ranges")

        self._read_part(sheet.part, start)
        return found

    def _relations(self, part: str) -> list[tuple[str, str, str]]:
        """Kind, target part and id of what a part refers to."""
        folder, _, name = part.rpartition("/")
        source = f"{folder}/_rels/{name}.rels" if folder else f"_rels/{name}.rels"
        found: list[tuple[str, str, str]] = []

        def start(tag: str, attributes: dict[str, str]) -> None:
            if tag == "Relationship" and attributes.get("TargetMode") != "External" and len(found) < _MAX_FORMATS:
                kind = attributes.get("Type", "").rpartition("/")[2]
                found.append((kind, _target(folder, attributes.get("Target", "")), attributes.get("Id", "")))

        if _part_name(source) in self._parts:
            self._read_part(source, start)
        return found

    def _read_sheets(self, main: str) -> list[Sheet]:
        targets = {key: (kind, target) for kind, target, key in self._related}
        sheets: list[Sheet] = []

        def start(tag: str, attributes: dict[str, str]) -> None:
            if tag == "workbookPr":
                self._dates_from_1904 = attributes.get("date1904", "0") in {"1", "true"}
            if tag != "sheet":
                return
            kind, target = targets.get(
                attributes.get("id", ""), ("worksheet", f"xl/worksheets/sheet{len(sheets) + 1}.xml")
            )
            if kind == "worksheet" and len(sheets) < _MAX_SHEETS:
                hidden = attributes.get("state", "visible") != "visible"
                sheets.append(Sheet(attributes.get("name", ""), target, hidden))

        self._read_part(main, start)
        return sheets

    def _read_formats(self) -> list[NumberFormat]:
        """Number formats by the number that cells name."""
        part = self._part_of("styles", "xl/styles.xml")
        codes: dict[int, str] = {}
        styles: list[int] = []
        inside = False

        def start(tag: str, attributes: dict[str, str]) -> None:
            nonlocal inside
            if tag == "numFmt" and len(codes) < _MAX_FORMATS:
                codes[_int(attributes.get("numFmtId", ""))] = attributes.get("formatCode", "")
            elif tag == "cellXfs":
                inside = True
            elif tag == "xf" and inside and len(styles) < _MAX_FORMATS:
                styles.append(_int(attributes.get("numFmtId", "")))

        def end(tag: str) -> None:
            nonlocal inside
            inside = inside and tag != "cellXfs"

        if part:
            self._read_part(part, start, end)
        made = {number: NumberFormat(codes.get(number, builtin_format(number))) for number in set(styles)}
        return [made[number] for number in styles]

    def _read_strings(self) -> "_Strings":
        strings = _Strings()
        part = self._part_of("sharedStrings", "xl/sharedStrings.xml")
        if part:
            reader = _StringReader(strings)
            try:
                self._read_part(part, reader.start, reader.end, reader.text)
            except BaseException:
                strings.close()
                raise
        return strings

    def _part_of(self, kind: str, usual: str) -> str:
        """The part of the workbook that is of a kind; empty if it has none."""
        named = next((target for found, target, _ in self._related if found == kind), usual)
        return named if _part_name(named) in self._parts else ""

    def _cell_text(self, kind: str, style: str, value: str | None, has_formula: bool) -> str:  # noqa: PLR0911
        """What people see in a cell."""
        if value is None or (value == "" and kind not in {"str", "inlineStr"}):
            return (
                Unusable("", "is a formula without a stored result; open the file in Excel and save it")
                if has_formula
                else ""
            )
        if kind == "s":
            return self._strings.get(value.strip())
        if kind in {"str", "inlineStr"}:
            return _unescaped(value)
        if kind == "b":
            return Unusable("TRUE" if value.strip() in {"1", "true"} else "FALSE", "is a truth value")
        if kind == "e":
            return Unusable(value, f"is the error {value}")
        if kind == "d":
            return _iso_date(value)
        number = _int(style) if style else 0
        how = self._formats[number] if 0 <= number < len(self._formats) else _GENERAL
        return shown_number(value.strip(), how, dates_from_1904=self._dates_from_1904)

    def _mentions(self, part: str, word: bytes) -> bool:
        """Whether a part may hold a word; True where it is not written in UTF-8."""
        tail = b""
        with self._open(part) as source:
            first = source.read(_CHUNK_BYTES)
            if b"\0" in first[:64] or (b"encoding" in first[:200] and b"utf-8" not in first[:200].lower()):
                return True
            block = first
            while block:
                if word in tail + block:
                    return True
                tail = block[-len(word) :]
                block = source.read(1 << 20)
        return False

    def _open(self, part: str) -> IO[bytes]:
        name = self._parts.get(_part_name(part))
        if name is None:
            raise ValueError(f"it is no Excel workbook: its part {part} is missing")
        source = self._archive.open(name)
        self._opened.append(source)
        return source

    def _read_part(self, part: str, start: _Start, end: _End = _nothing, text: _Text | None = None) -> None:
        """Reads a part's XML."""
        for _ in self._parsed(part, start, end, text):
            pass

    def _parsed(  # noqa: PLR0915 - handlers of one parser
        self, part: str, start: _Start, end: _End, text: _Text | None
    ) -> Iterator[None]:
        """Reads a part's XML; yields after each block."""
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        depth = 0

        def on_start(name: str, attributes: dict[str, str]) -> None:
            nonlocal depth
            depth += 1
            space, _, local = name.rpartition(" ")
            if depth == 1 and space.startswith(_STRICT):
                raise ValueError(f"it is Strict Open XML; {_SAVE}")
            if depth > _MAX_DEPTH:
                raise ValueError(f"its part {part} nests deeper than {_MAX_DEPTH} levels")
            start(
                local,
                {key.rpartition(" ")[2]: value for key, value in attributes.items()} if attributes else attributes,
            )

        def on_end(name: str) -> None:
            nonlocal depth
            depth -= 1
            end(name.rpartition(" ")[2])

        def on_doctype(*_: object) -> None:
            raise ValueError(f"it is no Excel workbook: its part {part} declares a document type (Entities)")

        parser.StartElementHandler, parser.EndElementHandler = on_start, on_end
        parser.StartDoctypeDeclHandler = on_doctype
        if text is not None:
            parser.CharacterDataHandler = text
        fed = 0
        try:
            with self._open(part) as source:
                while block := source.read(_CHUNK_BYTES):
                    fed += len(block)
                    parser.Parse(block, False)
                    if fed - parser.CurrentByteIndex > _MAX_TOKEN_BYTES:
                        raise ValueError(f"its part {part} has a piece of more than {_MAX_TOKEN_BYTES} bytes")
                    if fed > MAX_UNPACKED_BYTES:
                        raise ValueError(f"it unpacks to more than {MAX_UNPACKED_BYTES} bytes")
                    yield
                parser.Parse(b"", True)
                yield
        except expat.ExpatError as error:
            raise ValueError(f"the XML of its part {part} is broken: {error}") from error
        except (BadZipFile, zlib.error, NotImplementedError, EOFError) as error:
            raise ValueError(f"its part {part} is damaged: {error}") from error
        except RuntimeError as error:  # zipfile's word for a part with a password
            raise ValueError(f"its part {part} is encrypted; save it without a password") from error


_GENERAL = NumberFormat("General")


class _Strings:
    """Shared strings, kept in a file of no name: tables have a million of them."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the workbook
        self._ends = array("Q")
        self._end = 0
        self._cached = lru_cache(maxsize=1 << 14)(self._read)

    def add(self, text: str) -> None:
        """The next string."""
        raw = text.encode("utf-8", "surrogatepass")
        self._file.write(raw)
        self._end += len(raw)
        self._ends.append(self._end)

    def get(self, place: str) -> str:
        """The string at a place from 0."""
        number = _int(place, default=-1)
        if not 0 <= number < len(self._ends):
            return Unusable(place, f"names shared text {place}, which the file does not have")
        return self._cached(number)

    def close(self) -> None:
        """Forgets all."""
        self._file.close()

    def _read(self, number: int) -> str:
        begin = self._ends[number - 1] if number else 0
        self._file.seek(begin)
        return self._file.read(self._ends[number] - begin).decode("utf-8", "surrogatepass")


class _Gathered:
    """Text between two tags, cut off where no cell can hold it."""

    __slots__ = ("_n", "_parts")

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._n = 0

    def add(self, text: str) -> None:
        if self._n <= MAX_CELL_CHARACTERS:
            self._parts.append(text)
        self._n += len(text)

    def end(self) -> str:
        """All of it; the next one begins."""
        text = "".join(self._parts)
        self._parts, self._n = [], 0
        return text


class _StringReader:
    """Handlers for shared strings; phonetic text is not part of them."""

    def __init__(self, strings: _Strings) -> None:
        self._strings, self._text = strings, _Gathered()
        self._in_text = self._phonetic = False

    def start(self, tag: str, _attributes: dict[str, str]) -> None:
        if tag == "rPh":
            self._phonetic = True
        self._in_text = tag == "t" and not self._phonetic

    def end(self, tag: str) -> None:
        if tag == "rPh":
            self._phonetic = False
        elif tag == "si":
            self._strings.add(_unescaped(self._text.end()))
        self._in_text = False

    def text(self, text: str) -> None:
        if self._in_text:
            self._text.add(text)


class _RowReader:
    """Handlers for the rows of a sheet."""

    def __init__(self, cell_text: Callable[[str, str, str | None, bool], str]) -> None:
        self._cell_text = cell_text
        self._rows: list[SheetRow] = []
        self._row: SheetRow | None = None
        self._line = self._place = 0
        self._kind = self._style = ""
        self._in_cell = self._has_formula = self._phonetic = False
        self._value: str | None = None
        self._reading = ""
        self._gathered = _Gathered()

    @property
    def ready(self) -> bool:
        """Whether there are rows to take."""
        return bool(self._rows)

    def taken(self) -> list[SheetRow]:
        """The rows read since the last call."""
        rows, self._rows = self._rows, []
        return rows

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "c" and self._row is not None:
            self._in_cell = True
            self._place = self._next_place(attributes.get("r", ""))
            self._kind, self._style = attributes.get("t", "n"), attributes.get("s", "")
            self._has_formula, self._value = False, None
        elif tag == "row":
            said = _int(attributes.get("r", ""), default=0)
            self._line = said if self._line < said <= MAX_ROW else self._line + 1
            self._row = SheetRow(self._line, hidden=attributes.get("hidden", "0") in {"1", "true"})
            self._place = -1
        elif self._in_cell:
            if tag == "rPh":
                self._phonetic = True
            elif tag == "f":
                self._has_formula = True
            elif tag == "v" or (tag == "t" and not self._phonetic):
                self._reading = tag

    def text(self, text: str) -> None:
        if self._reading:
            self._gathered.add(text)

    def end(self, tag: str) -> None:
        if self._reading and tag == self._reading:
            self._value = (self._value or "") + self._gathered.end()
            self._reading = ""
        elif tag == "rPh":
            self._phonetic = False
        elif tag == "c" and self._in_cell:
            self._in_cell = False
            self._keep()
        elif tag == "row" and self._row is not None:
            if self._row.cells or self._row.fault:
                self._rows.append(self._row)
            self._row = None

    def _next_place(self, reference: str) -> int:
        found = _PLACE.fullmatch(reference)
        return _column(found[1]) if found else self._place + 1

    def _keep(self) -> None:
        row = self._row
        if row is None:
            return
        text = self._cell_text(self._kind, self._style, self._value, self._has_formula)
        if not text:
            return
        if self._place >= MAX_COLUMNS:
            row.fault = f"it has a cell in column {self._place + 1}, a sheet has {MAX_COLUMNS}"
        elif self._place in row.cells and row.cells[self._place] != text:
            row.fault = "it states one cell twice"
        else:
            row.cells[self._place] = text


def _require_zip(path: Path) -> None:
    """Refuses what is no zipped file, and says what it is instead."""
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    with path.open("rb") as source:
        head = source.read(1 << 12)
        if head.startswith(_OLE):
            rest = source.read(8 << 20)
            if _ENCRYPTED in head + rest:
                raise ValueError("it is an encrypted Excel workbook; save it without a password")
            raise ValueError(f"it is an old Excel workbook (.xls) or another Office file under the name .xlsx; {_SAVE}")
    if head.startswith(b"PK"):
        return
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<html", b"<table", b"<!doctype", b"<meta")):
        raise ValueError(f"it is no Excel workbook but a web page that Excel opens; {_SAVE}")
    if start.startswith(b"<?xml") or start.startswith(b"<workbook"):
        raise ValueError(f"it is no Excel workbook but XML; {_SAVE}")
    raise ValueError(f"it is no Excel workbook; {_SAVE}, or name it .csv if it is text")


def _require_size(archive: ZipFile) -> None:
    """Refuses a bomb early by what it states; what is really there is counted while it is read."""
    stated = sum(part.file_size for part in archive.infolist())
    if stated > MAX_UNPACKED_BYTES:
        raise ValueError(f"it unpacks to {stated} bytes, allowed are {MAX_UNPACKED_BYTES}")


def _require_workbook(archive: ZipFile, parts: dict[str, str]) -> None:
    """Refuses zipped files of other kinds by name."""
    kind = b""
    if "mimetype" in parts:
        with archive.open(parts["mimetype"]) as source:
            kind = source.read(200)
    if b"opendocument.spreadsheet" in kind:
        raise ValueError(f"it is an OpenDocument spreadsheet (.ods); {_SAVE}")
    if kind:
        raise ValueError(f"it is no Excel workbook but {kind.decode('ascii', 'replace').strip()}; {_SAVE}")
    if "xl/workbook.bin" in parts:
        raise ValueError(f"it is a binary Excel workbook (.xlsb); {_SAVE}")
    if "xl/workbook.xml" in parts or (
        "_rels/.rels" in parts and not parts.keys() & {"word/document.xml", "ppt/presentation.xml"}
    ):
        return
    raise ValueError(f"it is no Excel workbook but another zipped file; {_SAVE}")


def _part_name(name: str) -> str:
    return name.replace("\\", "/").lstrip("/").casefold()


def _target(folder: str, target: str) -> str:
    target = target.replace("\\", "/")
    if target.startswith("/"):
        return target.lstrip("/")
    parts: list[str] = []
    for part in PurePosixPath(folder, target).parts:
        if part == ".." and parts:
            parts.pop()
        elif part not in {"..", "."}:
            parts.append(part)
    return "/".join(parts)


def _column(text: str) -> int:
    place = 0
    for char in text.upper():
        place = place * 26 + ord(char) - ord("A") + 1
    return place - 1


def _int(text: str, default: int = 0) -> int:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else default  # noqa: PLR2004 - no number here is longer


def _unescaped(text: str) -> str:
    """``_x000D_`` and the like as the character meant; halves that belong together as one."""
    if "_x" not in text:
        return text
    text = _ESCAPE.sub(lambda code: chr(int(code[1], 16)), text)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def _iso_date(text: str) -> str:
    return text.strip().removesuffix("Z").removesuffix("T00:00:00.000").removesuffix("T00:00:00")
