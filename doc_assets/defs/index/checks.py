"""Checks of the collection as a whole; they can be run at any time."""

import dagster as dg

from doc_assets.defs.index.assets import photo_collection
from doc_assets.defs.resources import (
    ArchiveResource,
    DescriberResource,
    EmbedderResource,
    PhotoCutterResource,
    VectorStoreResource,
    versions_in_use,
)
from doc_assets.defs.step import step
from doc_assets.ingest.indexing import inspect_collection


@dg.asset_check(asset=photo_collection)
def collection_matches_ledger(
    context: dg.AssetCheckExecutionContext,
    archive: ArchiveResource,
    photo_cutter: PhotoCutterResource,
    embedder: EmbedderResource,
    describer: DescriberResource,
    vector_store: VectorStoreResource,
) -> dg.AssetCheckResult:
    """The published collection holds exactly the photos of all current documents.

    Another number of photos is an error; documents that are not indexed yet, as while another drop is
    under way, are a warning.
    """
    with step(context), archive.open() as opened, vector_store.open() as store:
        collection = versions_in_use(photo_cutter, embedder, describer).collection
        report = inspect_collection(opened, store, collection, vector_store.alias)
    return dg.AssetCheckResult(
        passed=report.is_complete and report.published,
        severity=dg.AssetCheckSeverity.WARN if report.is_sound else dg.AssetCheckSeverity.ERROR,
        description=f"{report.points} points, {report.expected} photos in the ledger, {report.documents_missing} "
        f"documents not indexed yet, published: {report.published}.",
        metadata={
            "points": report.points,
            "photos_in_ledger": report.expected,
            "documents_missing": report.documents_missing,
        },
    )
