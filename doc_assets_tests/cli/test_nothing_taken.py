"""Folders from which nothing is taken, through the command line."""

import pytest

from doc_assets_tests.program import Program

pytestmark = pytest.mark.whole

OUT = ("--output-folder", "out")


@pytest.fixture
def program(tmp_path):
    (tmp_path / "in").mkdir()
    return Program(tmp_path)


@pytest.mark.parametrize(
    ("command", "code"),
    [(["build-image-index"], 1), (["search-doc", *OUT], 1), (["find-pages"], 2), (["extract-photos", *OUT], 2)],
    ids=lambda part: part[0] if isinstance(part, list) else "",
)
def test_an_empty_folder_is_a_failure(program, command, code):
    done = program(*command, "--folder", "in")

    assert done.returncode == code, done.stdout + done.stderr
    assert "is empty" in done.stdout + done.stderr


def test_a_folder_of_other_files_is_a_failure_that_names_them(program, tmp_path):
    for name in ("note.docx", ".hidden.tif", "film.mp4", "a.tif.part"):
        (tmp_path / "in" / name).write_bytes(b"x")
    (tmp_path / "in" / "deeper").mkdir()

    done = program("build-image-index", "--folder", "in")

    assert done.returncode == 1
    said = " ".join(done.stdout.split())
    for what in (
        "note.docx (no document by its ending .docx)", ".hidden.tif (hidden)", "film.mp4", "a.tif.part (unfinished)",
        "deeper (a subfolder; --recursive looks into it)", "Nothing was ingested",
    ):  # fmt: skip
        assert what in said


def test_status_names_what_the_inbox_ignores_and_what_waits(program, tmp_path):
    assert program("init").returncode == 0
    inbox = tmp_path / "appdata" / "inbox"
    for name in ("note.docx", "a.tif"):
        (inbox / name).write_bytes(b"II*\0")

    found = program.json("status")["inbox"]
    said = " ".join(program("status").stdout.split())

    assert found["ignored"] == [{"file": "note.docx", "reason": "no document by its ending .docx"}]
    assert [(wait["file"], wait["state"]) for wait in found["waiting"]] == [
        ("a.tif", "still being written or just arrived")
    ]
    assert "waits: a.tif still being written or just arrived, until 20" in said
    assert "ignored: note.docx" in said
