"""Honest documents that share what their form prints, and a forger among them, through a search and through a drop."""

import json
import re

import numpy as np
import pytest

from benchmarks.drawing.form_pictures import FormPicture, draw_form_picture
from doc_assets.lab.attacks import attack
from doc_assets.lab.forms import Style, photo_page, write_tif
from doc_assets.lab.pictures import draw_picture
from doc_assets.sources.key_tables.table import KEY_COLUMN, MERCHANT_COLUMN
from doc_assets_tests.program import Program

pytestmark = pytest.mark.slow

KINDS = [FormPicture.QR, FormPicture.MAP, FormPicture.BANNER, FormPicture.LOGO, FormPicture.SEAL]
STOLEN = 74_100


def _name(number):
    return f"N202{3 + number // 50}0101{number:05d}THA00100001_1.tif"


def _document(path, number, photos):
    page = photo_page(photos, Style.CLASSIC, 1, np.random.default_rng(number))
    write_tif(path, [page.pixels], Style.CLASSIC)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Of every kind an archived and an incoming document of other merchants; one incoming document shows more."""
    folder = tmp_path_factory.mktemp("forms")
    lines = [f"{KEY_COLUMN},{MERCHANT_COLUMN}"]
    for at, kind in enumerate(KINDS):
        picture = draw_form_picture(kind, 7_320_000 + at, 900)
        for number, where in ((at, "archive"), (50 + at, "incoming")):
            own = draw_picture(STOLEN + number)
            if number == 50:
                own = attack("cropped", draw_picture(STOLEN + 1), 3)
            _document(folder / where / _name(number), number, [own, picture])
            key = re.sub(r"001([0-9]{5})_[0-9]+.tif$", r"\1", _name(number))
            lines.append(f"{key},12081476{number:02d}")
    (folder / "keys.csv").write_text("\n".join(lines), encoding="utf-8")
    program = Program(folder)
    keys = ("--key-table", "keys.csv")
    program.done("build-image-index", "--folder", "archive", *keys)
    program.done("search-doc", "--folder", "incoming", *keys, "--output-folder", "out")
    program.done("build-image-index", "--folder", "incoming", *keys)
    program.done("screen", "--drop", "bulk-000002")
    return folder


@pytest.mark.parametrize("where", ["out", "appdata/results/drops/bulk-000002"])
def test_what_forms_print_accuses_nobody_and_hides_nobody(home, where):
    summary = json.loads((home / where / "search_results_summary.json").read_text(encoding="utf-8"))
    answers = {answer["query_document"]: answer for answer in summary["per_query"]}

    kinds = {name: {finding["kind"] for finding in answer["findings"]} for name, answer in answers.items()}
    assert kinds == {
        _name(50 + at): {"reuse", "form_picture"} if at == 0 else {"form_picture"} for at in range(len(KINDS))
    }
    assert {name for name, answer in answers.items() if answer["flagged"]} == {_name(50)}
    pairs = [pair for found in answers[_name(50)]["top_docs"] for pair in found["matches"]]
    assert {pair["kind"]: "likeness" in pair for pair in pairs if "kind" in pair} == {
        "same_photograph": True,
        "form_picture": False,  # a code that both show drawn needs no dense look
    }
    for answer in answers.values():
        said = [reason for reason in answer["reasons"] if reason["code"] == "form_picture"]
        assert said
        assert "서식의 그림" in said[0]["ko"]
