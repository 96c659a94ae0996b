from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from doc_assets.datatypes import DocumentDate
from doc_assets.search.query import QueryReader
from doc_assets.sources.dates import DateRule
from doc_assets.sources.key_tables.table import KeyRow
from doc_assets.sources.sources import single_file
from doc_assets_tests.reading.tiffs import pillow_tif, scan

ROW = KeyRow(2, "plain", "1", {"수신일자": "2024. 3. 1."})
BAD_ROW = KeyRow(2, "plain", "1", {"수신일자": "2024-13-45"})
TOLD, NAMED = DocumentDate(date(2024, 3, 1), "key_table"), DocumentDate(date(2024, 1, 20), "name")
ARCHIVED = DocumentDate(date(2025, 5, 5), "arrival")


@pytest.fixture
def queries(reader, cutter, embedder, describer):
    return QueryReader(reader, cutter, embedder, describer, dates=DateRule(zone="UTC"))


@pytest.mark.parametrize(
    ("name", "row", "archived", "wanted"),
    [
        ("N20240120_1", ROW, ARCHIVED, TOLD),
        ("N20240120_1", None, None, NAMED),
        ("N20240120_1", BAD_ROW, None, NAMED),
        ("N20240120_1", None, TOLD, TOLD),
        ("plain", None, ARCHIVED, ARCHIVED),
        ("plain", BAD_ROW, None, None),
    ],
)
def test_a_query_has_a_date_as_documents_of_the_archive_have_one(queries, tmp_path, name, row, archived, wanted):
    path = tmp_path / f"{name}.tif"
    path.write_bytes(pillow_tif(scan()))
    began = datetime.now(UTC).date()

    found = replace(queries, archived={name: archived}.get).read(single_file(path, key_of=lambda _: row))

    assert found.date == (wanted or DocumentDate(found.date.day, "arrival"))
    assert wanted is not None or began <= found.date.day <= datetime.now(UTC).date()


def test_a_query_that_cannot_be_read_has_its_date_too(queries, tmp_path):
    (tmp_path / "N20240120_1.tif").write_bytes(b"no picture")

    found = queries.read(single_file(tmp_path / "N20240120_1.tif"))

    assert (found.state, found.date) == ("rejected", NAMED)
