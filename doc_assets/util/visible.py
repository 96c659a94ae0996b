"""Text from outside, made harmless to look at: what acts on a screen or hides is written as its code.

A file name may hold the codes that colour, clear or rename a terminal, marks that turn the direction of reading (so
that ``gpj.exe`` reads as ``exe.jpg``), line breaks that forge a line of a log, and letters that nobody sees. Letters of
any script stay as they are.
"""

import json
import re
import unicodedata
from typing import Any

_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u2800")
"""Hangul fillers and the empty Braille pattern: letters by category, blank on every screen."""
_LAYOUT = "\n\t"
_ASCII_LINE = re.compile(r"[\x20-\x7e]*")
_BYTE, _PLANE = 0xFF, 0xFFFF


def is_hidden(char: str) -> bool:
    """Whether a character acts on what shows it, or cannot be seen."""
    return char in _BLANK_LETTERS or unicodedata.category(char) in _HIDDEN_CATEGORIES


def visible(text: str, *, lines: bool = False) -> str:
    r"""``text`` with hidden characters as ``\x1b``, ``\u202e`` or ``\U000e0041``; ``lines``: breaks and tabs stay."""
    if _ASCII_LINE.fullmatch(text):
        return text
    kept = _LAYOUT if lines else ""
    return "".join(_code(char) if char not in kept and is_hidden(char) else char for char in text)


def printable(text: str) -> str:
    """``text`` as every database, log and terminal takes it: a blank for each character that cannot be printed."""
    return "".join(char if char.isprintable() else " " for char in text)


def visible_json(document: str) -> str:
    r"""A JSON document with hidden characters as ``\u202e``: the same values for a program, harmless on a screen."""
    if document.isascii() and "\x7f" not in document:
        return document
    return "".join(json.dumps(char)[1:-1] if char != "\n" and is_hidden(char) else char for char in document)


def visible_value(value: Any) -> Any:  # noqa: ANN401 - any cell or template value
    """``visible`` of text, everything else as it is."""
    return visible(value, lines=True) if type(value) is str else value


def _code(char: str) -> str:
    number = ord(char)
    if number <= _BYTE:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= _PLANE else f"\\U{number:08x}"
