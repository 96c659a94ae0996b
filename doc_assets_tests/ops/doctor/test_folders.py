import json
import subprocess

import pytest
from upath import UPath

from doc_assets.ops.doctor.check import Level
from doc_assets.ops.doctor.machine import check_bulk_root, check_disk, check_inbox, check_writable
from doc_assets_tests.program import Program, as_ordinary_user


@pytest.mark.whole
def test_the_doctor_names_an_unreadable_inbox_and_exits_1(tmp_path):
    run = Program(tmp_path, start=as_ordinary_user())
    made = run("init")
    assert made.returncode == 0, made.stderr
    inbox = tmp_path / "appdata" / "inbox"
    inbox.chmod(0)

    done = run("doctor", "--json")
    inbox.chmod(0o700)

    lines = {f"{line['group']}: {line['name']}": line for line in json.loads(done.stdout)}
    assert done.returncode == 1
    assert {name for name, line in lines.items() if line["level"] == "red"} == {"folders: inbox"}
    assert "unreadable" in lines["folders: inbox"]["says"]
    assert lines["folders: inbox"]["fix"]
    assert lines["models: embedder"]["level"] == "green"


def test_a_full_disk_is_red(tmp_path):
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small tmpfs cannot be mounted: {mounted.stderr.strip()}")
    try:
        with pytest.raises(OSError, match="No space"), (place / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(1 << 16))
        disk, folder = check_disk(place), check_writable(place)
    finally:
        subprocess.run(["umount", str(place)], check=True)

    assert (disk.level, folder.level) == (Level.RED, Level.RED)
    assert "0 MiB of 4 MiB free" in disk.says
    assert "make room" in disk.fix
    assert "No space left" in folder.says


def test_a_missing_inbox_is_red_and_not_made(settings):
    assert check_inbox(settings).level == Level.RED
    assert not settings.inbox_dir.exists()


def test_documents_in_the_inbox_are_counted(settings):
    settings.inbox_dir.mkdir(parents=True)
    (settings.inbox_dir / "a.tif").touch()
    (settings.inbox_dir / "b.txt").touch()

    found = check_inbox(settings)

    assert found.level == Level.GREEN
    assert "1 documents" in found.says


def test_a_folder_is_tried_and_the_trial_leaves_nothing(tmp_path):
    assert check_writable(tmp_path).level == Level.GREEN
    assert check_writable(tmp_path / "none").level == Level.RED
    (tmp_path / "file").touch()
    assert "no folder" in check_writable(tmp_path / "file").says
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_object_storage_is_tried_too():
    root = UPath("memory://bucket/root")

    assert check_bulk_root(root).level == Level.GREEN
    assert not list(root.parent.rglob("*probe*"))
    assert check_bulk_root(UPath("http://127.0.0.1:9/root")).level == Level.RED
