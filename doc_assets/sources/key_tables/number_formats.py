"""Numbers of a workbook as their format shows them: dates, and numbers with leading zeros or separators."""

import math
import re
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final

from doc_assets.sources.key_tables.layout import Unusable

_DATE_FORMATS = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}
_BUILTIN = {0: "General", 1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00", 49: "@"}
_LITERAL = re.compile(r'"([^"]*)"|\\(.)|_.|\*.|\[[^\]]*\]', re.DOTALL)
_ELAPSED = re.compile(r"\[(h+|m+|s+)\]", re.IGNORECASE)
_DATE_LETTERS = re.compile(r"[ymdhse]", re.IGNORECASE)
_CONDITION = re.compile(r"\[[<>=]")
_WHOLE = re.compile(r"-?\d{1,15}")
_LARGEST_SHOWN: Final = 1e21
_LAST_DAY: Final = 2_958_465
_DAY_S: Final = 86_400
_LEAP_DAY_THAT_NEVER_WAS: Final = 60


class NumberFormat:
    """A number format of a workbook.

    Attributes:
        is_date: whether it shows days or times.
        mask: characters that it shows behind a "=", and "0" or "#" for digits; empty if it says nothing of digits.
    """

    __slots__ = ("is_date", "mask")

    def __init__(self, code: str) -> None:
        section = _first_section(code)
        self.is_date = _shows_dates(section)
        self.mask = [] if self.is_date or _CONDITION.search(code) else _mask(section)


def builtin_format(number: int) -> str:
    """The code of a format that workbooks name by number only."""
    return "yyyy-mm-dd" if number in _DATE_FORMATS else _BUILTIN.get(number, "General")


def shown_number(text: str, how: NumberFormat, *, dates_from_1904: bool) -> str:
    """What a workbook shows of a number."""
    if _WHOLE.fullmatch(text):
        value = float(text)
        plain = str(int(text))
    else:
        try:
            value = float(text)
        except ValueError:
            return Unusable(text, f"holds {text!r}, which is no number")
        if not math.isfinite(value):
            return Unusable(text, f"holds {text!r}, which is no number")
        plain = _plain(text, value)
    if how.is_date:
        return _date(value, dates_from_1904=dates_from_1904) or plain
    if how.mask and plain.isdigit():
        return _masked(plain, how.mask)
    return plain


def _plain(text: str, value: float) -> str:
    """Whole numbers without a point or power, others as short as they are exact."""
    if value.is_integer() and abs(value) < _LARGEST_SHOWN:
        try:
            return str(int(Decimal(text)))
        except (InvalidOperation, ValueError):
            return str(int(value))
    return repr(value)


def _date(serial: float, *, dates_from_1904: bool) -> str:
    """ISO text of a day, with its time unless that is midnight, or of a time alone; empty outside the calendar."""
    if not 0 <= serial <= _LAST_DAY + 1:
        return ""
    days, seconds = divmod(round(serial * _DAY_S), _DAY_S)
    time = timedelta(seconds=seconds)
    if days == 0 and not dates_from_1904:
        return str((datetime(1900, 1, 1) + time).time())  # noqa: DTZ001 - a time of a clock
    if dates_from_1904:
        first = date(1904, 1, 1)
    elif days < _LEAP_DAY_THAT_NEVER_WAS:
        first = date(1899, 12, 31)
    else:
        first = date(1899, 12, 30)
    try:
        day = first + timedelta(days=days)
    except OverflowError:
        return ""
    return f"{day.isoformat()}T{(datetime(1900, 1, 1) + time).time()}" if seconds else day.isoformat()  # noqa: DTZ001


def _first_section(code: str) -> str:
    """The part of a format for numbers above zero."""
    quoted = False
    for place, char in enumerate(code):
        if char == '"' and code[place - 1 : place] != "\\":
            quoted = not quoted
        elif char == ";" and not quoted and code[place - 1 : place] != "\\":
            return code[:place]
    return code


def _shows_dates(section: str) -> bool:
    if _ELAPSED.search(section):
        return True
    rest = _LITERAL.sub("", section)
    if rest.strip().casefold() in {"general", "standard", "@", ""} or "general" in rest.casefold():
        return False
    if re.search(r"0.*E[+-]|#.*E[+-]", rest):
        return False
    return _DATE_LETTERS.search(rest) is not None


def _mask(section: str) -> list[str]:
    """Characters that a format shows, "0" and "#" for digits; empty if it says nothing about single digits."""
    shown: list[str] = []
    place = 0
    n_zeros = n_literals = 0
    while place < len(section):
        found = _LITERAL.match(section, place)
        char = section[place]
        if found:
            literal = found[1] if found[1] is not None else found[2] or ""
            shown += [f"={one}" for one in literal]
            n_literals += len(literal)
            place = found.end()
            continue
        if char in "0#?":
            shown.append("0" if char == "0" else "#")
            n_zeros += char == "0"
        elif char in "-/() :":
            shown.append(f"={char}")
            n_literals += 1
        else:
            return []  # decimals, thousands, per cent, powers: the number itself says what it is
        place += 1
    has_digits = any(char in {"0", "#"} for char in shown)
    return shown if has_digits and (n_zeros > 1 or n_literals) else []


def _masked(digits: str, mask: list[str]) -> str:
    """Digits in the places of a mask, from the right; those left over stand before the first place."""
    left = list(digits)
    shown: list[str] = []
    places = [number for number, char in enumerate(mask) if char in {"0", "#"}]
    for number in range(len(mask) - 1, -1, -1):
        char = mask[number]
        if char.startswith("="):
            shown.append(char[1:])
            continue
        if left:
            shown.append(left.pop())
        elif char == "0":
            shown.append("0")
        if number == places[0]:
            shown += reversed(left)
            left = []
    return "".join(reversed(shown)).strip()
