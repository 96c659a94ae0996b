"""Everything that forgetting reaches, Dagster's own records among it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from doc_assets.archive.vectors.base import embedder_of
from doc_assets.defs.instance import places_of_records
from doc_assets.defs.maintenance.abandoned import fail_abandoned_runs, runs_in_progress
from doc_assets.defs.resources import ArchiveResource, ReaderResource, SearchDefaultsResource, VectorStoreResource
from doc_assets.errors import ServiceError
from doc_assets.ops.erasure.run import Home
from doc_assets.settings import load_settings

_MOST_NAMED = 5


@contextmanager
def open_home(
    instance: dg.DagsterInstance,
    archive: ArchiveResource,
    reader: ReaderResource,
    vector_store: VectorStoreResource,
    search_defaults: SearchDefaultsResource,
) -> Iterator[Home]:
    """The home of the settings."""
    settings = load_settings()
    index = settings.home / "file_index.sqlite"
    with archive.open() as opened:
        used = opened.ledger.collections.last("in_use")
        yield Home(
            archive=opened,
            open_store=vector_store.open,
            open_reader=reader.open,
            model=search_defaults.model(embedder_of(used.name) if used else None),
            thresholds=search_defaults.request().thresholds,
            folder=settings.home,
            log_dir=settings.log_dir,
            results=Path(search_defaults.results_folder),
            orchestration=settings.dagster_home,
            orchestration_databases=lambda: _databases(instance, settings.dagster_home),
            left_out=search_defaults.remove_columns,
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
