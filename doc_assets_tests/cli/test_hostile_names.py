"""Hostile names through the folder, the key table and the exports; the document API has its own test."""

import csv
import io
import re
from dataclasses import replace

import openpyxl
import pytest
from upath import UPath

from doc_assets.pipeline.reading import read_drop
from doc_assets.pipeline.sealing import SealingRules, seal_source
from doc_assets.reports.report import PictureSources, write_reports
from doc_assets.reports.result_files import write_results
from doc_assets.sources.file_index import FileIndex
from doc_assets.sources.key_lookup import Resolver
from doc_assets.sources.key_names import NameRule
from doc_assets.sources.key_tables.table import KeyTable
from doc_assets.sources.names import display_name, real_path
from doc_assets.sources.sources import FolderSource, KeyedFolders
from doc_assets_tests.conftest import NOW
from doc_assets_tests.hostile import NAMES
from doc_assets_tests.key_outcomes import key_counts
from doc_assets_tests.reports.test_result_files import FOUND, LEGACY, NOT_READ, SEARCH
from doc_assets_tests.results import a_finding

FORMULA = re.compile(r"^[=+\-@\t\r\n\uff0b\uff0d\uff1d\uff20]")


def _files(folder):
    """Every name as a file, as far as the file system takes it."""
    folder.mkdir()
    for name in NAMES:
        try:
            path = folder / f"{name}.tif"
            if path.resolve().parent == folder.resolve():
                path.write_bytes(b"II* not a picture")
        except (OSError, ValueError):
            continue
    return sorted(path.name for path in folder.iterdir())


def test_files_of_every_name_are_taken_in_and_nothing_else_is_touched(archive, reader, tmp_path):
    names = _files(tmp_path / "in")

    (key,) = seal_source(archive, FolderSource(UPath(tmp_path / "in")), NOW, SealingRules()).sealed
    report = read_drop(archive, reader, key, NOW)

    visible = [name for name in names if not name.startswith((".", "~$"))]
    assert len(visible) > 20  # the file system refuses the others
    documents = archive.ledger.documents.of_chunk(key, range(100))
    assert sorted(document.file_name for document in documents) == sorted(map(display_name, visible))
    assert "\\u202egnp.fit.tif" in {document.file_name for document in documents}
    assert report.states["rejected"] == len(visible)
    below = {str(path.relative_to(tmp_path)).split("/")[0] for path in tmp_path.rglob("*")}
    assert below <= {"in", "bulk", "ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"}


def test_keys_of_every_name_stay_below_their_root(archive, tmp_path):
    _files(tmp_path / "in")
    (tmp_path / "secret.tif").write_bytes(b"II* secret")
    (tmp_path / "in" / "link.tif").symlink_to(tmp_path / "secret.tif")
    book = openpyxl.Workbook()
    book.active.append(["파일명", "업종명"])
    written = [*NAMES, "../secret", "../secret.tif", "link", str(tmp_path / "secret")]
    for name in written:
        cells = [openpyxl.cell.cell.ILLEGAL_CHARACTERS_RE.sub("", text)[:32_000] for text in (name, name)]
        book.active.append(cells)
    for row in book.active.iter_rows():
        for cell in row:
            cell.data_type = "s"
    book.save(tmp_path / "keys.xlsx")

    with KeyTable.read(tmp_path / "keys.xlsx") as table, FileIndex(tmp_path / "index.sqlite") as index:
        index.refresh([UPath(tmp_path / "in")])
        source = KeyedFolders(table, Resolver(index, (UPath(tmp_path / "in"),), NameRule()))
        done = seal_source(archive, source, NOW, SealingRules())

    assert done.origins
    assert all(real_path(origin).resolve().parent == tmp_path / "in" for origin in done.origins)
    accounted = sum(key_counts(archive.ledger, done.source).values())
    assert accounted == table.n_keys + table.n_faults


@pytest.fixture
def hostile_results():
    """Every name as query, merchant, field, match and error."""
    return [
        replace(
            NOT_READ,
            query_document=name,
            position=position,
            state="ok",
            merchant_id=name,
            error=name,
            risk_score=0.9,
            flagged=True,
            top_docs=(hostile := replace(FOUND, document=name, merchant_id=name, matches=()),),
            findings=(a_finding(hostile),),
            searched=True,
            legacy=LEGACY,
            fields={"업종명": name, "=1+1": name, "score": name},
        )
        for position, name in enumerate(NAMES)
    ]


def test_exports_hold_no_active_content(hostile_results, tmp_path):
    files = write_results(SEARCH, hostile_results, tmp_path / "out")

    rows = list(csv.reader(io.StringIO(files.table_csv.read_text(encoding="utf-8-sig"), newline="")))
    assert len(rows) == len(NAMES) + 1
    assert not [cell for row in rows for cell in row if FORMULA.match(cell)]
    sheet = openpyxl.load_workbook(files.table_xlsx).active
    assert sheet.max_row == len(NAMES) + 1
    assert not [cell for row in sheet.iter_rows() for cell in row if cell.data_type == "f" or cell.hyperlink]


def test_reports_hold_no_active_content_and_stay_in_their_folder(hostile_results, tmp_path):
    folder = tmp_path / "deep" / "out"
    write_reports(SEARCH, hostile_results, folder, "<b>title</b>", PictureSources(None, None))

    assert "{{7*7}}" in (folder / "report.html").read_text(encoding="utf-8")
    pages = [path for path in (tmp_path / "deep").rglob("*") if path.is_file()]
    assert all(path.is_relative_to(folder) for path in pages)
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "<script" not in text.lower()
        assert "<img src=x" not in text
        assert "<b>title" not in text
