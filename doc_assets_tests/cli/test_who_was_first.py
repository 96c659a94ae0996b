"""Who used a photo first, through the command line, drops and every output: real documents, real processes."""

import csv
import io
import json
import re
from html import unescape

import numpy as np
import openpyxl
import pyarrow.parquet as pq
import pytest

from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.lab.attacks import attack
from doc_assets.lab.forms import Style, photo_page, write_tif
from doc_assets.lab.pictures import draw_picture
from doc_assets.sources.key_tables.table import KEY_COLUMN, MERCHANT_COLUMN
from doc_assets_tests.archive.ledger.result_view import read_view
from doc_assets_tests.program import Program

pytestmark = pytest.mark.whole

A, B, C, D = 71_001, 71_002, 71_003, 71_004
"""Pictures that more than one document shows."""

VICTIM = "N2023010100001THA00100001_1.tif"
THIEF = "N2023030100002THA00100001_1.tif"
SECOND_VISIT = "N2023050100003THA00100001_1.tif"
SAME_DAY = ("N2023070700004THA00100001_1.tif", "N2023070700005THA00100001_1.tif")
OF_KNOWN = "N2023020100006THA00100001_1.tif"
OF_UNKNOWN = "N2023040100007THA00100001_1.tif"
LATER = "N2023080100008THA00100001_1.tif"
OLDER = "N2023011000009THA00100001_1.tif"
"""Arrives after ``LATER``, which shows its photo."""
ARCHIVE = {
    VICTIM: ("1208147501", A, None),
    THIEF: ("1208147502", A, "mirrored"),
    SECOND_VISIT: ("1208147501", A, "recompressed"),
    SAME_DAY[0]: ("1208147503", B, None),
    SAME_DAY[1]: ("1208147504", B, "cropped slightly"),
    OF_KNOWN: ("1208147505", C, None),
    OF_UNKNOWN: (None, C, "turned by 90°"),
    LATER: ("1208147506", D, "mirrored"),
}
BACKLOG = {OLDER: ("1208147507", D, None)}
QUERIES = {
    "N2024010100010THA00100001_1.tif": ("1208147501", A, "recompressed"),
    "N2024010200011THA00100001_1.tif": ("1208147508", A, "cropped"),
    "N2024010300012THA00100001_1.tif": (None, A, "mirrored"),
    "N2022010100013THA00100001_1.tif": ("1208147509", C, "recompressed"),
    "N2024010400014THA00100001_1.tif": ("1208147510", 71_099, None),
}
EXPECTED = {
    VICTIM: "first_use",
    THIEF: "reuse",
    SECOND_VISIT: "own_photo_again",
    SAME_DAY[0]: "same_day",
    SAME_DAY[1]: "same_day",
    OF_KNOWN: "first_use",
    OF_UNKNOWN: "merchant_unknown",
    LATER: "reuse",
    OLDER: "first_use",
}
QUERIES_EXPECTED = dict(zip(QUERIES, ["own_photo_again", "reuse", "merchant_unknown", "first_use", None], strict=True))


def _draw(folder, documents):
    for number, (name, (_, picture, done)) in enumerate(documents.items()):
        shared = draw_picture(picture)
        if done is not None:
            shared = attack(done, shared, number)
        page = photo_page(
            [shared, draw_picture(72_000 + int(name[9:14]))], Style.CLASSIC, 1, np.random.default_rng(number)
        )
        write_tif(folder / name, [page.pixels], Style.CLASSIC)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A program whose home holds the archive and then the backlog, each with its key table, and what it was asked."""
    folder = tmp_path_factory.mktemp("first")
    everything = {"archive": ARCHIVE, "backlog": BACKLOG, "queries": QUERIES}
    lines = [f"{KEY_COLUMN},{MERCHANT_COLUMN}"]
    for name, documents in everything.items():
        _draw(folder / name, documents)
        for document, (merchant, _, _) in documents.items():
            key = re.sub(r"001([0-9]{5})_[0-9]+.tif$", r"\1", document)
            lines.append(f"{key},{merchant or ''}")
    (folder / "keys.csv").write_text("\n".join(lines), encoding="utf-8")
    return Program(folder)


@pytest.fixture(scope="module")
def archive(home):
    home.done("build-image-index", "--folder", "archive", "--key-table", "keys.csv")
    home.done("screen", "--drop", "bulk-000001")
    return _summary(home, "appdata/results/drops/bulk-000001")


@pytest.fixture(scope="module")
def backlog(home, archive):
    home.done("build-image-index", "--folder", "backlog", "--key-table", "keys.csv")
    home.done("screen", "--drop", "bulk-000002")
    return _summary(home, "appdata/results/drops/bulk-000002")


@pytest.fixture(scope="module")
def searched(home, backlog):
    home.done("search-doc", "--folder", "queries", "--key-table", "keys.csv", "--output-folder", "out")
    return _summary(home, "out")


def _summary(home, folder):
    return json.loads((home.folder / folder / "search_results_summary.json").read_text(encoding="utf-8"))


def _by_document(summary):
    return {answer["query_document"]: answer for answer in summary["per_query"]}


def _assert_true(answer, expected):
    """A finding, and that a counted reason stands there if and only if the document is flagged."""
    counted = expected in {"reuse", "same_day", "merchant_unknown"}
    assert answer["finding"] == expected, answer["query_document"]
    assert answer["flagged"] == counted == any(reason["counts"] for reason in answer["reasons"])
    assert (answer["risk_score"] > 0) == counted
    assert (answer["fraud_doc_probability"] == "High") == counted
    assert (
        answer["document_date"]
        == f"{answer['query_document'][1:5]}-{answer['query_document'][5:7]}-" + (answer["query_document"][7:9])
    )
    assert answer["date_source"] == "name"


def test_a_drop_accuses_those_who_came_later_and_nobody_else(archive):
    answers = _by_document(archive)

    for name, kind in EXPECTED.items():
        if name in {LATER, OLDER}:
            continue
        _assert_true(answers[name], kind)
    assert (answers[LATER]["finding"], answers[LATER]["flagged"]) == (None, False)
    assert answers[THIEF]["source_document"] == VICTIM
    assert answers[THIEF]["source_merchant_id"] == "1208147501"
    assert answers[THIEF]["source_date"] == "2023-01-01"
    assert "mirrored" in answers[THIEF]["done_to_photo"]
    (first,) = answers[VICTIM]["reasons"]
    assert "of 1 other merchant" in first["en"]
    assert SECOND_VISIT not in (answers[THIEF]["source_document"],)


def test_a_backlog_that_comes_out_of_order_changes_what_was_said_before(home, backlog):
    _assert_true(_by_document(backlog)[OLDER], "first_use")
    (changed,) = backlog["global"]["changed_findings"]
    assert (changed["document"], changed["drop"], changed["was"], changed["now"]) == (
        LATER,
        "bulk-000001",
        None,
        "reuse",
    )
    assert changed["flagged"]
    earlier = _by_document(_summary(home, "appdata/results/drops/bulk-000001"))
    _assert_true(earlier[LATER], "reuse")
    assert earlier[LATER]["source_document"] == OLDER
    assert earlier[LATER]["top_docs"][0]["document"] == OLDER
    assert earlier[LATER]["top_docs"][0]["matches"][0]["matched"]
    report = (home.folder / "appdata/results/drops/bulk-000002/report.html").read_text(encoding="utf-8")
    assert LATER in report
    assert "whose finding changed" in report
    page = home.folder / "appdata/results/drops/bulk-000001/evidence" / f"{LATER.removesuffix('.tif')}.html"
    assert "data:image/jpeg" in page.read_text(encoding="utf-8")


def test_a_search_knows_the_second_visit_from_the_theft(searched):
    answers = _by_document(searched)

    for name, kind in QUERIES_EXPECTED.items():
        if kind is None:
            assert (answers[name]["finding"], answers[name]["flagged"], answers[name]["risk_score"]) == (None, False, 0)
        else:
            _assert_true(answers[name], kind)
    theft = answers["N2024010200011THA00100001_1.tif"]
    assert (theft["source_document"], theft["source_merchant_id"]) == (VICTIM, "1208147501")


@pytest.mark.slow
def test_screening_everything_again_says_the_same(home, backlog):
    home.done("screen", "--all")

    answers = {}
    for drop in ("bulk-000001", "bulk-000002"):
        answers |= _by_document(_summary(home, f"appdata/results/drops/{drop}"))
    for name, kind in EXPECTED.items():
        _assert_true(answers[name], kind)


def test_groups_show_the_ring_and_a_document_names_its_groups(home, backlog):
    page = home.json("groups")
    story = home.json("show", THIEF)

    assert (page["total"], [group["n_merchants"] for group in page["groups"]]) == (4, [2, 2, 2, 1])
    ring = next(group for group in page["groups"] if group["n_documents"] == 3)
    assert (ring["n_merchants"], ring["first_date"]) == (2, "2023-01-01")
    members = [member["document"] for member in home.json("groups", ring["group_id"])]
    assert members == [VICTIM, THIEF, SECOND_VISIT]
    assert {member["document"] for member in story["groups"]} == {VICTIM, THIEF, SECOND_VISIT}
    assert home("groups", 999_999).returncode == 1


def test_explain_follows_the_same_rule(home, backlog):
    theft = home("explain", THIEF, VICTIM)
    victim = home("explain", VICTIM, THIEF)

    assert theft.returncode == victim.returncode == 0, theft.stdout + theft.stderr
    assert "served another merchant before" in _plain(theft.stdout)
    assert "were first used here" in _plain(victim.stdout)


def _plain(text):
    return " ".join(text.split())


def test_every_output_of_a_search_says_the_same(home, searched):
    """Summary, tables, report, exports in every format and the view, cell by cell."""
    run = searched["global"]["search_id"]
    columns = (
        "risk_score", "flagged", "finding", "source_document", "source_merchant_id", "document_date", "date_source",
        "source_date", "probability", "done_to_photo", "doubt",
    )  # fmt: skip
    truth = {name: {column: answer[column] for column in columns} for name, answer in _by_document(searched).items()}
    for kind in ("csv", "xlsx", "json", "parquet"):
        home.done("export-results", "--search", run, "--format", kind, "--output", f"export.{kind}")
    tables = {
        "results.csv": _csv(home.folder / "out/results.csv"),
        "results.xlsx": _xlsx(home.folder / "out/results.xlsx"),
        "export.csv": _csv(home.folder / "export.csv"),
        "export.xlsx": _xlsx(home.folder / "export.xlsx"),
        "export.json": json.loads((home.folder / "export.json").read_text(encoding="utf-8")),
        "export.parquet": pq.read_table(home.folder / "export.parquet").to_pylist(),
    }
    with Ledger.open(f"sqlite:///{home.folder / 'appdata' / 'ledger.sqlite'}") as ledger:
        stored = {result.query_document: result for result in ledger.searches.results(run)}
        tables["view"] = [row for row in read_view(ledger.database) if row["run_identifier"] == run]

    for name, rows in tables.items():
        assert {row["query_document"] for row in rows} == set(truth), name
        for row in rows:
            for column in columns:
                if name != "view" or column != "done_to_photo":  # words are no business of the database
                    assert _cell(row[column]) == _cell(truth[row["query_document"]][column]), (name, column, row)
    for name, answer in _by_document(searched).items():
        result = stored[name]
        assert (result.risk_score, result.flagged, result.doubt) == (
            answer["risk_score"], answer["flagged"], answer["doubt"]
        )  # fmt: skip
        earlier = next(row for row in tables["export.json"] if row["query_document"] == name)
        view = next(row for row in tables["view"] if row["query_document"] == name)
        for column in ("fraud_doc_probability", "threshold_match_count", "top_similar_docs", "sim_img_check"):
            assert earlier[column] == view[column], column
        assert earlier["fraud_doc_probability"] == answer["fraud_doc_probability"]
        assert earlier["why"] == " / ".join(reason["ko"] for reason in answer["reasons"])
    report = unescape((home.folder / "out/report.html").read_text(encoding="utf-8"))
    for name, answer in _by_document(searched).items():
        at = report.index(f'title="{name}"')
        row = report[report.rindex("<tr", 0, at) : report.index("</tr>", at)]
        assert f"{answer['risk_score']:.2f}" in row
        assert all(reason["en"] in row and reason["ko"] in row for reason in answer["reasons"])


def _csv(path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))


def _xlsx(path):
    header, *rows = openpyxl.load_workbook(path).active.iter_rows(values_only=True)
    return [dict(zip(header, row, strict=True)) for row in rows]


def _cell(value):
    """A cell as a CSV would hold it; numbers by their value."""
    if value is None or value == "":
        return None
    if isinstance(value, bool | np.bool_) or value in {"True", "False", "TRUE", "FALSE"}:
        return str(value).lower()
    try:
        return float(value)
    except ValueError:
        return str(value).removeprefix("'")


def test_another_threshold_relabels_what_is_stored_and_searches_nothing(home, searched):
    run = searched["global"]["search_id"]
    before = home.json("relabel")
    flags = home.json("relabel", DOC_ASSETS_FLAG_RISK="1")
    with Ledger.open(f"sqlite:///{home.folder / 'appdata' / 'ledger.sqlite'}") as ledger:
        flagged = [result.query_document for result in ledger.searches.results(run) if result.flagged]
        searches = ledger.searches.ids()
    back = home("export-results", "--search", run, "--format", "json", "--output", "back.json")

    assert all(documents == [] for documents in before.values())
    assert set(flags) == set(before) == set(searches)
    assert flagged == []
    assert back.returncode == 0, back.stdout + back.stderr
    rows = json.loads((home.folder / "back.json").read_text(encoding="utf-8"))
    assert {row["query_document"]: row["flagged"] for row in rows} == {
        name: kind in {"reuse", "merchant_unknown"} for name, kind in QUERIES_EXPECTED.items()
    }
