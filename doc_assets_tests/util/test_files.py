import multiprocessing
import os
import signal
import time

import pytest
from upath import UPath

from doc_assets.util.files import LEFTOVER_PATTERN, atomic_writer, write_atomic


def _write_slowly(path: str) -> None:
    with atomic_writer(UPath(path)) as target:
        target.write(b"half")
        target.flush()
        time.sleep(60)


def test_a_failed_write_leaves_the_old_file_and_no_leftover(tmp_path):
    path = UPath(tmp_path / "table")
    write_atomic(path, b"old")

    with pytest.raises(RuntimeError), atomic_writer(path) as target:
        target.write(b"new")
        raise RuntimeError

    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["table"]


def test_a_killed_writer_is_invisible_and_its_leftover_goes_with_the_next_write(tmp_path):
    path = tmp_path / "table"
    process = multiprocessing.get_context("spawn").Process(target=_write_slowly, args=(str(path),))
    process.start()
    while not list(tmp_path.glob(LEFTOVER_PATTERN)):
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert not path.exists()

    write_atomic(UPath(path), b"whole")

    assert path.read_bytes() == b"whole"
    assert [entry.name for entry in tmp_path.iterdir()] == ["table"]


def test_object_stores_show_nothing_of_a_failed_write():
    path = UPath("memory://bucket/table")

    with pytest.raises(RuntimeError), atomic_writer(path) as target:
        target.write(b"new")
        raise RuntimeError
    assert not path.exists()

    write_atomic(path, b"whole")
    assert path.read_bytes() == b"whole"
