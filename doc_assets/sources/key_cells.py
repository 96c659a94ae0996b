"""Cells of key tables as text, and how their text is shown in messages."""

import re
import unicodedata
from typing import Final, Self

from doc_assets.sources.merchants import INVISIBLE, is_error_text

MAX_CELL_CHARACTERS: Final = 32_767
"""What a cell of a spreadsheet holds at most; no name and no number is longer."""
MAX_VISIBLE: Final = 80
SURROGATE: Final = re.compile("[\ud800-\udfff]")


class Unusable(str):
    """A cell that says nothing: its text as far as there is one, and why."""

    __slots__ = ("reason",)
    reason: str

    def __new__(cls, text: str, reason: str) -> Self:
        """A cell."""
        made = super().__new__(cls, text)
        made.reason = reason
        return made

    def __bool__(self) -> bool:
        """Something stands in the cell, whatever its text is."""
        return True


def cell_text(text: str) -> str:
    """A cell's text without what nobody sees at its edges; what a spreadsheet shows instead of a value is unusable."""
    if isinstance(text, Unusable):
        return text
    if not text or (len(text) <= MAX_CELL_CHARACTERS and text.isalnum()):
        return text
    text = text.strip(INVISIBLE)
    if text.startswith('="') and text.endswith('"') and len(text) > 2:  # noqa: PLR2004 - how CSV keeps leading zeros
        text = text[2:-1].strip(INVISIBLE)
    if len(text) > MAX_CELL_CHARACTERS:
        return Unusable(text[:MAX_VISIBLE], f"has {len(text)} characters, at most {MAX_CELL_CHARACTERS} are read")
    if text.startswith("#") and is_error_text(text):
        return Unusable(text, f"is {text}, which a spreadsheet shows instead of a value")
    return text


def visible(text: str) -> str:
    """Text for a message: what cannot be seen as its code, and no more than fits a line."""
    shown = "".join(sign if _is_seen(sign) else f"<U+{ord(sign):04X}>" for sign in text[:MAX_VISIBLE])
    return shown if len(text) <= MAX_VISIBLE else f"{shown}... ({len(text)} characters)"


def _is_seen(sign: str) -> bool:
    return sign == " " or (sign not in INVISIBLE and unicodedata.category(sign)[0] != "C")


def whole_text(text: str) -> str:
    """Text without halves of surrogate pairs, which no database takes; they are shown as their code."""
    return SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", text)
