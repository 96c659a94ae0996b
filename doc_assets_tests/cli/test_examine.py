"""explain, extract-photos, retry-rejected, export-results and migrate as an operator runs them."""

import csv
import io
import json
import shutil

import dagster as dg
import pytest
from PIL import Image


@pytest.fixture(scope="module")
def ingested(run, ingested_home):
    shutil.copytree(ingested_home, run.home, symlinks=True)


def _planted(plans, attack):
    return next(plan for plan in plans if plan.reuse and plan.reuse.attack == attack)


def test_a_home_is_whole_wherever_it_is_copied(ingested, run):
    status = run.json("status")

    assert (status["counts"]["current"], status["points"]) == (8, status["counts"]["photos"])
    assert status["stale_drops"] == []
    assert run("check", "--read-data").returncode == 0
    with dg.DagsterInstance.from_config(str(run.home / "dagster")) as instance:
        assert instance.get_materialized_partitions(dg.AssetKey("documents")) == {"bulk-000001"}


def test_a_match_is_explained_and_drawn(ingested, run, corpus, plans, tmp_path):
    plan = _planted(plans, "mirrored")
    query = corpus / "incoming" / plan.name

    done = run("explain", query, plan.reuse.source_document, "--picture", tmp_path / "pair.png", "--json")

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    best = found["pairs"][0]
    assert (best["reason"], best["vector_rank"], best["entry"]["matched"]) == ("matched", 1, True)
    assert best["entry"]["changes"]["mirrored"]
    assert best["photo"] == plan.reuse.source_photo
    assert all(pair["reason"] != "matched" for pair in found["pairs"][1:])
    with Image.open(tmp_path / "pair.png") as drawn:
        assert drawn.width == 1320
    assert "mirrored" in run("explain", query, plan.reuse.source_document).stdout


def test_two_archived_documents_and_a_document_itself_are_explained(ingested, run, plans):
    one, other = [plan.name.removesuffix(".tif") for plan in plans if plan.folder == "archive"][:2]

    found = json.loads(run("explain", one, other, "--json").stdout)
    itself = json.loads(run("explain", one, one, "--json").stdout)

    assert {pair["reason"] for pair in found["pairs"]} <= {"no_alignment", "not_alike", "not_retrieved"}
    assert any("same id" in note for note in itself["notes"])
    unknown = run("explain", one, "N-never-seen")
    assert (unknown.returncode, "N-never-seen" in unknown.stderr) == (1, True)


def test_photos_are_cut_into_files_without_an_archive(run, corpus, tmp_path):
    files = tmp_path / "in"
    files.mkdir()
    shutil.copy(sorted((corpus / "archive").iterdir())[0], files)
    (files / "broken.tif").write_bytes(b"II*\0")

    done = run("extract-photos", "--folder", files, "--output-folder", tmp_path / "out", DOC_ASSETS_HOME=str(tmp_path))

    assert done.returncode == 1
    whole, broken = sorted(
        json.loads((tmp_path / "out" / "photos.json").read_text(encoding="utf-8")), key=lambda d: d["error"] is not None
    )
    assert broken["error"].startswith("E_")
    assert whole["photos"]
    for photo in whole["photos"]:
        with Image.open(tmp_path / "out" / photo["file"]) as picture:
            assert picture.size == (photo["width"], photo["height"])
    assert not (tmp_path / "ledger.sqlite").exists()


def test_a_rejected_document_is_read_again_once_its_limit_is_raised(run, corpus, tmp_path):
    other_home = {"DOC_ASSETS_HOME": str(tmp_path / "home")}
    files = tmp_path / "in"
    files.mkdir()
    document = sorted((corpus / "archive").iterdir())[0]
    shutil.copy(document, files)
    (files / "broken.tif").write_bytes(b"II*\0")
    assert run("build-image-index", "--folder", files, DOC_ASSETS_MAX_PAGE_PX="1000", **other_home).returncode == 1
    (files / document.name).unlink()

    again = run("retry-rejected", "--code", "E_PAGE_TOO_LARGE", "--json", **other_home)
    rest = run("retry-rejected", "--json", **other_home)

    assert (again.returncode, json.loads(again.stdout)["states"]) == (0, {"ok": 1})
    assert rest.returncode == 1
    assert [name for name, *_ in json.loads(rest.stdout)["still_rejected"]] == ["broken.tif"]
    assert run("check", **other_home).returncode == 0
    assert run("retry-rejected", "--code", "E_NONSENSE", **other_home).returncode == 2


def test_results_are_exported_and_the_tables_go_down_and_up(ingested, run, corpus, tmp_path):
    assert run("screen", "--all").returncode == 0
    left_out = {"DOC_ASSETS_REMOVE_COLUMNS_FROM_RESULTS": '["requesting_username"]'}

    done = run("export-results", "--drop", "bulk-000001", "--output", tmp_path / "out.csv", **left_out)

    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text(encoding="utf-8-sig"), newline="")))
    assert len(rows) == 8
    assert "requesting_username" not in rows[0]
    assert {row["run_identifier"] for row in rows} == {"drop:bulk-000001"}
    assert run("export-results", "--search", "none", "--output", tmp_path / "x").returncode == 2
    assert run("export-results", "--format", "doc", "--output", tmp_path / "x").returncode == 2
    assert not (tmp_path / "x").exists()

    assert run("migrate", "--status").returncode == 0
    assert run("migrate", "--to", "0002").returncode == 0
    assert run("migrate", "--status").returncode == 1
    assert run("migrate", "--to", "0099").returncode == 2
    assert run("migrate").returncode == 0
    assert run("check").returncode == 0
