"""The lead's report on a real ledger: figures, files, hostile names, periods without anything."""

import io
import json
from datetime import UTC, datetime, timedelta

import openpyxl
import pytest
from sqlalchemy import insert, update

from doc_assets.archive.ledger.intake import ArrivedFile
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.ledger.schema import DocumentRow, ReviewCase, SearchResult, VerdictRow
from doc_assets.archive.ledger.search_settings import SearchSettings
from doc_assets.archive.ledger.searches import SearchRecord, search_id_of
from doc_assets.errors import InputError
from doc_assets.reports.review_report.figures import Columns, period_of, review_report
from doc_assets.reports.review_report.pages import (
    read_review_report,
    review_body,
    review_page,
    workbook,
    write_review_report,
    written_reports,
)
from doc_assets.reports.review_report.wording import WORDS
from doc_assets_tests.hostile import NAMES
from doc_assets_tests.results import a_result

ZONE = "Asia/Seoul"
DAY = "2026-11-27"
NOON = datetime(2026, 11, 27, 3, tzinfo=UTC)
"""Noon in Seoul."""
COLUMNS = Columns("보낸 곳", ("지점", "조사자"))


@pytest.fixture
def ledger(tmp_path):
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.sqlite'}") as opened:
        yield opened


def seal(ledger, at, documents):
    """A drop of documents that each have fields, state, photos and risk."""
    stamp = f"{at:%m%d%H}"
    files = [
        ArrivedFile(f"/in/{stamp}{i}.tif", f"{stamp}{i}.tif", f"{stamp}{i}", 1, 1, "m", each.get("fields", {}))
        for i, each in enumerate(documents)
    ]
    drop = ledger.intake.seal(files, source="inbox /in", now=at, chunk_documents=8)
    search = search_id_of(drop)
    ledger.searches.start(SearchRecord(search, at, None, "c", 1, SearchSettings()))
    results = [
        a_result(name=f"{stamp}{i}.tif", position=i, risk_score=each["risk"], flagged=each["risk"] >= 0.5)
        for i, each in enumerate(documents)
        if each.get("risk") is not None
    ]
    ledger.searches.record(search, results)
    with ledger.database.writing() as connection:
        for i, each in enumerate(documents):
            here = (DocumentRow.drop_key == drop, DocumentRow.position == i)
            state, code = each.get("state", "ok"), each.get("code")
            values = {"state": state, "reason_code": code, "n_photos": each.get("photos")}
            connection.execute(update(DocumentRow).where(*here).values(**values))
    return drop


def say(ledger, key, stage, at, photograph, use=None, *, finding="reuse", probability=0.9):
    snapshot = {"finding": finding, "probability": probability, "similarity": 0.8}
    values = {"pair_key": key, "case_id": 1, "stage": stage, "person": stage, "at": at, "snapshot": snapshot}
    with ledger.database.writing() as connection:
        connection.execute(insert(VerdictRow), values | {"photograph": photograph, "use": use, "withdraws": None})


def open_case(ledger, row_id, opened, state, changed):
    values = {"row_id": row_id, "drop_key": "d", "merchant_id": None, "state": state, "rank": 1.0, "parts": {}}
    times = {"opened_at": opened, "changed_at": changed, "holder": None, "held_until": None, "n_pairs": 1}
    with ledger.database.writing() as connection:
        connection.execute(insert(ReviewCase), values | times)


def made(ledger, name=DAY, columns=COLUMNS):
    return review_report(ledger, period_of(name, ZONE), ZONE, columns, "model 1", datetime(2026, 11, 28, tzinfo=UTC))


def test_a_day_is_that_of_the_site():
    day, month = period_of("2026-11-27", ZONE), period_of("2026-12", ZONE)

    assert (day.start, day.end) == (datetime(2026, 11, 26, 15, tzinfo=UTC), datetime(2026, 11, 27, 15, tzinfo=UTC))
    assert (month.start, month.end) == (datetime(2026, 11, 30, 15, tzinfo=UTC), datetime(2026, 12, 31, 15, tzinfo=UTC))
    assert (day.is_month, month.is_month) == (False, True)
    new_york = period_of("2026-11-01", "America/New_York")  # clocks go back
    assert new_york.end.astimezone(UTC) - new_york.start.astimezone(UTC) == timedelta(hours=25)


@pytest.mark.parametrize("name", ["", "2026", "20261127", "2026-13", "2026-11-31", "2026-W48", "../2026-11", "2026-1"])
def test_other_names_are_no_period(name):
    with pytest.raises(ValueError):
        period_of(name, ZONE)


def test_arrivals_rejects_photos_and_risks_are_those_of_the_day_alone(ledger):
    seal(ledger, NOON - timedelta(hours=12, seconds=1), [{"photos": 9, "risk": 0.9}])  # the day before
    seal(ledger, NOON + timedelta(hours=12), [{"photos": 9, "risk": 0.9}])  # the day after
    documents = [
        {"photos": 2, "risk": 0.0, "fields": {"보낸 곳": "가"}},
        {"photos": 4, "risk": 0.3, "fields": {"보낸 곳": "가"}},
        {"photos": 12, "risk": 1.0, "fields": {"보낸 곳": "나"}},
        {"state": "rejected", "code": "E_EMPTY", "fields": {"보낸 곳": "나"}},
        {"state": "rejected", "code": "E_EMPTY"},
        {"state": "duplicate", "fields": {"보낸 곳": "가"}},
    ]
    seal(ledger, NOON - timedelta(hours=12), documents[:3])  # the first moment of the day
    seal(ledger, NOON, documents[3:])

    report = made(ledger)

    arrivals = report.arrivals
    assert arrivals.documents == 6
    assert {each.name: each.n for each in arrivals.states} == {"ok": 3, "rejected": 2, "duplicate": 1}
    assert [(each.name, each.n) for each in arrivals.rejects] == [("E_EMPTY", 2)]
    assert [(each.name, each.documents, each.rejected) for each in arrivals.senders] == [("나", 2, 1), ("가", 3, 0)]
    assert arrivals.without_sender == 1
    assert (report.photos.documents, report.photos.mean, report.photos.median) == (3, 6.0, 4.0)
    assert [(each.low, each.high, each.n) for each in report.photos.bins if each.n] == [
        (2, 2, 1),
        (4, 4, 1),
        (8, None, 1),
    ]
    assert (report.risks.searched, report.risks.flagged) == (3, 1)
    assert [each.n for each in report.risks.bins] == [1, 0, 0, 1, 0, 0, 0, 0, 0, 1]


def test_without_a_column_the_source_of_the_drop_stands_for_the_sender(ledger):
    seal(ledger, NOON, [{"state": "rejected", "code": "E_EMPTY"}])

    report = made(ledger, columns=Columns())

    assert [(each.name, each.rejected) for each in report.arrivals.senders] == [("inbox /in", 1)]
    assert "DOC_ASSETS_REPORT_SENDER_COLUMN" in review_body(report, "en")
    assert "DOC_ASSETS_REPORT_GROUP_COLUMNS" in review_body(report, "en")


def test_a_branch_outside_the_fences_is_named_and_one_with_few_documents_is_not(ledger):
    rates = {"가": 0, "나": 1, "다": 1, "라": 0, "마": 1, "바": 9}  # flagged of ten
    documents = [
        {"photos": 1, "risk": float(i < flagged), "fields": {"지점": name}}
        for name, flagged in rates.items()
        for i in range(10)
    ]
    documents += [{"photos": 1, "risk": 1.0, "fields": {"지점": "작은 곳"}}] * 4
    seal(ledger, NOON, documents)

    branches, inspectors = made(ledger).outliers

    assert (branches.documents, branches.groups) == (64, 6)
    # Shares 0, 0, .1, .1, .1, .9: quartiles .025 and .1, fences .025 - .1125 and .1 + .1125.
    (only,) = branches.outliers
    assert (only.name, only.measure, only.value, only.documents) == ("바", "flagged", 0.9, 10)
    assert (only.low, only.high) == pytest.approx((-0.0875, 0.2125))
    assert (inspectors.documents, inspectors.outliers) == (0, ())
    assert "“조사자”: no document of this period has a value in this column" in review_body(made(ledger), "en")


def test_drift_is_against_the_thirty_days_before(ledger):
    seal(ledger, NOON - timedelta(days=31), [{"photos": 1, "risk": 1.0}] * 40)  # too old to count
    for day in range(1, 6):
        seal(ledger, NOON - timedelta(days=day), [{"photos": 2, "risk": 0.0}] * 60)
    seal(ledger, NOON, [{"photos": 2, "risk": 0.0}] * 20 + [{"photos": 2, "risk": 0.9}] * 20)

    drift = {each.measure: each for each in made(ledger).drift}

    assert (drift["risk"].n, drift["risk"].n_before) == (40, 300)
    # 20 and 20 of 40 against 300 and 0, with 320/340 and 20/340 of one thing more on each side: shares 0.51077 and
    # 0.48923 against 0.99980 and 0.000195; -0.48903 * ln(0.51087) + 0.48903 * ln(2503.7).
    assert drift["risk"].index == pytest.approx(4.155, abs=0.002)
    assert drift["risk"].level == "large"
    assert (drift["photos"].index, drift["photos"].level) == (pytest.approx(0), "stable")


def test_a_shift_that_chance_explains_is_not_called_one(ledger):
    seal(ledger, NOON - timedelta(days=1), [{"photos": 1, "risk": 0.0}] * 3 + [{"photos": 1, "risk": 0.9}] * 2)
    seal(ledger, NOON, [{"photos": 1, "risk": 0.0}] * 2 + [{"photos": 1, "risk": 0.9}] * 3)

    (risk, *_) = made(ledger).drift

    assert risk.index > 0.1
    assert risk.level == "by_chance"


def test_precision_is_that_of_the_last_word_on_each_pair(ledger):
    say(ledger, "a", "first", NOON, "same", "fraud")
    say(ledger, "b", "first", NOON, "same", "renewal")
    say(ledger, "c", "first", NOON, "same", "fraud")
    say(ledger, "c", "second", NOON, "different")
    say(ledger, "c", "lead", NOON, "different")
    say(ledger, "d", "first", NOON, "cannot_tell")
    say(ledger, "e", "first", NOON - timedelta(days=40), "different")  # before
    say(ledger, "f", "first", NOON + timedelta(days=1), "different")  # after
    say(ledger, "g", "first", NOON, "shared_thing", finding="same_day")

    report = made(ledger)

    reuse, same_day = report.precision
    assert (reuse.finding, reuse.pairs, reuse.cannot_tell, reuse.same.n) == ("reuse", 4, 1, 3)
    assert (reuse.same.share, reuse.fraud.share) == pytest.approx((2 / 3, 1 / 3))
    assert (same_day.finding, same_day.same.share) == ("same_day", 0.0)
    assert {each.name: each.n for each in report.answers} == {
        "fraud": 1, "allowed": 1, "different": 1, "shared_thing": 1, "cannot_tell": 1
    }  # fmt: skip
    assert report.reliability.n == 5  # the pair of forty days ago is among them, the one nobody could tell is not


def test_kappa_is_given_by_month_and_reason_and_by_nobodys_name(ledger):
    said = [("same", "fraud")] * 4 + [("different", None)] * 4
    second = [("same", "fraud")] * 3 + [("different", None)] * 5
    for i, (one, other) in enumerate(zip(said, second, strict=True)):
        say(ledger, f"p{i}", "first", NOON - timedelta(days=1), *one)
        say(ledger, f"p{i}", "second", NOON, *other)
    say(ledger, "old", "first", NOON - timedelta(days=40), "different", finding="same_day")
    say(ledger, "old", "second", NOON - timedelta(days=40), "different", finding="same_day")
    say(ledger, "once", "first", NOON, "different")

    report = made(ledger)

    lines = [(each.month, each.finding, each.n, each.observed, each.kappa) for each in report.agreement]
    # 7 of 8 agree; by chance (4 * 3 + 4 * 5) / 64 = 0.5.
    assert lines == [
        ("2026-11", "", 8, 0.875, pytest.approx(0.75)),
        ("2026-11", "reuse", 8, 0.875, pytest.approx(0.75)),
        ("2026-10", "", 1, 1.0, None),
        ("2026-10", "same_day", 1, 1.0, None),
    ]
    assert "person" not in json.dumps(report.agreement, default=str)


def test_the_backlog_is_that_of_the_periods_end(ledger):
    seal(ledger, NOON - timedelta(days=50), [{}] * 5)
    end = NOON + timedelta(hours=12)
    open_case(ledger, 1, end - timedelta(hours=3), "open", end - timedelta(hours=3))
    open_case(ledger, 2, end - timedelta(days=5), "second", end - timedelta(days=4))
    open_case(ledger, 3, end - timedelta(days=40), "decided", end + timedelta(hours=1))  # judged since
    open_case(ledger, 4, end - timedelta(days=40), "decided", end - timedelta(days=1))
    open_case(ledger, 5, end + timedelta(hours=1), "open", end + timedelta(hours=1))

    backlog = made(ledger).backlog

    assert backlog.cases == 3
    assert [(each.low, each.n) for each in backlog.ages] == [(0, 1), (2, 0), (4, 1), (8, 0), (31, 1)]
    assert {each.name: each.n for each in backlog.states} == {"open": 1, "second": 1, "judged_since": 1}


@pytest.mark.parametrize("name", [DAY, "2026-11"])
def test_a_period_without_anything_says_so_and_never_nan(ledger, tmp_path, name):
    report = made(ledger, name)
    folder = write_review_report(report, tmp_path)

    page = (folder / "review.html").read_text()
    for missing in ("nothing_arrived", "nothing_judged", "nobody_twice", "nothing_waits", "nothing_searched"):
        assert WORDS[missing].en in page
        assert WORDS[missing].ko in page
    assert "nan" not in page.lower().replace("nanum", "")
    assert "NaN" not in (folder / "review.json").read_text()
    assert read_review_report(tmp_path, name) == report
    assert written_reports(tmp_path) == [name]


@pytest.mark.parametrize("language", ["ko", "en"])
def test_hostile_names_are_text_in_every_file(ledger, tmp_path, language):
    names = [name.replace("\0", "") for name in NAMES]
    documents = [
        {"state": "rejected", "code": "E_EMPTY", "fields": {"보낸 곳": name, "지점": name}} for name in names
    ] + [{"photos": 1, "risk": 0.0, "fields": {"지점": name}} for name in names for _ in range(5)]
    seal(ledger, NOON, documents)
    report = made(ledger, columns=Columns("보낸 곳", ("지점", "<img src=x onerror=alert(1)>")))

    page, body = review_page(report), str(review_body(report, language))
    for text in (page, body):
        assert "<script" not in text
        assert "<img" not in text
        assert "\u202e" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
        assert "&lt;img src=x onerror=alert(1)&gt;" in text
    assert "style=" not in body  # the desk refuses inline styles
    cells = [cell for sheet in openpyxl.load_workbook(io.BytesIO(workbook(report))) for row in sheet for cell in row]
    assert {cell.data_type for cell in cells} <= {"s", "n"}
    assert "=1+1" in {cell.value for cell in cells}
    write_review_report(report, tmp_path)
    assert read_review_report(tmp_path, DAY) == report


def test_a_report_that_cannot_be_read_says_what_to_do(ledger, tmp_path):
    folder = write_review_report(made(ledger), tmp_path)
    (folder / "review.json").write_text('{"period": 3}')

    with pytest.raises(InputError, match="Materialize review_report for it again"):
        read_review_report(tmp_path, DAY)
    with pytest.raises(InputError, match="There is no report of 2026-11-26"):
        read_review_report(tmp_path, "2026-11-26")
    with pytest.raises(InputError, match="no period"):
        read_review_report(tmp_path, "../2026-11-27")


def test_both_languages_have_every_text_with_the_same_values():
    import string

    for name, text in WORDS.items():
        ko, en = ({part[1] for part in string.Formatter().parse(each) if part[1]} for each in (text.ko, text.en))
        assert ko == en, name
        assert text.ko, name
        assert text.en, name


def test_a_result_of_another_search_does_not_count(ledger):
    drop = seal(ledger, NOON, [{"photos": 1}])
    ledger.searches.start(SearchRecord("other", NOON, None, "c", 1, SearchSettings()))
    ledger.searches.record("other", [a_result(name="x.tif", position=0, risk_score=1.0, flagged=True)])

    assert drop
    assert made(ledger).risks.searched == 0
    assert len(ledger.database.rows(SearchResult.__table__.select())) == 1
