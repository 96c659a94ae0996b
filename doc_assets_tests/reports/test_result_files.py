import csv
import io
import json
import zipfile
from dataclasses import replace

import openpyxl
import pytest

from doc_assets.archive.ledger.json_codec import as_json
from doc_assets.archive.ledger.results import EarlierFields
from doc_assets.archive.ledger.search_settings import SearchSettings
from doc_assets.archive.ledger.searches import SearchRecord
from doc_assets.errors import InconsistentResultError
from doc_assets.reports.result_files import COLUMNS, CSV_NAME, SUMMARY_NAME, XLSX_NAME, write_results
from doc_assets.reports.safe_names import safe_stem
from doc_assets_tests.conftest import NOW
from doc_assets_tests.results import a_found, a_pair, a_result, a_reuse

HOSTILE = '=HYPERLINK("http://evil","click").tif'
SEARCH = SearchRecord("run-1", NOW, NOW, "photos__gist-1__v1", 42, SearchSettings(top_k=5))
PAIR = a_pair(lines=((0.1, 0.2, 0.3, 0.4),))
FOUND = a_found(PAIR, document="가맹점_12.tif", merchant_id="1234567890")
LEGACY = EarlierFields("High", 1, {"q_q_0.jpg": "unknown"})
NOT_READ = a_result(
    name="bad.tif", position=1, merchant_id=None, state="rejected", error="This is a PDF, not a TIFF.", n_photos=0,
    legacy=LEGACY, risk_score=None, searched=False,
)  # fmt: skip
RESULTS = [a_reuse(FOUND, name=HOSTILE, legacy=LEGACY), NOT_READ]


@pytest.fixture
def files(tmp_path):
    return write_results(SEARCH, RESULTS, tmp_path / "out")


def test_the_summary_has_the_shape_that_other_programs_read(files):
    summary = json.loads(files.summary.read_text(encoding="utf-8"))

    assert set(summary) == {"global", "per_query"}
    expected = {
        "aggregation_strategy_used": "max", "top_k_used": 5, "top_doc_used": 7, "indexed_image_count": 42,
        "index_path": "photos__gist-1__v1", "incomplete": None, "fallback_to_bruteforce_message": None,
        "global_top_docs": ["가맹점_12.tif"], "n_failed": 1,
    }  # fmt: skip
    assert expected.items() <= summary["global"].items()
    first, second = summary["per_query"]
    assert first["query_document"] == first["matched_query_document"] == HOSTILE
    assert first["num_query_photos"] == 2
    (document,) = first["top_docs"]
    (pair,) = document["matches"]
    as_read = json.loads(json.dumps(as_json(FOUND)))
    assert document | {"matches": []} == as_read | {"matches": []}
    without_lines = replace(PAIR, lines=None)  # only its picture needs them
    assert pair == json.loads(json.dumps(as_json(without_lines)))
    assert (first["risk_score"], first["flagged"], first["fraud_doc_probability"]) == (0.97, True, "High")
    (reason,) = first["reasons"]
    assert (reason["code"], reason["counts"]) == ("reuse", True)
    assert "가맹점 1234567890" in reason["ko"]
    assert "turned 90° clockwise" in reason["en"]
    assert (second["risk_score"], second["flagged"]) == (None, False)
    assert "error" not in first
    assert second["error"] == "This is a PDF, not a TIFF."
    assert second["top_docs"] == []
    assert "가맹점" in files.summary.read_text(encoding="utf-8")


def test_the_csv_opens_in_excel_with_hangul_and_without_formulas(files):
    content = files.table_csv.read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")

    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))

    assert tuple(rows[0]) == COLUMNS
    assert rows[0]["query_document"] == f"'{HOSTILE}"
    assert rows[0]["document"] == "가맹점_12.tif"
    assert float(rows[0]["best_similarity"]) == 0.91
    assert (float(rows[0]["pair_probability"]), rows[0]["inliers"]) == (0.97, "44")
    assert rows[1]["error"] == "This is a PDF, not a TIFF."


def test_the_workbook_holds_text_numbers_and_no_live_cell(files):
    sheet = openpyxl.load_workbook(files.table_xlsx).active
    rows = list(sheet.iter_rows(values_only=True))

    assert rows[0] == COLUMNS
    assert rows[1][0] == HOSTILE
    assert rows[1][COLUMNS.index("score")] == 0.91
    assert rows[1][COLUMNS.index("mirrored")] is False
    with zipfile.ZipFile(files.table_xlsx) as book:
        cells = book.read("xl/worksheets/sheet1.xml")
    assert b"<f>" not in cells
    assert b"<hyperlink" not in cells


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\uff1d"])
def test_every_way_to_start_a_formula_is_defused(tmp_path, start):
    result = replace(NOT_READ, query_document=f"{start}cmd|calc.tif")

    files = write_results(SEARCH, [result], tmp_path)

    (row,) = csv.DictReader(io.StringIO(files.table_csv.read_text(encoding="utf-8-sig"), newline=""))
    assert row["query_document"].startswith("'")


def test_results_are_replaced_not_mixed(tmp_path):
    write_results(SEARCH, RESULTS, tmp_path)
    write_results(SEARCH, RESULTS[:1], tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([SUMMARY_NAME, CSV_NAME, XLSX_NAME])
    assert len(json.loads((tmp_path / SUMMARY_NAME).read_text(encoding="utf-8"))["per_query"]) == 1


def test_file_names_made_from_documents_are_harmless_and_distinct():
    names = [safe_stem(name) for name in ("N2024_1", "../../etc/passwd", "가맹점", "가게점", "", "a" * 300)]

    assert names[0] == "N2024_1"
    assert len(set(names)) == len(names)
    assert all("/" not in name and ".." not in name and 0 < len(name) < 310 for name in names)


def test_columns_left_out_are_in_none_of_the_files(tmp_path):
    files = write_results(SEARCH, RESULTS, tmp_path, ["merchant_id", "risk_score", "elapsed_seconds"])

    summary = files.summary.read_text(encoding="utf-8")
    assert not any(f'"{name}"' in summary for name in ("merchant_id", "risk_score", "elapsed_seconds"))
    header = files.table_csv.read_text(encoding="utf-8-sig").splitlines()[0]
    sheet = openpyxl.load_workbook(files.table_xlsx).active
    wanted = [name for name in COLUMNS if name not in {"merchant_id", "risk_score", "elapsed_seconds"}]
    assert header.replace('"', "").split(",") == [cell.value for cell in sheet[1]] == wanted


def test_a_result_that_contradicts_itself_is_shown_to_nobody(tmp_path):
    wrong = replace(RESULTS[0], findings=())

    with pytest.raises(InconsistentResultError, match="contradicts itself"):
        write_results(SEARCH, [wrong], tmp_path)

    assert list(tmp_path.iterdir()) == []
