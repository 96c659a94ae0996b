import multiprocessing
import os
import signal
import time
from dataclasses import replace

import numpy as np
import pytest

from doc_assets.archive.vectors.embedded import EmbeddedStore
from doc_assets.errors import StoreBusyError
from doc_assets.features.embedders.base import unit_rows
from doc_assets_tests.archive.vectors.test_store_contract import DIM, points

SPAWN = multiprocessing.get_context("spawn")


def _hold(root, seconds, opened):
    with EmbeddedStore(root) as store:
        store.create("photos__held__v1", DIM)
        store.upsert("photos__held__v1", points(100))
        opened.set()
        time.sleep(seconds)


@pytest.fixture
def holder(tmp_path):
    """Starts another process that holds the store for some seconds."""
    started = []

    def hold(seconds):
        opened = SPAWN.Event()
        process = SPAWN.Process(target=_hold, args=(tmp_path, seconds, opened))
        process.start()
        assert opened.wait(60)
        started.append(process)
        return process

    yield hold
    for process in started:
        process.kill()
        process.join()


@pytest.mark.whole
def test_a_second_process_waits_for_the_first(tmp_path, holder):
    holder(1.0)

    with EmbeddedStore(tmp_path, lock_timeout_s=30) as store:
        assert store.count("photos__held__v1") == 100


@pytest.mark.whole
def test_a_second_process_that_waited_too_long_says_who_holds_the_store(tmp_path, holder):
    process = holder(30)

    with pytest.raises(StoreBusyError, match=rf"process {process.pid}") as error:
        EmbeddedStore(tmp_path, lock_timeout_s=0.2)

    assert "DOC_ASSETS_STORE_LOCK_TIMEOUT_S" in str(error.value)


@pytest.mark.whole
def test_acknowledged_points_survive_a_kill(tmp_path, holder):
    process = holder(30)
    os.kill(process.pid, signal.SIGKILL)
    process.join()

    with EmbeddedStore(tmp_path, lock_timeout_s=5) as store:
        assert store.count("photos__held__v1") == 100
        store.upsert("photos__held__v1", points(100))
        assert store.count("photos__held__v1") == 100


def test_a_half_made_collection_is_made_anew(tmp_path):
    with EmbeddedStore(tmp_path) as store:
        (tmp_path / ".photos__x__v1.new").mkdir()
        (tmp_path / ".photos__x__v1.new" / "rubbish").write_bytes(b"?")

        store.create("photos__x__v1", DIM)

        assert store.collections() == ["photos__x__v1"]


@pytest.mark.whole
def test_a_large_collection_gets_a_search_graph_that_finds_what_a_scan_finds(tmp_path):
    scenes = np.stack([point.vector for point in points(400, dim=256, seed=3)])
    made = [  # 12 MB of vectors, as photos of 400 scenes; the engine scans less than 10 MB
        replace(point, vector=unit_rows((scenes[i % 400] + point.vector)[None])[0])
        for i, point in enumerate(points(12_000, dim=256))
    ]
    queries = np.stack([point.vector for point in made[::600]])
    with EmbeddedStore(tmp_path) as store:
        store.create("photos__large__v1", 256)
        store.upsert("photos__large__v1", made)
        store.finish("photos__large__v1")

        by_graph = store.search("photos__large__v1", queries, 10)
        by_scan = store.search("photos__large__v1", queries, 10, exact=True)

        assert store._shard("photos__large__v1").info().indexed_vectors_count > 0
    shared = [
        len({hit.point_id for hit in graph} & {hit.point_id for hit in scan})
        for graph, scan in zip(by_graph, by_scan, strict=True)
    ]
    assert np.mean(shared) >= 9.5


def test_a_rewritten_collection_keeps_no_byte_of_a_deleted_point(tmp_path):
    store = EmbeddedStore(tmp_path)
    some = [_named(point, f"document-{number:04d}-unmistakable") for number, point in enumerate(points(40))]
    store.create("c", DIM)
    store.upsert("c", some)
    store.finish("c")
    store.delete("c", [str(some[7].point_id)])
    store.finish("c")
    needle = b"document-0007-unmistakable"
    assert _files_with(tmp_path, needle), "the engine cleans up by itself; the rewrite is needless"

    store.rewrite("c")
    store.close()

    assert _files_with(tmp_path, needle) == []
    assert _files_with(tmp_path, b"document-0008-unmistakable")


def _named(point, name):
    return replace(point, payload=replace(point.payload, file_name=name))


def _files_with(folder, needle):
    return [path for path in folder.rglob("*") if path.is_file() and needle in path.read_bytes()]
