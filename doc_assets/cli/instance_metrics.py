"""Metrics of Dagster's instance, for ``serve-metrics``; not below ``defs/``, all of which every run imports."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from prometheus_client.core import Metric

from doc_assets.archive.vectors.embedded import published_in
from doc_assets.errors import StoreUnavailableError
from doc_assets.ops.metrics.families import CollectionCounts, gauges
from doc_assets.settings import Settings

_UNFINISHED = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)
_COLLECTION = dg.AssetKey("photo_collection")
_ENDED_TICKS = ("SUCCESS", "SKIPPED", "FAILURE")
_LATEST_TICKS = 10
"""Among which the last that ended is looked for; one is under way, killed daemons may have left some more behind."""


class InstanceMetrics:
    """Reads Dagster's instance from several threads; opens it when it is first asked, and again after an error."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opening = threading.Lock()  # two that open a new home at once find each other's half-made tables
        self._instance: dg.DagsterInstance | None = None

    def families(self) -> Iterator[Metric]:
        """Runs, daemons, ticks and materializations."""
        with self._opened() as instance:
            yield from _runs(instance)
            yield from _daemons(instance)
            yield from _ticks(instance)
            yield from _assets(instance)

    def embedded_counts(self) -> CollectionCounts | None:
        """What the last run that wrote the embedded collection counted; None if there was none.

        The engine itself is not opened: it lets in one process at a time, and that should be a run.

        Raises:
            StoreUnavailableError: if a run published a collection and it is gone.
        """
        with self._opened() as instance:
            event = instance.get_latest_materialization_event(_COLLECTION)
        if event is None or event.asset_materialization is None:
            return None
        metadata, folder = event.asset_materialization.metadata, self._settings.qdrant_dir
        name, alias = str(metadata["collection"].value), self._settings.collection_alias
        if metadata["published"].value and published_in(folder, alias) is None:
            raise StoreUnavailableError(
                f"{folder} has no collection behind the alias {alias!r}, and a run published {name} there. Bring the "
                "folder back from a backup, or run the re-index: vectors come back from Parquet."
            )
        return CollectionCounts(name, _number(metadata["dagster/row_count"]), _number(metadata["photos_in_ledger"]))

    @contextmanager
    def _opened(self) -> Iterator[dg.DagsterInstance]:
        with self._opening:
            if self._instance is None:
                self._instance = dg.DagsterInstance.from_config(str(self._settings.dagster_home))
            instance = self._instance
        try:
            yield instance
        except Exception:
            with self._opening:
                if self._instance is instance:
                    self._instance = None
            instance.dispose()
            raise


def _number(value: dg.MetadataValue) -> int:
    return int(str(value.value))


def _runs(instance: dg.DagsterInstance) -> Iterator[Metric]:
    counts = {
        status.value: instance.get_runs_count(dg.RunsFilter(statuses=[status]))
        for status in dg.DagsterRunStatus
        if status is not dg.DagsterRunStatus.MANAGED
    }
    yield gauges("runs", "Runs by status; QUEUED is the depth of the queue.", ("status",), counts)
    oldest = {
        status.value: record.start_time or record.create_timestamp.timestamp()
        for status in _UNFINISHED
        for record in instance.get_run_records(dg.RunsFilter(statuses=[status]), limit=1, ascending=True)
    }
    yield gauges(
        "oldest_run_timestamp_seconds",
        "Since when the oldest run of a status waits or works; no series without such a run.",
        ("status",),
        oldest,
    )


def _daemons(instance: dg.DagsterInstance) -> Iterator[Metric]:
    beats, required = instance.get_daemon_heartbeats(), instance.get_required_daemon_types()
    yield gauges("daemon_required", "Daemons that have to run.", ("daemon",), dict.fromkeys(required, 1))
    yield gauges(
        "daemon_heartbeat_timestamp_seconds",
        "Last heartbeat of a daemon; no series before its first.",
        ("daemon",),
        {name: beat.timestamp for name, beat in beats.items() if name in required},
    )


def _ticks(instance: dg.DagsterInstance) -> Iterator[Metric]:
    """The last ended tick of every sensor and schedule.

    Dagster's classes of ticks are private; their values are read here, and a test compares them with real ticks.
    """
    last = {}
    for state in instance.all_instigator_state():
        ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=_LATEST_TICKS)
        ended = (tick for tick in ticks if tick.status.value in _ENDED_TICKS)
        if (tick := next(ended, None)) is not None:
            last[state.instigator_type.value.lower(), state.name] = tick
    names = ("kind", "name")
    failed = {key: float(tick.status.value == "FAILURE") for key, tick in last.items()}
    yield gauges("tick_failed", "Whether the last tick of a sensor or schedule failed.", names, failed)
    yield gauges(
        "last_tick_timestamp_seconds", "When it was.", names, {key: tick.timestamp for key, tick in last.items()}
    )


def _assets(instance: dg.DagsterInstance) -> Iterator[Metric]:
    last = {
        record.asset_entry.asset_key.to_user_string(): event
        for record in instance.get_asset_records()
        if (event := record.asset_entry.last_materialization) is not None
    }
    yield gauges(
        "asset_last_materialization_timestamp_seconds",
        "When an asset was last materialized, for whichever drop.",
        ("asset",),
        {name: event.timestamp for name, event in last.items()},
    )
    seconds = {
        (run_id, step.step_key): step.end_time - step.start_time
        for run_id in {event.run_id for event in last.values()}
        for step in instance.get_run_step_stats(run_id)
        if step.start_time is not None and step.end_time is not None
    }
    took = {name: seconds[step] for name, event in last.items() if (step := (event.run_id, event.step_key)) in seconds}
    yield gauges("asset_last_duration_seconds", "How long the step took that did it.", ("asset",), took)
