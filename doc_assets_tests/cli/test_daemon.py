"""The product as people run it: a real web server, daemon and sensor; only the folder and the UI's API are touched."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from doc_assets_tests.program import PROGRAM, outside_environment

pytestmark = pytest.mark.slow

PATIENCE_S = 180

RUNS = """query { runsOrError { ... on Runs { results { jobName status tags { key value } } } } }"""
LAUNCH = """mutation Launch($config: RunConfigData!) {
  launchRun(executionParams: {
    selector: {
      repositoryLocationName: "doc_assets", repositoryName: "__repository__", jobName: "search_documents_job"
    },
    runConfigData: $config
  }) { __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
       ... on RunConfigValidationInvalid { errors { message } } }
}"""
PARTITIONS = """query { assetNodes(assetKeys: [{path: ["indexed_photos"]}, {path: ["documents"]}]) {
  assetKey { path } partitionStats { numMaterialized numFailed numPartitions } } }"""


class Product:
    """A running home."""

    def __init__(self, root: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.inbox = root / "home" / "inbox"
        self.inbox.mkdir(parents=True)
        env = outside_environment()
        self.env = env | {
            "DOC_ASSETS_HOME": str(root / "home"),
            "DOC_ASSETS_LOG_DIR": str(root / "log"),
            "DOC_ASSETS_INTAKE_INTERVAL_S": "1",
            "DOC_ASSETS_INTAKE_SETTLE_S": "1",
            "DOC_ASSETS_DROP_MAX_AGE_S": "2",
        }
        self.log = (root / "ui.log").open("w", encoding="utf-8")
        self.process = subprocess.Popen(
            [PROGRAM, "ui", "--port", str(self.port)],
            env=self.env, cwd=root, stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def ask(self, query, **variables):
        """Data of a GraphQL answer."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql",
            data=json.dumps({"query": query, "variables": variables}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["data"]

    def status(self):
        """What ``doc-assets status`` says."""
        done = subprocess.run([PROGRAM, "status", "--json"], env=self.env, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    def close(self) -> None:
        """Ends everything that was started."""
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.log.close()


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    running = Product(tmp_path_factory.mktemp("product"))
    try:
        _wait_for(lambda: running.ask(RUNS) is not None, "the web server")
        yield running
    finally:
        running.close()


def _wait_for(condition, what):
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        try:
            if condition():
                return
        except OSError:
            pass
        time.sleep(1)
    pytest.fail(f"waited {PATIENCE_S} s in vain for {what}")


def _successful(product, job):
    runs = product.ask(RUNS)["runsOrError"]["results"]
    assert not [run for run in runs if run["status"] == "FAILURE"], runs
    return [run for run in runs if run["jobName"] == job and run["status"] == "SUCCESS"]


def test_dropped_documents_are_ingested_by_the_sensor_and_can_be_searched_in_the_ui(product, corpus, plans, tmp_path):
    files = sorted((corpus / "archive").iterdir())
    for part in (files[:3], files[3:]):
        before = len(_successful(product, "ingest_drop_job"))
        for path in part:
            shutil.copy(path, product.inbox)
        _wait_for(lambda n=before: len(_successful(product, "ingest_drop_job")) > n, "a run by the sensor")
    _wait_for(lambda: product.status()["counts"]["current"] == len(files), "all documents")

    runs = _successful(product, "ingest_drop_job")
    assert all({"key": "dagster/sensor_name", "value": "new_tif_sensor"} in run["tags"] for run in runs)
    status = product.status()
    assert status["points"] == status["counts"]["photos"]
    assert status["stale_drops"] == []
    for node in product.ask(PARTITIONS)["assetNodes"]:
        stats = node["partitionStats"]
        assert stats == {"numMaterialized": len(runs), "numFailed": 0, "numPartitions": len(runs)}

    config = {"folder": str(corpus / "incoming"), "output_folder": str(tmp_path / "out")}
    launched = product.ask(LAUNCH, config={"ops": {"match_query_documents": {"config": config}}})["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    _wait_for(lambda: _successful(product, "search_documents_job"), "the search")

    summary = json.loads((tmp_path / "out" / "search_results_summary.json").read_text(encoding="utf-8"))
    answers = {query["query_document"]: query["top_docs"][0]["document"] for query in summary["per_query"]}
    planted = {plan.name: plan.reuse.source_document for plan in plans if plan.reuse}
    assert planted.items() <= answers.items()


def test_a_drop_that_reuses_photos_is_screened_without_being_asked(product, corpus, plans):
    """Runs after the archive was dropped; the same product is still watching."""
    before = len(_successful(product, "ingest_drop_job"))
    incoming = [plan for plan in plans if plan.folder == "incoming"]
    for plan in incoming:
        shutil.copy(corpus / "incoming" / plan.name, product.inbox)
    _wait_for(lambda: len(_successful(product, "ingest_drop_job")) > before, "a run by the sensor")
    _wait_for(lambda: _reported(product) >= {plan.name for plan in incoming}, "the reports")

    flagged = {name for name, answer in _reports(product).items() if answer["flagged"]}
    assert {plan.name for plan in incoming if plan.reuse is not None} <= flagged
    assert not {plan.name for plan in incoming if plan.reuse is None} & flagged


def _reports(product):
    answers = {}
    for path in sorted((product.inbox.parent / "results" / "drops").glob("*/search_results_summary.json")):
        summary = json.loads(path.read_text(encoding="utf-8"))
        answers |= {answer["query_document"]: answer for answer in summary["per_query"]}
    return answers


def _reported(product):
    return set(_reports(product))
