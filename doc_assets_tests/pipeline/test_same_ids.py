"""Files that claim one document id, and files that change without showing it."""

import os
import unicodedata
from datetime import timedelta

import pytest
from PIL import Image
from upath import UPath

from doc_assets.pipeline.intake import IntakeRules, look
from doc_assets.pipeline.reading import read_drop
from doc_assets.pipeline.sealing import SealingRules, seal_source
from doc_assets.sources.sources import FolderSource
from doc_assets_tests.conftest import NOW

pytestmark = pytest.mark.whole


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "in"


def _page(path, grey):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (40, 30), grey).save(path, "TIFF")


def _ingested(archive, reader, folder, *, now=NOW, **rules):
    intake = seal_source(archive, FolderSource(UPath(folder)), now, SealingRules(**rules))
    for key in intake.sealed:
        read_drop(archive, reader, key, now)
    return archive.ledger.documents.arrivals_at(intake.origins)


@pytest.mark.parametrize("rules", [{}, {"chunk_documents": 1}, {"drop_max_documents": 1}], ids=str)
@pytest.mark.parametrize(
    "names",
    [
        ("1/a.tif", "2/a.tif"), ("a.TIF", "a.tif"), ("a.tif", "a.tiff"),
        (unicodedata.normalize("NFC", "가.tif"), unicodedata.normalize("NFD", "가.tif")), ("x\x1b.tif", "x\\x1b.tif"),
    ],
)  # fmt: skip
def test_two_files_of_one_id_are_both_named_and_the_second_is_rejected(archive, reader, folder, names, rules):
    for grey, name in enumerate(names):
        _page(folder / name, grey)

    arrived = _ingested(archive, reader, folder, **rules)

    first, second = sorted(arrived.values(), key=lambda document: document.id)
    assert (first.state, first.is_current) == ("ok", True)
    assert (second.state, second.reason_code, second.is_current) == ("rejected", "E_SAME_ID", False)
    for document in (first, second):
        assert document.file_name in second.reason
    assert first.document_id == second.document_id


def test_names_that_differ_in_case_or_ending_twice_are_different_documents(archive, reader, folder):
    for grey, name in enumerate(("a.tif", "A.tif", "a.tif.tif")):
        _page(folder / name, grey)

    arrived = _ingested(archive, reader, folder)

    assert {document.document_id: document.state for document in arrived.values()} == {
        "a": "ok", "A": "ok", "a.tif": "ok",
    }  # fmt: skip


def test_the_same_bytes_under_one_id_are_a_duplicate(archive, reader, folder):
    for name, grey in (("1/a.tif", 1), ("2/a.tif", 2), ("3/a.tif", 1)):
        _page(folder / name, grey)

    arrived = _ingested(archive, reader, folder)

    assert [arrived[str(folder / f"{n}/a.tif")].state for n in (1, 2, 3)] == ["ok", "rejected", "duplicate"]


def test_an_id_that_an_unreadable_file_claims_is_free(archive, reader, folder):
    (folder / "1").mkdir(parents=True)
    (folder / "1" / "a.tif").write_bytes(b"II*\0 nothing")
    _page(folder / "2" / "a.tif", 2)

    arrived = _ingested(archive, reader, folder)

    assert [arrived[str(folder / f"{n}/a.tif")].state for n in (1, 2)] == ["rejected", "ok"]


def test_a_newer_version_of_a_later_ingestion_replaces_the_document(archive, reader, folder):
    _page(folder / "1" / "a.tif", 1)
    _ingested(archive, reader, folder)
    _page(folder / "2" / "a.tif", 2)

    arrived = _ingested(archive, reader, folder, now=NOW + timedelta(minutes=1))

    states = [arrived[str(folder / f"{n}/a.tif")] for n in (1, 2)]
    assert [(document.state, document.is_current) for document in states] == [("ok", False), ("ok", True)]


def test_two_files_of_one_id_in_one_drop_of_the_inbox(archive, reader, folder):
    rules = IntakeRules(settle_s=0, drop_max_age_s=0)
    for number in (1, 2):
        _page(folder / f"{number}/a.tif", number)
    look(archive.ledger, folder, rules, NOW)

    (key,) = look(archive.ledger, folder, rules, NOW + timedelta(seconds=1)).sealed
    report = read_drop(archive, reader, key, NOW)

    assert report.states == {"ok": 1, "rejected": 1}
    (refused,) = report.faulty
    assert all(f"{number}/a.tif" in refused.reason for number in (1, 2))


def test_new_bytes_with_the_old_size_and_time_are_found_when_everything_is_read(archive, reader, folder):
    path = folder / "a.tif"
    _page(path, 1)
    before = path.stat()
    _ingested(archive, reader, folder)
    _page(path, 2)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    later = NOW + timedelta(minutes=1)

    unread = seal_source(archive, FolderSource(UPath(folder)), later, SealingRules())
    read = seal_source(archive, FolderSource(UPath(folder)), later, SealingRules(read_all=True))
    again = seal_source(archive, FolderSource(UPath(folder)), later, SealingRules(read_all=True))

    assert (unread.sealed, len(read.sealed), again.sealed) == ([], 1, [])
    assert read_drop(archive, reader, read.sealed[0], later).states == {"ok": 1}
    assert seal_source(archive, FolderSource(UPath(folder)), later, SealingRules(read_all=True)).sealed == []
