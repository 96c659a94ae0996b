"""Numbers of a workbook as their format shows them: dates, and numbers with leading zeros or separators."""

import math
import re
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final

from doc_assets.sources.key_tables.layout import Unusable

_DATE_FORMATS = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}
_BUILTIN = {0: "General", 1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00", 49: "@"}
_FIRST_SECTION = re.compile(r'(?:"[^"]*(?:"|$)|\\.|[^;"])*', re.DOTALL)
"""The part of a format for numbers above zero."""
_LITERAL = re.compile(r'"([^"]*)"|\\(.)|_.|\*.|\[[^\]]*\]', re.DOTALL)
_TOKEN = re.compile(f"{_LITERAL.pattern}|(.)", re.DOTALL)
_ELAPSED = re.compile(r"\[(h+|m+|s+)\]", re.IGNORECASE)
_DATE_LETTERS = re.compile(r"[ymdhse]", re.IGNORECASE)
_CONDITION = re.compile(r"\[[<>=]")
_WHOLE = re.compile(r"-?\d{1,15}")
_LARGEST_SHOWN: Final = 1e21
_LAST_DAY: Final = 2_958_465
_DAY_S: Final = 86_400
_LEAP_DAY_THAT_NEVER_WAS: Final = 60


class NumberFormat:
    """A number format of a workbook: whether it shows days or times, and its mask.

    The mask holds characters that it shows behind a "=", and "0" or "#" for digits; empty if it says nothing of digits.
    """

    __slots__ = ("is_date", "mask")

    def __init__(self, code: str) -> None:
        found = _FIRST_SECTION.match(code)
        section = found[0] if found else ""
        self.is_date = _shows_dates(section)
        self.mask = [] if self.is_date or _CONDITION.search(code) else _mask(section)


def builtin_format(number: int) -> str:
    """The code of a format that workbooks name by number only."""
    return "yyyy-mm-dd" if number in _DATE_FORMATS else _BUILTIN.get(number, "General")


def shown_number(text: str, how: NumberFormat, *, dates_from_1904: bool) -> str:
    """What a workbook shows of a number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        return Unusable(text, f"holds {text!r}, which is no number")
    plain = str(int(text)) if _WHOLE.fullmatch(text) else _plain(text, value)
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
    clock = (datetime(1900, 1, 1) + timedelta(seconds=seconds)).time()  # noqa: DTZ001 - a time of a clock
    if days == 0 and not dates_from_1904:
        return str(clock)
    first = date(1899, 12, 31 if days < _LEAP_DAY_THAT_NEVER_WAS else 30)
    try:
        day = (date(1904, 1, 1) if dates_from_1904 else first) + timedelta(days=days)
    except OverflowError:
        return ""
    return f"{day}T{clock}" if seconds else str(day)


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
    for quoted, escaped, char in _TOKEN.findall(section):
        if char in {"0", "#", "?"}:
            shown.append("0" if char == "0" else "#")
        elif char not in "-/() :":
            return []  # decimals, thousands, per cent, powers: the number itself says what it is
        else:
            shown += [f"={one}" for one in quoted or escaped or char]
    n_digits = shown.count("0") + shown.count("#")
    return shown if n_digits and (shown.count("0") > 1 or n_digits < len(shown)) else []


def _masked(digits: str, mask: list[str]) -> str:
    """Digits in the places of a mask, from the right; those left over stand before the first place."""
    n_places = mask.count("0") + mask.count("#")
    before, placed = digits[:-n_places], iter(digits[-n_places:].rjust(n_places))
    shown = ""
    for char in mask:
        if char.startswith("="):
            shown += char[1:]
        else:
            digit = next(placed).strip() or char.replace("#", "")
            shown, before = shown + before + digit, ""
    return shown.strip()
