"""Dates of documents through the command line, with key tables that come with them and after them."""

import json

import openpyxl
import pytest

from doc_assets_tests.program import Program
from doc_assets_tests.reading.tiffs import pillow_tif, scan

pytestmark = pytest.mark.whole

NAMED = "N2024012000066THA00100001_8"
NAMED_TOO = "N2024020100067THA00100002_1"


@pytest.fixture
def run(tmp_path):
    return Program.at_home(tmp_path)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "in"
    made.mkdir()
    for number, name in enumerate((NAMED, NAMED_TOO, "plain")):
        (made / f"{name}.tif").write_bytes(pillow_tif(scan(seed=number)))
    return made


def _table(path, *rows):
    book = openpyxl.Workbook()
    for row in (("파일명", "사업자등록번호", "수신일자"), *rows):
        book.active.append(row)
    book.save(path)
    return path


def _dates(run):
    listed = json.loads(run("list-documents", "--json").stdout)["documents"]
    return {each["document_id"]: (each["document_date"], each["date_source"], each["merchant_id"]) for each in listed}


def test_documents_are_dated_by_name_and_arrival_and_by_a_key_table_that_comes_later(run, folder, tmp_path):
    first = run("build-image-index", "--folder", folder)
    assert (first.returncode, first.stderr) == (0, "")
    before = _dates(run)
    arrived = before["plain"][0]
    table = _table(
        tmp_path / "keys.xlsx",
        ("N2024012000066THA00001", "1208147521", "2024. 3. 1."),
        ("N2024020100067THA00002", "1208147521", "2024-13-45"),
        ("plain", "1208147521", 20240302),
    )

    told = run("build-image-index", "--folder", folder, "--key-table", table)

    assert before == {
        NAMED: ("2024-01-20", "name", None),
        NAMED_TOO: ("2024-02-01", "name", None),
        "plain": (arrived, "arrival", None),
    }
    assert arrived >= "2026-01-01"
    assert told.returncode == 0
    said = " ".join(told.stdout.split())
    assert "3 documents of before have another merchant, date or key table fields now." in said
    assert "1 dates cannot be used" in said
    assert "line 3, N2024020100067THA00002: its 수신일자 '2024-13-45' is no day of the calendar" in said
    assert _dates(run) == {
        NAMED: ("2024-03-01", "key_table", "1208147521"),
        NAMED_TOO: ("2024-02-01", "name", "1208147521"),
        "plain": ("2024-03-02", "key_table", "1208147521"),
    }
    shown = run("show", NAMED)
    assert "date 2024-03-01 by its key table" in " ".join(shown.stdout.split())
    assert json.loads(run("show", NAMED, "--json").stdout)["arrivals"][0]["document"]["document_date"] == "2024-03-01"
    assert "2024-02-01" in run("list-documents", COLUMNS="200").stdout


def test_a_pattern_of_names_is_a_setting_and_a_bad_one_is_refused(run, folder):
    done = run("build-image-index", "--folder", folder, DOC_ASSETS_DATE_NAME_PATTERNS='["THA(00100001)", "(?!)"]')
    assert done.returncode == 0
    assert {source for _, source, _ in _dates(run).values()} == {"arrival"}

    refused = run("list-documents", DOC_ASSETS_DATE_NAME_PATTERNS='["(["]')
    assert refused.returncode == 2
    assert "is no regular expression" in refused.stderr


def test_keys_are_resolved_with_what_is_wrong_about_their_dates(run, folder, tmp_path):
    rows = (
        ("N2024012000066THA00001", "1", "01/02/2024"),
        ("plain", "1", "2024-01-20"),
        ("plain", "1", "2024-01-21"),
    )
    done = run("resolve-keys", "--key-table", _table(tmp_path / "k.xlsx", *rows), "--search-root", folder, "--json")

    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert report["date_faults"] == [
        "line 2, N2024012000066THA00001: its 수신일자 '01/02/2024' can be read as two different days; "
        "wanted is a day such as 2024-01-20"
    ]
    assert report["n_date_faults"] == 1
    assert report["faults"] == ["line 4: plain was received on 2024-01-20 by line 3, and on 2024-01-21 by this one"]
