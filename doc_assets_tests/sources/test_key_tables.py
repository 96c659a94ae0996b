import json
import zipfile
from datetime import date, datetime

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doc_assets.datatypes import DocumentDate
from doc_assets.errors import SettingsError
from doc_assets.sources.dates import DateRule
from doc_assets.sources.key_names import NameRule, normalised
from doc_assets.sources.key_tables.table import KeyTable, TableLayout, keys_in
from doc_assets_tests.conftest import NOW

ROWS = [
    ("파일명", "사업자등록번호", "가맹점상호명"),
    ("N2024010100007THA00001", "111-11-00007", "상점"),
    ("n2024010100008tha00001", "111-11-00008", "@cmd()"),
    ("plain.tif", "111-11-00009", None),
    ("", "111-11-00010", None),
    ("N2024010100007THA00001", "999-99-99999", None),
    (None, None, None),
]


def _write(path, encoding="utf-8"):
    if path.suffix == ".xlsx":
        book = openpyxl.Workbook()
        for row in ROWS:
            book.active.append(row)
        book.save(path)
        return path
    header = ROWS[0]
    records = [{name: cell for name, cell in zip(header, row, strict=True) if cell} for row in ROWS[1:]]
    if path.suffix == ".json":
        path.write_text(json.dumps(records, ensure_ascii=False), encoding=encoding)
        return path
    if path.suffix == ".ndjson":
        path.write_text("\n".join(json.dumps(record) for record in records), encoding=encoding)
        return path
    separator = "\t" if path.suffix == ".tsv" else ","
    lines = [separator.join(cell or "" for cell in row) for row in ROWS]
    path.write_bytes("\r\n".join(lines).encode(encoding))
    return path


FORMATS = [
    ("k.xlsx", None),
    ("k.csv", "utf-8"),
    ("k.csv", "utf-8-sig"),
    ("k.csv", "cp949"),
    ("k.tsv", "utf-8"),
    ("k.json", "utf-8"),
    ("k.json", "utf-8-sig"),
    ("k.ndjson", "utf-8"),
]


def _merchant(table, name):
    row = table.row_of(name)
    return row.merchant_id if row else None


@pytest.mark.parametrize(("name", "encoding"), FORMATS)
def test_rows_are_known_by_name_and_by_the_key_documents_were_stored_under(tmp_path, name, encoding):
    table = KeyTable.read(_write(tmp_path / name, encoding))

    assert _merchant(table, "N2024010100007THA00100001_12") == "1111100007"
    assert _merchant(table, "N2024010100007THA00001") == "1111100007"
    assert _merchant(table, "\uff2e2024010100008THA00100001_1") == "1111100008"
    assert _merchant(table, "plain") == "1111100009"
    assert _merchant(table, "N2024010100007THA00200001_12") is None
    assert _merchant(table, "") is None
    assert table.row_of("n2024010100008tha00001").fields["가맹점상호명"] == "@cmd()"


@pytest.mark.parametrize(("name", "encoding"), FORMATS)
def test_keys_come_once_in_the_order_of_the_table_and_the_rest_is_counted(tmp_path, name, encoding):
    table = KeyTable.read(_write(tmp_path / name, encoding))

    assert [row.key for row in table.rows()] == ["N2024010100007THA00001", "n2024010100008tha00001", "plain"]
    assert (table.n_rows, table.n_keys, table.n_faults) == (5, 3, 2)
    assert "9999999999" in table.faults()[1][1]


def test_rows_that_cannot_be_used_are_listed_by_line(tmp_path):
    path = tmp_path / "k.csv"
    long = "x" * 300
    larger = "x" * 200_000
    path.write_text(
        f'파일명,사업자등록번호\na,1\n,2\n{long},3\nb\x01,4\na,1\na,5\n"{larger}",6\n{larger},6\n', encoding="utf-8"
    )
    table = KeyTable.read(path)

    assert [line for line, _ in table.faults()] == [3, 4, 5, 7, 8, 9]
    assert table.n_repeated == 1
    assert "at most 255" in table.faults()[1][1]


def test_records_that_are_no_object_are_faults_not_the_end(tmp_path):
    (tmp_path / "k.ndjson").write_text('{"파일명": "a"}\n[1]\n{broken\n\n{"파일명": "b"}\n', encoding="utf-8")
    (tmp_path / "k.json").write_text('[{"파일명": "a"}, 3, null, {"파일명": "b"}]', encoding="utf-8")

    for name, lines in (("k.ndjson", [2, 3]), ("k.json", [2, 3])):
        table = KeyTable.read(tmp_path / name)
        assert [row.key for row in table.rows()] == ["a", "b"]
        assert [line for line, _ in table.faults()] == lines


def test_columns_are_found_in_any_case_and_width_and_numbers_read_as_written(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["\uff26\uff29\uff2c\uff25 ", "Merchant", "Note"])
    book.active.append([20240101.0, 1234567890, None])
    book.save(tmp_path / "k.xlsx")
    layout = TableLayout(key_column="file", merchant_column="MERCHANT", field_columns=("note", "merchant"))

    (row,) = KeyTable.read(tmp_path / "k.xlsx", layout).rows()

    assert (row.key, row.merchant_id, row.fields) == ("20240101", "1234567890", {"merchant": "1234567890"})


def test_a_sheet_is_chosen_by_name_or_place(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["파일명"])
    second = book.create_sheet("둘째")
    second.append(["파일명"])
    second.append(["b"])
    book.save(tmp_path / "k.xlsx")

    for sheet in ("둘째", "2"):
        assert [row.key for row in KeyTable.read(tmp_path / "k.xlsx", TableLayout(sheet=sheet)).rows()] == ["b"]
    with pytest.raises(SettingsError, match="no sheet '3'; it has Sheet, 둘째"):
        KeyTable.read(tmp_path / "k.xlsx", TableLayout(sheet="3"))
    (tmp_path / "k.csv").write_text("파일명\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="has no sheets"):
        KeyTable.read(tmp_path / "k.csv", TableLayout(sheet="2"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("k.csv", b"a,b\n1,2\n", "no column '파일명'"),
        ("k.csv", b"\xff\xfe\x81\x00\x81", "no text"),
        ("k.csv", b"\xff\xff\xff,\xff", "neither UTF-8 nor CP949"),
        ("k.csv", b"", "it has none"),
        ("k.xlsx", b"PK\x03\x04 not a workbook", "no Excel workbook"),
        ("k.xlsx", b"text", "no Excel workbook"),
        ("k.json", b'{"a": 1}', "no JSON array"),
        ("k.json", b'[{"a": 1},', "no JSON"),
        ("k.json", b'[{"a": 1}]', "No row"),
        ("k.ndjson", b'{"a": 1}', "No row has"),
        ("k.pdf", b"x", "is none of .xlsx"),
    ],
)
def test_a_file_that_is_no_key_table_is_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)

    with pytest.raises(SettingsError, match=message):
        KeyTable.read(tmp_path / name)


def test_a_workbook_that_unpacks_to_gigabytes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("doc_assets.sources.key_tables.workbook.MAX_UNPACKED_BYTES", 1 << 20)
    with zipfile.ZipFile(tmp_path / "k.xlsx", "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/workbook.xml", b" " * (2 << 20))

    with pytest.raises(SettingsError, match="unpacks to 2097152 bytes"):
        KeyTable.read(tmp_path / "k.xlsx")


def test_a_workbook_with_an_entity_bomb_is_refused(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["파일명"])
    book.save(tmp_path / "good.xlsx")
    bomb = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><workbook>&b;</workbook>'
    with zipfile.ZipFile(tmp_path / "good.xlsx") as good, zipfile.ZipFile(tmp_path / "k.xlsx", "w") as bad:
        for name in good.namelist():
            bad.writestr(name, bomb if name == "xl/workbook.xml" else good.read(name))

    with pytest.raises(SettingsError, match=r"no Excel workbook|Entities"):
        KeyTable.read(tmp_path / "k.xlsx")


def test_a_changed_table_is_read_again(tmp_path):
    path = tmp_path / "k.csv"
    path.write_text("파일명,사업자등록번호\na,1\n", encoding="utf-8")
    assert keys_in(path)("a").merchant_id == "1"
    path.write_text("파일명,사업자등록번호\na,22\n", encoding="utf-8")

    assert keys_in(path)("a").merchant_id == "22"
    assert keys_in(None)("a") is None
    with pytest.raises(SettingsError, match="cannot be read"):
        keys_in(tmp_path / "gone.csv")


@settings(max_examples=200, deadline=None)
@given(st.text("Nn0123456789THA가나*?[]. ", min_size=1, max_size=30).map(str.strip).filter(bool))
def test_every_name_a_rule_makes_of_a_key_leads_back_to_it(key):
    rule = NameRule()
    for attempt in rule.tries(key):
        name = attempt.stem + ("_12" if attempt.pattern else "")
        assert attempt.accepts(name)
        assert normalised(key) in set(rule.keys_of(name))


@pytest.mark.parametrize("key", ["*", "?", "[a-z]", "../../etc/passwd", "a/b", "N*THA00001"])
def test_signs_of_a_key_are_never_a_pattern(key):
    for attempt in NameRule().tries(key):
        assert not attempt.accepts("n2024010100007tha00100001_12")
        assert not attempt.accepts("abc_1")


def test_half_a_surrogate_pair_in_a_table_breaks_nothing(tmp_path):
    (tmp_path / "keys.ndjson").write_bytes(b'{"\xed\x8c\x8c\xec\x9d\xbc\xeb\xaa\x85": "a\\ud800", "x": "\\udfff"}\n')

    with KeyTable.read(tmp_path / "keys.ndjson") as table:
        assert (table.n_keys, table.n_faults) == (0, 1)
        assert "<U+D800>" in table.faults()[0][1]


def test_a_short_key_is_not_looked_for_among_all_names_that_begin_with_it():
    assert [attempt.begins for attempt in NameRule().tries("N2")] == ["n2", "n2_"]
    assert [attempt.begins for attempt in NameRule(2, "9", "*_?.tif").tries("N23")] == ["n23", "n923", "n23", "n923"]


def test_rows_of_one_key_agree_on_its_date_however_it_is_written(tmp_path):
    path = tmp_path / "k.csv"
    path.write_text(
        "파일명,수신일자\na,2024-01-20\na,2024. 1. 20.\na,\na,20240301\na,2024-13-45\nb,미상\nb,2024-01-20\n",
        encoding="utf-8",
    )
    table = KeyTable.read(path)

    assert table.faults() == [(5, "a was received on 2024-01-20 by line 2, and on 2024-03-01 by this one")]
    assert (table.n_rows, table.n_keys, table.n_repeated) == (7, 2, 4)


def test_a_date_is_found_under_other_names_of_its_column(tmp_path):
    for number, column in enumerate(("수신일자", "접수일", "수신일시", "접수 일자")):
        path = tmp_path / f"{number}.csv"
        path.write_text(f"파일명,{column}\na,2024-01-20\n", encoding="utf-8")
        (row,) = KeyTable.read(path).rows()
        assert DateRule().date_of("a", row.fields, NOW) == DocumentDate(date(2024, 1, 20), "key_table")
    path.write_text("파일명,Received\na,2024-01-20\n", encoding="utf-8")
    (row,) = KeyTable.read(path, TableLayout(date_columns=("received",))).rows()
    assert DateRule(columns=("received",)).date_of("a", row.fields, NOW).source == "key_table"


def test_dates_of_a_workbook_are_days_whatever_their_cells_are(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["파일명", "수신일자"])
    cells = [
        date(2024, 1, 20),
        datetime.fromisoformat("2024-01-20 15:30"),
        "2024.01.20",
        20240120,
        45311,
        "2024년 1월 20일",
    ]
    for number, cell in enumerate(cells):
        book.active.append([f"k{number}", cell])
    book.save(tmp_path / "k.xlsx")

    rows = list(KeyTable.read(tmp_path / "k.xlsx").rows())

    found = [DateRule().date_of(row.key, row.fields, NOW) for row in rows]
    assert found == [DocumentDate(date(2024, 1, 20), "key_table")] * len(cells)
