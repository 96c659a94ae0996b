"""The collection made anew from Parquet, for a vector store that was lost."""

from datetime import UTC, datetime

from doc_assets.defs.forgetting.home import require_nothing_runs
from doc_assets.defs.instance import open_instance
from doc_assets.defs.resources import (
    ArchiveResource,
    EmbedderResource,
    VectorStoreResource,
    resources_from,
    versions_in_use,
)
from doc_assets.pipeline.rebuild import RebuildReport, rebuild_collection
from doc_assets.settings import Settings


def rebuild(settings: Settings) -> RebuildReport:
    """Makes the collection of the versions in use anew.

    Raises:
        ServiceError: if a run is in progress, or the store does not answer.
    """
    resources = resources_from(settings)
    archive: ArchiveResource = resources["archive"]
    store: VectorStoreResource = resources["vector_store"]
    embedder: EmbedderResource = resources["embedder"]
    versions = versions_in_use(resources["photo_cutter"], embedder, resources["describer"])
    with open_instance() as instance:
        require_nothing_runs(instance)
    with archive.open() as opened, store.open() as writable:
        now, spec = datetime.now(UTC), embedder.spec()
        return rebuild_collection(opened, writable, versions, embedder.load(), spec, store.alias, now)
