"""Runs that fail for real, the sensor, and a real receiver."""

import json

import dagster as dg
import pytest

from doc_assets.definitions import defs
from doc_assets.defs.alerts import UndeliveredError
from doc_assets_tests.ops.alerts.conftest import Receiver

pytestmark = pytest.mark.whole

DOCUMENT = "N2024012000066THA00100001_8"
NOTHING = "Sensor function returned an empty result"  # what Dagster says of a tick without failed runs


@pytest.fixture
def receiver(monkeypatch):
    running = Receiver()
    monkeypatch.setenv("DOC_ASSETS_ALERT_WEBHOOK_URL", f"{running.origin}/hook")
    monkeypatch.setenv("DOC_ASSETS_ALERT_WEBHOOK_ALLOWED", json.dumps([running.origin]))
    monkeypatch.setenv("DOC_ASSETS_UI_URL", "https://machine/")
    yield running
    running.close()


@pytest.fixture
def instance(tmp_path):
    (tmp_path / "dagster").mkdir()
    quiet = {"telemetry": {"enabled": False}}
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster"), overrides=quiet) as opened:
        yield opened


class Ticks:
    """Evaluates the sensor as the daemon does: the cursor is kept unless the tick breaks."""

    def __init__(self, instance):
        self.instance, self.cursor = instance, None
        self.sensor = next(s for s in defs().sensors if s.name == "failure_alert_sensor")

    def __call__(self):
        """Runs that were reacted to, or why there were none."""
        with dg.build_sensor_context(instance=self.instance, cursor=self.cursor, definitions=defs()) as context:
            result = self.sensor.evaluate_tick(context)
        assert not [reaction.error for reaction in result.dagster_run_reactions if reaction.error]
        self.cursor = result.cursor
        return [reaction.dagster_run.run_id for reaction in result.dagster_run_reactions] or result.skip_message


@pytest.fixture
def tick(instance):
    return Ticks(instance)


def search_that_fails(instance, tmp_path):
    """A search of a folder that is not there: the error's message names it."""
    config = {"ops": {"match_query_documents": {"config": {"folder": str(tmp_path / DOCUMENT)}}}}
    done = (
        defs()
        .resolve_job_def("search_documents_job")
        .execute_in_process(
            run_config=config,
            instance=instance,
            tags={"dagster/partition": "20261121-0930-0001", "doc_assets/interactive": "true"},
            raise_on_error=False,
        )
    )
    assert not done.success
    return done.run_id


def test_a_failed_run_is_told_once_without_what_its_message_says(tick, instance, receiver, tmp_path):
    assert "Initiating" in tick()
    run_id = search_that_fails(instance, tmp_path)

    said = [tick(), tick()]

    assert said == [[run_id], NOTHING]
    (alert,) = receiver.alerts
    assert alert.pop("failed_at").endswith("+00:00")
    assert alert == {
        "sender": "doc_assets",
        "kind": "run_failed",
        "text": "doc_assets: search_documents_job of drop 20261121-0930-0001 failed in step match_query_documents: "
        "FolderUnreachableError.",
        "run_id": run_id,
        "job": "search_documents_job",
        "partition": "20261121-0930-0001",
        "step": "match_query_documents",
        "error_class": "FolderUnreachableError",
        "is_retried": False,
        "link": f"https://machine/runs/{run_id}",
    }
    assert DOCUMENT not in json.dumps(receiver.posted)


def test_a_run_whose_process_died_is_told_too(tick, instance, receiver):
    tick()
    run = instance.create_run_for_job(defs().resolve_job_def("maintenance_job"))
    instance.report_run_failed(run, "The process of this run is gone.")

    tick()

    (alert,) = receiver.alerts
    assert (alert["run_id"], alert["step"], alert["error_class"]) == (run.run_id, None, None)
    assert alert["text"] == "doc_assets: maintenance_job failed: its process ended."


def test_what_cannot_be_delivered_breaks_the_tick_and_comes_with_the_next(tick, instance, receiver, tmp_path):
    tick()
    first, second = search_that_fails(instance, tmp_path), search_that_fails(instance, tmp_path)
    receiver.statuses = [500, 204, 429]

    for status in (500, 429):
        with pytest.raises(UndeliveredError, match=f"it answered {status}"):
            tick()
    whole = tick()

    assert whole == [first, second]
    # The tick that broke at the second run forgot that it had delivered the first: at least once, not exactly once.
    assert [alert["run_id"] for alert in receiver.alerts] == [first, first, second, first, second]


def test_an_address_that_is_not_allowed_breaks_the_tick(tick, instance, receiver, tmp_path, monkeypatch):
    tick()
    run_id = search_that_fails(instance, tmp_path)
    monkeypatch.setenv("DOC_ASSETS_ALERT_WEBHOOK_ALLOWED", "[]")
    with pytest.raises(UndeliveredError, match="ALLOWED"):
        tick()
    monkeypatch.setenv("DOC_ASSETS_ALERT_WEBHOOK_ALLOWED", json.dumps([receiver.origin]))

    assert tick() == [run_id]


def test_without_an_address_nothing_is_told_then_or_later(tick, instance, receiver, tmp_path, monkeypatch):
    tick()
    monkeypatch.setenv("DOC_ASSETS_ALERT_WEBHOOK_URL", "")
    search_that_fails(instance, tmp_path)
    off = tick()
    monkeypatch.setenv("DOC_ASSETS_ALERT_WEBHOOK_URL", f"{receiver.origin}/hook")
    later = tick()

    assert "off" in off
    assert later == NOTHING
    assert receiver.posted == []


def test_the_cursor_of_the_version_before_begins_with_the_next_failed_run(tick, instance, receiver, tmp_path):
    search_that_fails(instance, tmp_path)
    tick.cursor = "7"  # a number of the event log

    assert "Initiating" in tick()
    run_id = search_that_fails(instance, tmp_path)
    assert tick() == [run_id]
    assert [alert["run_id"] for alert in receiver.alerts] == [run_id]
