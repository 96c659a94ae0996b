"""Key tables: every physical row is a key, a repeated one or a listed fault, whatever the file states about itself."""

import codecs
import json
import shutil
import subprocess
import sys
import time
import zipfile

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from doc_assets.cli import app
from doc_assets.errors import SettingsError
from doc_assets.sources.key_tables.table import KeyTable, TableLayout
from doc_assets.sources.merchants import has_check_digit
from doc_assets_tests.cases.workbooks import (
    HEADER,
    number_cell,
    rows_xml,
    sheet_xml,
    text_cell,
    usual_rows,
    write_book,
)
from doc_assets_tests.shared import SHARED

CASES = SHARED / "cases" / "tables"
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason=f"no {CASES}")

USUAL = {f"DOC{i:05d}": str(1208147500 + i) for i in range(1, 7)}
RIGHT = {
    "k1_dimension_a1.xlsx": USUAL,
    "k2_dimension_short.xlsx": USUAL,
    "k3_number_format_zeros.xlsx": {f"0000{i}": f"010814750{i}" for i in range(1, 4)},
    "k4_merged_merchant.xlsx": {key: "1208147501" if key < "DOC00004" else "1208147504" for key in USUAL},
    "k5a_header_line_break.xlsx": USUAL,
    "k19b_formatted_to_the_end.xlsx": USUAL,
    "k22_cover_sheet.xlsx": USUAL,
    "k18_extra_comma.csv": {key: merchant for key, merchant in USUAL.items() if key != "DOC00003"},
    "k6_open_quote.csv": {"DOC00001": "1208147501"},
    "k7b_formula_only_column.xlsx": {},
    "k20_scientific_numbers.csv": {},
    "key_table_endless_rows.xlsx": {"A1": None, "1": None},
}
UNUSABLE = {
    "k18_extra_comma.csv": ([4], "4 cells, the header has 3"),
    "k6_open_quote.csv": ([3, 4, 5, 6, 7], "quote"),
    "k7b_formula_only_column.xlsx": ([2, 3, 4, 5, 6, 7], "formula without a stored result"),
    "k20_scientific_numbers.csv": ([2, 3, 4, 5, 6, 7], "1.20815E+09 is no merchant number"),
}
REFUSED = {
    "k8_strict.xlsx": "Strict Open XML; save as Excel Workbook",
    "k17_two_key_columns.xlsx": r"2 columns claim to be 파일명: 파일명 \(column A\) and 파일명 \(column E\)",
    "key_table_deep.json": "nests deeper than 100 levels",
}


def read(path, **layout):
    """Keys with their merchants, the table, and its faults; the counts add up."""
    with KeyTable.read(path, TableLayout(**layout)) as table:
        assert table.n_rows == table.n_keys + table.n_repeated + table.n_faults
        assert len(table.faults()) == table.n_faults
        rows = list(table.rows())
        assert len(rows) == table.n_keys
        table.listed = table.remarks(), table.suspicious()
        return {row.key: row.merchant_id for row in rows}, dict(table.faults()), table


def dates(path):
    """Keys with what stands under 수신일자."""
    with KeyTable.read(path) as table:
        return {row.key: row.fields.get("수신일자") for row in table.rows()}


def book(tmp_path, rows, behind="", before="", **more):
    """A workbook of one sheet with the usual header."""
    return write_book(tmp_path / "k.xlsx", sheet_xml(rows_xml([HEADER, *rows]), before, behind), **more)


def text(tmp_path, content, encoding="utf-8", name="k.csv"):
    """A text file; bytes as they are."""
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def csv_text(n=6, separator=",", end="\r\n"):
    """The usual rows as text."""
    lines = [HEADER, *((f"DOC{i:05d}", str(1208147500 + i), f"상점{i}", f"2024-01-0{i}") for i in range(1, n + 1))]
    return end.join(separator.join(cells) for cells in lines) + end


# --- the cases


@needs_cases
@pytest.mark.parametrize("name", RIGHT)
def test_a_case_gives_its_right_rows(name):
    began = time.monotonic()
    found, faults, _ = read(CASES / name)

    assert found == RIGHT[name]
    lines, why = UNUSABLE.get(name, ([], ""))
    assert list(faults) == lines
    assert all(why in reason for reason in faults.values())
    assert time.monotonic() - began < 20


@needs_cases
@pytest.mark.parametrize("name", REFUSED)
def test_a_case_that_is_refused_says_why(name):
    with pytest.raises(SettingsError, match=REFUSED[name]):
        KeyTable.read(CASES / name)


@needs_cases
def test_every_case_has_a_right_value():
    assert {path.name for path in CASES.iterdir()} == RIGHT.keys() | REFUSED.keys()


@needs_cases
@pytest.mark.parametrize("name", ["k1_dimension_a1.xlsx", "k3_number_format_zeros.xlsx", "k4_merged_merchant.xlsx"])
def test_resolve_keys_finds_the_files_of_a_case(name, tmp_path):
    roots = tmp_path / "archive"
    roots.mkdir()
    for key in RIGHT[name]:
        (roots / f"{key}.tif").write_bytes(b"II*\0")
    done = CliRunner().invoke(
        app, ["resolve-keys", "--key-table", str(CASES / name), "--search-root", str(roots), "--json"]
    )

    report = json.loads(done.stdout)
    assert (done.exit_code, report["files"]) == (0, len(RIGHT[name]))
    assert report["rows"] == report["keys"] + report["repeated"] + report["n_faults"]
    wrong = [merchant for merchant in RIGHT[name].values() if not has_check_digit(merchant)]
    assert report["n_suspicious"] == len(report["suspicious"]) == len(wrong)


@needs_cases
@pytest.mark.parametrize("name", sorted({*UNUSABLE, *REFUSED}))
def test_resolve_keys_is_no_success_for_what_cannot_be_read(name, tmp_path):
    (tmp_path / "archive").mkdir()
    for i in range(1, 7):
        (tmp_path / "archive" / f"DOC{i:05d}.tif").write_bytes(b"II*\0")
    done = CliRunner().invoke(
        app, ["resolve-keys", "--key-table", str(CASES / name), "--search-root", str(tmp_path / "archive")]
    )

    assert done.exit_code == (2 if name in REFUSED else 1)
    if name in UNUSABLE:
        lines, _ = UNUSABLE[name]
        assert all(f"unusable, line {line}: " in done.stdout for line in lines)
        assert f"6 rows = {6 - len(lines)} keys + 0 repeated + {len(lines)} unusable" in done.stdout


# --- what a workbook states about itself


@pytest.mark.parametrize("stated", ["A1", "A1:D3", "", "A1:XFD1048576", "Z99:ZZ100", "nonsense", "D7:A1"])
def test_the_stated_range_is_not_believed(tmp_path, stated):
    assert read(book(tmp_path, usual_rows(), before=f'<dimension ref="{stated}"/>'))[0] == USUAL


def test_stated_counts_of_shared_strings_are_not_believed(tmp_path):
    items = "".join(f"<si><t>{text}</t></si>" for text in [*HEADER, *USUAL])
    header = "".join(f'<c t="s"><v>{place}</v></c>' for place in range(4))
    rows = "".join(f'<row><c t="s"><v>{place}</v></c></row>' for place in range(4, 10))
    path = write_book(tmp_path / "k.xlsx", sheet_xml(f"<row>{header}</row>{rows}"), strings=items)

    assert list(read(path)[0]) == list(USUAL)


def test_a_shared_string_that_is_not_there_is_a_fault_of_its_row(tmp_path):
    rows = [*usual_rows(2), ('t="s"><v>99</v>', 1208147509), ('t="s"><v>-1</v>', 1208147509)]
    found, faults, _ = read(book(tmp_path, rows, strings="<si><t>x</t></si>"))

    assert (len(found), list(faults)) == (2, [4, 5])
    assert "shared text 99" in faults[4]


def test_phonetic_text_and_runs_are_read_as_they_are_seen(tmp_path):
    rich = (
        't="inlineStr"><is><r><t>DOC</t></r><r><rPr><b/></rPr><t>00009</t></r><rPh sb="0" eb="1"><t>독</t></rPh></is>'
    )
    assert list(read(book(tmp_path, [(rich, 1208147501)]))[0]) == ["DOC00009"]


@pytest.mark.parametrize("said", ["99999999999", "0", "-3", "", "1", "x", "1048577", "2e9"])
def test_numbers_of_rows_are_not_believed(tmp_path, said):
    content = rows_xml([HEADER, *usual_rows(2)]) + f'<row r="{said}"><c r="A{said}" {text_cell("DOC00003")}</c></row>'
    found, faults, _ = read(write_book(tmp_path / "k.xlsx", sheet_xml(content)))

    assert (list(found), faults) == (["DOC00001", "DOC00002", "DOC00003"], {})


def test_cells_without_places_stand_in_their_order(tmp_path):
    rows = "".join(f"<row><c {text_cell(a)}</c><c {text_cell(b)}</c></row>" for a, b in [HEADER[:2], ("a", "M1")])
    assert read(write_book(tmp_path / "k.xlsx", sheet_xml(rows)))[0] == {"a": "M1"}


@pytest.mark.whole
def test_a_coloured_last_cell_and_a_million_coloured_rows_take_seconds(tmp_path):
    coloured = "".join(f'<row r="{n}"><c r="A{n}" s="1"/><c r="XFD{n}" s="1"/></row>' for n in range(8, 100_000))
    coloured += '<row r="1048576"><c r="XFD1048576" s="1"/></row>'
    began = time.monotonic()

    path = write_book(tmp_path / "k.xlsx", sheet_xml(rows_xml([HEADER, *usual_rows()]) + coloured))
    assert read(path)[0] == USUAL
    assert time.monotonic() - began < 60


def test_other_spellings_of_the_parts_are_found(tmp_path):
    content = sheet_xml(rows_xml([HEADER, *usual_rows()]))

    assert read(write_book(tmp_path / "a.xlsx", content, prefix="other/"))[0] == USUAL
    assert read(write_book(tmp_path / "b.xlsx", content, rels_prefix="/xl/"))[0] == USUAL
    with zipfile.ZipFile(tmp_path / "a.xlsx") as old, zipfile.ZipFile(tmp_path / "c.xlsx", "w") as new:
        for name in old.namelist():
            new.writestr(name.replace("/", "\\").upper(), old.read(name))
    assert read(tmp_path / "c.xlsx")[0] == USUAL


# --- cells


@pytest.mark.parametrize(
    ("code", "value", "key"),
    [
        ("00000", 7, "00007"),
        ("000000", 12, "000012"),
        ('"DOC"00000', 3, "DOC00003"),
        ("\\N00000", 3, "N00003"),
        ("00000;-00000", 5, "00005"),
        ("[Red]00000", 5, "00005"),
        ("000\\-00\\-00000", 1208147501, "120-81-47501"),
        ("000-00-00000", 108147501, "010-81-47501"),
        ("General", 20240101, "20240101"),
        ("0", 20240101, "20240101"),
        ("#,##0", 20240101, "20240101"),
        ("0.00", 20240101, "20240101"),
        ("@", 20240101, "20240101"),
        ("00000", "1.2E1", "00012"),
        ("General", "20240101.0", "20240101"),
        ("General", "1.20814750199E11", "120814750199"),
        ("0.00E+00", 1208147501, "1208147501"),
        ("[<=99999]00000;000000", 5, "5"),
        ("00000", 123456, "123456"),
        ("yyyy-mm-dd", 45292, "2024-01-01"),
    ],
)
def test_a_key_is_what_its_format_shows(tmp_path, code, value, key):
    path = book(tmp_path, [(number_cell(value, 2), 1208147501)], formats=[code])
    assert list(read(path)[0]) == [key]


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("0000000000", 108147501),
        ("000-00-00000", 108147501),
        ("000\\-00\\-00000", "108147501.0"),
        ('000"-"00"-"00000', 108147501),
        ("000 00 00000", 108147501),
        ("[$-412]000-00-00000", 108147501),
    ],
)
def test_a_merchant_number_keeps_the_zeros_of_its_format(tmp_path, code, value):
    path = book(tmp_path, [("a", number_cell(value, 2))], formats=[code])
    assert read(path)[0] == {"a": "0108147501"}


@pytest.mark.parametrize("value", ["1208147501", "1208147501.0", "1.208147501E9", "1208147501.0000", "1.208147501E+09"])
def test_a_number_of_a_workbook_is_whole_however_it_is_stored(tmp_path, value):
    assert read(book(tmp_path, [("a", number_cell(value))]))[0] == {"a": "1208147501"}


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ('t="e"><v>#N/A</v>', "#N/A"),
        ('t="e"><v>#REF!</v>', "#REF!"),
        ('t="b"><v>1</v>', "truth value"),
        ("><f>A1&amp;1</f><v/>", "formula without a stored result"),
        ("><f>A1</f>", "formula without a stored result"),
        ('><f t="shared" si="0"/><v></v>', "formula without a stored result"),
        ("><v>1e999</v>", "no number"),
        ("><v>NaN</v>", "no number"),
        ("><v>abc</v>", "no number"),
        (text_cell("#N/A"), "#N/A"),
        (text_cell("#VALUE!"), "#VALUE!"),
        (text_cell("########"), "####"),
    ],
)
def test_a_cell_that_says_nothing_is_a_fault_of_its_row(tmp_path, cell, why):
    as_key = read(book(tmp_path, [*usual_rows(1), (cell, 1208147509, "x")]))
    as_merchant = read(book(tmp_path, [*usual_rows(1), ("DOC00009", cell, "x")]))

    for found, faults, _ in (as_key, as_merchant):
        assert (list(found), list(faults)) == (["DOC00001"], [3])
        assert why in faults[3]
    found, faults, table = read(book(tmp_path, [("DOC00009", 1208147509, cell)]))
    assert (found, faults, table.n_remarks) == ({"DOC00009": "1208147509"}, {}, 1)


def test_a_formula_with_its_result_is_its_result_and_an_empty_one_is_empty(tmp_path):
    rows = [
        ('t="str"><f>CONCATENATE("DOC",1)</f><v>DOC00001</v>', "><f>1+1</f><v>1208147501</v>"),
        ('t="str"><f>IF(A2="","",1)</f><v></v>', None),
    ]
    found, faults, table = read(book(tmp_path, rows))
    assert (found, faults, table.n_rows) == ({"DOC00001": "1208147501"}, {}, 1)


@pytest.mark.parametrize(
    ("code", "value", "day"),
    [
        ("yyyy-mm-dd", 45296, "2024-01-05"),
        ('yyyy"년" m"월" d"일"', 45296, "2024-01-05"),
        ("m/d/yy h:mm", 45296.5, "2024-01-05T12:00:00"),
        ("[$-412]yyyy. m. d.;@", 45296, "2024-01-05"),
        ("General", 45296, "45296"),
        ("0", 20240105, "20240105"),
        ("0000\\-00\\-00", 20240105, "2024-01-05"),
        ("yyyy-mm-dd", -1, "-1"),
        ("yyyy-mm-dd", 99999999, "99999999"),
    ],
)
def test_days_come_as_iso_text(tmp_path, code, value, day):
    assert dates(book(tmp_path, [("a", None, None, number_cell(value, 2))], formats=[code])) == {"a": day}


@pytest.mark.parametrize("number", [14, 22, 27, 31, 50, 57])
def test_days_of_formats_that_have_a_number_only(tmp_path, number):
    path = book(tmp_path, [("a", None, None, number_cell(45296, 1))])
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, "w") as new:
        for name, content in parts.items():
            new.writestr(name, content.replace(b'<xf numFmtId="164"/>', f'<xf numFmtId="{number}"/>'.encode()))
    assert dates(path) == {"a": "2024-01-05"}


def test_days_from_1904_and_iso_days(tmp_path):
    assert dates(book(tmp_path, [("a", None, None, 's="1"><v>43834</v>')], date1904=True)) == {"a": "2024-01-05"}
    iso = book(tmp_path, [("a", None, None, 't="d"><v>2024-01-05T00:00:00</v>')])
    assert dates(iso) == {"a": "2024-01-05"}


# --- merged, hidden, covers


def merged(*ranges):
    return (
        f'<mergeCells count="1">{"".join(f"<mergeCell ref={chr(34)}{one}{chr(34)}/>" for one in ranges)}</mergeCells>'
    )


def test_a_merged_merchant_stands_in_every_row_of_it(tmp_path):
    rows = [("a", "M1"), ("b",), ("c",), ("d", "M2"), ("e",), ("f", "M3"), ("g",)]
    found, _, table = read(book(tmp_path, rows, behind=merged("B2:B4", "B5:B6", "F1:F9")))

    assert found == {"a": "M1", "b": "M1", "c": "M1", "d": "M2", "e": "M2", "f": "M3", "g": None}
    assert table.n_unknown == 1


def test_what_a_merged_cell_hides_is_not_taken_and_said(tmp_path):
    found, _, table = read(book(tmp_path, [("a", "M1"), ("b", "M9")], behind=merged("B2:B3")))
    assert found == {"a": "M1", "b": "M1"}
    assert table.listed[0] == [(3, "B3 lies below a merged cell; what it holds (M9) is not seen")]


def test_a_merged_key_repeats_and_a_cell_merged_sideways_is_no_merchant(tmp_path):
    found, faults, table = read(
        book(tmp_path, [("a", "M1"), (None, "M1"), ("b", "M9")], behind=merged("A2:A3", "A4:B4"))
    )
    assert (found, faults, table.n_repeated) == ({"a": "M1", "b": None}, {}, 1)


def test_a_header_over_two_rows(tmp_path):
    rows = [("파일명", "가맹점", None), (None, "사업자등록번호", "가맹점상호명"), ("a", "M1", "상점")]
    path = write_book(tmp_path / "k.xlsx", sheet_xml(rows_xml(rows), behind=merged("A1:A2", "B1:C1")))
    with KeyTable.read(path) as table:
        (row,) = table.rows()
    assert (row.key, row.merchant_id, row.fields["가맹점상호명"]) == ("a", "M1", "상점")


def test_titles_above_the_header_are_not_rows_and_said(tmp_path):
    path = write_book(tmp_path / "k.xlsx", sheet_xml(rows_xml([("실사 목록",), ("2024년",), HEADER, *usual_rows()])))
    found, _, table = read(path)

    assert found == USUAL
    assert "header is in line 3" in table.notes[0]
    assert read(text(tmp_path, "실사 목록\r\n\r\n" + csv_text()))[0] == USUAL


def test_hidden_rows_count_and_are_said(tmp_path):
    content = rows_xml([HEADER, *usual_rows()]).replace('<row r="3">', '<row r="3" hidden="1">')
    found, _, table = read(write_book(tmp_path / "k.xlsx", sheet_xml(content)))

    assert found == USUAL
    assert "1 rows of sheet Sheet1 are hidden" in table.notes[0]


def sheets(**contents):
    return [(name, sheet_xml(rows_xml(rows))) for name, rows in contents.items()]


def test_the_one_sheet_that_has_the_column_is_taken_and_said(tmp_path):
    found, _, table = read(
        write_book(tmp_path / "k.xlsx", *sheets(표지=[("목록",)], 목록=[HEADER, *usual_rows()], 빈=[]))
    )

    assert found == USUAL
    assert "sheet 목록 has the column 파일명 and is read; its sheets are 표지, 목록, 빈" in table.notes[0]


def test_two_sheets_behind_a_cover_are_refused_by_name_and_chosen_by_setting(tmp_path):
    path = write_book(
        tmp_path / "k.xlsx", *sheets(표지=[("목록",)], 일월=[HEADER, ("a", "M1")], 이월=[HEADER, ("b", "M2")])
    )
    with pytest.raises(SettingsError, match="2 of its sheets have the column 파일명: 일월, 이월"):
        KeyTable.read(path)
    assert read(path, sheet="이월")[0] == {"b": "M2"}
    with pytest.raises(SettingsError, match=r"sheet 표지"):
        KeyTable.read(path, TableLayout(sheet="표지"))


def test_a_sheet_that_is_not_read_beside_the_first_is_said(tmp_path):
    found, _, table = read(
        write_book(tmp_path / "k.xlsx", *sheets(일월=[HEADER, ("a", "M1")], 이월=[HEADER, ("b", "M2")]))
    )
    assert found == {"a": "M1"}
    assert "only sheet 일월 is read; 이월" in table.notes[0]


def test_a_hidden_sheet_comes_behind_those_that_people_see(tmp_path):
    old, new = sheets(옛=[HEADER, ("old", "M1")], 새=[HEADER, ("new", "M2")])
    assert read(write_book(tmp_path / "k.xlsx", (*old, "hidden"), new))[0] == {"new": "M2"}
    found, _, table = read(write_book(tmp_path / "h.xlsx", (*old, "veryHidden")))
    assert (found, "옛 (hidden)" in table.notes[0]) == ({"old": "M1"}, True)


def test_no_sheet_has_the_column_and_all_are_named(tmp_path):
    path = write_book(tmp_path / "k.xlsx", *sheets(표지=[("목\u200b록",)], 둘=[("x",)]))
    with pytest.raises(SettingsError, match=r"no column '파일명'; it has 목<U\+200B>록; its sheets are 표지, 둘"):
        KeyTable.read(path)


# --- headers


@pytest.mark.parametrize(
    "written",
    [
        "파일\n명",
        "파일\r\n명",
        "\ufeff파일명",
        "파일명\u200b",
        "파일\u00a0명",
        " 파일 명 ",
        "\u1111\u1161\u110b\u1175\u11af\u1106\u1167\u11bc",
        "파일_x000D_\n명",
    ],
)
def test_a_header_is_found_behind_what_nobody_sees(tmp_path, written):
    path = write_book(tmp_path / "k.xlsx", sheet_xml(rows_xml([(written, *HEADER[1:]), *usual_rows()])))
    assert read(path)[0] == USUAL
    if "_x" not in written:
        quoted = csv_text().replace("파일명", f'"{written}"', 1)
        assert read(text(tmp_path, quoted))[0] == USUAL


@pytest.mark.parametrize(
    ("header", "named"),
    [
        (("파일명", "파일명"), r"파일명 \(column A\) and 파일명 \(column B\)"),
        (("파일명", "x", "파일\n명"), r"파일명 \(column A\) and 파일<U\+000A>명 \(column C\)"),
        (
            ("파일명", "사업자등록번호", "사업자 등록번호"),
            r"사업자등록번호 \(column B\) and 사업자 등록번호 \(column C\)",
        ),
    ],
)
def test_two_columns_that_claim_the_same_are_refused_by_name(tmp_path, header, named):
    path = write_book(tmp_path / "k.xlsx", sheet_xml(rows_xml([header, ("a", "b", "c")])))
    with pytest.raises(SettingsError, match=named):
        KeyTable.read(path)
    quoted = ",".join(f'"{name}"' for name in header) + "\r\na,b,c\r\n"
    with pytest.raises(SettingsError, match=named):
        KeyTable.read(text(tmp_path, quoted))


def test_two_columns_of_a_field_that_differ_are_said_and_none_is_taken(tmp_path):
    with KeyTable.read(text(tmp_path, "파일명,구분,구분\r\na,x,x\r\nb,x,y\r\n")) as table:
        assert [row.fields for row in table.rows()] == [{"구분": "x"}, {}]
        assert table.remarks() == [(3, "its columns 구분 say different things; none of them is taken")]


def test_a_header_that_is_repeated_is_no_document(tmp_path):
    _, faults, _ = read(text(tmp_path, csv_text(2) + "\ufeff" + csv_text(1)))
    assert list(faults.items()) == [(4, "it repeats the header")]


# --- text


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp949", "euc-kr", "utf-32"]
)
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_encodings_separators_and_line_ends(tmp_path, encoding, separator, end):
    assert read(text(tmp_path, csv_text(6, separator, end), encoding))[0] == USUAL


@pytest.mark.parametrize("mark", [codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE])
def test_utf16_with_a_mark(tmp_path, mark):
    encoding = "utf-16-le" if mark == codecs.BOM_UTF16_LE else "utf-16-be"
    assert read(text(tmp_path, mark + csv_text().encode(encoding)))[0] == USUAL


def test_excels_separator_line(tmp_path):
    assert read(text(tmp_path, "sep=;\r\n" + csv_text(6, ";")))[0] == USUAL


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("DOC00009,상점,서울,120,x", "5 cells"),
        ("DOC00009,1208147509", "2 cells"),
        ("DOC00009", "1 cells"),
        ('DOC00009,1208147509,"상점" 본점,2024', "quotes"),
        (",1208147509,상점,2024", "no document"),
        ("DOC\x0000009,1208147509,상점,2024", "<U+0000>"),
        ("DOC00009,12081\x0047509,상점,2024", None),
        ("DOC\u200b00009,1208147509,상점,2024", "<U+200B>"),
        ("DOC\u00a000009,1208147509,상점,2024", "<U+00A0>"),
        ("D" * 300 + ",1208147509,상점,2024", "300 characters"),
        ("#N/A,1208147509,상점,2024", "#N/A"),
        ("DOC00009,1.2E9,상점,2024", "no merchant number"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_and_the_others_are_read(tmp_path, line, why):
    found, faults, _ = read(text(tmp_path, csv_text(3) + line + "\r\n" + csv_text(6).split("\r\n", 4)[4]))

    assert {key: USUAL[key] for key in found if key in USUAL} == USUAL
    if why:
        assert list(faults) == [5]
        assert why in faults[5]


@pytest.mark.parametrize("broken", [b"\xff", b"\xc3", b"\xed\xa0\x80"])
def test_bytes_that_are_no_text_are_a_fault_of_their_row(tmp_path, broken):
    lines = csv_text().encode().split(b"\r\n")
    lines[3] = lines[3].replace(b"DOC00003", b"DOC" + broken + b"00003")
    lines[4] = lines[4].replace("상점4".encode(), b"x" + broken + b"y")
    found, faults, table = read(text(tmp_path, b"\r\n".join(lines)))

    assert list(found) == [key for key in USUAL if key != "DOC00003"]
    assert list(faults) == [4]
    assert table.n_remarks == 1


def test_trailing_separators_and_blank_lines_are_no_faults(tmp_path):
    content = csv_text().replace("\r\n", ",,\r\n") + "\r\n,,,,,\r\n  \r\n\t\r\n"
    assert read(text(tmp_path, content))[:2] == (USUAL, {})


def test_a_cell_of_several_lines_is_one_cell(tmp_path):
    content = (
        csv_text(2)
        + 'DOC00003,1208147503,"1층\r\n""본점"", 2층\r\n3층",2024-01-03\r\n'
        + csv_text(6).split("\r\n", 4)[4]
    )
    with KeyTable.read(text(tmp_path, content)) as table:
        assert table.row_of("DOC00003").fields["가맹점상호명"] == '1층\r\n"본점", 2층\r\n3층'
        assert (table.n_keys, table.n_faults) == (6, 0)


OPEN_QUOTES = {
    "never closed": ('"상점2', "상점5", [3, 4, 5, 6, 7]),
    "closed by a later quoted cell": ('"상점2', '"상점5, 본점"', [3, 4, 5, 6]),
    "closed by a stray quote": ('"상점2', '상점5"', [3, 4, 5, 6]),
    "closed in the next row": ('"상점2', None, [3, 4]),
}


@pytest.mark.parametrize("name", OPEN_QUOTES)
def test_no_row_lies_in_another_rows_cell(tmp_path, name):
    opened, closed, lines = OPEN_QUOTES[name]
    content = csv_text().replace("상점2", opened)
    content = content.replace("상점5", closed) if closed else content.replace("상점3", '상점3"')
    found, faults, _ = read(text(tmp_path, content))

    assert list(faults) == lines
    assert list(found) == [f"DOC{n:05d}" for n in range(1, 7) if n + 1 not in lines]
    with KeyTable.read(tmp_path / "k.csv") as table:
        assert not any("DOC" in value for row in table.rows() for value in row.fields.values())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.booleans()), max_size=3))
def test_wherever_quotes_stand_every_line_is_accounted_for_and_none_is_inside_another(tmp_path_factory, places):
    rows = [line.split(",") for line in csv_text().strip().split("\r\n")]
    for row, column, behind in places:
        cell = rows[row + 1][column]
        rows[row + 1][column] = cell + '"' if behind else '"' + cell
    path = text(tmp_path_factory.mktemp("quotes"), "\r\n".join(map(",".join, rows)) + "\r\n")
    with KeyTable.read(path) as table:
        assert table.n_rows == table.n_keys + table.n_faults == 6
        assert not any("\n" in value for row in table.rows() for value in (row.key, *row.fields.values()))


def test_very_long_cells_and_lines_are_faults_in_flat_memory(tmp_path):
    long = "x" * 3_000_000
    content = csv_text(1) + f'DOC00002,{long},a,b\r\nDOC00003,"{long}",a,b\r\nDOC00004,1208147504,{"y" * 40_000},b\r\n'
    found, faults, table = read(text(tmp_path, content))

    assert (list(found), len(faults), table.n_remarks) == (["DOC00001", "DOC00004"], 2, 1)


# --- JSON


def records(n=6):
    return [{"파일명": f"DOC{i:05d}", "사업자등록번호": str(1208147500 + i)} for i in range(1, n + 1)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp949"])
def test_json_and_json_lines_in_their_encodings(tmp_path, encoding):
    whole = json.dumps(records(), ensure_ascii=False, indent=1)
    lines = "\r\n".join(json.dumps(row, ensure_ascii=False) for row in records())

    assert read(text(tmp_path, whole, encoding, "k.json"))[0] == USUAL
    assert read(text(tmp_path, lines, encoding, "k.ndjson"))[0] == USUAL


JSON_ROWS = [
    ('{"파일명": "a\\ud800", "사업자등록번호": "M1"}', "<U+D800>"),
    ('{"파일명": "a", "파일명": "b"}', "2 of its entries claim to be 파일명"),
    ('{"파일명": "a", "파일\\n명": "b"}', "파일<U+000A>명: b"),
    ('{"파일명": "a", "사업자등록번호": "M1", "사업자등록번호": "M2"}', "claim to be 사업자등록번호"),
    ('{"파일명": "a", "사업자등록번호": 1.20815E+09}', "1.20815E+09 is no merchant number"),
    ('{"파일명": "a", "사업자등록번호": 1.2E9}', "no merchant number"),
    ('{"파일명": "a", "사업자등록번호": 1e999999999}', "no number of a table"),
    ('{"파일명": "a", "사업자등록번호": 1208147501.5}', "decimals"),
    ('{"파일명": "a", "사업자등록번호": true}', "truth value"),
    ('{"파일명": ["a"], "사업자등록번호": "M1"}', "array"),
    ('{"파일명": {"a": 1}}', "object"),
    ('{"파일명": NaN}', "NaN"),
    ('{"파일명": ' + "9" * 5000 + "}", "5000 characters"),
    ('{"사업자등록번호": "M1"}', "no document"),
    ("[1]", "an array"),
    ("3", "a number"),
    ('"x"', "a text"),
    ("{broken}", "no JSON"),
    ('{"파일명": "a\x01"}', "no JSON"),
]


@pytest.mark.parametrize(("row", "why"), JSON_ROWS)
def test_a_json_row_that_cannot_be_used_is_named_and_the_others_are_read(tmp_path, row, why):
    first, *rest = (json.dumps(one, ensure_ascii=False) for one in records())
    whole = read(text(tmp_path, f"[{','.join([first, row, *rest])}]", name="k.json"))
    lines = read(text(tmp_path, "\n".join([first, row, *rest]), name="k.ndjson"))

    for found, faults, _ in (whole, lines):
        assert (found, list(faults)) == (USUAL, [2])
        assert why in faults[2]


def test_numbers_of_json_are_whole_and_lost_zeros_are_said(tmp_path):
    values = ["1208147521", "1208147521.0", "1.208147521E9", "1.208147521e+09", '"120-81-47521"', "108147521"]
    rows = ",".join(f'{{"파일명": "d{i}", "사업자등록번호": {value}}}' for i, value in enumerate(values))
    found, _, table = read(text(tmp_path, f"[{rows}]", name="k.json"))

    assert list(found.values()) == ["1208147521"] * 5 + ["108147521"]
    assert table.listed[1] == [(6, "108147521 has nine digits; a leading zero may be lost")]


@pytest.mark.parametrize(
    "content", ['[{"a": 1}', '{"a": 1}', "[1] x", "[{}] []", "x[]", '"[1]"', "", "[[[", '[{"파일명": "a']
)
def test_what_is_no_json_array_is_refused(tmp_path, content):
    with pytest.raises(SettingsError, match=r"JSON"):
        KeyTable.read(text(tmp_path, content, name="k.json"))


@pytest.mark.whole
@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.dictionaries(
            st.text(max_size=5),
            st.text(max_size=12) | st.integers() | st.none() | st.lists(st.text(max_size=3), max_size=2),
            max_size=3,
        ),
        max_size=8,
    ),
    st.integers(1, 7),
)
def test_an_array_is_cut_into_its_elements_wherever_blocks_end(rows, block):
    from doc_assets.sources.key_tables.json_rows import _elements

    whole = json.dumps(rows, ensure_ascii=False, indent=1)
    blocks = (whole[place : place + block] for place in range(0, len(whole), block))
    assert [json.loads(element) for element in _elements(blocks)] == rows


MEASURE = """
import resource, sys
from pathlib import Path
from doc_assets.sources.key_tables.table import KeyTable
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    with KeyTable.read(Path(sys.argv[1])) as table:
        print(table.summary)
except Exception as error:
    print(type(error).__name__, str(error)[:200])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def grown_kib(path):
    """KiB by which reading a table grows a process."""
    done = subprocess.run([sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True)
    said, grown = done.stdout.strip().split("\n")
    return said, int(grown)


@pytest.mark.whole
@pytest.mark.parametrize("name", ["deep.json", "deep.ndjson", "shallow.json", "text.csv", "long_text.json"])
def test_depth_and_length_cost_no_memory(tmp_path, name):
    contents = {
        "deep.json": '[{"파일명": "a", "x": ' + "[" * 3_000_000,
        "deep.ndjson": '{"파일명": "a", "x": ' + "[" * 900_000 + "\n",
        "shallow.json": "[" + ",".join(['{"파일명": "a", "x": [[[]]]}'] * 100_000) + "]",
        "text.csv": csv_text(1) + '"' + "x,y\r\n" * 1_000_000,
        "long_text.json": '[{"파일명": "a", "x": "' + "y" * 5_000_000 + '"}]',
    }
    said, grown = grown_kib(text(tmp_path, contents[name], name=name))

    assert grown < 60_000, said
    if name == "deep.json":
        assert "nests deeper" in said


# --- what is no workbook


def test_other_files_under_the_name_xlsx_are_refused_by_their_name(tmp_path):
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000)
    named = {
        "an old Excel workbook": ole + "Workbook".encode("utf-16-le"),
        "an encrypted Excel workbook": ole + "EncryptedPackage".encode("utf-16-le"),
        "a web page": b"<html><table><tr><td>\xed\x8c\x8c</td></tr></table></html>",
        "but XML": b'<?xml version="1.0"?><Workbook/>',
        "no Excel workbook": "파일명,사업자등록번호\r\na,b\r\n".encode(),
    }
    for what, content in named.items():
        with pytest.raises(SettingsError, match=what):
            KeyTable.read(text(tmp_path, content, name="k.xlsx"))
    for what, parts in {
        "OpenDocument": {"mimetype": "application/vnd.oasis.opendocument.spreadsheet", "content.xml": "<x/>"},
        "xlsb": {"xl/workbook.bin": "x", "_rels/.rels": "<x/>"},
        "another zipped file": {"word/document.xml": "<x/>", "_rels/.rels": "<x/>"},
        "hwp": {"mimetype": "application/hwp+zip"},
    }.items():
        with zipfile.ZipFile(tmp_path / "k.xlsx", "w") as archive:
            for name, content in parts.items():
                archive.writestr(name, content)
        with pytest.raises(SettingsError, match=what):
            KeyTable.read(tmp_path / "k.xlsx")
    for suffix in (".xls", ".xlsb", ".ods"):
        with pytest.raises(SettingsError, match="save it as Excel Workbook"):
            KeyTable.read(text(tmp_path, b"x", name=f"k{suffix}"))
    with pytest.raises(SettingsError, match=r"name it \.xlsx"):
        KeyTable.read(text(tmp_path, b"PK\x03\x04rest"))


def test_damaged_and_cut_workbooks_are_refused(tmp_path):
    whole = book(tmp_path, usual_rows()).read_bytes()
    for length in (4, 100, len(whole) // 2, len(whole) - 30):
        with pytest.raises(SettingsError, match="cannot be read"):
            KeyTable.read(text(tmp_path, whole[:length], name="cut.xlsx"))
    for content in ("<worksheet", sheet_xml("<row>" + "<a>" * 500)):
        with pytest.raises(SettingsError, match=r"cannot be read"):
            KeyTable.read(write_book(tmp_path / "k.xlsx", content))


def test_a_strict_sheet_in_a_usual_workbook_is_refused(tmp_path):
    strict = sheet_xml(rows_xml([HEADER]), space="http://purl.oclc.org/ooxml/spreadsheetml/main")
    with pytest.raises(SettingsError, match="Strict Open XML; save as Excel Workbook"):
        KeyTable.read(write_book(tmp_path / "k.xlsx", strict))


def test_a_workbook_of_openpyxl_and_one_of_xlsxwriter_read_alike(tmp_path):
    import xlsxwriter

    made = openpyxl.Workbook()
    made.active.append(HEADER)
    with xlsxwriter.Workbook(tmp_path / "b.xlsx") as other:
        sheet = other.add_worksheet()
        sheet.write_row(0, 0, HEADER)
        for i, (key, merchant) in enumerate(USUAL.items(), start=1):
            made.active.append([key, int(merchant), None, None])
            sheet.write_row(i, 0, [key, int(merchant)])
    made.save(tmp_path / "a.xlsx")
    made = openpyxl.Workbook(write_only=True)
    streamed = made.create_sheet("x")
    for row in [HEADER, *USUAL.items()]:
        streamed.append(row)
    made.save(tmp_path / "c.xlsx")

    for name in ("a.xlsx", "b.xlsx", "c.xlsx"):
        assert read(tmp_path / name)[0] == USUAL


# --- keys that repeat


def test_rows_of_one_key_repeat_or_contradict(tmp_path):
    rows = [
        "a,120-81-47521,2024",
        "A.TIF,1208147521,2024",
        "a,,2024",
        "a,M2,2024",
        "a,1208147521,2025",
        "b,,x",
        "b,M1,x",
    ]
    content = "\r\n".join(["파일명,사업자등록번호,수신일자", *rows])
    found, faults, table = read(text(tmp_path, content))

    assert found == {"a": "1208147521", "b": None}
    assert (table.n_rows, table.n_keys, table.n_repeated, table.n_faults) == (7, 2, 3, 2)
    assert faults[8] == "b belongs to nobody by line 7, and to M1 by this one"
    with KeyTable.read(tmp_path / "k.csv") as again:
        assert again.remarks() == [(6, "a is said otherwise in line 2, which counts: 수신일자")]


# --- the commands that ingest and search


@needs_cases
@pytest.mark.filterwarnings("default")  # of Dagster's, which a process of its own would not raise either
def test_ingestion_and_search_by_a_table_account_for_every_row(tmp_path, corpus, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "archive"
    folder.mkdir()
    for key, path in zip(USUAL, sorted((corpus / "archive").iterdir()), strict=False):
        shutil.copy(path, folder / f"{key}.tif")
    table = ["--key-table", str(CASES / "k18_extra_comma.csv")]

    def run(*arguments):
        done = CliRunner().invoke(app, list(arguments))
        return done.exit_code, " ".join(done.output.split())

    keyed = run("build-image-index", *table, "--search-root", str(folder))
    again = run("build-image-index", *table, "--folder", str(folder))
    found = run("search-doc", *table, "--search-root", str(folder), "--output-folder", "out")
    refused = run("build-image-index", "--key-table", str(CASES / "k8_strict.xlsx"), "--search-root", str(folder))
    listed = run("list-documents", "--merchant", "120-81-47501", "--json")

    for code, said in (keyed, again, found):
        assert code == 1
        assert "6 rows = 5 keys + 0 repeated + 1 unusable" in said
        assert "line 4" in said
        assert "4 cells" in said or "could not be read" in said
    assert "5 documents" in keyed[1]
    assert "6 documents" in again[1]
    assert refused[0] == 2
    assert "Strict Open XML" in refused[1]
    assert [document["document_id"] for document in json.loads(listed[1])["documents"]] == ["DOC00001"]
