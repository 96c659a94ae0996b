"""Forgetting as an operator does it: real processes, Dagster's own records, and pictures looked for as pictures."""

import json
import os
import subprocess
import sys

import dagster as dg
import pytest
from PIL import Image

from doc_assets.lab.corpus import draw_corpus, draw_document, plan_corpus
from doc_assets.ops.erasure.databases import find as find_in_database
from doc_assets.ops.erasure.files import files_below, find
from doc_assets.ops.erasure.identifiers import Identifiers
from doc_assets_tests.cli.test_privacy import _traces
from doc_assets_tests.program import Program

pytestmark = pytest.mark.whole

PLANS = plan_corpus(4, ["mirrored"], seed=12)
BROKEN = "N20261128THA99999-unreadable"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A home with an archive, a screened drop and a kept search; the document to forget is re-used by the query."""
    folder = tmp_path_factory.mktemp("forget")
    draw_corpus(folder / "files", PLANS, workers=2)
    run = Program.at_home(folder)
    (folder / "files" / "incoming" / f"{BROKEN}.tif").write_bytes(b"II*\0 of which nothing can be read")
    results = folder / "home" / "results" / "one"
    for arguments, code in (
        (["build-image-index", "--folder", folder / "files" / "archive"], 0),
        (["build-image-index", "--folder", folder / "files" / "incoming"], 1),
        (["screen", "--all"], 0),
        (["show", f"{BROKEN}-that-never-came.tif"], 1),
        (["search-doc", "--folder", folder / "files" / "incoming", "--output-folder", folder / "elsewhere"], 1),
    ):
        done = run(*arguments)
        assert done.returncode == code, done.stdout + done.stderr
    named = _files_that_name(folder, [*(plan.name.removesuffix(".tif") for plan in PLANS), BROKEN])
    run.done("search-doc", "--file", folder / "files" / "incoming" / PLANS[-1].name, "--output-folder", results)
    return folder, run, named


def _files_that_name(folder, documents):
    """Files of Dagster's records and of logs in which the name of a document stands, packed values too."""
    identifiers = Identifiers(tuple(documents))
    places = files_below([folder / "home" / "dagster", folder / "log"])
    databases = [path for path in (folder / "home" / "dagster").rglob("*.db")]
    packed = [place for path in databases for place in find_in_database(f"sqlite:///{path}", identifiers)]
    return [path for path in places if find(path, identifiers) is not None] + packed


def test_names_of_documents_stay_in_the_ledger(world):
    """Metadata, checks, errors and logs of ingestion, screening and a search by folder have numbers alone."""
    folder, run, named = world

    assert named == []
    (broken,) = run.json("list-documents", "--state", "rejected")["documents"]
    assert broken["file_name"] == f"{BROKEN}.tif"
    assert run.json("show", "--number", broken["id"])["document_id"] == BROKEN
    assert _files_that_name(folder, [PLANS[-1].name]) != []  # a path that an operator typed


def _own_photos(folder, plan):
    """The photos of a document as pictures."""
    truth = json.loads((folder / "files" / "truth.json").read_text(encoding="utf-8"))["photos"][plan.name]
    drawn, _ = draw_document(plan, None)
    return [Image.fromarray(drawn[photo["page_index"]]).crop(photo["box"]) for photo in truth]


def test_no_name_no_digest_and_no_picture_is_left(world):
    folder, run, _ = world
    query = PLANS[-1]
    source = next(plan for plan in PLANS if plan.name == query.reuse.source_document)
    secrets = _own_photos(folder, source)
    stays = [photo for number, photo in enumerate(secrets) if number != query.reuse.source_photo]
    kept = [folder / "home", folder / "log"]
    assert _traces(kept, stays)
    assert run("check").returncode == 0

    asked = run("forget", source.name)
    planned = run("forget", source.name, "--dry-run", "--json")
    done = run("forget", source.name, "--yes", "--json")

    assert (asked.returncode, "--yes" in asked.stderr) == (2, True)
    assert json.loads(planned.stdout)["photos"] == len(secrets)
    assert done.returncode == 0, done.stdout + done.stderr
    (report,) = json.loads(done.stdout)["reports"]
    assert report["traces"] == []
    assert len(report["reports"]) == 3
    assert _traces(kept, stays) == set()
    stem = source.name.removesuffix(".tif").encode()
    assert [path for place in kept for path in place.rglob("*") if path.is_file() and stem in path.read_bytes()] == []
    assert run("check").returncode == 0
    assert run("forget").returncode == 1
    status = json.loads(run("status", "--json").stdout)
    assert (status["counts"]["current"], status["stale_drops"]) == (4, [])


def test_the_partitions_of_its_drop_stay_materialized(world):
    folder, *_ = world
    with dg.DagsterInstance.from_config(str(folder / "home" / "dagster")) as instance:
        for name in ("documents", "photos", "indexed_photos", "document_matches"):
            assert instance.get_materialized_partitions(dg.AssetKey(name)) == {"bulk-000001", "bulk-000002"}


def test_a_run_in_progress_is_waited_for_by_the_operator(world):
    folder, run, _ = world
    with dg.DagsterInstance.from_config(str(folder / "home" / "dagster")) as instance:
        busy = instance.create_run_for_job(_job, status=dg.DagsterRunStatus.STARTED)

        refused = run("forget", PLANS[-1].name, "--yes")

        instance.delete_run(busy.run_id)
    assert refused.returncode == 1
    assert busy.run_id in refused.stderr
    assert json.loads(run("status", "--json").stdout)["counts"]["current"] == 4


@dg.job
def _job() -> None:
    """A run that somebody else is at."""


def test_the_job_ends_what_the_command_prepared_and_keeps_no_name(world):
    folder, run, _ = world
    victim = next(plan for plan in PLANS if plan.name not in {PLANS[-1].name, PLANS[-1].reuse.source_document})

    prepared = run("forget", victim.name, "--prepare", "--json")
    assert prepared.returncode == 0, prepared.stderr
    program = (
        "import dagster as dg; from doc_assets.settings import load_settings;"
        "from doc_assets.ops.home import prepare_home;"
        "prepare_home(load_settings()); from doc_assets.definitions import defs;"
        "instance = dg.DagsterInstance.get();"
        "done = defs().resolve_job_def('forget_documents_job').execute_in_process(instance=instance);"
        "print(done.success)"
    )
    env = {**os.environ, "DOC_ASSETS_HOME": str(folder / "home"), "DOC_ASSETS_LOG_DIR": str(folder / "log")}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=env, capture_output=True, text=True, check=False
    )

    assert "True" in done.stdout, done.stderr[-3000:]
    stem = victim.name.removesuffix(".tif").encode()
    kept = [folder / "home", folder / "log"]
    assert [path for place in kept for path in place.rglob("*") if path.is_file() and stem in path.read_bytes()] == []
    assert run("check").returncode == 0
