"""Checks of the collection as a whole; they can be run at any time."""

import dagster as dg

from doc_assets.defs.ingestion.assets import photo_collection
from doc_assets.defs.resources import (
    ArchiveResource,
    DescriberResource,
    EmbedderResource,
    PhotoCutterResource,
    QualityResource,
    VectorStoreResource,
    versions_in_use,
)
from doc_assets.defs.step import step
from doc_assets.pipeline.indexing import inspect_collection
from doc_assets.pipeline.self_test import graph_recall

_SAMPLE = 32


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
        f"documents not indexed yet, published: {report.published}."
        + (" `doc-assets rebuild-index` makes the collection anew from Parquet." if not report.is_sound else ""),
        metadata={
            "points": report.points,
            "photos_in_ledger": report.expected,
            "documents_missing": report.documents_missing,
        },
    )


@dg.asset_check(asset=photo_collection)
def ann_agrees_with_exact(
    context: dg.AssetCheckExecutionContext,
    archive: ArchiveResource,
    photo_cutter: PhotoCutterResource,
    embedder: EmbedderResource,
    describer: DescriberResource,
    vector_store: VectorStoreResource,
    quality: QualityResource,
) -> dg.AssetCheckResult:
    """The search graph finds the ten nearest photos that comparing with every photo finds, for a sample of photos."""
    seed = context.run.tags.get("dagster/partition", context.run.run_id)
    with step(context), archive.open() as opened, vector_store.open() as store:
        versions = versions_in_use(photo_cutter, embedder, describer)
        recall = graph_recall(opened, versions, store, versions.collection, _SAMPLE, seed)
    return dg.AssetCheckResult(
        passed=recall >= quality.min_graph_recall,
        description=f"{recall:.3f} of the ten nearest photos of {_SAMPLE} archive photos were found.",
        metadata={"recall@10": recall},
    )
