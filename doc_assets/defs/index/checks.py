"""Checks of the collection as a whole; they can be run at any time."""

import dagster as dg

from doc_assets.defs.ingestion.assets import photo_collection
from doc_assets.defs.step import step
from doc_assets.pipeline.indexing import inspect_collection
from doc_assets.pipeline.self_test import graph_recall
from doc_assets.runtime import Runtime

_SAMPLE = 32


@dg.asset_check(asset=photo_collection)
def collection_matches_ledger(
    context: dg.AssetCheckExecutionContext, runtime: dg.ResourceParam[Runtime]
) -> dg.AssetCheckResult:
    """The published collection holds exactly the photos of all current documents.

    Another number of photos is an error; documents that are not indexed yet, as while another drop is
    under way, are a warning.
    """
    with step(context), runtime.archive() as archive, runtime.store() as store:
        report = inspect_collection(archive, store, runtime.versions().collection, runtime.alias)
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
    context: dg.AssetCheckExecutionContext, runtime: dg.ResourceParam[Runtime]
) -> dg.AssetCheckResult:
    """The search graph finds the ten nearest photos that comparing with every photo finds, for a sample of photos."""
    seed = context.run.tags.get("dagster/partition", context.run.run_id)
    with step(context), runtime.archive() as archive, runtime.store() as store:
        versions = runtime.versions()
        recall = graph_recall(archive, versions, store, versions.collection, _SAMPLE, seed)
    return dg.AssetCheckResult(
        passed=recall >= runtime.settings.min_graph_recall,
        description=f"{recall:.3f} of the ten nearest photos of {_SAMPLE} archive photos were found.",
        metadata={"recall@10": round(recall, 4)},
    )
