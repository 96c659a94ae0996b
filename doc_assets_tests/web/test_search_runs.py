"""Searches as processes of this machine: in turn, told of, ended with the desk."""

import os
import shutil
import signal
import struct
import sys
import time
import zlib

import pytest
from PIL import Image

from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.errors import ServiceError
from doc_assets.web.search_runs import TAGS, LocalRuns, NoRuns, RunState
from doc_assets_tests.web.searches import picture

PROGRAM = """
import json, os, signal, sys, time
task = json.loads(sys.stdin.readline())
print("some library says something", flush=True)
print(json.dumps({"stage": "searching: 1/2"}), flush=True)
config = task["config"]
folder = config["folder"]
open(f"{folder}/began-{config['n']}", "w").write(str(os.getpid()))
while config.get("waits") and not os.path.exists(f"{folder}/go"):
    time.sleep(0.01)
if config.get("dies"):
    os.kill(os.getpid(), signal.SIGKILL)
print(json.dumps({"failure": config.get("failure")}), flush=True)
"""

ASLEEP = """
import time
import doc_assets.cli.desk_run as desk_run
desk_run._carried_out = lambda *_: time.sleep(60)
desk_run.main()
"""


@pytest.fixture
def runs():
    opened = LocalRuns([sys.executable, "-c", PROGRAM])
    yield opened
    opened.close()


def until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def test_one_after_the_other_in_the_order_they_were_asked_for(runs, tmp_path):
    folder = str(tmp_path)
    first = runs.launch({"folder": folder, "n": 1, "waits": True}, {})
    second = runs.launch({"folder": folder, "n": 2, "failure": "StoreBusyError: held"}, {})
    until(lambda: runs.state(first).stage)

    assert runs.state(first) == RunState("running", "searching: 1/2")
    assert runs.state(second) == RunState("queued")
    (tmp_path / "go").touch()
    until(lambda: runs.state(second).has_ended)
    assert runs.state(first) == RunState("done")
    assert runs.state(second) == RunState("failed", failure="StoreBusyError: held")


def test_a_killed_process_is_a_failed_run_and_the_next_one_begins(runs, tmp_path):
    first = runs.launch({"folder": str(tmp_path), "n": 1, "dies": True}, {})
    second = runs.launch({"folder": str(tmp_path), "n": 2}, {})
    until(lambda: runs.state(second).has_ended)

    assert runs.state(first).failure.startswith("Killed: ")
    assert runs.state(second) == RunState("done")


def test_a_program_that_is_not_there_fails_the_run(tmp_path):
    runs = LocalRuns([str(tmp_path / "none")])
    run_id = runs.launch({}, {})
    until(lambda: runs.state(run_id).has_ended)
    assert runs.state(run_id).failure.startswith("Killed: ")
    runs.close()


def test_what_is_at_work_ends_with_the_desk(tmp_path):
    runs = LocalRuns([sys.executable, "-c", PROGRAM])
    run_id = runs.launch({"folder": str(tmp_path), "n": 1, "waits": True}, {})
    until((tmp_path / "began-1").exists)
    until((tmp_path / "began-1").read_text)

    runs.close()

    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "began-1").read_text()), 0)
    assert runs.state(run_id).failure.startswith("Killed: ")
    with pytest.raises(ServiceError, match="ending"):
        runs.launch({}, {})


def test_a_run_of_another_desk_is_lost(runs):
    assert runs.state("never-seen").failure.startswith("Lost: ")
    assert NoRuns().state("never-seen").failure.startswith("Lost: ")


@pytest.mark.whole
def test_the_process_of_a_search_ends_when_its_desk_is_gone(tmp_path):
    """The desk's end of the pipe closes, however it died."""
    import subprocess

    from doc_assets_tests.program import outside_environment

    process = subprocess.Popen(
        [sys.executable, "-c", ASLEEP],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=outside_environment(),
        text=True,
    )
    process.stdin.write("{}\n")
    process.stdin.flush()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(3)
    process.stdin.close()
    assert process.wait(30) == 3
    assert process.returncode != -signal.SIGKILL
    process.stdout.close()


def _bomb():
    """A PNG of 900 million pixels in less than a megabyte."""
    side = 30_000
    row = zlib.compressobj(9)
    packed = b"".join(row.compress(b"\0" * (1 + side)) for _ in range(side)) + row.flush()

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


@pytest.mark.slow
def test_bombs_long_documents_and_broken_files_are_answers_in_words(ingested_home, tmp_path, monkeypatch):
    home = shutil.copytree(ingested_home, tmp_path / "home", symlinks=True)
    monkeypatch.setenv("DOC_ASSETS_HOME", str(home))
    page = Image.new("1", (40, 40))
    page.save(tmp_path / "long.tif", save_all=True, append_images=[page] * 50)
    (tmp_path / "bomb.png").write_bytes(_bomb())
    (tmp_path / "cut.jpg").write_bytes(picture(size=(400, 300))[:2000])
    (tmp_path / "lies.pdf").write_bytes(b"%PDF-1.7\n" + b"x" * 3000)
    names = ["bomb.png", "long.tif", "cut.jpg", "lies.pdf"]
    files = [str(tmp_path / name) for name in names]
    opened = LocalRuns([sys.executable, "-m", "doc_assets.cli.desk_run"])
    run_id = opened.launch({"files": files, "requested_by": "kim", "max_pages": 50, "look_inside": True}, TAGS)
    until(lambda: opened.state(run_id).has_ended, 300)
    opened.close()

    assert "could not be read" in opened.state(run_id).failure
    with Ledger.open(f"sqlite:///{home / 'ledger.sqlite'}") as ledger:
        errors = {each.query_document: each.error or "" for each in ledger.searches.results(run_id)}
        assert ledger.searches.get(run_id).finished_at is not None
    assert list(errors) == names
    assert "30000 x 30000 pixels" in errors["bomb.png"]
    assert "More than 50 pages" in errors["long.tif"]
    assert all(errors.values())
