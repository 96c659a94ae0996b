"""Rows of a key table in JSON: an array of objects (.json), or an object per line (.ndjson, .jsonl).

An array is cut into its elements by brackets and quotes alone, so that memory depends neither on its length nor on
its depth; each element is then parsed on its own and can fail on its own.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn

from doc_assets.sources.key_tables.csv_rows import open_text, possible_encodings
from doc_assets.sources.key_tables.layout import Unusable

MAX_DEPTH: Final = 100
_MAX_ELEMENT: Final = 1 << 20
_BLOCK: Final = 1 << 16
_OUTSIDE: Final = re.compile(r'["\[\]{},]')
_INSIDE: Final = re.compile(r'["\\]')
_BLANK: Final = " \t\r\n"
_WHOLE: Final = re.compile(r"-?\d+(?:\.0*)?")
_MAX_EXPONENT_CHARACTERS: Final = 4
_EXACT_DIGITS: Final = 9
"""A number in powers of ten with this many digits or more is whole as it stands; one with less was rounded."""


@dataclass(frozen=True, slots=True)
class JsonRow:
    """A row of a JSON table.

    Attributes:
        line: its place in the array, or its line, from 1.
        entries: names and values as text, in their order; a name may stand twice.
        fault: why it cannot be used; empty if it can.
    """

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
        number = 0
        while line := text.readline(_MAX_ELEMENT):
            number += 1
            is_cut = len(line) == _MAX_ELEMENT and not line.endswith(("\n", "\r"))
            while is_cut and (more := text.readline(_MAX_ELEMENT)) and not more.endswith(("\n", "\r")):
                pass
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
    """A value as a cell's text."""
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
    scanner.end()


class _Scanner:
    """Cuts an array into its elements."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = self._depth = 0
        self._quoted = self._escaped = self._closed = False

    def feed(self, block: str) -> Iterator[str | None]:  # noqa: PLR0912 - one state machine, one loop
        """The elements that end in a block of text."""
        place = start = 0
        while place < len(block):
            if self._escaped:
                self._escaped = False
                place += 1
                continue
            found = (_INSIDE if self._quoted else _OUTSIDE).search(block, place)
            if found is None:
                break
            if self._depth == 0:
                self._between(block[place : found.start()], found[0])
            place = found.end()
            char = found[0]
            if char == "\\":
                self._escaped = True
            elif char == '"':
                self._quoted = not self._quoted
            elif char in "[{":
                self._depth += 1
                if self._depth == 1:
                    start = place
                elif self._depth > MAX_DEPTH:
                    raise ValueError(f"it nests deeper than {MAX_DEPTH} levels, which no table does")
            elif char != ",":
                self._depth -= 1
            ends = self._depth == 0 or (char == "," and self._depth == 1)
            if ends and not self._quoted:
                element = self._taken(block[start : found.start()])
                if element or char == ",":
                    yield element
                start = place
                self._closed = self._depth == 0
        if self._depth == 0:
            self._between(block[place:] if place < len(block) else "", "")
        else:
            self._keep(block[start:])

    def end(self) -> None:
        """The text ends here."""
        if not self._closed:
            raise ValueError(
                "it is no JSON: it ends within the array" if self._depth else "it is no JSON array of objects"
            )

    def _between(self, text: str, char: str) -> None:
        """What stands before the array or behind it."""
        if text.strip(_BLANK + "\ufeff") or (char and (self._closed or char != "[")):
            _refuse_rest(closed=self._closed)

    def _keep(self, text: str) -> None:
        if self._length <= _MAX_ELEMENT:
            self._parts.append(text)
        self._length += len(text)

    def _taken(self, text: str) -> str | None:
        self._keep(text)
        whole = None if self._length > _MAX_ELEMENT else "".join(self._parts).strip(_BLANK)
        self._parts, self._length = [], 0
        return whole


def _refuse_rest(*, closed: bool) -> NoReturn:
    raise ValueError("it is no JSON: something follows the array" if closed else "it is no JSON array of objects")
