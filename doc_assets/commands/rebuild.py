"""``doc-assets rebuild-index``."""

from datetime import UTC, datetime

from doc_assets.cli.console import console, progress_bars
from doc_assets.cli.launch import open_instance
from doc_assets.defs.forgetting.home import require_nothing_runs
from doc_assets.defs.resources import (
    ArchiveResource,
    EmbedderResource,
    VectorStoreResource,
    resources_from,
    versions_in_use,
)
from doc_assets.pipeline.rebuild import RebuildReport, rebuild_collection
from doc_assets.settings import Settings


def rebuild_index(settings: Settings) -> RebuildReport:
    """Makes the collection of the versions in use anew from Parquet.

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
    with progress_bars(), archive.open() as opened, store.open() as writable:
        now, spec = datetime.now(UTC), embedder.spec()
        return rebuild_collection(opened, writable, versions, embedder.load(), spec, store.alias, now)


def print_rebuilt(report: RebuildReport) -> None:
    """The collection as it is now, in words."""
    out, found = console(), report.collection
    out.print(
        f"{found.collection}: {found.points} points, the ledger counts {found.expected}; "
        f"{found.alias} {'points at it' if found.published else 'still points at another collection'}."
    )
    for drop_key in report.not_ready:
        out.print(f"  drop {drop_key} is not embedded with the versions in use; run ingest_drop_job for it.")
