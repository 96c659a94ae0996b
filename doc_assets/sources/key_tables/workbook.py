"""Sheets of an Excel workbook (.xlsx), row by row, as people see their cells.

Nothing that a file states about itself is believed: not the used range, not its counts, not the numbers of rows.
Only what lies in the XML counts, in its order, and memory does not grow with the number of rows. Read by expat without
entities; of the archive's parts only those that are needed are unpacked, within a limit.
"""

import posixpath
import re
import tempfile
import zlib
from array import array
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Final, Self
from xml.parsers import expat
from zipfile import BadZipFile, ZipFile

from doc_assets.sources.key_tables.layout import MAX_CELL_CHARACTERS, TableRow, Unusable
from doc_assets.sources.key_tables.number_formats import NumberFormat, builtin_format, shown_number

MAX_UNPACKED_BYTES: Final = 4 << 30

_MAX_ROW: Final = 1_048_576
_MAX_COLUMNS: Final = 16_384
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
_TRUE = {"1", "true"}
_GENERAL = NumberFormat("General")

_Event = tuple[str, dict[str, str] | None, str]
"""A tag that begins and its attributes, or one that ends: None, and the text behind the last beginning."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet by the name on its tab and its part of the archive; whether people do not see it."""

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


class Workbook:
    """A workbook that is open for reading.

    Raises:
        ValueError: if it is none, or none that can be read; says what it is and what to do.
    """

    def __init__(self, path: Path) -> None:
        _require_zip(path)
        with ExitStack() as opening:
            self._opened = opening
            try:
                self._archive = opening.enter_context(ZipFile(path))
            except (BadZipFile, NotImplementedError) as error:
                raise ValueError(f"it is no Excel workbook: {error}") from error
            stated = sum(part.file_size for part in self._archive.infolist())
            if stated > MAX_UNPACKED_BYTES:  # a bomb, early; what is really there is counted while it is read
                raise ValueError(f"it unpacks to {stated} bytes, allowed are {MAX_UNPACKED_BYTES}")
            self._parts = {_part_name(name): name for name in self._archive.namelist()}
            _require_workbook(self._archive, self._parts)
            main = next((part for kind, part, _ in self._relations("") if kind == "officeDocument"), "xl/workbook.xml")
            self._related = self._relations(main)
            self._dates_from_1904 = False
            self.sheets = self._read_sheets(main)
            self._formats = self._read_formats()
            self._strings = _Strings(opening.enter_context(tempfile.TemporaryFile()))
            self._read_strings()
            self._opened = opening.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def rows(self, sheet: Sheet) -> Iterator[TableRow]:
        """The rows of a sheet that have anything in them, in the order of the file."""
        line = 0
        events = self._events(sheet.part)
        for tag, attributes, _ in events:
            if tag == "row" and attributes is not None:
                said = _int(attributes.get("r", ""))
                line = said if line < said <= _MAX_ROW else line + 1
                row = TableRow(line, hidden=attributes.get("hidden") in _TRUE)
                self._fill(row, events)
                if row.cells or row.fault:
                    yield row

    def _fill(self, row: TableRow, events: Iterator[_Event]) -> None:
        """Reads the cells of a row to its end."""
        place = -1
        for tag, attributes, _ in events:
            if tag == "row":
                return
            if tag != "c" or attributes is None:
                continue
            stated = _PLACE.fullmatch(attributes.get("r", ""))
            place = _column(stated[1]) if stated else place + 1
            text = self._cell(attributes, events)
            if not text:
                continue
            if place >= _MAX_COLUMNS:
                row.fault = f"it has a cell in column {place + 1}, a sheet has {_MAX_COLUMNS}"
            elif row.cells.setdefault(place, text) != text:
                row.fault = "it states one cell twice"

    def _cell(self, attributes: dict[str, str], events: Iterator[_Event]) -> str:
        """Reads a cell to its end; what people see in it."""
        value: str | None = None
        has_formula = is_phonetic = False
        for tag, begun, text in events:
            if tag == "c":
                break
            if tag == "rPh":
                is_phonetic = begun is not None
            elif tag == "f":
                has_formula = True
            elif begun is None and (tag == "v" or (tag == "t" and not is_phonetic)):
                value = _longer(value or "", text)
        kind = attributes.get("t", "n")
        if value or (value is not None and kind in {"str", "inlineStr"}):
            return self._cell_text(kind, attributes.get("s", ""), value)
        if has_formula:
            return Unusable("", "is a formula without a stored result; open the file in Excel and save it")
        return ""

    def _cell_text(self, kind: str, style: str, value: str) -> str:
        if kind in {"str", "inlineStr"}:
            return _unescaped(value)
        stripped = value.strip()
        if kind == "s":
            return self._strings.get(stripped)
        if kind == "b":
            return Unusable("TRUE" if stripped in _TRUE else "FALSE", "is a truth value")
        if kind == "e":
            return Unusable(value, f"is the error {value}")
        if kind == "d":
            return stripped.removesuffix("Z").removesuffix("T00:00:00.000").removesuffix("T00:00:00")
        number = _int(style)
        how = self._formats[number] if number < len(self._formats) else _GENERAL
        return shown_number(stripped, how, dates_from_1904=self._dates_from_1904)

    def merges(self, sheet: Sheet) -> list[Merge]:
        """Merged ranges of a sheet; they stand behind its rows, so it is read once more if it has any."""
        found: list[Merge] = []
        if not self._mentions(sheet.part, b"mergeCell"):
            return found
        for tag, attributes, _ in self._events(sheet.part):
            place = _RANGE.fullmatch(attributes.get("ref", "")) if attributes and tag == "mergeCell" else None
            if place:
                rows, columns = sorted((int(place[2]), int(place[4]))), sorted((_column(place[1]), _column(place[3])))
                found.append(Merge(rows[0], min(rows[1], _MAX_ROW), columns[0], columns[1]))
                if len(found) > _MAX_MERGES:
                    raise ValueError(f"sheet {sheet.name} has more than {_MAX_MERGES} merged ranges")
        return found

    def _relations(self, part: str) -> list[tuple[str, str, str]]:
        """Kind, target part and id of what a part refers to."""
        folder, _, name = part.rpartition("/")
        source = f"{folder}/_rels/{name}.rels" if folder else f"_rels/{name}.rels"
        found: list[tuple[str, str, str]] = []
        if _part_name(source) not in self._parts:
            return found
        for tag, attributes, _ in self._events(source):
            if not attributes or tag != "Relationship" or attributes.get("TargetMode") == "External":
                continue
            if len(found) < _MAX_FORMATS:
                kind = attributes.get("Type", "").rpartition("/")[2]
                found.append((kind, _target(folder, attributes.get("Target", "")), attributes.get("Id", "")))
        return found

    def _read_sheets(self, main: str) -> list[Sheet]:
        targets = {key: (kind, target) for kind, target, key in self._related}
        sheets: list[Sheet] = []
        for tag, attributes, _ in self._events(main):
            if attributes and tag == "workbookPr":
                self._dates_from_1904 = attributes.get("date1904") in _TRUE
            if attributes and tag == "sheet":
                usual = "worksheet", f"xl/worksheets/sheet{len(sheets) + 1}.xml"
                kind, target = targets.get(attributes.get("id", ""), usual)
                if kind == "worksheet" and len(sheets) < _MAX_SHEETS:
                    hidden = attributes.get("state", "visible") != "visible"
                    sheets.append(Sheet(attributes.get("name", ""), target, hidden))
        return sheets

    def _read_formats(self) -> list[NumberFormat]:
        """Number formats by the number that cells name."""
        codes: dict[int, str] = {}
        styles: list[int] = []
        are_of_cells = False
        for tag, attributes, _ in self._events_of("styles", "xl/styles.xml"):
            if tag == "cellXfs":
                are_of_cells = attributes is not None
            elif attributes is None:
                continue
            elif tag == "numFmt" and len(codes) < _MAX_FORMATS:
                codes[_int(attributes.get("numFmtId", ""))] = attributes.get("formatCode", "")
            elif tag == "xf" and are_of_cells and len(styles) < _MAX_FORMATS:
                styles.append(_int(attributes.get("numFmtId", "")))
        made = {number: NumberFormat(codes.get(number, builtin_format(number))) for number in set(styles)}
        return [made[number] for number in styles]

    def _read_strings(self) -> None:
        """Reads the shared strings; phonetic text is not part of them."""
        text = ""
        is_phonetic = False
        for tag, attributes, said in self._events_of("sharedStrings", "xl/sharedStrings.xml"):
            if tag == "rPh":
                is_phonetic = attributes is not None
            elif tag == "t" and attributes is None and not is_phonetic:
                text = _longer(text, said)
            elif tag == "si" and attributes is None:
                self._strings.add(_unescaped(text))
                text = ""

    def _events_of(self, kind: str, usual: str) -> Iterator[_Event]:
        """What the workbook's part of a kind says; nothing if it has none."""
        part = next((target for found, target, _ in self._related if found == kind), usual)
        return self._events(part) if _part_name(part) in self._parts else iter(())

    def _mentions(self, part: str, word: bytes) -> bool:
        """Whether a part may hold a word; True where it is not written in UTF-8."""
        with self._open(part) as source:
            block = source.read(_CHUNK_BYTES)
            if b"\0" in block[:64] or (b"encoding" in block[:200] and b"utf-8" not in block[:200].lower()):
                return True
            tail = b""
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
        return self._opened.enter_context(self._archive.open(name))

    def _events(self, part: str) -> Iterator[_Event]:
        parser, fed = _Parser(part), 0
        try:
            with self._open(part) as source:
                while block := source.read(_CHUNK_BYTES):
                    fed += len(block)
                    yield from parser.feed(block)
                    if fed - parser.n_parsed > _MAX_TOKEN_BYTES:
                        raise ValueError(f"its part {part} has a piece of more than {_MAX_TOKEN_BYTES} bytes")
                    if fed > MAX_UNPACKED_BYTES:
                        raise ValueError(f"it unpacks to more than {MAX_UNPACKED_BYTES} bytes")
                yield from parser.feed(b"", is_last=True)
        except expat.ExpatError as error:
            raise ValueError(f"the XML of its part {part} is broken: {error}") from error
        except (BadZipFile, zlib.error, NotImplementedError, EOFError) as error:
            raise ValueError(f"its part {part} is damaged: {error}") from error
        except RuntimeError as error:  # zipfile's word for a part with a password
            raise ValueError(f"its part {part} is encrypted; save it without a password") from error


class _Parser:
    """Expat with limits; no text grows beyond what a cell can hold."""

    def __init__(self, part: str) -> None:
        self._part = part
        self._events: list[_Event] = []
        self._depth = 0
        self._text = ""
        self._expat = expat.ParserCreate(namespace_separator=" ")
        self._expat.buffer_text = True
        self._expat.StartElementHandler, self._expat.EndElementHandler = self._start, self._end
        self._expat.CharacterDataHandler = self._more
        self._expat.StartDoctypeDeclHandler = self._refuse_doctype

    @property
    def n_parsed(self) -> int:
        return self._expat.CurrentByteIndex

    def feed(self, block: bytes, *, is_last: bool = False) -> list[_Event]:
        self._events = []
        self._expat.Parse(block, is_last)
        return self._events

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        space, _, local = name.rpartition(" ")
        if self._depth == 1 and space.startswith(_STRICT):
            raise ValueError(f"it is Strict Open XML; {_SAVE}")
        if self._depth > _MAX_DEPTH:
            raise ValueError(f"its part {self._part} nests deeper than {_MAX_DEPTH} levels")
        self._text = ""
        self._events.append((local, {key.rpartition(" ")[2]: value for key, value in attributes.items()}, ""))

    def _end(self, name: str) -> None:
        self._depth -= 1
        self._events.append((name.rpartition(" ")[2], None, self._text))

    def _more(self, text: str) -> None:
        self._text = _longer(self._text, text)

    def _refuse_doctype(self, *_: object) -> None:
        raise ValueError(f"it is no Excel workbook: its part {self._part} declares a document type (Entities)")


class _Strings:
    """Shared strings, kept in a file of no name: tables have a million of them."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._ends = array("Q", [0])
        self._cached = lru_cache(maxsize=1 << 14)(self._read)

    def add(self, text: str) -> None:
        n_bytes = self._file.write(text.encode("utf-8", "surrogatepass"))
        self._ends.append(self._ends[-1] + n_bytes)

    def get(self, place: str) -> str:
        number = _int(place, default=-1)
        if not 0 <= number < len(self._ends) - 1:
            return Unusable(place, f"names shared text {place}, which the file does not have")
        return self._cached(number)

    def _read(self, number: int) -> str:
        begin, end = self._ends[number : number + 2]
        self._file.seek(begin)
        return self._file.read(end - begin).decode("utf-8", "surrogatepass")


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
    """The part that a relation names: beside the part that it belongs to, or from the root."""
    target = target.replace("\\", "/")
    return posixpath.normpath(target if target.startswith("/") else f"/{folder}/{target}").lstrip("/")


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


def _longer(text: str, more: str) -> str:
    """Text with more of it, cut off where no cell can hold it."""
    return text + more if len(text) <= MAX_CELL_CHARACTERS else text
