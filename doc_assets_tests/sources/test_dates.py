from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doc_assets.datatypes import DocumentDate
from doc_assets.errors import SettingsError
from doc_assets.sources.date_defaults import NAME_PATTERNS
from doc_assets.sources.dates import DateRule, day_in_name, read_day

SEOUL = ZoneInfo("Asia/Seoul")
LAST_YEAR = 2027
DAY = date(2024, 1, 20)
ARRIVED = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
DAYS = st.dates(date(1990, 1, 1), date(LAST_YEAR, 12, 31))

WAYS = [
    "{0:%Y-%m-%d}",
    "{0:%Y%m%d}",
    "{0:%Y.%m.%d}",
    "{0:%Y/%m/%d}",
    "{0:%Y_%m_%d}",
    "{0.year}. {0.month}. {0.day}.",
    "{0.year}-{0.month}-{0.day}",
    "{0.year}년 {0.month}월 {0.day}일",
    "{0.year}년{0:%m}월{0:%d}일 (토)",
    "{0.year}年{0.month}月{0.day}日",
    "{0:%Y-%m-%d} 10:00:00",
    "{0:%Y-%m-%dT}23:59:59+09:00",
    "{0:%Y-%m-%d} 오후 3:20",
    "{0:%Y.%m.%d}. 토요일 3:20 PM",
    "{0:%Y%m%d}153000",
    "{0:%Y%m%d} 15:30",
    "{0:%Y%m%d}.0",
    "  {0:%Y-%m-%d}\u200b\n",
    "\ufeff{0:%Y-%m-%d}",
    "{0:%Y}\u2013{0:%m}\u2013{0:%d}",
    "{0:%d %B %Y}",
    "'{0:%Y-%m-%d}",
    '="{0:%Y%m%d}"',
    "{0:%Y-%m-%dT}10:00:00+09",
    "{0:%Y-%m-%d} 10:00 GMT+9",
    "{0:%b %d, %Y}",
]

NO_DAYS = {
    "2024-13-45": "no day of the calendar",
    "20241345": "no day of the calendar",
    "2024-02-30": "no day of the calendar",
    "2023-02-29": "no day of the calendar",
    "2204-01-20": "no plausible day",
    "1024-01-20": "no plausible day",
    "0001-01-01T00:00:00+14:00": "no plausible day",
    "9999-12-31T23:00:00-14:00": "no plausible day",
    "99999": "no plausible day",
    "01/02/2024": "two different days",
    "24.01.20": "no date",
    "2024-01-20 ~ 2024-01-25": "no date",
    "2024-01-20 25:00": "no time of the day",
    "2024-01-20 10:00+99:00": "no offset",
    "2024-01": "no date",
    "2024": "no date",
    "2.024012E+07": "no date",
    "미상": "no date",
    "-": "no date",
    "": "no date",
}


@pytest.mark.parametrize("way", WAYS)
def test_a_day_is_read_however_it_is_written(way):
    for day in (DAY, date(1999, 12, 31), date(2024, 2, 29)):
        assert read_day(way.format(day), SEOUL, LAST_YEAR) == day


@given(DAYS, st.sampled_from(WAYS))
def test_every_day_is_read_however_it_is_written(day, way):
    assert read_day(way.format(day), SEOUL, LAST_YEAR) == day


@pytest.mark.parametrize("text", ["01/20/2024", "20.01.2024", "45311", "45311.5", "'24.1.20", "24년 1월 20일"])
def test_other_ways_that_can_be_read_in_one_way_only(text):
    assert read_day(text, SEOUL, LAST_YEAR) == DAY


def test_full_width_digits_are_digits():
    assert read_day("".join(chr(ord(sign) + 0xFEE0) for sign in "2024.01.20"), SEOUL, LAST_YEAR) == DAY


@pytest.mark.parametrize(("text", "why"), NO_DAYS.items())
def test_what_is_no_day_says_why(text, why):
    with pytest.raises(ValueError, match=why):
        read_day(text, SEOUL, LAST_YEAR)


@given(st.text(max_size=40) | st.text("0123456789-./: 년월일TZ+", max_size=24))
def test_any_text_is_a_plausible_day_or_no_day(text):
    try:
        found = read_day(text, SEOUL, LAST_YEAR)
    except ValueError as error:
        assert str(error)
    else:
        assert 1990 <= found.year <= LAST_YEAR + 1


def test_a_time_with_an_offset_counts_on_the_day_of_the_zone():
    assert read_day("2024-01-20T15:30:00Z", SEOUL, LAST_YEAR) == date(2024, 1, 21)
    assert read_day("2024-01-20T15:30:00Z", UTC, LAST_YEAR) == DAY
    assert read_day("2024-01-20 15:30:00", SEOUL, LAST_YEAR) == DAY
    assert read_day("Sat, 20 Jan 2024 23:00:00 -0900", SEOUL, LAST_YEAR) == date(2024, 1, 21)


@pytest.mark.parametrize(
    "name",
    [
        "N2024012000066THA00100001_8",
        "n2024012000066tha00100001_8",
        "N20240120",
        "N20240120_1",
        "20240120",
        "2024-01-20",
        "2024.1.20",
        "2024_01_20 (2)",
        "scan_20240120_103000",
        "IMG20240120103000",
        "가맹점 2024년 1월 20일",
        "20240120 2024-01-20",
    ],
)
def test_a_name_tells_its_date(name):
    assert day_in_name(name, NAME_PATTERNS, LAST_YEAR) == DAY


@pytest.mark.parametrize(
    "name",
    [
        "N20241345",
        "N2024134500066THA00100001_8",
        "N1999123",
        "12345678",
        "20012024",
        "2024012012",
        "120-81-54321",
        "2024-02-30",
        "2024-01-201",
        "20240120_20240305",
        "22040120",
        "report",
        "",
    ],
)
def test_a_name_without_one_certain_date_tells_none(name):
    assert day_in_name(name, NAME_PATTERNS, LAST_YEAR) is None


@given(DAYS, st.integers(0, 99999))
def test_every_name_of_the_archive_tells_its_date(day, number):
    assert day_in_name(f"N{day:%Y%m%d}{number:05d}THA00100001_8", NAME_PATTERNS, LAST_YEAR) == day


def test_the_key_table_comes_before_the_name_and_the_name_before_the_arrival():
    rule = DateRule()
    name = "N2024012000066THA00100001_8"

    assert rule.date_of(name, {"수신일자": "2024. 3. 1."}, ARRIVED) == DocumentDate(date(2024, 3, 1), "key_table")
    assert rule.date_of(name, {"수신일자": "", "접수일": "20240302"}, ARRIVED).day == date(2024, 3, 2)
    assert rule.date_of(name, {"업종명": "2024-03-01"}, ARRIVED) == DocumentDate(DAY, "name")
    assert rule.date_of("a", {}, ARRIVED) == DocumentDate(date(2026, 11, 21), "arrival")


def test_a_date_that_cannot_be_read_is_told_and_the_name_counts():
    rule, fields = DateRule(), {"수신일자": "2024-13-45"}

    assert rule.date_of("N20240120", fields, ARRIVED) == DocumentDate(DAY, "name")
    assert rule.fault_in(fields, ARRIVED) == (
        "its 수신일자 '2024-13-45' is no day of the calendar; wanted is a day such as 2024-01-20"
    )
    assert rule.fault_in({"수신일자": "2024-01-20"}, ARRIVED) is None
    assert rule.fault_in({}, ARRIVED) is None


def test_a_document_arrives_on_the_day_of_the_zone():
    late = datetime(2026, 11, 21, 15, 30, tzinfo=UTC)

    assert DateRule().date_of("a", {}, late).day == date(2026, 11, 22)
    assert DateRule(zone="UTC").date_of("a", {}, late).day == date(2026, 11, 21)
    with pytest.raises(SettingsError, match="Mars/Olympus"):
        DateRule(zone="Mars/Olympus").date_of("a", {}, late)


def test_patterns_are_tried_in_turn_and_their_first_group_counts():
    rule = DateRule(name_patterns=("^A([0-9]{8})", "B([0-9.]+)$"))

    assert rule.date_of("A20240120B2024.03.01", {}, ARRIVED).day == DAY
    assert rule.date_of("A20241345B2024.03.01", {}, ARRIVED).day == date(2024, 3, 1)
    assert rule.date_of("N20240120", {}, ARRIVED).source == "arrival"
    assert DateRule(name_patterns=("(?!)",)).date_of("N20240120", {}, ARRIVED).source == "arrival"


def test_a_stored_date_comes_back():
    assert DocumentDate.stored("2024-01-20", "name") == DocumentDate.stored(DAY, "name") == DocumentDate(DAY, "name")
    assert DocumentDate.stored(None, None) is None
    with pytest.raises(ValueError, match="guess"):
        DocumentDate.stored(DAY, "guess")
