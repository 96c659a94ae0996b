"""Dagster's ticks are read through values of its private classes: these tests fail when one of them changes."""

import time

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    ScheduleInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._utils.error import SerializableErrorInfo

from doc_assets.cli.instance_metrics import InstanceMetrics
from doc_assets.ops.home import prepare_home

NOW = time.time()


@pytest.fixture
def watched(settings):
    prepare_home(settings)
    return settings


def add_ticks(instance, kind, name, statuses):
    """A sensor or schedule that ticked once per status, the last one now."""
    location = ManagedGrpcPythonEnvCodeLocationOrigin(LoadableTargetOrigin(module_name="doc_assets.definitions"))
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "__repository__"), name)
    data = ScheduleInstigatorData("0 3 * * *") if kind is InstigatorType.SCHEDULE else None
    state = InstigatorState(origin, kind, InstigatorStatus.RUNNING, data)
    instance.add_instigator_state(state)
    for age, status in reversed(list(enumerate(reversed(statuses)))):
        error = SerializableErrorInfo("away", [], None) if status is TickStatus.FAILURE else None
        about = {"run_ids": [], "error": error, "selector_id": state.selector_id}
        instance.create_tick(TickData(origin.get_id(), name, kind, status, NOW - age, **about))


def read(settings):
    """Name and labels of every series, with its value."""
    families = InstanceMetrics(settings).families()
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


def test_the_last_tick_that_ended_counts(watched):
    with dg.DagsterInstance.from_config(str(watched.dagster_home)) as instance:
        sensor, schedule = InstigatorType.SENSOR, InstigatorType.SCHEDULE
        add_ticks(instance, sensor, "failing", [TickStatus.SUCCESS, TickStatus.FAILURE, TickStatus.STARTED])
        add_ticks(instance, sensor, "skipping", [TickStatus.FAILURE, TickStatus.SKIPPED])
        add_ticks(instance, schedule, "nightly", [TickStatus.FAILURE, TickStatus.SUCCESS])
        add_ticks(instance, schedule, "new", [TickStatus.STARTED])

    found = read(watched)

    assert {key[1:]: value for key, value in found.items() if key[0] == "doc_assets_tick_failed"} == {
        ("sensor", "failing"): 1,
        ("sensor", "skipping"): 0,
        ("schedule", "nightly"): 0,
    }
    assert found["doc_assets_last_tick_timestamp_seconds", "sensor", "failing"] == pytest.approx(NOW - 1, abs=0.01)


def test_a_new_home_has_no_runs_and_no_ticks(watched):
    found = read(watched)

    assert found["doc_assets_runs", "FAILURE"] == 0
    assert found["doc_assets_daemon_required", "SENSOR"] == 1
    assert not [key for key in found if key[0] in {"doc_assets_tick_failed", "doc_assets_oldest_run_timestamp_seconds"}]
    assert InstanceMetrics(watched).embedded_counts() is None
