"""A search of sixty documents of which a page, a photo, a pair and a table row break, through the command line."""

import json

import pytest

from doc_assets.lab.pictures import draw_picture
from doc_assets.sources.key_tables.table import KEY_COLUMN, MERCHANT_COLUMN
from doc_assets_tests.broken import page, red, write
from doc_assets_tests.program import Program

pytestmark = pytest.mark.slow

N = 60
PAGE, PHOTO, PAIR, ROW = (f"Q{number:04d}" for number in (7, 23, 31, 48))
COPIES = {PAGE: 1, PHOTO: 2, PAIR: 3, "Q0050": 4}
"""Queries that show a photo of an archive document, by its number."""


def _photo(number):
    return draw_picture(3000 + number)


PAIR_PHOTO = _photo(COPIES[PAIR])


@pytest.fixture
def table(tmp_path):
    """The key table of the queries, whose files and the archive's are drawn."""
    for number in range(1, 5):
        write(tmp_path / "archive" / f"A{number:04d}.tif", page(_photo(number)))
    lines = [f"{KEY_COLUMN},{MERCHANT_COLUMN}"]
    for number in range(1, N + 1):
        name = f"Q{number:04d}"
        photos = [_photo(COPIES[name])] if name in COPIES else [_photo(100 + number)]
        if name == PHOTO:
            photos.append(red(_photo(99)))
        pages = [page(*photos)]
        if name == PAGE:
            pages.append(page(_photo(98), marked=True))
        write(tmp_path / "queries" / f"{name}.tif", *pages)
        lines.append(f"{name},12081475{number:02d}")
    path = tmp_path / "keys.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_all_sixty_are_accounted_for_and_the_four_are_named(table, tmp_path):
    program = Program.at_home(tmp_path)
    program.done("build-image-index", "--folder", tmp_path / "archive")

    roots = ("--search-root", tmp_path / "queries")
    arguments = ["search-doc", "--key-table", table, *roots, "--output-folder", tmp_path / "out"]
    done = program.module("doc_assets_tests.broken_program", *arguments)

    assert done.returncode == 1, done.stdout + done.stderr
    summary = json.loads((tmp_path / "out" / "search_results_summary.json").read_text(encoding="utf-8"))
    answers = {answer["query_document"].removesuffix(".tif"): answer for answer in summary["per_query"]}
    assert len(answers) == summary["global"]["n_queries"] == N
    said = " ".join(done.stdout.split())
    for name in (PAGE, PHOTO, PAIR, ROW):
        assert name in said.rpartition("failed:")[2]
    faults = {name: answer["faults"] for name, answer in answers.items() if answer["faults"]}
    assert set(faults) == {PAGE, PHOTO, PAIR, ROW}
    found = {
        name: [(f["stage"], f["query_page"], f["query_photo"], f["document"]) for f in faults[name]] for name in faults
    }
    assert found == {
        PAGE: [("page", 2, None, None)],
        PHOTO: [("photo", 1, 1, None)],
        PAIR: [("pair", 1, 0, "A0003.tif")],
        ROW: [("reading", None, None, None)],
    }
    for name, kind in ((PAGE, "page"), (PHOTO, "photo"), (PAIR, "pair"), (ROW, "row")):
        assert f"{kind} broken on purpose" in faults[name][0]["reason"]
    assert answers[ROW]["state"] == "rejected"
    assert answers[ROW]["risk_score"] is None
    for name in (PAGE, PHOTO, "Q0050"):  # what could be compared was compared
        assert answers[name]["flagged"]
        assert answers[name]["top_docs"][0]["document"] == f"A{COPIES[name]:04d}.tif"
    honest = [answers[name] for name in answers if name not in {*COPIES, ROW}]
    assert len(honest) == N - len(COPIES) - 1
    assert all(answer["state"] == "ok" and answer["risk_score"] < 0.5 for answer in honest)
