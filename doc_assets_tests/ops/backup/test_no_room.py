"""A disk that is full, or has no room for another file: a sentence and exit 1, then the same command goes on."""

import os
import shutil
import subprocess

import pytest

from doc_assets.util.files import no_room
from doc_assets_tests.ops.backup.conftest import Place


@pytest.fixture
def small_disk(tmp_path, made):
    """A file system with 400 MB and 2,000 files beyond what a home takes; only root can have one."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    there = list(made.folder.rglob("*"))
    size = sum(path.lstat().st_size for path in there) + 400 * 10**6
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},nr_inodes={len(there) + 2000}", "tmpfs", str(disk)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this machine mounts nothing")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def _fill(disk):
    path = disk / "filler"
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(1 << 16)):
                pass
        except OSError:
            pass
    return path.unlink


def _use_up_files(disk):
    folder = disk / "many"
    folder.mkdir()
    try:
        for number in range(1 << 20):
            (folder / str(number)).touch()
    except OSError:
        pass
    return lambda: shutil.rmtree(folder)


@pytest.mark.parametrize("exhaust", [_fill, _use_up_files])
def test_a_command_says_so_and_goes_on_when_there_is_room(made, drawn, small_disk, exhaust):
    shutil.copytree(made.folder, small_disk / "own", symlinks=True)
    place = Place(small_disk / "own", drawn)
    query = sorted((drawn / "incoming").iterdir())[0]
    more = place.folder / "more"
    more.mkdir()
    shutil.copy(query, more)
    make_room = exhaust(small_disk)

    commands = [
        ["status"],
        ["build-image-index", "--folder", more],
        ["search-doc", "--file", query, "--output-folder", place.folder / "out"],
        ["backup", "--to", place.backups],
    ]
    for command in commands:
        done = place.run(*command)
        said = done.stdout + done.stderr
        assert done.returncode in {0, 1, 2}, said
        assert "Traceback" not in said, said
        assert done.returncode or command == ["status"], said
    make_room()

    place.done("build-image-index", "--folder", more)
    place.done("check", "--read-data")


def test_what_a_full_disk_causes_is_known_by_what_it_came_from(tmp_path):
    full = OSError(28, "No space left on device")
    chained = RuntimeError("a library")
    chained.__cause__ = full

    assert "no room left" in no_room(full)
    assert "No space left" in no_room(chained, [tmp_path])
    assert no_room(RuntimeError("another cause"), [tmp_path]) is None
    assert no_room(OSError(13, "Permission denied"), [tmp_path]) is None
    assert no_room(RuntimeError("disk I/O error"), [tmp_path]) is None  # that disk has room
