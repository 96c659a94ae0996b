import openpyxl
import pytest

from doc_assets.documents.keys import merchants_in, read_merchants
from doc_assets.errors import SettingsError

ROWS = [
    ("파일명", "사업자등록번호", "가맹점상호명"),
    ("N2024010100007THA00001", "111-11-00007", "상점"),
    ("n2024010100008tha00001", "111-11-00008", "=cmd()"),
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
    separator = "\t" if path.suffix == ".tsv" else ","
    lines = [separator.join(cell or "" for cell in row) for row in ROWS]
    path.write_bytes("\r\n".join(lines).encode(encoding))
    return path


@pytest.mark.parametrize(
    ("name", "encoding"),
    [("k.xlsx", None), ("k.csv", "utf-8"), ("k.csv", "utf-8-sig"), ("k.csv", "cp949"), ("k.tsv", "utf-8")],
)
def test_merchants_are_known_by_name_and_by_the_key_documents_were_stored_under(tmp_path, name, encoding):
    table = read_merchants(_write(tmp_path / name, encoding))

    assert table.merchant_of("N2024010100007THA00100001_12") == "111-11-00007"
    assert table.merchant_of("N2024010100007THA00001") == "111-11-00007"
    assert table.merchant_of("\uff2e2024010100008THA00100001_1") == "111-11-00008"
    assert table.merchant_of("plain") == "111-11-00009"
    assert table.merchant_of("N2024010100007THA00200001_12") is None
    assert table.merchant_of("") is None


def test_rows_that_cannot_be_used_are_listed_by_line(tmp_path):
    table = read_merchants(_write(tmp_path / "k.csv"))

    assert [fault.split(":")[0] for fault in table.faults] == ["line 5", "line 6"]
    assert "999-99-99999" in table.faults[1]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("k.csv", b"a,b\n1,2\n", "no column '파일명'"),
        ("k.csv", b"\xff\xfe\x81\x00\x81", "no text"),
        ("k.csv", b"\xff\xff\xff,\xff", "neither UTF-8 nor CP949"),
        ("k.csv", b"", "it has none"),
        ("k.xlsx", b"PK\x03\x04 not a workbook", "no Excel workbook"),
        ("k.xlsx", b"text", "no Excel workbook"),
        ("k.pdf", b"x", "no .xlsx, .csv or .tsv"),
    ],
)
def test_a_file_that_is_no_key_table_is_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)

    with pytest.raises(SettingsError, match=message):
        read_merchants(tmp_path / name)


def test_a_changed_table_is_read_again(tmp_path):
    path = tmp_path / "k.csv"
    path.write_text("파일명,사업자등록번호\na,1\n", encoding="utf-8")
    assert merchants_in(path)("a") == "1"
    path.write_text("파일명,사업자등록번호\na,22\n", encoding="utf-8")

    assert merchants_in(path)("a") == "22"
    assert merchants_in(None)("a") is None
    with pytest.raises(SettingsError, match="cannot be read"):
        merchants_in(tmp_path / "gone.csv")
