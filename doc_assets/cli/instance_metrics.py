"""Figures of Dagster's instance, for ``serve-metrics``; not below ``defs/``, all of which every run imports."""

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import InstigatorTick, TickStatus
from prometheus_client.core import Metric

from doc_assets.archive.vectors.embedded import published_in
from doc_assets.errors import StoreUnavailableError
from doc_assets.ops.metrics.archive import CollectionFigures
from doc_assets.ops.metrics.families import gauges

_UNFINISHED = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)
_COLLECTION = dg.AssetKey("photo_collection")
_opening = threading.Lock()
"""Two that open a new home at once find each other's half-made tables."""


class InstanceFigures:
    """Reads Dagster's instance; opens it when it is first asked, and anew after an error."""

    def __init__(self) -> None:
        self._instance: dg.DagsterInstance | None = None
        self._durations: dict[tuple[str, str], float] = {}

    def families(self) -> Iterator[Metric]:
        """Runs, daemons, ticks and materializations."""
        instance = self._opened()
        try:
            yield from _runs(instance)
            yield from _daemons(instance)
            yield from _ticks(instance)
            yield from self._assets(instance)
        except Exception:
            self._close()
            raise

    def probe(self) -> None:
        """Asks the instance's database for a few rows."""
        try:
            self._opened().get_daemon_heartbeats()
        except Exception:
            self._close()
            raise

    def collection(self, folder: Path, alias: str) -> CollectionFigures | None:
        """What the last run that wrote the embedded collection counted; None if there was none.

        The engine itself is not opened: it lets in one process at a time, and that should be a run.

        Raises:
            StoreUnavailableError: if a run published a collection and it is gone.
        """
        event = self._opened().get_latest_materialization_event(_COLLECTION)
        if event is None or event.asset_materialization is None:
            return None
        metadata = event.asset_materialization.metadata
        name, published = str(metadata["collection"].value), metadata["published"].value
        if published and published_in(folder, alias) is None:
            raise StoreUnavailableError(
                f"{folder} has no collection behind the alias {alias!r}, and a run published {name} there. Bring the "
                "folder back from a backup, or run the re-index: vectors come back from Parquet."
            )
        return CollectionFigures(name, _number(metadata["dagster/row_count"]), _number(metadata["photos_in_ledger"]))

    def _assets(self, instance: dg.DagsterInstance) -> Iterator[Metric]:
        last: dict[str, dg.EventLogEntry] = {}
        for record in instance.get_asset_records():
            event = record.asset_entry.last_materialization
            if event is not None:
                last[record.asset_entry.asset_key.to_user_string()] = event
        yield gauges(
            "asset_last_materialization_timestamp_seconds",
            "When an asset was last materialized, for whichever drop.",
            ("asset",),
            [((name,), event.timestamp) for name, event in sorted(last.items())],
        )
        yield gauges(
            "asset_last_duration_seconds",
            "How long the step took that did it.",
            ("asset",),
            [((name,), seconds) for name, seconds in self._seconds(instance, last)],
        )

    def _seconds(self, instance: dg.DagsterInstance, last: dict[str, dg.EventLogEntry]) -> Iterable[tuple[str, float]]:
        """Duration of the step behind each event; asked once for a run."""
        steps = {name: (event.run_id, event.step_key) for name, event in last.items() if event.step_key}
        unknown = {run_id for run_id, step_key in steps.values() if (run_id, step_key) not in self._durations}
        known = {step: self._durations[step] for step in steps.values() if step in self._durations}
        for run_id in unknown:
            for stats in instance.get_run_step_stats(run_id):
                if stats.start_time is not None and stats.end_time is not None:
                    known[run_id, stats.step_key] = stats.end_time - stats.start_time
        self._durations = known
        return [(name, known[step]) for name, step in sorted(steps.items()) if step in known]

    def _opened(self) -> dg.DagsterInstance:
        with _opening:
            if self._instance is None:
                self._instance = dg.DagsterInstance.from_config(os.environ["DAGSTER_HOME"])
            return self._instance

    def _close(self) -> None:
        if self._instance is not None:
            self._instance.dispose()
        self._instance = None


def _runs(instance: dg.DagsterInstance) -> Iterator[Metric]:
    counts = [
        ((status.value,), float(instance.get_runs_count(dg.RunsFilter(statuses=[status]))))
        for status in dg.DagsterRunStatus
        if status is not dg.DagsterRunStatus.MANAGED
    ]
    yield gauges("runs", "Runs by status; QUEUED is the depth of the queue.", ("status",), counts)
    oldest = []
    for status in _UNFINISHED:
        records = instance.get_run_records(dg.RunsFilter(statuses=[status]), limit=1, ascending=True)
        oldest += [((status.value,), _since(record)) for record in records]
    yield gauges(
        "oldest_run_timestamp_seconds",
        "Since when the oldest run of a status waits or works; no series without such a run.",
        ("status",),
        oldest,
    )


def _since(record: dg.RunRecord) -> float:
    return record.start_time if record.start_time is not None else record.create_timestamp.timestamp()


def _daemons(instance: dg.DagsterInstance) -> Iterator[Metric]:
    beats = instance.get_daemon_heartbeats()
    required = sorted(instance.get_required_daemon_types())
    yield gauges("daemon_required", "Daemons that have to run.", ("daemon",), [((name,), 1.0) for name in required])
    yield gauges(
        "daemon_heartbeat_timestamp_seconds",
        "Last sign of life of a daemon; no series before its first.",
        ("daemon",),
        [((name,), beat.timestamp) for name, beat in sorted(beats.items()) if name in required],
    )


def _ticks(instance: dg.DagsterInstance) -> Iterator[Metric]:
    last: dict[tuple[str, str], InstigatorTick] = {}
    for state in instance.all_instigator_state():
        kind = "sensor" if state.instigator_type == InstigatorType.SENSOR else "schedule"
        ended: Sequence[InstigatorTick] = instance.get_ticks(
            state.instigator_origin_id,
            state.selector_id,
            limit=1,
            statuses=[TickStatus.SUCCESS, TickStatus.SKIPPED, TickStatus.FAILURE],
        )
        if ended:
            last[kind, state.name] = ended[0]
    rows = sorted(last.items())
    yield gauges(
        "tick_failed",
        "Whether the last look of a sensor or schedule failed.",
        ("kind", "name"),
        [(key, float(tick.status == TickStatus.FAILURE)) for key, tick in rows],
    )
    yield gauges(
        "last_tick_timestamp_seconds",
        "When it was.",
        ("kind", "name"),
        [(key, tick.timestamp) for key, tick in rows],
    )


def _number(value: dg.MetadataValue) -> int:
    return int(str(value.value))
