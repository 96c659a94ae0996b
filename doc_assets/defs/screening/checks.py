"""The self test after every drop."""

import dagster as dg

from doc_assets.defs.partitions import drops
from doc_assets.defs.resources import (
    ArchiveResource,
    DescriberResource,
    EmbedderResource,
    PhotoCutterResource,
    QualityResource,
    SearchDefaultsResource,
    VectorStoreResource,
    versions_in_use,
)
from doc_assets.defs.screening.assets import document_matches
from doc_assets.defs.screening.self_test import planted_recall
from doc_assets.defs.step import step
from doc_assets.search.run import published_collection
from doc_assets.util.threads import Workers


@dg.asset_check(asset=document_matches, partitions_def=drops)
def planted_copy_is_found(
    context: dg.AssetCheckExecutionContext,
    archive: ArchiveResource,
    photo_cutter: PhotoCutterResource,
    embedder: EmbedderResource,
    describer: DescriberResource,
    vector_store: VectorStoreResource,
    search_defaults: SearchDefaultsResource,
    quality: QualityResource,
) -> dg.AssetCheckResult:
    """Photos of the archive, attacked in memory, are found again; which ones depends on the drop's key.

    Nothing of them is kept. The share found is metadata, in all and by attack, so that Dagster plots it over time.
    """
    seed = context.run.tags.get("dagster/partition", context.run.run_id)
    with step(context), archive.open() as opened, vector_store.open() as store, Workers(describer.workers) as threads:
        versions = versions_in_use(photo_cutter, embedder, describer)
        recall = planted_recall(
            opened,
            store,
            embedder.load(),
            published_collection(store, vector_store.alias, versions.collection),
            threads,
            photo_cutter,
            describer,
            search_defaults,
            quality,
            seed,
        )
    return dg.AssetCheckResult(
        passed=recall.total >= quality.self_test_warn,
        severity=dg.AssetCheckSeverity.ERROR if recall.total < quality.self_test_fail else dg.AssetCheckSeverity.WARN,
        description=f"{sum(recall.found.values())} of {sum(recall.planted.values())} planted copies were found"
        + (f"; missed: {', '.join(recall.missed)}." if recall.missed else "."),
        metadata={
            "recall": recall.total,
            "planted": sum(recall.planted.values()),
            **{f"recall: {name}": recall.found.get(name, 0) / n for name, n in recall.planted.items()},
        },
    )
