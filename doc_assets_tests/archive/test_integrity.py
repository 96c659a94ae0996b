"""Flipped bytes in whatever is kept are found by reading it."""

import shutil
import sqlite3

import numpy as np
import pyarrow.parquet as pq
import pytest
from upath import UPath

from doc_assets.archive.archive import Archive
from doc_assets.archive.consistency import check_archive
from doc_assets.archive.ledger.database import sqlite_faults
from doc_assets.archive.shards import read_embeddings, read_photos
from doc_assets.archive.tables import is_intact, read_rows
from doc_assets_tests.pipeline.pipeline import opened

FLIPS = 200


@pytest.fixture(scope="module")
def made(tmp_path_factory, filled_root, reader, cutter, embedder, describer):
    """An ingested corpus, in chunks of three documents."""
    root = shutil.copytree(filled_root, tmp_path_factory.mktemp("made") / "root")
    with opened(root, reader, cutter, embedder, describer) as pipeline:
        yield pipeline


def _faults(pipeline, bulk=None):
    archive = Archive(pipeline.archive.ledger, bulk or pipeline.archive.bulk)
    with pipeline.store() as store:
        found = check_archive(archive, store, "photos", pipeline.versions, read_data=True, embedder=pipeline.embedder)
    return found.faults


def test_a_whole_archive_has_no_fault(made):
    assert _faults(made) == []


def test_every_flipped_byte_of_a_bulk_file_is_found_and_its_file_named(made):
    """The bytes are drawn over all files, each kind of file as often; the digests are asked, as the check does."""
    rng = np.random.default_rng(13)
    bulk = made.archive.bulk
    kinds = [sorted((bulk / kind).rglob("*.*"), key=str) for kind in ("photos", "embeddings", "local_features")]
    for number in range(FLIPS):
        paths = kinds[number % len(kinds)]
        path = paths[int(rng.integers(len(paths)))]
        whole = path.read_bytes()
        # Footer, seal and header are short; every second flip is near an end.
        at = int(rng.integers(len(whole))) if number % 2 else int(rng.integers(-200, 200))
        damaged = bytearray(whole)
        damaged[at] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        assert is_intact(path) is not True, (path, at)
        path.write_bytes(whole)
        assert is_intact(path) is True


@pytest.mark.parametrize("kind", ["documents", "photos", "embeddings", "local_features"])
@pytest.mark.parametrize("where", ["middle", "footer"])
def test_the_check_names_the_damaged_file(made, tmp_path, kind, where):
    bulk = UPath(tmp_path / "bulk")
    shutil.copytree(str(made.archive.bulk), str(bulk))
    path = max((bulk / kind).rglob("*.*"), key=lambda found: found.stat().st_size)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 if where == "middle" else -30] ^= 0x10
    path.write_bytes(content)

    faults = _faults(made, bulk)

    assert any(str(path) in fault for fault in faults), faults


def test_a_table_of_an_earlier_version_is_read_its_photos_compared_with_their_vectors(made, tmp_path):
    bulk = UPath(tmp_path / "bulk")
    shutil.copytree(str(made.archive.bulk), str(bulk))
    path = next((bulk / "photos").rglob("*.parquet"))
    table = pq.read_table(str(path))
    earlier = {k: v for k, v in table.schema.metadata.items() if k != b"doc_assets.sealed"}
    pq.write_table(table.replace_schema_metadata(earlier), str(path), compression="zstd")
    assert is_intact(path) is None
    assert _faults(made, bulk) == []

    rows = list(read_rows(path))
    rows[0]["image"], rows[-1]["image"] = rows[-1]["image"], rows[0]["image"]
    changed = type(table).from_pylist(rows, schema=table.schema.with_metadata(earlier))
    pq.write_table(changed, str(path), compression="zstd")

    faults = _faults(made, bulk)
    assert len(faults) == 2
    assert all("no longer looks as it did" in fault for fault in faults)
    assert next(iter(read_photos(path))).payload.key is not None


def test_a_changed_point_is_found(made):
    shard = next((made.archive.bulk / "embeddings").rglob("*.parquet"))
    row = next(iter(read_embeddings(shard)))
    with made.store() as store:
        collection = store.resolve("photos")
        (point,) = [p for p in store.points(collection) if p.payload.key == row.payload.key]
        other = np.roll(point.vector, 1)
        store.upsert(collection, [type(point)(point.point_id, other, point.words, point.payload)])
    try:
        faults = _faults(made)
        assert len(faults) == 1
        assert str(row.payload.key) in faults[0]
        assert "rebuild-index" in faults[0]
    finally:
        with made.store() as store:
            store.upsert(collection, [point])


def test_a_damaged_collection_is_told_without_ending_the_check(made, tmp_path, monkeypatch):
    shutil.copytree(made.qdrant, tmp_path / "qdrant")
    monkeypatch.setattr(made, "qdrant", tmp_path / "qdrant")
    (segment,) = {path.parent for path in (tmp_path / "qdrant").glob("photos__*/segments/*/segment.json")} or {None}
    assert segment is not None
    for path in sorted(path for path in segment.rglob("*") if path.is_file() and path.stat().st_size)[:40:8]:
        whole = path.read_bytes()
        path.write_bytes(b"\xff" * min(64, len(whole)) + whole[64:])
        for fault in _faults(made):
            assert "rebuild-index" in fault, (path, fault)
        path.write_bytes(whole)
    (segment / "segment.json").write_bytes(b"{")
    assert ["rebuild-index" in fault for fault in _faults(made)] == [True]


def test_a_malformed_ledger_is_told(made, tmp_path):
    ledger = tmp_path / "ledger.sqlite"
    with made.archive.ledger.database.reading() as connection:
        connection.exec_driver_sql("SELECT 1")
    source = sqlite3.connect(made.archive.ledger.database.url.database)
    target = sqlite3.connect(ledger)
    source.backup(target)
    target.close()
    source.close()
    assert sqlite_faults(ledger) == []
    whole = ledger.read_bytes()
    found = 0
    for page in range(1, len(whole) // 4096):
        content = bytearray(whole)
        content[page * 4096 : page * 4096 + 64] = b"\xff" * 64
        ledger.write_bytes(content)
        found += bool(sqlite_faults(ledger))
    assert found == len(whole) // 4096 - 1
    ledger.write_bytes(b"no database at all" * 300)
    assert sqlite_faults(ledger)
