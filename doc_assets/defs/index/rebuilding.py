"""The collection made anew from Parquet, for a vector store that was lost."""

from datetime import UTC, datetime

from doc_assets.defs.instance import open_instance
from doc_assets.defs.maintenance.abandoned import require_nothing_runs
from doc_assets.pipeline.rebuild import RebuildReport, rebuild_collection
from doc_assets.runtime import Runtime


def rebuild(runtime: Runtime) -> RebuildReport:
    """Makes the collection of the versions in use anew.

    Raises:
        ServiceError: if a run is in progress, or the store does not answer.
    """
    with open_instance() as instance:
        require_nothing_runs(instance)
    with runtime.archive() as archive, runtime.store() as store:
        versions, spec, now = runtime.versions(), runtime.embedder_spec(), datetime.now(UTC)
        return rebuild_collection(archive, store, versions, runtime.embedder(), spec, runtime.alias, now)
