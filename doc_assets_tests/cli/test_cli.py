"""The commands as an operator runs them: real processes, real files, true exit codes."""

import json
import shutil
import subprocess

import dagster as dg
import pytest

from doc_assets_tests.program import PROGRAM, outside_environment
from doc_assets_tests.shared import PROJECT


@pytest.fixture(scope="module")
def ingested(run, corpus):
    """The corpus' archive, ingested by the command."""
    done = run("build-image-index", "--folder", corpus / "archive")
    assert (done.returncode, done.stderr) == (0, "")
    return done


def test_a_folder_is_ingested_and_counted(ingested, run):
    assert "8 documents, 1 new drops; 8 ok" in ingested.stdout

    status = json.loads(run("status", "--json").stdout)
    assert status["counts"]["current"] == 8
    assert status["points"] == status["counts"]["photos"] > 8
    assert status["stale_drops"] == []


def test_ingesting_again_is_no_work_and_no_error(ingested, run, corpus):
    again = run("build-image-index", "--folder", corpus / "archive")

    assert again.returncode == 0
    assert "0 new drops; 8 ok" in again.stdout


def test_a_rebuild_ends_where_it_began(ingested, run, corpus):
    before = json.loads(run("status", "--json").stdout)

    assert run("build-image-index", "--folder", corpus / "archive", "--force-rebuild").returncode == 0

    assert json.loads(run("status", "--json").stdout) == before


def test_the_runs_of_commands_are_in_the_dagster_instance(ingested, run):
    with dg.DagsterInstance.from_config(str(run.home / "dagster")) as instance:
        runs = instance.get_runs()
        latest = instance.get_latest_materialization_event(dg.AssetKey("photo_collection"))
        partitions = instance.get_dynamic_partitions("drops")

    assert {run.job_name for run in runs} >= {"ingest_drop_job"}
    assert partitions == ["bulk-000001"]
    assert latest.asset_materialization.metadata["published"].value is True


def test_a_search_answers_and_writes_its_report(ingested, run, corpus, plans, tmp_path):
    done = run("search-doc", "--folder", corpus / "incoming", "--output-folder", tmp_path / "out", "--top-doc", 3)

    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "out" / "search_results_summary.json").read_text(encoding="utf-8"))
    answers = {query["query_document"]: query["top_docs"][0]["document"] for query in summary["per_query"]}
    planted = {plan.name: plan.reuse.source_document for plan in plans if plan.reuse}
    assert planted.items() <= answers.items()
    assert all(len(query["top_docs"]) <= 3 for query in summary["per_query"])
    assert not (tmp_path / "out" / "query_photos").exists()


def test_without_privacy_mode_the_query_photos_are_kept(ingested, run, corpus, tmp_path):
    one = sorted((corpus / "incoming").iterdir())[0]

    done = run(
        "search-doc", "--file", one, "--output-folder", tmp_path, "--no-privacy-mode", "--aggregation-strategy", "mean"
    )

    assert done.returncode == 0, done.stderr
    assert all(path.suffix == ".jpg" for path in (tmp_path / "query_photos").iterdir())
    assert list((tmp_path / "query_photos").iterdir())


def test_a_search_with_an_unreadable_query_says_so_and_exits_1(ingested, run, corpus, tmp_path):
    queries = tmp_path / "queries"
    queries.mkdir()
    shutil.copy(sorted((corpus / "incoming").iterdir())[0], queries)
    (queries / "broken.tif").write_bytes(b"II*\0")

    done = run("search-doc", "--folder", queries, "--output-folder", tmp_path / "out")

    assert done.returncode == 1
    assert "1 of 2 query documents could not be read (places 2)" in done.stdout
    assert "broken.tif" in done.stdout
    summary = json.loads((tmp_path / "out" / "search_results_summary.json").read_text(encoding="utf-8"))
    assert [bool(query["top_docs"]) for query in summary["per_query"]] == [True, False]


def test_everything_agrees_and_a_missing_file_is_found(ingested, run):
    assert run("check").returncode == 0

    victim = next((run.home / "documents").rglob("*.tif"))
    victim.rename(victim.with_suffix(".away"))
    broken = run("check", "--json")
    victim.with_suffix(".away").rename(victim)

    assert broken.returncode == 1
    assert json.loads(broken.stdout)["n_faults"] == 1
    assert run("check").returncode == 0


def test_a_rejected_document_is_listed_and_makes_the_command_fail(run, corpus, tmp_path):
    folder, other_home = tmp_path / "in", str(tmp_path / "other")
    folder.mkdir()
    shutil.copy(sorted((corpus / "archive").iterdir())[0], folder)
    (folder / "[red]not a tif[!].tif").write_text("hello", encoding="utf-8")

    done = run("build-image-index", "--folder", folder, DOC_ASSETS_HOME=other_home)

    assert done.returncode == 1
    assert "1 ok, 1 rejected" in done.stdout
    assert "[red]not a tif[!].tif" in done.stdout
    assert "E_NOT_TIFF" in done.stdout
    assert json.loads(run("status", "--json", DOC_ASSETS_HOME=other_home).stdout)["counts"]["current"] == 1


@pytest.mark.parametrize(
    ("arguments", "environment", "says"),
    [
        (["build-image-index", "--folder", "/no/such/folder"], {}, "does not exist"),
        (["search-doc", "--output-folder", "out"], {}, "--folder"),
        (
            ["search-doc", "--folder", ".", "--output-folder", "out", "--aggregation-strategy", "best"],
            {},
            "max, sum or mean",
        ),
        (["status"], {"DOC_ASSETS_COLOUR": "red"}, "DOC_ASSETS_COLOUR"),
        (["reindex"], {"DOC_ASSETS_EMBEDDER": "magic"}, "magic"),
        (["status"], {"DOC_ASSETS_HOME": "/proc/none"}, "DOC_ASSETS_HOME"),
        (["no-such-command"], {}, "No such command"),
    ],
)
def test_wrong_use_exits_2_and_says_what_to_do(run, arguments, environment, says):
    done = run(*arguments, **environment)

    assert done.returncode == 2
    assert says in " ".join((done.stdout + done.stderr).split())
    assert "Traceback" not in done.stderr


def test_searching_an_empty_archive_exits_with_the_next_step(run, corpus, tmp_path):
    done = run(
        "search-doc", "--folder", corpus / "incoming", "--output-folder", tmp_path, DOC_ASSETS_HOME=str(tmp_path / "h")
    )

    assert done.returncode == 1
    assert "archive is empty" in done.stdout


def test_an_unreachable_store_is_an_error_not_an_empty_answer(ingested, run, corpus, tmp_path):
    done = run(
        "search-doc", "--folder", corpus / "incoming", "--output-folder", tmp_path,
        DOC_ASSETS_QDRANT_URL="http://127.0.0.1:9", DOC_ASSETS_QDRANT_GRPC_PORT="9",
    )  # fmt: skip

    assert done.returncode == 1
    assert "Qdrant server at http://127.0.0.1:9 failed" in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_two_ingestions_at_once_wait_for_each_other(run, corpus, tmp_path):
    folders = []
    for i, path in enumerate(sorted((corpus / "archive").iterdir())[:4]):
        folder = tmp_path / f"in{i % 2}"
        folder.mkdir(exist_ok=True)
        shutil.copy(path, folder)
        folders.append(folder)
    env = outside_environment()
    env |= {"DOC_ASSETS_HOME": str(tmp_path / "home"), "DOC_ASSETS_LOG_DIR": str(tmp_path / "log")}
    started = [
        subprocess.Popen(
            [PROGRAM, "build-image-index", "--folder", str(folder)], env=env, cwd=PROJECT,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for folder in folders[:2]
    ]  # fmt: skip
    outputs = [process.communicate(timeout=300)[0] for process in started]

    assert [process.returncode for process in started] == [0, 0], outputs
    assert run("check", DOC_ASSETS_HOME=str(tmp_path / "home")).returncode == 0
    assert json.loads(run("status", "--json", DOC_ASSETS_HOME=str(tmp_path / "home")).stdout)["counts"]["current"] == 4
