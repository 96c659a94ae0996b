"""What Dagster's records say of failed runs, without what their messages say."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from doc_assets.ops.alerts.alert import RunFailure

_WILL_RETRY_TAG, _PARTITION_TAG = "dagster/will_retry", "dagster/partition"
_WRAPPERS = ("Failure", "RetryRequested")


def last_failure_id(instance: dg.DagsterInstance) -> int:
    """Number of the newest run failure in the event log; 0 if there is none."""
    found = instance.fetch_run_status_changes(dg.DagsterEventType.RUN_FAILURE, limit=1).records
    return found[0].storage_id if found else 0


def failures_after(instance: dg.DagsterInstance, number: int, limit: int) -> Iterator[tuple[int, RunFailure]]:
    """Run failures behind a number of the event log, oldest first, each with its own number."""
    wanted = dg.RunStatusChangeRecordsFilter(dg.DagsterEventType.RUN_FAILURE, after_storage_id=number)
    for record in instance.fetch_run_status_changes(wanted, limit=limit, ascending=True).records:
        run = instance.get_run_by_id(record.run_id)
        if run is not None:  # else deleted since
            yield record.storage_id, _failure(instance, run, record.timestamp)


def _failure(instance: dg.DagsterInstance, run: dg.DagsterRun, timestamp: float) -> RunFailure:
    step, error_class = _first_failed_step(instance, run.run_id)
    return RunFailure(
        run_id=run.run_id,
        job=run.job_name,
        failed_at=datetime.fromtimestamp(timestamp, UTC),
        partition=run.tags.get(_PARTITION_TAG),
        step=step,
        error_class=error_class,
        is_retried=run.tags.get(_WILL_RETRY_TAG) == "true",
    )


def _first_failed_step(instance: dg.DagsterInstance, run_id: str) -> tuple[str | None, str | None]:
    found = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.STEP_FAILURE, limit=1).records
    if not found:
        return None, None
    event = found[0].event_log_entry.get_dagster_event()
    return event.step_key, _error_class(event.step_failure_data)


def _error_class(failure: object) -> str | None:
    """The outermost class that is not a wrapper of Dagster's."""
    error = getattr(failure, "error", None)
    name: str | None = None
    while error is not None:
        name = str(error.cls_name or "").rpartition(".")[2] or name
        if name and name not in _WRAPPERS and not name.startswith("Dagster"):
            return name
        error = error.cause
    return name
