"""Drops whose run failed are asked for again, with growing pauses."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg

from doc_assets.defs.lineage import ingest_drop_job
from doc_assets.defs.step import INTERACTIVE_TAG

_PAUSES = [timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 480)]
"""After the first, second ... failed run of a drop. After the last pause a person is needed: the reason stays."""
_LOOK_BACK = timedelta(days=1)  # longer than the longest pause
_MAX_LOOKED_AT = 500
_PARTITION_TAG = "dagster/partition"
_RETRY_COMES_TAG = "dagster/will_retry"


def failed_drops(instance: dg.DagsterInstance, sealed: Sequence[str], now: datetime) -> list[dg.RunRequest]:
    """Asks again for the drops whose newest run failed and whose pause is over.

    A step is tried again when a service is away, but not for longer than a minute or two; and between two steps Dagster
    itself reads and writes its database, which fails a run for good when that is away. Left alone are runs that Dagster
    starts again itself, and those of a person at a terminal, who saw the error.

    Args:
        instance: the runs.
        sealed: keys of the drops that the ledger has; others are not asked for.
        now: the time of this look, aware.

    Returns:
        At most one request a drop, whose run key names the failed run: looking twice asks once.
    """
    known = set(sealed)
    return [
        dg.RunRequest(run_key=f"{key}:after:{newest.run_id}", partition_key=key)
        for key in _partitions_with_failures(instance, now)
        if key in known and (newest := _failed_and_rested(instance, key, now)) is not None
    ]


def _partitions_with_failures(instance: dg.DagsterInstance, now: datetime) -> list[str]:
    failed = dg.RunsFilter(
        job_name=ingest_drop_job.name, statuses=[dg.DagsterRunStatus.FAILURE], updated_after=now - _LOOK_BACK
    )
    runs = instance.get_runs(failed, limit=_MAX_LOOKED_AT)
    return sorted({run.tags[_PARTITION_TAG] for run in runs if _PARTITION_TAG in run.tags})


def _failed_and_rested(instance: dg.DagsterInstance, key: str, now: datetime) -> dg.DagsterRun | None:
    """The newest run of the drop, if it is time to ask for another one."""
    of_drop = dg.RunsFilter(job_name=ingest_drop_job.name, tags={_PARTITION_TAG: key})
    records = instance.get_run_records(of_drop, limit=len(_PAUSES) + 1)  # newest first
    n_failed = 0
    for record in records:
        if record.dagster_run.status is not dg.DagsterRunStatus.FAILURE:
            break
        n_failed += 1
    if not 0 < n_failed <= len(_PAUSES):
        return None
    newest = records[0]
    if INTERACTIVE_TAG in newest.dagster_run.tags or newest.dagster_run.tags.get(_RETRY_COMES_TAG) == "true":
        return None
    ended = newest.update_timestamp
    ended = ended if ended.tzinfo else ended.replace(tzinfo=UTC)
    return newest.dagster_run if now - ended >= _PAUSES[n_failed - 1] else None
