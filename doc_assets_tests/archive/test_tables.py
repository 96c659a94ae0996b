import pyarrow as pa
import pytest
from upath import UPath

from doc_assets.archive.tables import Provenance, count_rows, keep_rows, read_provenance, read_rows, table_writer

SCHEMA = pa.schema([("document_id", pa.string()), ("sha256", pa.string())])
STAMP = Provenance.of("version 1", [("a", "1"), ("b", "2")])


def _write(path, rows):
    with table_writer(path, SCHEMA, STAMP, group_rows=2) as table:
        for document_id, sha256 in rows:
            table.add({"document_id": document_id, "sha256": sha256})


def test_a_stamp_changes_with_version_content_and_order():
    assert Provenance.of("version 1", [("a", "1"), ("b", "2")]) == STAMP
    assert Provenance.of("version 2", [("a", "1"), ("b", "2")]) != STAMP
    assert Provenance.of("version 1", [("a", "1"), ("b", "3")]) != STAMP
    assert Provenance.of("version 1", [("b", "2"), ("a", "1")]) != STAMP


@pytest.mark.parametrize("root", ["local", "memory://tables"])
def test_rows_and_stamp_come_back_from_any_file_system(tmp_path, root):
    path = UPath(tmp_path if root == "local" else root) / "t.parquet"
    rows = [("a", "1"), ("b", "2"), ("c", "3")]

    _write(path, rows)

    assert [(row["document_id"], row["sha256"]) for row in read_rows(path)] == rows
    assert count_rows(path) == 3
    assert read_provenance(path) == STAMP


def test_a_missing_or_damaged_table_has_no_stamp(tmp_path):
    path = UPath(tmp_path / "t.parquet")
    assert read_provenance(path) is None

    path.write_bytes(b"PAR1 but not really")
    assert read_provenance(path) is None


def test_keeping_rows_drops_the_others_and_restamps(tmp_path):
    path = UPath(tmp_path / "t.parquet")
    _write(path, [("a", "1"), ("a", "0"), ("b", "2")])
    provenance = Provenance.of("version 1", [("a", "1")])

    keep_rows(path, provenance, {("a", "1")})

    assert list(read_rows(path)) == [{"document_id": "a", "sha256": "1"}]
    assert read_provenance(path) == provenance
