"""Honest merchants with photos that are alike, and a forger among them: command line, drop, every output."""

import csv
import io
import json
import re

import numpy as np
import pytest

from benchmarks.drawing.scenes import draw_scene
from benchmarks.drawing.shared_things import draw_thing, put_into
from doc_assets.lab.attacks import attack
from doc_assets.lab.forms import Style, photo_page, write_tif
from doc_assets.lab.pictures import draw_picture
from doc_assets.sources.key_tables.table import KEY_COLUMN, MERCHANT_COLUMN
from doc_assets.sources.merchants import NAME_COLUMN
from doc_assets_tests.program import Program

pytestmark = pytest.mark.slow

SCENE, PLACE = 6_400_003, 6_400_050
BANNER = draw_thing("banner", 5)


def _with_banner(number):
    return put_into(draw_scene(PLACE + number, 0), BANNER, 0.5, np.random.default_rng(number))


ARCHIVE = {
    "N2023010100001THA00100001_1.tif": ("1208147501", lambda: draw_scene(SCENE, 0, parallax=0.02)),
    "N2023010200002THA00100001_1.tif": ("1208147502", lambda: _with_banner(1)),
    "N2023010300003THA00100001_1.tif": ("1208147503", lambda: draw_scene(SCENE + 1, 0)),
}
OTHER_SHOT, BRANCH, THIEF = (f"N202401010000{n}THA00100001_1.tif" for n in (4, 5, 6))
INCOMING = {
    OTHER_SHOT: ("1208147504", lambda: draw_scene(SCENE, 1, parallax=0.02)),
    BRANCH: ("1208147505", lambda: _with_banner(2)),
    THIEF: ("1208147506", lambda: attack("cropped", draw_scene(SCENE + 1, 0), 4)),
}
EXPECTED = {OTHER_SHOT: ("other_shot", False), BRANCH: ("shared_thing", False), THIEF: ("reuse", True)}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A program whose home holds the archive and then the incoming documents, each photo beside an own one."""
    folder = tmp_path_factory.mktemp("alike")
    lines = [f"{KEY_COLUMN},{MERCHANT_COLUMN},{NAME_COLUMN}"]
    for name, documents in {"archive": ARCHIVE, "incoming": INCOMING}.items():
        for file, (merchant, photo) in documents.items():
            number = int(file[9:14])
            page = photo_page([photo(), draw_picture(73_000 + number)], Style.CLASSIC, 1, np.random.default_rng(number))
            write_tif(folder / name / file, [page.pixels], Style.CLASSIC)
            key = re.sub(r"001([0-9]{5})_[0-9]+.tif$", r"\1", file)
            lines.append(f"{key},{merchant},큰나무약국 {number}호점")
    (folder / "keys.csv").write_text("\n".join(lines), encoding="utf-8")
    program = Program(folder)
    keys = ("--key-table", "keys.csv")
    program.done("build-image-index", "--folder", "archive", *keys)
    program.done("search-doc", "--folder", "incoming", *keys, "--output-folder", "out", "--no-privacy-mode")
    program.done("build-image-index", "--folder", "incoming", *keys)
    program.done("screen", "--drop", "bulk-000002")
    return program


def _answers(folder):
    summary = json.loads((folder / "search_results_summary.json").read_text(encoding="utf-8"))
    return {answer["query_document"]: answer for answer in summary["per_query"]}


@pytest.mark.parametrize("where", ["out", "appdata/results/drops/bulk-000002"])
def test_who_is_alike_is_not_accused_and_who_copies_is(home, where):
    answers = _answers(home.folder / where)

    found = {name: (answer["findings"][0]["kind"], answer["flagged"]) for name, answer in answers.items()}

    assert found == EXPECTED
    for name in (OTHER_SHOT, BRANCH):
        answer = answers[name]
        assert answer["risk_score"] == 0
        assert answer["reasons"][0]["code"] == EXPECTED[name][0]
        assert "not counted" in answer["reasons"][0]["en"]
        assert answer["top_docs"][0]["matches"][0]["kind"] == EXPECTED[name][0]
        assert "changes" not in answer["top_docs"][0]["matches"][0]
        assert answer["fraud_doc_probability"] == "No"


@pytest.mark.parametrize("where", ["out", "appdata/results/drops/bulk-000002"])
def test_a_name_that_both_merchants_have_is_said_beside_a_printed_thing(home, where):
    answers = _answers(home.folder / where)
    said = {name: answer["reasons"][0] for name, answer in answers.items()}

    assert answers[BRANCH]["top_docs"][0]["common_name"] == "큰나무약국"
    assert "The names of both merchants begin with '큰나무약국'." in said[BRANCH]["en"]
    assert "두 가맹점 이름의 앞부분이 같음: '큰나무약국'." in said[BRANCH]["ko"]
    assert "큰나무약국" not in said[THIEF]["ko"] + said[OTHER_SHOT]["ko"]


@pytest.mark.parametrize("left_out", ["[]", f'["{NAME_COLUMN}"]'])
def test_nobody_reads_a_name_that_results_leave_out(left_out, home, tmp_path):
    left = {"DOC_ASSETS_REMOVE_COLUMNS_FROM_RESULTS": left_out}

    home.done("export-results", "--output", tmp_path / "results.csv", **left)

    assert ("큰나무약국" in (tmp_path / "results.csv").read_text(encoding="utf-8-sig")) == (left_out == "[]")


def test_the_report_shows_why(home):
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (home.folder / "out" / "evidence").glob("*.html")}

    assert len(pages) == len(INCOMING)
    other, branch, thief = (next(page for name, page in pages.items() if each[:-4] in name) for each in EXPECTED)
    assert "같은 장면의 다른 사진" in other
    assert "another shot of the same scene" in other
    assert "the same printed thing" in branch
    assert "hatched" in other
    assert "hatched" not in thief
    assert all("data:image/jpeg" in page for page in (other, branch, thief))


def _flagged(home, **environment):
    home.done("export-results", "--output", "results.csv", **environment)
    rows = csv.DictReader(io.StringIO((home.folder / "results.csv").read_text(encoding="utf-8-sig")))
    return {row["query_document"] for row in rows if row["flagged"] == "True" and "bulk" in row["run_identifier"]}


def test_explain_says_it(home):
    said = " ".join(home.done("explain", OTHER_SHOT, min(ARCHIVE)).split())

    assert "another shot of the same scene" in said
    assert "not counted" in said


def test_an_operator_may_have_other_shots_counted_and_back(home):
    counting, as_before = {"DOC_ASSETS_COUNT_OTHER_SHOTS": "true"}, {"DOC_ASSETS_COUNT_OTHER_SHOTS": "false"}
    home.done("relabel", **counting)
    counted = _flagged(home, **counting)
    home.done("relabel", **as_before)

    assert counted == {OTHER_SHOT, THIEF}
    assert _flagged(home, **as_before) == {THIEF}
