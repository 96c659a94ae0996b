"""Another embedder beside the one in use, and back, as an operator does it."""

import json
import shutil

import dagster as dg
import pytest

from doc_assets_tests.features.embedders.tiny_encoders import save_vit
from doc_assets_tests.program import Program

OPTIONS = json.dumps({"checkpoint": "vit"})


@pytest.fixture(scope="module")
def run(tmp_path_factory, corpus):
    """A home with seven documents, and an encoder among its models; knows nothing, which keypoints make up for."""
    program = Program(tmp_path_factory.mktemp("reindex"), {"DOC_ASSETS_SELF_TEST_PHOTOS": "4"})
    first = program.folder / "first"
    shutil.copytree(corpus / "archive", first)
    later = program.folder / "later"
    later.mkdir()
    shutil.move(sorted(first.iterdir())[0], later)
    assert program("build-image-index", "--folder", first).returncode == 0
    assert program("models", "add", save_vit(program.folder / "vit")).returncode == 0
    return program


def _states(run):
    return {found["state"]: found for found in run.json("status")["collections"]}


def _best(run, corpus):
    """Of every query its best document."""
    out = run.folder / "out"
    assert run("search-doc", "--folder", corpus / "incoming", "--output-folder", out).returncode == 0
    found = json.loads((out / "search_results_summary.json").read_text())["per_query"]
    shutil.rmtree(out)
    return {query["query_document"]: query["top_docs"][0]["document"] for query in found if query["flagged"]}


@pytest.mark.slow
def test_a_collection_is_filled_examined_and_used_then_left_again(run, corpus):
    with_gist, before = _best(run, corpus), _states(run)["in_use"]["name"]

    report = run.json("reindex", "--embedder", "transformers", "--options", OPTIONS)

    assert (report["drops"], report["errors"]) == (1, {})
    new = report["switched"]["collection"]
    assert (report["switched"]["before"], report["switched"]["graph_recall"]) == (before, 1.0)
    assert not report["switched"]["similarity_counts"]
    assert new.startswith("photos__transformers-")
    states = _states(run)
    assert (states["in_use"]["name"], states["previous"]["name"]) == (new, before)
    assert states["in_use"]["points"] == states["previous"]["points"] > 7
    with_vit = _best(run, corpus)  # with nothing set but what the archive remembers
    assert with_vit
    assert with_vit.items() <= with_gist.items()  # what keypoints cannot decide does not count
    assert run("check").returncode == 0

    assert run("build-image-index", "--folder", run.folder / "later").returncode == 0
    states = _states(run)
    assert (states["in_use"]["documents_missing"], states["previous"]["documents_missing"]) == (0, 1)
    assert run("check").returncode == 0

    back = run.json("reindex", "--rollback")

    assert (back["drops"], back["switched"]["collection"], back["switched"]["before"]) == (1, before, new)
    states = _states(run)
    assert (states["in_use"]["name"], states["in_use"]["documents_missing"]) == (before, 0)
    assert with_gist.items() <= _best(run, corpus).items()
    assert run("check").returncode == 0

    assert run.json("reindex", "--remove-unused") == {"removed": [new]}
    assert list(_states(run)) == ["in_use"]
    assert not list((run.folder / "appdata" / "embeddings").glob("transformers-*"))
    assert "No other collection" in run("reindex", "--rollback").stderr
    assert run("check").returncode == 0


def test_the_archive_keeps_its_embedder_when_the_setting_changes(run, corpus):
    changed = {"DOC_ASSETS_EMBEDDER": "transformers", "DOC_ASSETS_EMBEDDER_OPTIONS": OPTIONS}

    status = run.json("status", **changed)
    doctor = {line["name"]: line for line in json.loads(run("doctor", "--json", **changed).stdout)}

    assert status["embedder"].startswith("gist-")
    assert status["stale_drops"] == []
    assert (doctor["embedder"]["level"], doctor["probability"]["level"]) == ("yellow", "green")
    assert "doc-assets reindex" in doctor["embedder"]["fix"]


def test_what_cannot_be_done_is_refused_before_anything_is_touched(run):
    before = _states(run)

    for arguments, says in [
        (["--embedder", "magic"], "magic"),
        (["--embedder", "transformers", "--options", '{"checkpoint": "absent"}'], "absent"),
        (["--options", "{"], "no JSON"),
        (["--options", "[1]"], "JSON object"),
        (["--rollback", "--queue"], "nothing else"),
    ]:
        done = run("reindex", *arguments)
        assert done.returncode == 2, arguments
        assert says in " ".join((done.stdout + done.stderr).split())

    assert _states(run) == before


def test_runs_of_the_daemon_fill_a_collection_and_switch(run, monkeypatch):
    from doc_assets.definitions import defs
    from doc_assets.runtime import Runtime
    from doc_assets.settings import load_settings

    monkeypatch.chdir(run.folder)
    monkeypatch.setenv("DOC_ASSETS_HOME", str(run.folder / "appdata"))
    runtime = Runtime(load_settings())
    sensor = next(found for found in defs().sensors if found.name == "reindex_sensor")
    drops = run.json("status")["counts"]["drops"]

    with dg.DagsterInstance.ephemeral() as instance:

        def tick():
            with dg.build_sensor_context(instance=instance, definitions=defs()) as context:
                return sensor(context, runtime=runtime)

        def launch(request):
            job = defs().resolve_job_def(request.job_name)
            return job.execute_in_process(
                run_config=request.run_config, instance=instance, partition_key=request.partition_key
            )

        assert "reindex --queue" in tick().skip_message
        assert run.json("reindex", "--embedder", "transformers", "--options", OPTIONS, "--queue")["queued"]
        fills = tick()
        assert [request.run_key for request in tick()] == [request.run_key for request in fills]
        assert {request.job_name for request in fills} == {"fill_collection_job"}
        assert len(fills) == drops
        assert _states(run)["queued"]["points"] == 0
        assert all(launch(request).success for request in fills)
        (switch,) = tick()
        assert launch(switch).success
        assert "reindex --queue" in tick().skip_message

    assert _states(run)["in_use"]["embedder"] == "transformers"
