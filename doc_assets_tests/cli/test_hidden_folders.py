"""Subfolders that this user cannot look into: whatever is asked of the folder says so and fails, the rest is done."""

import csv
import shutil

import pytest

from doc_assets_tests.page_finding import need_tesseract
from doc_assets_tests.program import Program, as_ordinary_user

pytestmark = pytest.mark.slow


@pytest.fixture
def run(tmp_path):
    return Program(tmp_path, start=as_ordinary_user())


@pytest.fixture
def folder(corpus, tmp_path):
    """Two documents, one of them where nobody may look."""
    shown, hidden = sorted((corpus / "archive").glob("*.tif"))[:2]
    (tmp_path / "scans" / "shut").mkdir(parents=True)
    shutil.copy(shown, tmp_path / "scans")
    shutil.copy(hidden, tmp_path / "scans" / "shut")
    (tmp_path / "keys.csv").write_text(f"파일명\n{shown.name}\n{hidden.name}\n", encoding="utf-8")
    (tmp_path / "scans" / "shut").chmod(0)
    yield tmp_path / "scans"
    (tmp_path / "scans" / "shut").chmod(0o700)


def test_ingestion_takes_the_rest_and_fails(run, folder):
    done = run("build-image-index", "--folder", folder, "--recursive", "--allow-missing")
    again = run("build-image-index", "--folder", folder)

    assert done.returncode == 1
    assert "shut" in done.stdout
    assert "cannot look into it" in " ".join(done.stdout.split())
    assert run.json("status")["counts"]["current"] == 1
    assert again.returncode == 0, again.stdout


def test_the_sensor_says_so_in_every_tick(run, folder, tmp_path):
    (tmp_path / "appdata").mkdir()
    (tmp_path / "appdata" / "inbox").symlink_to(folder)
    program = (
        "import dagster as dg\n"
        "from doc_assets.definitions import defs\n"
        "from doc_assets.runtime import Runtime\n"
        "from doc_assets.settings import load_settings\n"
        "sensor = next(s for s in defs().sensors if s.name == 'new_tif_sensor')\n"
        "with dg.DagsterInstance.ephemeral() as instance:\n"
        "    with dg.build_sensor_context(instance=instance, definitions=defs()) as context:\n"
        "        print(sensor(context, runtime=Runtime(load_settings())).skip_reason.skip_message)\n"
    )
    done = run.python(program)

    assert "1 documents in" in done.stdout, done.stderr
    assert "1 paths cannot be looked into" in done.stdout
    assert "shut" not in done.stdout
    assert "shut" in run("status").stdout


def test_a_search_lists_it_among_what_it_could_not_read(run, folder, tmp_path):
    run("build-image-index", "--folder", folder)
    done = run("search-doc", "--folder", folder, "--recursive", "--output-folder", tmp_path / "out")

    rows = list(csv.DictReader((tmp_path / "out" / "results.csv").read_text("utf-8-sig").splitlines()))
    assert done.returncode == 1
    assert len({row["query_document"] for row in rows}) == 2
    assert any("cannot look into it" in str(row.values()) for row in rows)


def test_pages_are_found_in_the_rest(run, folder, tmp_path):
    need_tesseract()
    done = run("find-pages", "--folder", folder, "--recursive", "--report", tmp_path / "pages.csv")

    rows = list(csv.DictReader((tmp_path / "pages.csv").read_text("utf-8-sig").splitlines()))
    assert done.returncode == 1
    assert [row["document"] for row in rows if row["error"]] == ["shut"]
    assert sum(not row["error"] for row in rows) >= 1


def test_a_key_that_may_be_there_is_missing_with_that_reason(run, folder, tmp_path):
    done = run("resolve-keys", "--key-table", tmp_path / "keys.csv", "--search-root", folder, "--json")

    assert done.returncode == 1
    assert "1 folders could not be looked into and may have it" in done.stdout
    assert str(folder / "shut") in done.stdout
