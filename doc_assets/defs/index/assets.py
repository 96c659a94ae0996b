"""Assets ``indexed_photos`` and ``photo_collection``."""

from datetime import UTC, datetime

import dagster as dg

from doc_assets.defs.partitions import INDEX_POOL, OWNERS, drops
from doc_assets.defs.resources import (
    ArchiveResource,
    DescriberResource,
    EmbedderResource,
    PhotoCutterResource,
    VectorStoreResource,
    versions_in_use,
)
from doc_assets.defs.step import Materialized, step
from doc_assets.pipeline.indexing import index_drop, publish_collection


@dg.asset(
    partitions_def=drops,
    deps=["photo_embeddings", "local_features"],
    group_name="index",
    kinds={"qdrant"},
    owners=OWNERS,
    code_version="indexed_photos-2",
    pool=INDEX_POOL,
)
def indexed_photos(
    context: dg.AssetExecutionContext,
    archive: ArchiveResource,
    photo_cutter: PhotoCutterResource,
    embedder: EmbedderResource,
    describer: DescriberResource,
    vector_store: VectorStoreResource,
) -> Materialized:
    """The drop's vectors and words as points of the embedder's collection; points of replaced documents are gone.

    Point ids follow from document, page, photo and embedder, so a second run changes nothing.
    """
    with step(context), archive.open() as opened, vector_store.open() as store:
        versions = versions_in_use(photo_cutter, embedder, describer)
        report = index_drop(opened, store, versions, embedder.load().dim, context.partition_key, datetime.now(UTC))
    return dg.MaterializeResult(
        metadata={
            "dagster/partition_row_count": report.points,
            "collection": report.collection,
            "removed_points": report.removed,
            "points_in_collection": report.points_in_collection,
        }
    )


@dg.asset(
    deps=["indexed_photos"],
    group_name="index",
    kinds={"qdrant"},
    owners=OWNERS,
    code_version="photo_collection-1",
    pool=INDEX_POOL,
)
def photo_collection(
    context: dg.AssetExecutionContext,
    archive: ArchiveResource,
    photo_cutter: PhotoCutterResource,
    embedder: EmbedderResource,
    describer: DescriberResource,
    vector_store: VectorStoreResource,
) -> Materialized:
    """The alias that searches use, pointing at the collection of the embedder in use once it is complete."""
    with step(context), archive.open() as opened, vector_store.open() as store:
        spec, collection = embedder.spec(), versions_in_use(photo_cutter, embedder, describer).collection
        now, alias = datetime.now(UTC), vector_store.alias
        report = publish_collection(opened, store, collection, embedder.load(), spec, alias, now)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": report.points,
            "collection": report.collection,
            "alias": report.alias,
            "published": report.published,
            "photos_in_ledger": report.expected,
            "documents_missing": report.documents_missing,
        }
    )
