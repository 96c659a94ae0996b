"""The day a document is from: as its key table says, else as its name says, else the day it arrived.

Only what can be read in one way counts: of ``01/02/2024`` nobody knows the month, so it is no date here.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from doc_assets.datatypes import DocumentDate
from doc_assets.errors import SettingsError
from doc_assets.sources.date_defaults import DATE_COLUMNS, NAME_PATTERNS

_BUSINESS_ZONE = "Asia/Seoul"
_FIRST_YEAR = 1990
"""Photographs of shops in TIF files are not older; an earlier year is a slip or no year at all."""

_YEARS_AHEAD = 1
_SERIAL_ORIGIN = date(1899, 12, 30)  # day 0 of Excel, for every day after its false 29 February 1900
_NOON = 12
_WHOLE_DAY = timedelta(hours=24)
_MINUS = "\u2212"
_KOREA = timezone(timedelta(hours=9))

_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = len(_MONTH_NAMES)
_MONTH = f"(?P<name>{'|'.join(_MONTH_NAMES)})[a-z]*"
_WEEKDAY = r"(?:[월화수목금토일月火水木金土日](?:요일|曜日)?|(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*)"
_TIME = re.compile(
    rf"[.]?(?: ?(?:\({_WEEKDAY}\)|{_WEEKDAY}),?)?"
    r"(?:(?: ?t ?| |-|_)?(?P<half>오전|오후|am|pm)? ?(?P<hour>\d{1,2})"
    r"(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?|시(?: ?\d{1,2}분(?: ?\d{1,2}초)?)?)"
    r" ?(?P<half_behind>am|pm)? ?(?P<offset>z|utc|gmt|kst|(?:utc|gmt)?[+-]\d{1,2}(?::?\d{2})?)?)?",
    re.ASCII,
)
_FORMS = tuple(
    re.compile(form + "(?P<rest>.*)", re.ASCII)
    for form in (
        r"(?P<year>\d{4}) ?(?P<sep>[-./,_]) ?(?P<month>\d{1,2}) ?(?P=sep) ?(?P<day>\d{1,2})(?!\d)",
        r"(?P<year>\d{4}) (?P<month>\d{1,2}) (?P<day>\d{1,2})(?!\d)",
        r"(?P<year>\d{4}) ?[년年] ?(?P<month>\d{1,2}) ?[월月] ?(?P<day>\d{1,2}) ?[일日]",
        r"['\u2018\u2019](?P<short>\d{2}) ?(?P<sep>[-./]) ?(?P<month>\d{1,2}) ?(?P=sep) ?(?P<day>\d{1,2})(?!\d)",
        r"['\u2018\u2019]?(?P<short>\d{2}) ?[년年] ?(?P<month>\d{1,2}) ?[월月] ?(?P<day>\d{1,2}) ?[일日]",
        r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})(?:[.]0+)?(?!\d)",
        r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})[ t_-]?(?:[01]\d|2[0-4])[0-5]\d(?:[0-5]\d(?:[.]?\d{3})?)?(?!\d)",
        r"(?P<one>\d{1,2}) ?(?P<sep>[-./]) ?(?P<two>\d{1,2}) ?(?P=sep) ?(?P<year>\d{4})(?!\d)",
        rf"(?:{_WEEKDAY},? )?(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[-. ]*{_MONTH}[-.,]? ?(?P<year>\d{{4}})(?!\d)",
        rf"(?:{_WEEKDAY},? )?{_MONTH}[. ]*(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<year>\d{{4}})(?!\d)",
    )
)
_AS_TEXT = re.compile(r"""^=?["'`]+(?=\d{4,5})|["'`]+$""", re.ASCII)
"""Marks that make a spreadsheet take a cell as text."""
_SERIAL = re.compile(r"(\d{5})(?:[.]\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class DateRule:
    """Where a document's date stands.

    Attributes:
        columns: of key tables, the first that a row fills counts.
        name_patterns: regular expressions of the date in a name, tried in turn; of one with a group the first group.
        zone: in whose days a document arrives, and times with an offset are told.
    """

    columns: tuple[str, ...] = DATE_COLUMNS
    name_patterns: tuple[str, ...] = NAME_PATTERNS
    zone: str = _BUSINESS_ZONE

    def date_of(self, name: str, fields: Mapping[str, str], arrived_at: datetime) -> DocumentDate:
        """The date of a document called ``name``; ``fields`` are those of the key table's row that names it."""
        arrival = self.day_of(arrived_at)
        if said := self._said_in(fields):
            with suppress(ValueError):  # ``fault_in`` says so to whoever gave the table
                return DocumentDate(self._read(said[1], arrival), "key_table")
        named = day_in_name(name, self.name_patterns, arrival.year + _YEARS_AHEAD)
        return DocumentDate(named, "name") if named is not None else DocumentDate(arrival, "arrival")

    def day_of(self, moment: datetime) -> date:
        """The day that an aware time lies on."""
        return moment.astimezone(self._tzinfo()).date()

    def fault_in(self, fields: Mapping[str, str], arrived_at: datetime) -> str | None:
        """Why the date that a key table's row gives cannot be used; None if it can, or there is none."""
        said = self._said_in(fields)
        if said is None:
            return None
        try:
            self._read(said[1], arrived_at)
        except ValueError as error:
            return f"its {said[0]} {said[1]!r} {error}; wanted is a day such as 2024-01-20"
        return None

    def different_days(
        self, fields: Mapping[str, str], others: Mapping[str, str], arrived_at: datetime
    ) -> tuple[date, date] | None:
        """The days that two rows about one document give, if they differ; None if not, or if one gives none."""
        said, other = self._said_in(fields), self._said_in(others)
        if said and other and said[1] != other[1]:
            with suppress(ValueError):
                days = self._read(said[1], arrived_at), self._read(other[1], arrived_at)
                return days if days[0] != days[1] else None
        return None

    def _said_in(self, fields: Mapping[str, str]) -> tuple[str, str] | None:
        """The column and the text of the date in a row; None if the row has none."""
        return next(((name, fields[name]) for name in self.columns if fields.get(name)), None)

    def _read(self, text: str, arrived: date) -> date:
        return read_day(text, self._tzinfo(), arrived.year + _YEARS_AHEAD)

    def _tzinfo(self) -> tzinfo:
        try:
            return ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise SettingsError(f"There is no time zone {self.zone!r}; see DOC_ASSETS_TIMEZONE.") from error


def day_in_name(name: str, patterns: Sequence[str], last_year: int) -> date | None:
    """The date in a name; None if there is none, or if a pattern finds several that differ."""
    text = unicodedata.normalize("NFKC", name)
    for pattern in patterns:
        found = set()
        for match in re.finditer(pattern, text):
            part = next((group for group in match.groups() if group), match.group())
            try:
                found.add(read_day(part, UTC, last_year))
            except ValueError:
                continue
        if found:
            return found.pop() if len(found) == 1 else None
    return None


def read_day(text: str, zone: tzinfo, last_year: int) -> date:
    """The day that a text means.

    Args:
        text: year first in any common way of writing (``2024-01-20``, ``20240120``, ``2024. 1. 20.``,
            ``2024년 1월 20일``), with a time or weekday behind; year last where day and month cannot be mistaken; the
            number that a spreadsheet counts days by.
        zone: for times that have an offset.
        last_year: a later year is implausible.

    Raises:
        ValueError: if it means none, or more than one; says why.
    """
    clean = _clean(text)
    if number := _SERIAL.fullmatch(clean):
        return _plausible(_SERIAL_ORIGIN + timedelta(days=int(number[1])), last_year)
    for form in _FORMS:
        match = form.fullmatch(clean)
        time = match and _TIME.fullmatch(match["rest"])
        if match and time:
            day = _plausible(_day(match.groupdict()), last_year)  # of a year near 1 or 9999 no zone can be told
            return _in_zone(day, time, zone)
    raise ValueError("is no date")


def _clean(text: str) -> str:
    """The text in small letters and plain characters, without invisible ones."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    characters = ("-" if char == _MINUS or unicodedata.category(char) == "Pd" else char for char in folded)
    shown = "".join(char for char in characters if unicodedata.category(char) != "Cf")
    return _AS_TEXT.sub("", " ".join(re.sub("[·∙・]", ".", shown).split()))


def _day(parts: dict[str, str | None]) -> date:
    def number(name: str) -> int:
        return int(parts.get(name) or 0)

    year, month, day = number("year") or 2000 + number("short"), number("month"), number("day")
    if parts.get("name"):
        month = _MONTH_NAMES.index(str(parts["name"])) + 1
    elif parts.get("one"):
        day, month = number("one"), number("two")
        if day <= _MONTHS and month <= _MONTHS and day != month:
            raise ValueError("can be read as two different days")
        if month > _MONTHS:
            day, month = month, day
    try:
        return date(year, month, day)
    except ValueError:
        raise ValueError("is no day of the calendar") from None


def _plausible(day: date, last_year: int) -> date:
    if not _FIRST_YEAR <= day.year <= last_year:
        raise ValueError(f"is no plausible day: its year is not between {_FIRST_YEAR} and {last_year}")
    return day


def _in_zone(day: date, time: re.Match[str], zone: tzinfo) -> date:
    """The day, in ``zone``, of a time that says how far it is from UTC."""
    hour, minute, second = (int(time[name] or 0) for name in ("hour", "minute", "second"))
    half = time["half"] or time["half_behind"]
    if half in {"오후", "pm"} and hour < _NOON:
        hour += _NOON
    elif half in {"오전", "am"} and hour == _NOON:
        hour = 0
    if timedelta(hours=hour, minutes=minute, seconds=second) > _WHOLE_DAY:
        raise ValueError("has no time of the day behind its date")
    if time["offset"] is None:
        return day
    start = datetime(day.year, day.month, day.day, tzinfo=_offset(time["offset"]))
    return (start + timedelta(hours=hour, minutes=minute, seconds=second)).astimezone(zone).date()


def _offset(text: str) -> tzinfo:
    if text == "kst":
        return _KOREA
    digits = re.search(r"([+-])(\d{1,2}):?(\d{2})?", text)
    if digits is None:
        return UTC
    ahead = timedelta(hours=int(digits[2]), minutes=int(digits[3] or 0))
    if ahead >= _WHOLE_DAY:
        raise ValueError("has no offset from UTC behind its date")
    return timezone(ahead if digits[1] == "+" else -ahead)
