"""Columns of key tables, how they are found in a header, and cells as text."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from doc_assets.sources.date_defaults import DATE_COLUMNS
from doc_assets.sources.merchants import INVISIBLE, NAME_COLUMN, is_error_text

KEY_COLUMN = "파일명"
MERCHANT_COLUMN = "사업자등록번호"
FIELD_COLUMNS = (NAME_COLUMN, "업종명", "구분", MERCHANT_COLUMN, "수신일자")

_MAX_SHOWN: Final = 20
"""Names that a message lists at most."""
MAX_CELL_CHARACTERS: Final = 32_767
"""What a cell of a spreadsheet holds at most; no name and no number is longer."""
_MAX_VISIBLE: Final = 80
_SURROGATE: Final = re.compile("[\ud800-\udfff]")

_UNSEEN = str.maketrans("", "", INVISIBLE)


@dataclass(frozen=True, slots=True)
class TableLayout:
    """Where a key table has what; column names in any case and width, line breaks and invisible characters aside.

    Attributes:
        key_column: names documents.
        merchant_column: names merchants; a table may lack it.
        field_columns: travel with documents and results; those a table lacks are left out.
        sheet: of a workbook, by name or place from 1; empty for the first that has the key column.
        date_columns: say when documents were received; they travel like ``field_columns``.
    """

    key_column: str = KEY_COLUMN
    merchant_column: str = MERCHANT_COLUMN
    field_columns: tuple[str, ...] = FIELD_COLUMNS
    sheet: str = ""
    date_columns: tuple[str, ...] = DATE_COLUMNS

    @property
    def carried(self) -> tuple[str, ...]:
        """Columns that travel, each once; of names that a header cannot tell apart the first."""
        named: dict[str, str] = {}
        for name in (*self.field_columns, *self.date_columns):
            named.setdefault(column_name(name), name)
        return tuple(named.values())


@dataclass(slots=True)
class TableRow:
    """A row of a table with a header.

    Attributes:
        line: where it begins, from 1, always behind the row before.
        cells: place from 0 -> text as written; a workbook's empty cells are left out.
        hidden: whether people do not see it.
        fault: why it cannot be used; empty if it can.
    """

    line: int
    cells: dict[int, str] = field(default_factory=dict)
    hidden: bool = False
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Columns:
    """Places of a table's columns.

    Attributes:
        key: place of the key column, from 0.
        merchant: place of the merchant column; None if there is none.
        fields: name as in the layout -> places of the columns that claim it.
        width: columns up to the last one with a name.
    """

    key: int
    merchant: int | None
    fields: tuple[tuple[str, tuple[int, ...]], ...]
    width: int


def column_name(text: str) -> str:
    """The same text for names that differ in case, width, composition, blanks or characters that nobody sees."""
    return unicodedata.normalize("NFKC", text).translate(_UNSEEN).casefold()


def find_columns(names: Mapping[int, str], layout: TableLayout) -> Columns | None:
    """The places of a layout's columns in a header (place from 0 -> text); None if no column is the key column.

    Raises:
        ValueError: if two columns claim to name the documents, or the merchants.
    """
    places: dict[str, list[int]] = {}
    for place, text in sorted(names.items()):
        places.setdefault(column_name(text), []).append(place)
    places.pop("", None)

    def only(wanted: str) -> int | None:
        found = places.get(column_name(wanted), [])
        if len(found) > 1:
            claims = " and ".join(f"{visible(names[place])} (column {letters(place)})" for place in found)
            raise ValueError(
                f"{len(found)} columns claim to be {visible(wanted)}: {claims}; rename or remove one of them"
            )
        return found[0] if found else None

    key = only(layout.key_column)
    if key is None:
        return None
    fields = ((name, tuple(places.get(column_name(name), ()))) for name in layout.carried)
    width = max(place for group in places.values() for place in group) + 1
    return Columns(key, only(layout.merchant_column), tuple((name, found) for name, found in fields if found), width)


def letters(place: int) -> str:
    """A column's place as spreadsheets show it: A, B, ... Z, AA."""
    text = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


def shown_names(names: Iterable[str]) -> str:
    """Names in one line, invisible characters shown; ``none`` if there are none."""
    listed = [visible(name) for name in names if name]
    more = f" and {len(listed) - _MAX_SHOWN} more" if len(listed) > _MAX_SHOWN else ""
    return (", ".join(listed[:_MAX_SHOWN]) or "none") + more


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
        return Unusable(text[:_MAX_VISIBLE], f"has {len(text)} characters, at most {MAX_CELL_CHARACTERS} are read")
    if text.startswith("#") and is_error_text(text):
        return Unusable(text, f"is {text}, which a spreadsheet shows instead of a value")
    return text


def visible(text: str) -> str:
    """Text for a message: what cannot be seen as its code, and no more than fits a line."""

    def is_seen(char: str) -> bool:
        return char == " " or (char not in INVISIBLE and unicodedata.category(char)[0] != "C")

    shown = "".join(char if is_seen(char) else f"<U+{ord(char):04X}>" for char in text[:_MAX_VISIBLE])
    return shown if len(text) <= _MAX_VISIBLE else f"{shown}... ({len(text)} characters)"


def is_broken(text: str) -> bool:
    """Whether a text holds bytes that its encoding has no character for, or half a surrogate pair."""
    return _SURROGATE.search(text) is not None


def whole_text(text: str) -> str:
    """Text without halves of surrogate pairs, which no database takes; they are shown as their code."""
    return _SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", text)
