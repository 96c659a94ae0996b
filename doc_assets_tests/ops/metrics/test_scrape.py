"""A real home with a small ingestion and a real daemon, a real metrics server, and a real Prometheus that reads it."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from doc_assets.ops.metrics.families import count_gpus
from doc_assets_tests.program import outside_environment
from doc_assets_tests.shared import PROJECT

FOLDER = PROJECT / "deploy" / "monitoring"
BIN = Path(sys.executable).parent
METRIC = re.compile(r"\b(?:doc_assets_[a-z_]+|process_[a-z_]+|up)\b(?!\")")
OF_GPUS = "doc_assets_gpu_"
BROKEN = "N2024012000066THA00100001_99.tif"
needs_prometheus = pytest.mark.skipif(shutil.which("promtool") is None, reason="Prometheus is not installed")


TICK = {"kind": "sensor", "name": "new_tif_sensor"}


def _free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _wait_for(what, ask, patience_s=120):
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        try:
            if found := ask():
                return found
        except (httpx.HTTPError, json.JSONDecodeError):  # a server that has not begun yet
            pass
        time.sleep(0.5)
    pytest.fail(f"waited {patience_s} s in vain for {what}")


class Home:
    """A home, and the programs that run on it."""

    def __init__(self, root: Path) -> None:
        self.root, self.programs, self.tick_failed = root, [], None
        env = outside_environment()
        self.env = env | {
            "DOC_ASSETS_HOME": str(root / "home"),
            "DOC_ASSETS_LOG_DIR": str(root / "log"),
            "DOC_ASSETS_INTAKE_INTERVAL_S": "1",
            "DOC_ASSETS_INTAKE_SETTLE_S": "0",
            "DOC_ASSETS_METRICS_REFRESH_S": "1",
            "DOC_ASSETS_METRICS_TIMEOUT_S": "8",
            "DOC_ASSETS_BACKUP_DIR": str(root / "backups"),
            "DAGSTER_HOME": str(root / "home" / "dagster"),
        }

    def run(self, *arguments, code=0):
        """A command that has to end with ``code``."""
        done = subprocess.run(
            [BIN / "doc-assets", *arguments], env=self.env, cwd=self.root, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def start(self, *command):
        """A program that runs until it is ended."""
        log = (self.root / f"{Path(command[0]).name}.log").open("w", encoding="utf-8")
        started = subprocess.Popen(
            list(map(str, command)),
            env=self.env,
            cwd=self.root,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        log.close()
        self.programs.append(started)
        return started

    def end(self, program):
        """Ends a program and what it started."""
        if program.poll() is None:
            os.killpg(program.pid, signal.SIGTERM)
            try:
                program.wait(40)
            except subprocess.TimeoutExpired:
                os.killpg(program.pid, signal.SIGKILL)
                program.wait()

    def scrape(self):
        """The page."""
        return httpx.get(f"{self.url}/metrics", timeout=30).raise_for_status().text

    def series(self):
        """Every series as (name, labels, value)."""
        families = text_string_to_metric_families(self.scrape())
        return [(s.name, s.labels, s.value) for family in families for s in family.samples]

    def value(self, name, /, **labels):
        """The value of one series; None if it is not there."""
        found = [value for n, had, value in self.series() if n == name and had == labels]
        return found[0] if found else None


@pytest.fixture(scope="module")
def home(tmp_path_factory, corpus):
    """Six documents and a broken one, a file that waits, a run that never started, and what a daemon leaves behind."""
    made = Home(tmp_path_factory.mktemp("watched"))
    try:
        folder = made.root / "in"
        folder.mkdir()
        for path in sorted((corpus / "archive").iterdir())[:6]:
            shutil.copy(path, folder)
        (folder / BROKEN).write_bytes(b"no picture")
        made.run("build-image-index", "--folder", str(folder), code=1)
        (made.root / "home" / "inbox" / "patience.tif").write_bytes(b"II*")
        made.run("backup", "--to", str(made.root / "backups"))
        made.url = f"http://127.0.0.1:{_free_port()}"
        made.start(BIN / "doc-assets", "serve-metrics", "--port", made.url.rpartition(":")[2])
        _wait_for("the metrics server", made.scrape)
        daemon = made.start(BIN / "dagster-daemon", "run", "-w", PROJECT / "workspace.yaml")
        _wait_for("a look at the inbox", lambda: made.value("doc_assets_inbox_files_waiting") == 1)
        _wait_for("heartbeats", lambda: len([s for s in made.series() if "daemon_heartbeat" in s[0]]) >= 5)
        _wait_for("a look that went well", lambda: made.value("doc_assets_tick_failed", **TICK) == 0)
        made.tick_failed = made.value("doc_assets_tick_failed", **TICK)
        made.end(daemon)  # in the midst of a look, perhaps, which then has failed
        _leave_a_run(made)
        yield made
    finally:
        for program in made.programs:
            made.end(program)


def _leave_a_run(home):
    program = (
        "import dagster as dg; from doc_assets.definitions import defs;"
        "i = dg.DagsterInstance.get();"
        "i.create_run_for_job(defs().resolve_job_def('maintenance_job'))"
    )
    subprocess.run([sys.executable, "-c", program], env=home.env, cwd=PROJECT, check=True)
    _wait_for("the run", lambda: home.value("doc_assets_runs", status="NOT_STARTED") == 1)


def _rules():
    (group,) = yaml.safe_load((FOLDER / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    return group["rules"]


def _dashboard_queries():
    board = json.loads((FOLDER / "grafana" / "doc_assets.json").read_text(encoding="utf-8"))
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]


def _queried():
    return {name for query in _queries() for name in METRIC.findall(query)}


def _queries():
    return [*_dashboard_queries(), *(rule["expr"] for rule in _rules())]


@pytest.mark.slow
def test_what_is_counted_is_what_is_there(home):
    assert home.value("doc_assets_documents", state="ok") == 6
    assert home.value("doc_assets_documents", state="rejected") == 1
    assert home.value("doc_assets_rejected_documents", reason="E_NOT_TIFF") == 1
    assert home.value("doc_assets_archive_documents") == 6
    photos = home.value("doc_assets_archive_photos")
    assert photos > 6
    (collection,) = {
        labels["collection"] for name, labels, _ in home.series() if name == "doc_assets_collection_photos"
    }
    assert home.value("doc_assets_collection_photos", collection=collection) == photos
    assert home.value("doc_assets_collection_photos_expected", collection=collection) == photos
    assert home.value("doc_assets_runs", status="SUCCESS") == 1
    assert home.value("doc_assets_stage_documents", stage="indexed_photos") == 7
    now = time.time()
    for asset in ("documents", "photos", "photo_embeddings", "local_features", "indexed_photos", "photo_collection"):
        assert now - 600 < home.value("doc_assets_asset_last_materialization_timestamp_seconds", asset=asset) < now
        assert 0 < home.value("doc_assets_asset_last_duration_seconds", asset=asset) < 300
    assert now - 300 < home.value("doc_assets_daemon_heartbeat_timestamp_seconds", daemon="SENSOR") < now
    assert home.tick_failed == 0
    assert now - 300 < home.value("doc_assets_oldest_run_timestamp_seconds", status="NOT_STARTED") < now
    assert home.value("doc_assets_disk_free_bytes", place="home") > 0
    assert home.value("doc_assets_backups") == 1
    assert now - 600 < home.value("doc_assets_last_backup_timestamp_seconds") < now


@pytest.mark.slow
def test_every_series_that_dashboard_and_rules_ask_for_is_there(home):
    there = {name for name, _, _ in home.series()} | {"up"}
    queried = _queried()

    assert len(queried) > 30
    assert {name for name in queried - there if not name.startswith(OF_GPUS)} == set()
    if not count_gpus():
        assert not {name for name in there if name.startswith(OF_GPUS)}  # no GPU, no metrics of one


@pytest.mark.slow
def test_every_series_has_a_place_on_the_dashboard_or_in_a_rule(home):
    ours = {name for name, _, _ in home.series() if name.startswith("doc_assets_")}

    assert ours - _queried() == set()


@pytest.mark.slow
def test_no_series_names_a_document_a_file_or_a_drop(home, corpus):
    page = home.scrape()
    names = [path.stem for path in (corpus / "archive").iterdir()] + [Path(BROKEN).stem, "patience", "bulk-0"]

    assert not [name for name in names if name in page]
    assert str(home.root) not in page


@pytest.mark.slow
def test_a_ledger_that_is_away_is_said_and_no_zero_stands_for_it(home):
    ledger = home.root / "home" / "ledger.sqlite"
    moved = ledger.rename(ledger.with_suffix(".away"))
    try:
        _wait_for("the outage", lambda: home.value("doc_assets_source_up", source="ledger") == 0)
        names = {name for name, _, _ in home.series()}
        was_made = ledger.exists()
    finally:
        moved.rename(ledger)
    _wait_for("its return", lambda: home.value("doc_assets_source_up", source="ledger") == 1)

    assert not {"doc_assets_documents", "doc_assets_archive_photos", "doc_assets_drops"} & names
    assert {"doc_assets_runs", "doc_assets_disk_free_bytes"} <= names
    assert not was_made


@pytest.mark.slow
def test_a_collection_that_is_gone_is_said(home):
    folder = home.root / "home" / "qdrant"
    moved = folder.rename(folder.with_name("qdrant.away"))
    try:
        _wait_for("the outage", lambda: home.value("doc_assets_source_up", source="store") == 0)
        names = {name for name, _, _ in home.series()}
    finally:
        moved.rename(folder)
    _wait_for("its return", lambda: home.value("doc_assets_source_up", source="store") == 1)

    assert "doc_assets_collection_photos" not in names


@pytest.mark.slow
@needs_prometheus
def test_a_prometheus_with_our_files_reads_everything_and_understands_every_query(home):
    port = _free_port()
    target = home.url.removeprefix("http://")
    config = (FOLDER / "prometheus.yml").read_text(encoding="utf-8")
    assert "metrics:9464" in config
    config = config.replace("metrics:9464", target).replace("/etc/prometheus/", f"{FOLDER}/")
    config = config.replace("interval: 30s", "interval: 10s")
    (home.root / "prometheus.yml").write_text(config, encoding="utf-8")
    prometheus = home.start(
        "prometheus",
        f"--config.file={home.root / 'prometheus.yml'}",
        f"--storage.tsdb.path={home.root / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    )
    with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=30) as client:

        def ask(query):
            answer = client.get("/query", params={"query": query}).json()
            assert answer["status"] == "success", (query, answer)
            return answer["data"]["result"]

        _wait_for("a scrape", lambda: [one for one in ask("up") if one["value"][1] == "1"])
        _wait_for("a second one", lambda: [one for one in ask("count_over_time(up[5m])") if int(one["value"][1]) > 1])
        empty = {name for name in _queried() if not ask(name)}
        for query in _queries():
            ask(query)
        rules = client.get("/rules").json()["data"]["groups"][0]["rules"]
        targets = client.get("/targets").json()["data"]["activeTargets"]
    home.end(prometheus)

    assert {name for name in empty if not name.startswith(OF_GPUS)} == set()
    assert [one["health"] for one in targets] == ["up"]
    assert len(rules) == len(_rules())
    assert {rule.get("lastError", "") for rule in rules} == {""}


@pytest.mark.whole
@needs_prometheus
def test_every_rule_has_a_case_in_which_it_speaks_and_one_in_which_it_is_silent():
    done = subprocess.run(
        ["promtool", "test", "rules", "alerts.test.yml"], cwd=FOLDER, capture_output=True, text=True, check=False
    )
    cases = {case["name"] for case in yaml.safe_load((FOLDER / "alerts.test.yml").read_text())["tests"]}

    assert done.returncode == 0, done.stdout + done.stderr
    assert cases == {f"{rule['alert']} {how}" for rule in _rules() for how in ("speaks", "is silent")}
    assert all(rule["annotations"]["summary"] and rule["annotations"]["action"] for rule in _rules())


@pytest.mark.whole
@needs_prometheus
def test_promtool_accepts_the_configuration(tmp_path):
    text = (FOLDER / "prometheus.yml").read_text(encoding="utf-8").replace("/etc/prometheus/", f"{FOLDER}/")
    (tmp_path / "prometheus.yml").write_text(text, encoding="utf-8")

    subprocess.run(["promtool", "check", "config", tmp_path / "prometheus.yml"], check=True, capture_output=True)
