"""A photograph that five merchants show at the same place: nobody's business until an operator says whose it is."""

import json
import re

import numpy as np
import pytest
from typer.testing import CliRunner

from doc_assets.cli import app
from doc_assets.lab.forms import Style, photo_page, write_tif
from doc_assets.lab.pictures import draw_picture
from doc_assets.sources.key_tables.table import KEY_COLUMN, MERCHANT_COLUMN

pytestmark = pytest.mark.slow

SHARED = draw_picture(75_900)
MERCHANTS = 5
ASKED = MERCHANTS  # the document that is searched for


def _name(number):
    return f"N2023{1 + number:02d}01{number:05d}THA00100001_1.tif"


def _run(*arguments, wanted=0):
    done = CliRunner().invoke(app, [*map(str, arguments)])
    assert done.exit_code == wanted, (arguments, done.output, done.exception)
    return done.output


@pytest.fixture
def home(tmp_path, monkeypatch):
    lines = [f"{KEY_COLUMN},{MERCHANT_COLUMN}"]
    for number in range(MERCHANTS + 1):
        page = photo_page([draw_picture(75_000 + number), SHARED], Style.CLASSIC, 1, np.random.default_rng(number))
        folder = "incoming" if number == ASKED else "archive"
        write_tif(tmp_path / folder / _name(number), [page.pixels], Style.CLASSIC)
        key = re.sub(r"001([0-9]{5})_[0-9]+.tif$", r"\1", _name(number))
        lines.append(f"{key},12081477{number:02d}")
    (tmp_path / "keys.csv").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.setenv("DOC_ASSETS_HOME", str(tmp_path / "appdata"))
    monkeypatch.setenv("DOC_ASSETS_LOG_DIR", str(tmp_path / "applog"))
    monkeypatch.chdir(tmp_path)
    _run("build-image-index", "--folder", "archive", "--key-table", "keys.csv")
    _run("screen", "--drop", "bulk-000001")
    return tmp_path


def _said(home):
    """Whether each document is flagged, and what its findings are, by the drop's report and by the ledger."""
    path = home / "appdata" / "results" / "drops" / "bulk-000001" / "search_results_summary.json"
    answers = json.loads(path.read_text(encoding="utf-8"))["per_query"]
    said = {each["query_document"]: (each["flagged"], {f["kind"] for f in each["findings"]}) for each in answers}
    return [said[_name(number)] for number in range(MERCHANTS)]


def _search(home, out):
    _run("search-doc", "--folder", "incoming", "--key-table", "keys.csv", "--output-folder", home / out)
    (answer,) = json.loads((home / out / "search_results_summary.json").read_text(encoding="utf-8"))["per_query"]
    return answer["flagged"], {finding["kind"] for finding in answer["findings"]}


def test_a_photograph_of_many_merchants_counts_until_an_operator_confirms_it_and_again_after_undo(home):
    accused = [(False, {"first_use"}), *[(True, {"reuse"})] * (MERCHANTS - 1)]
    assert _said(home) == accused
    assert _search(home, "before") == (True, {"reuse"})

    listed = json.loads(_run("form-pictures", "--json"))
    (picture,) = listed["pictures"]
    assert (listed["total"], picture["state"], picture["recognised_by"]) == (1, "candidate", None)
    assert (picture["n_merchants"], picture["n_documents"], picture["photo"]) == (MERCHANTS, MERCHANTS, 1)
    assert picture["place"]["page_size"] is not None
    assert "candidate" in _run("form-pictures")

    decided = json.loads(_run("form-pictures", "--confirm", picture["picture_id"], "--json"))
    assert {(each["document"], each["now"], each["flagged"]) for each in decided["changed"]} == {
        (_name(number), "form_picture", False) for number in range(MERCHANTS)
    }
    assert [len(names) for names in decided["searches"].values()] == [1]
    assert _said(home) == [(False, {"form_picture"})] * MERCHANTS
    assert _search(home, "confirmed") == (False, {"form_picture"})
    (confirmed,) = json.loads(_run("form-pictures", "--json"))["pictures"]
    assert (confirmed["state"], confirmed["decided_by"]) == ("confirmed", decided["by"])
    assert json.loads(_run("groups", "--json"))["total"] == 0
    _run("screen", "--drop", "bulk-000001")
    assert _said(home) == [(False, {"form_picture"})] * MERCHANTS

    assert "No document" not in _run("form-pictures", "--undo", picture["picture_id"])
    assert _said(home) == accused
    assert _search(home, "undone") == (True, {"reuse"})
    assert json.loads(_run("groups", "--json"))["total"] == 1
    assert "undone already" in _run("form-pictures", "--undo", picture["picture_id"], wanted=1)
    assert "There is no picture 77" in _run("form-pictures", "--confirm", "77", wanted=1)
    _run("form-pictures", "--confirm", "1", "--undo", "1", wanted=2)
