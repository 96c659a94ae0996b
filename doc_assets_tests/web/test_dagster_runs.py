"""What the desk asks of Dagster's webserver, held against a real one."""

import os
import shutil
import signal
import socket
import subprocess
import time

import pytest

from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.errors import ServiceError
from doc_assets.web.dagster_runs import DagsterRuns
from doc_assets.web.search_runs import TAGS, RunState
from doc_assets_tests.program import PROGRAM, outside_environment

PATIENCE_S = 180


@pytest.fixture(scope="module")
def home(ingested_home, tmp_path_factory):
    home = tmp_path_factory.mktemp("deployed") / "home"
    return shutil.copytree(ingested_home, home, symlinks=True)


@pytest.fixture(scope="module")
def runs(home):
    """A deployment's Dagster, as the desk knows it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"DOC_ASSETS_HOME": str(home), "DOC_ASSETS_LOG_DIR": str(home.parent / "log")}
    process = subprocess.Popen(
        [PROGRAM, "ui", "--port", str(port)],
        env=outside_environment() | settings,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    opened = DagsterRuns(f"http://127.0.0.1:{port}/")
    try:
        _until(lambda: opened.state("no-such-run"))
        yield opened
    finally:
        opened.close()
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _until(found):
    """What ``found`` gives once it gives something."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            if given := found():
                return given
        except ServiceError:
            pass
        time.sleep(0.5)
    raise AssertionError("waited in vain")


def _ended(runs, run_id):
    def state():
        now = runs.state(run_id)
        return now if now.has_ended else None

    return _until(state)


@pytest.mark.slow
def test_a_search_is_started_watched_and_found_under_the_name_of_who_asked(runs, home, corpus):
    query = sorted((corpus / "archive").glob("*.tif"))[0]
    config = {"files": [str(query)], "requested_by": "kim", "look_inside": True, "max_pages": 50}
    run_id = runs.launch(config, TAGS)
    assert runs.state(run_id).kind in {"queued", "running"}

    assert _ended(runs, run_id) == RunState("done")

    with Ledger.open(f"sqlite:///{home / 'ledger.sqlite'}") as ledger:
        assert ledger.searches.get(run_id).requested_by == "kim"
        assert ledger.searches.get(run_id).finished_at is not None
    tags = runs._asked(
        "query T($run: ID!) { runOrError(runId: $run) { ... on Run { tags { key value } } } }", run=run_id
    )
    found = {tag["key"]: tag["value"] for tag in tags["runOrError"]["tags"]}
    assert (found["dagster/priority"], found["doc_assets/requested_by"]) == ("10", "kim")


@pytest.mark.slow
def test_a_run_that_fails_says_the_words_of_its_step(runs):
    failure = _ended(runs, runs.launch({"folder": "/no/such/folder"}, TAGS)).failure
    assert failure.startswith("FolderUnreachableError: ")


@pytest.mark.slow
def test_config_that_the_job_does_not_have_is_refused_in_words(runs):
    with pytest.raises(ServiceError, match=r"RunConfigValidationInvalid.*no_such_field"):
        runs.launch({"no_such_field": 1}, {})


@pytest.mark.slow
def test_a_run_that_nobody_knows_is_lost(runs):
    assert runs.state("00000000-0000-0000-0000-000000000000").failure.startswith("Lost: ")


def test_a_webserver_that_is_away_is_a_service_that_may_come_back():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        away = DagsterRuns(f"http://127.0.0.1:{free.getsockname()[1]}")
        with pytest.raises(ServiceError, match="DOC_ASSETS_DAGSTER_URL"):
            away.state("x")
        with pytest.raises(ServiceError, match="does not answer"):
            away.launch({}, {})
        away.close()
