"""Assets ``indexed_photos`` and ``photo_collection``."""

from datetime import UTC, datetime

import dagster as dg

from doc_assets.defs.partitions import INDEX_POOL, OWNERS, drops
from doc_assets.defs.resources import (
    ArchiveResource,
    EmbedderResource,
    PhotoCutterResource,
    VectorStoreResource,
)
from doc_assets.defs.step import Materialized, step
from doc_assets.ingest.indexing import index_drop, publish_collection


@dg.asset(
    partitions_def=drops,
    deps=["photo_embeddings"],
    group_name="index",
    kinds={"qdrant"},
    owners=OWNERS,
    code_version="indexed_photos-1",
    pool=INDEX_POOL,
)
def indexed_photos(
    context: dg.AssetExecutionContext,
    archive: ArchiveResource,
    photo_cutter: PhotoCutterResource,
    embedder: EmbedderResource,
    vector_store: VectorStoreResource,
) -> Materialized:
    """The drop's vectors as points of the embedder's collection; points of replaced documents are gone.

    Point ids follow from document, page, photo and embedder, so a second run changes nothing.
    """
    with step(context), archive.open() as opened, vector_store.open() as store:
        version = photo_cutter.load().version
        report = index_drop(opened, store, embedder.load(), version, context.partition_key, datetime.now(UTC))
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
    embedder: EmbedderResource,
    vector_store: VectorStoreResource,
) -> Materialized:
    """The alias that searches use, pointing at the collection of the embedder in use once it is complete."""
    with step(context), archive.open() as opened, vector_store.open() as store:
        report = publish_collection(opened, store, embedder.load(), vector_store.alias)
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
