"""Dagster's instance of a home, and its runs in progress.

A run that was killed stays "in progress" and keeps its place in the pools, so that every later run would
wait for it. Each step notes the process it runs in; whoever finds that process gone ends the run.
"""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from doc_assets.errors import ServiceError
from doc_assets.util.files import exclusive

PROCESS_TAG = "doc_assets/process"
_MOST_NAMED = 5
_IN_PROGRESS = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.CANCELING]
_START_TIME_FIELD = 21  # of /proc/<pid>/stat, counted from 0; process numbers are used again


@contextmanager
def open_instance() -> Iterator[dg.DagsterInstance]:
    """The Dagster instance of the prepared home.

    Commands that start together in a new home would find each other's half-made tables, so they make them in turn.
    """
    with exclusive(Path(os.environ["DAGSTER_HOME"]) / ".opening.lock"):
        instance = dg.DagsterInstance.get()
    with instance:
        yield instance


def places_of_records(instance: dg.DagsterInstance) -> set[str | None]:
    """URLs of the database servers with the instance's records; None among them if some are files in its folder."""
    storages = (instance.run_storage, instance.event_log_storage, instance.schedule_storage)
    return {getattr(storage, "postgres_url", None) for storage in storages}


def this_process() -> str:
    """Host, number and start time of this process."""
    return _identity(os.getpid()) or ""


def runs_in_progress(instance: dg.DagsterInstance, but: str | None = None) -> list[dg.DagsterRun]:
    """Runs that work now, that of ``but`` aside; those in the queue are not among them."""
    runs = instance.get_runs(filters=dg.RunsFilter(statuses=_IN_PROGRESS))
    return [run for run in runs if run.run_id != but]


def require_nothing_runs(instance: dg.DagsterInstance, but: str | None = None) -> None:
    """Refuses to go on while a run is in progress, that of ``but`` aside.

    It may hold a document in memory and write it again.

    Raises:
        ServiceError: if one is.
    """
    fail_abandoned_runs(instance)
    found = [f"{run.job_name} {run.run_id}" for run in runs_in_progress(instance, but)]
    if found:
        raise ServiceError(
            f"{len(found)} runs are in progress ({', '.join(found[:_MOST_NAMED])}) and may write what is to be "
            "forgotten. Wait until they end or stop them, then try again; nothing was changed."
        )


def fail_abandoned_runs(instance: dg.DagsterInstance) -> list[str]:
    """Ends runs in progress whose process on this host is gone, and frees their places in the pools.

    Returns:
        Ids of the runs that were ended. Runs of other hosts are theirs to judge.
    """
    gone = [run for run in runs_in_progress(instance) if _is_gone(run.tags.get(PROCESS_TAG))]
    return _fail(instance, gone, "The process of this run is gone: it was killed or the machine restarted.")


def fail_runs_in_progress(instance: dg.DagsterInstance, reason: str) -> list[str]:
    """Ends every run in progress, wherever it was: for records that are older than the processes they name."""
    return _fail(instance, runs_in_progress(instance), reason)


def _fail(instance: dg.DagsterInstance, runs: Sequence[dg.DagsterRun], reason: str) -> list[str]:
    for run in runs:
        instance.report_run_failed(run, reason)
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return [run.run_id for run in runs]


def _is_gone(identity: str | None) -> bool:
    if identity is None:
        return False
    host, number, _ = identity.split("|")
    return host == socket.gethostname() and _identity(int(number)) != identity


def _identity(number: int) -> str | None:
    """Host, number and start time of a process of this host; None if there is none."""
    try:
        status = Path(f"/proc/{number}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    after_name = status[status.rindex(")") + 2 :].split()  # a program may have blanks in its name
    started = after_name[_START_TIME_FIELD - 2]
    return f"{socket.gethostname()}|{number}|{started}"


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Ends runs whose process was killed, so that they do not block later ones.",
)
def abandoned_runs_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Looks at all runs in progress; never asks for a run."""
    ended = fail_abandoned_runs(context.instance)
    return dg.SkipReason(f"Ended {', '.join(ended)}." if ended else "Every run in progress has its process.")
