"""The self test after every drop."""

import dagster as dg

from doc_assets.defs.partitions import drops
from doc_assets.defs.screening.assets import document_matches
from doc_assets.defs.step import step
from doc_assets.pipeline.self_test import planted_recall
from doc_assets.runtime import Runtime
from doc_assets.search.completeness import published_collection


@dg.asset_check(asset=document_matches, partitions_def=drops)
def planted_copy_is_found(
    context: dg.AssetCheckExecutionContext, runtime: dg.ResourceParam[Runtime]
) -> dg.AssetCheckResult:
    """Photos of the archive, attacked in memory, are found again; which ones depends on the drop's key.

    Nothing of them is kept. The share found is metadata, in all and by attack, so that Dagster plots it over time.
    """
    seed = context.run.tags.get("dagster/partition", context.run.run_id)
    settings = runtime.settings
    with step(context), runtime.archive() as archive, runtime.store() as store:
        collection = published_collection(store, runtime.alias, runtime.versions().collection)
        recall = planted_recall(runtime, archive, store, collection, seed)
    return dg.AssetCheckResult(
        passed=recall.total >= settings.self_test_warn,
        severity=dg.AssetCheckSeverity.ERROR if recall.total < settings.self_test_fail else dg.AssetCheckSeverity.WARN,
        description=f"{sum(recall.found.values())} of {sum(recall.planted.values())} planted copies were found"
        + (f"; missed: {', '.join(recall.missed)}." if recall.missed else "."),
        metadata={
            "recall": round(recall.total, 4),
            "planted": sum(recall.planted.values()),
            **{f"recall: {name}": round(recall.found.get(name, 0) / n, 4) for name, n in recall.planted.items()},
        },
    )
