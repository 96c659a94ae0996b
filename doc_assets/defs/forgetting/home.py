"""Everything that forgetting reaches, Dagster's own records among it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from doc_assets.defs.instance import places_of_records
from doc_assets.defs.maintenance.abandoned import fail_abandoned_runs, runs_in_progress
from doc_assets.errors import ServiceError
from doc_assets.ops.erasure.run import Home
from doc_assets.runtime import Runtime

_MOST_NAMED = 5


@contextmanager
def open_home(instance: dg.DagsterInstance, runtime: Runtime) -> Iterator[Home]:
    """The home of the settings."""
    settings = runtime.settings
    index = settings.home / "file_index.sqlite"
    with runtime.archive() as archive:
        labeller = runtime.labeller(archive.ledger)
        yield Home(
            archive=archive,
            open_store=runtime.store,
            open_reader=runtime.reader,
            model=labeller.model,
            thresholds=labeller.thresholds,
            folder=settings.home,
            log_dir=settings.log_dir,
            results=settings.results_dir,
            orchestration=settings.dagster_home,
            orchestration_databases=lambda: _databases(instance, settings.dagster_home),
            left_out=settings.remove_columns_from_results,
            indexes=[f"sqlite:///{index}"] if index.exists() else [],
        )


def require_nothing_runs(instance: dg.DagsterInstance, but: str | None = None) -> None:
    """Refuses to go on while a run is in progress: it may hold a document in memory and write it again.

    Args:
        instance: whose runs.
        but: a run that does not count.

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


def _databases(instance: dg.DagsterInstance, folder: Path) -> list[str]:
    """URLs of the databases that the instance keeps its records in."""
    served = sorted(filter(None, places_of_records(instance)))
    return [*served, *(f"sqlite:///{path}" for path in sorted(folder.rglob("*.db")))]
