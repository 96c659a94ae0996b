import csv
import io
import json
import zipfile

import openpyxl
import pyarrow.parquet as pq
import pytest

from doc_assets.errors import SettingsError
from doc_assets.reports.export_rows import EXPORTED
from doc_assets.reports.tables import WRITERS, write_table
from doc_assets_tests.conftest import NOW

EVIL = "=cmd|'/c calc'!A1.tif"
HEADER = (
    "run_identifier,requesting_username,search_time_stamp,query_document,matched_query_document,top_similar_docs,"
    "threshold_match_count,sim_img_check,image_authenticity,fraud_doc_probability,global_top_docs,사업자등록번호,"
    "수신일자,업종명,가맹점상호명,구분,risk_score,flagged,finding,source_document,source_merchant_id,document_date,"
    "date_source,source_date,probability,done_to_photo,doubt,why"
)
ROW = {
    "run_identifier": "run-1",
    "requesting_username": "@kim",
    "search_time_stamp": NOW,
    "query_document": EVIL,
    "matched_query_document": EVIL,
    "top_similar_docs": {"가맹점.tif": 0.5},
    "threshold_match_count": 1,
    "sim_img_check": {},
    "image_authenticity": None,
    "fraud_doc_probability": "No",
    "global_top_docs": ["가맹점.tif"],
    "사업자등록번호": "123-45-67890",
    "수신일자": "2024.01.02",
    "업종명": "미용실",
    "가맹점상호명": None,
    "구분": None,
    "risk_score": 0.97,
    "flagged": True,
    "finding": "reuse",
    "source_document": "가맹점.tif",
    "source_merchant_id": "1234567890",
    "document_date": "2024-03-01",
    "date_source": "name",
    "source_date": "2023-03-01",
    "probability": 0.97,
    "done_to_photo": "mirrored",
    "doubt": 0.0,
    "why": "=1+1",
}


def test_the_csv_has_the_earlier_systems_header_and_its_objects_are_json(tmp_path):
    assert write_table([ROW], EXPORTED, "csv", tmp_path / "out.csv") == 1

    content = (tmp_path / "out.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    text = content.decode("utf-8-sig")
    assert text.splitlines()[0].replace('"', "") == HEADER
    (row,) = csv.DictReader(io.StringIO(text))
    assert json.loads(row["top_similar_docs"]) == {"가맹점.tif": 0.5}
    assert "가맹점" in row["top_similar_docs"]
    assert row["search_time_stamp"] == "2026-11-21T09:30:00+00:00"
    assert (row["query_document"], row["requesting_username"]) == (f"'{EVIL}", "'@kim")


def test_a_workbook_holds_no_formula_and_no_link(tmp_path):
    write_table([ROW], EXPORTED, "xlsx", tmp_path / "out.xlsx")

    with zipfile.ZipFile(tmp_path / "out.xlsx") as book:
        content = b"".join(book.read(name) for name in book.namelist())
    assert b"<f>" not in content
    assert b"hyperlink" not in content
    sheet = openpyxl.load_workbook(tmp_path / "out.xlsx").active
    assert [cell.value for cell in sheet[1]] == list(EXPORTED)
    assert sheet["D2"].value == EVIL
    assert sheet["D2"].data_type == "s"


def test_json_and_parquet_keep_true_types(tmp_path):
    write_table([ROW, ROW], EXPORTED, "json", tmp_path / "out.json")
    write_table([ROW, ROW], EXPORTED, "parquet", tmp_path / "out.parquet")

    assert json.loads((tmp_path / "out.json").read_bytes()) == [{**ROW, "search_time_stamp": NOW.isoformat()}] * 2
    (row, _) = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert (row["search_time_stamp"], row["threshold_match_count"]) == (NOW, 1)
    assert json.loads(row["top_similar_docs"]) == ROW["top_similar_docs"]


@pytest.mark.parametrize("kind", WRITERS)
def test_columns_that_are_left_out_are_in_no_format(kind, tmp_path):
    columns = [name for name in EXPORTED if name != "사업자등록번호"]

    assert write_table([ROW] * 3, columns, kind, tmp_path / "out") == 3

    content = (tmp_path / "out").read_bytes()
    if kind == "xlsx":
        with zipfile.ZipFile(tmp_path / "out") as book:
            content = b"".join(book.read(name) for name in book.namelist())
    if kind != "parquet":
        assert EVIL.encode() in content or b"calc" in content
    else:
        assert "사업자등록번호" not in pq.read_schema(tmp_path / "out").names
    assert b"123-45-67890" not in content


def test_nothing_to_export_is_an_empty_table_and_not_an_error(tmp_path):
    for kind in WRITERS:
        assert write_table([], EXPORTED, kind, tmp_path / f"out.{kind}") == 0
    assert json.loads((tmp_path / "out.json").read_bytes()) == []


def test_what_a_workbook_cannot_hold_is_an_error_and_leaves_the_old_file(tmp_path):
    path = tmp_path / "out.xlsx"
    path.write_bytes(b"old")

    with pytest.raises(SettingsError, match="take csv"):
        write_table([ROW | {"sim_img_check": {"x": "y" * 40_000}}], EXPORTED, "xlsx", path)

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
