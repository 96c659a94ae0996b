import gzip
import html
import io
import json
from urllib.parse import quote

import pytest

from doc_assets.ops.erasure.files import find, overwrite
from doc_assets.ops.erasure.identifiers import FORGOTTEN, Identifiers, fingerprints_of
from doc_assets.reports.result_files import COLUMNS
from doc_assets.reports.tables import write_table

NAME = '가맹점 "1" & <b>.tif'


@pytest.mark.parametrize(
    "spelling",
    [
        NAME,
        json.dumps({"name": NAME}),
        json.dumps(json.dumps({"name": NAME})),
        json.dumps({"name": NAME}, ensure_ascii=False),
        html.escape(NAME),
        quote(NAME),
    ],
)
def test_a_name_is_found_and_replaced_in_every_spelling(spelling):
    identifiers = Identifiers((NAME,))

    assert identifiers.is_in_text(f"before {spelling} after")
    cleaned = identifiers.without(f"before {spelling} after")
    assert not identifiers.is_in_text(cleaned)
    assert FORGOTTEN in cleaned


def test_json_stays_json():
    identifiers = Identifiers((NAME,))

    cleaned = json.loads(identifiers.without(json.dumps({"a": [NAME, "other"], "b": f"x\n{NAME}"})))

    assert cleaned == {"a": [FORGOTTEN, "other"], "b": f"x\n{FORGOTTEN}"}


def test_names_of_other_documents_do_not_count():
    identifiers = Identifiers(("N2024THA00001_1",), others=("N2024THA00001_12", "N2024THA00001_12.tif"))

    assert not identifiers.is_in_text("N2024THA00001_12.tif and N2024THA00001_12")
    assert identifiers.is_in_text("N2024THA00001_12.tif and N2024THA00001_1.tif")
    assert identifiers.without("N2024THA00001_12/N2024THA00001_1") == f"N2024THA00001_12/{FORGOTTEN}"


def test_a_short_name_counts_only_where_it_stands_alone():
    identifiers = Identifiers(("7.tif", "7"))

    assert (
        identifiers.without('{"7.tif": 17, "n": 7.5, "id": "7"}')
        == f'{{"{FORGOTTEN}": 17, "n": 7.5, "id": "{FORGOTTEN}"}}'
    )


def test_plain_paper_has_no_fingerprint():
    assert fingerprints_of(b"\xff" * 10_000) == ()
    assert len(fingerprints_of(bytes(range(256)) * 40)) == 3


def test_packed_files_are_looked_into(tmp_path):
    identifiers = Identifiers(("unmistakable-name",))
    book, log = tmp_path / "results.xlsx", tmp_path / "log.gz"
    write_table([{"query_document": "unmistakable-name.tif"}], COLUMNS, "xlsx", book)
    log.write_bytes(gzip.compress(b"read unmistakable-name.tif\n"))

    assert find(book, identifiers) is not None
    assert find(log, identifiers) is not None
    assert overwrite(log, identifiers) == 1
    assert gzip.decompress(log.read_bytes()) == b"read xxxxxxxxxxxxxxxxx.tif\n"
    assert find(log, identifiers) is None


def test_a_log_is_overwritten_under_its_writer(tmp_path):
    path = tmp_path / "app.log"
    with io.open(path, "a", encoding="utf-8") as writer:  # noqa: UP020 - as a logging handler holds it
        writer.write("read unmistakable-name.tif\n")
        writer.flush()
        overwrite(path, Identifiers(("unmistakable-name",)))
        writer.write("done\n")

    assert path.read_text(encoding="utf-8") == "read xxxxxxxxxxxxxxxxx.tif\ndone\n"


def test_object_storage_is_read_to_the_last_object(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq
    from upath import UPath

    root = UPath("memory://bucket-of-identifiers")
    table = tmp_path / "000000.parquet"
    pq.write_table(pa.table({"name": ["unmistakable-name.tif"] * 3}), table, compression="zstd")
    (root / "photos" / "a").mkdir(parents=True)
    (root / "photos" / "a" / "000000.parquet").write_bytes(table.read_bytes())
    (root / "photos" / "a" / "000001.parquet").write_bytes(b"nothing")
    (root / "photos" / "a" / "unmistakable-name.bin").write_bytes(b"")

    identifiers, objects = Identifiers(("unmistakable-name",)), sorted(root.rglob("*"), key=str)
    found = [path.name for path in objects if path.is_file() and find(path, identifiers) is not None]

    assert found == ["000000.parquet", "unmistakable-name.bin"]
