"""Rows of a key table in JSON: an array of objects (.json), or an object per line (.ndjson, .jsonl).

An array is cut into its elements by brackets and quotes alone, so that memory depends neither on its length nor on
its depth; each element is then parsed on its own and can fail on its own.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from doc_assets.sources.key_tables.csv_rows import open_text, possible_encodings, whole_lines
from doc_assets.sources.key_tables.layout import Unusable

MAX_DEPTH: Final = 100
_MAX_ELEMENT: Final = 1 << 20
_BLOCK: Final = 1 << 16
_OUTSIDE: Final = re.compile(r'["\[\]{},]')
_INSIDE: Final = re.compile(r'["\\]')
_BLANK: Final = " \t\r\n"
_WHOLE: Final = re.compile(r"-?\d+(?:\.0*)?")
_MAX_EXPONENT_CHARACTERS: Final = 4
_NO_ARRAY: Final = "it is no JSON array of objects"
_EXACT_DIGITS: Final = 9
"""A number in powers of ten with this many digits or more is whole as it stands; one with less was rounded."""


@dataclass(frozen=True, slots=True)
class JsonRow:
    """A row by its place or line from 1: names, also twice, and values as text; or why it cannot be used."""

    line: int
    entries: list[tuple[str, str]] = field(default_factory=list)
    fault: str = ""


def json_rows(path: Path) -> Iterator[JsonRow]:
    """The elements of an array.

    Raises:
        ValueError: if the file is no JSON array, ends within it, or nests too deep.
    """
    with open_text(path, possible_encodings(path)[0]) as text:
        for number, element in enumerate(_elements(iter(lambda: text.read(_BLOCK), "")), start=1):
            yield _row(number, element)


def line_rows(path: Path) -> Iterator[JsonRow]:
    """The lines that are not blank."""
    with open_text(path, possible_encodings(path)[0]) as text:
        for number, (line, is_cut) in enumerate(whole_lines(text, _MAX_ELEMENT), start=1):
            content = line.strip(_BLANK + "\ufeff\x1e")
            if content:
                yield _row(number, None if is_cut else content)


def _row(number: int, element: str | None) -> JsonRow:
    if element is None:
        return JsonRow(number, fault=f"it has more than {_MAX_ELEMENT} characters")
    try:
        parsed = _DECODER.decode(element)
    except RecursionError:
        return JsonRow(number, fault=f"it nests deeper than {MAX_DEPTH} levels")
    except ValueError as error:
        return JsonRow(number, fault=f"it is no JSON: {error}")
    if not isinstance(parsed, _Object):
        return JsonRow(number, fault=f"it is {_KINDS.get(type(parsed), 'a value')}, not an object")
    return JsonRow(number, [(name, _text(value)) for name, value in parsed.pairs if value is not None])


@dataclass(frozen=True, slots=True)
class _Object:
    """An object with its names in their order, the same one twice if it stands there twice."""

    pairs: list[tuple[str, Any]]


class _Number(str):
    """A number as it is written."""

    __slots__ = ()


_KINDS: Final[dict[type, str]] = {
    list: "an array",
    str: "a text",
    _Number: "a number",
    bool: "a truth value",
    type(None): "null",
    Unusable: "no number",
}
_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_Object,
    parse_int=_Number,
    parse_float=_Number,
    parse_constant=lambda text: Unusable(text, f"is {text}, which is no number"),
)


def _text(value: object) -> str:
    if isinstance(value, _Number):
        return _number_text(value)
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return Unusable(str(value).lower(), "is a truth value")
    return Unusable("", "is an object" if isinstance(value, _Object) else "is an array")


def _number_text(text: str) -> str:
    """Whole numbers without a point; powers of ten without it too, if all their digits are there."""
    if _WHOLE.fullmatch(text):
        return text.partition(".")[0]
    mantissa, _, exponent = text.casefold().partition("e")
    whole, _, part = mantissa.lstrip("-").partition(".")
    if len(exponent) > _MAX_EXPONENT_CHARACTERS:
        return Unusable(text, f"is {text}, which is no number of a table")
    shift = int(exponent or "0")
    if len((whole + part).lstrip("0")) >= _EXACT_DIGITS and len(part) <= shift <= len(part) + 1:
        return whole + part + "0" * (shift - len(part))
    return str(text)


def _elements(blocks: Iterator[str]) -> Iterator[str | None]:
    """The text of each element of an array, None for one that is too long."""
    scanner = _Scanner()
    for block in blocks:
        yield from scanner.feed(block)
    if not scanner.closed:
        raise ValueError("it is no JSON: it ends within the array" if scanner.depth else _NO_ARRAY)


class _Scanner:
    """Cuts an array into its elements; ``depth`` brackets are open, ``closed`` once the array's end was seen."""

    def __init__(self) -> None:
        self.depth = 0
        self.closed = False
        self._parts: list[str] = []
        self._length = 0
        self._quoted = self._escaped = False

    def feed(self, block: str) -> Iterator[str | None]:
        place = start = 0
        while place < len(block):
            if self._escaped:
                self._escaped = False
                place += 1
                continue
            found = (_INSIDE if self._quoted else _OUTSIDE).search(block, place)
            if found is None:
                break
            if self.depth == 0:
                self._refuse(block[place : found.start()], found[0])
            place = found.end()
            self._step(found[0])
            if self.depth == 1 and found[0] in "[{":
                start = place
            ends = self.depth == 0 or (found[0] == "," and self.depth == 1)
            if ends and not self._quoted:
                element = self._taken(block[start : found.start()])
                if element or found[0] == ",":
                    yield element
                start = place
                self.closed = self.depth == 0
        if self.depth == 0:
            self._refuse(block[place:])
        else:
            self._keep(block[start:])

    def _step(self, char: str) -> None:
        if char == "\\":
            self._escaped = True
        elif char == '"':
            self._quoted = not self._quoted
        elif char in "[{":
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise ValueError(f"it nests deeper than {MAX_DEPTH} levels, which no table does")
        elif char != ",":
            self.depth -= 1

    def _refuse(self, text: str, char: str = "") -> None:
        """Refuses what stands before the array or behind it."""
        if text.strip(_BLANK + "\ufeff") or (char and (self.closed or char != "[")):
            raise ValueError("it is no JSON: something follows the array" if self.closed else _NO_ARRAY)

    def _keep(self, text: str) -> None:
        if self._length <= _MAX_ELEMENT:
            self._parts.append(text)
        self._length += len(text)

    def _taken(self, text: str) -> str | None:
        self._keep(text)
        whole = None if self._length > _MAX_ELEMENT else "".join(self._parts).strip(_BLANK)
        self._parts, self._length = [], 0
        return whole
