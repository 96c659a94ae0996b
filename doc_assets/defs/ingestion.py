"""Assets of ingestion: from the files of a drop to the collection that searches use."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from doc_assets.defs import tables
from doc_assets.defs.changes import EmbedderConfig, ExtractorConfig
from doc_assets.defs.lineage import GPU_POOL, INDEX_POOL, OWNERS, drop_asset
from doc_assets.defs.step import Materialized, step
from doc_assets.pipeline.cutting import PhotosReport, cut_drop
from doc_assets.pipeline.describing import describe_drop
from doc_assets.pipeline.embedding import embed_drop
from doc_assets.pipeline.indexing import index_drop, publish_collection
from doc_assets.pipeline.reading import DocumentsReport, read_drop
from doc_assets.pipeline.stage import PhotoStageReport
from doc_assets.runtime import Runtime
from doc_assets.settings import Settings

GROUP = "ingestion"
QUIET_DAYS = timedelta(days=5)
"""Drops arrive every working day; the longest holidays of a year are about as long."""


@drop_asset(
    GROUP,
    kinds={"tiff", "sqlalchemy"},
    check=(
        "rejected_share_is_low",
        "Few documents of the drop could not be read; a person should look if many could not.",
    ),
)
def documents(context: dg.AssetExecutionContext, runtime: dg.ResourceParam[Runtime]) -> Materialized:
    """One row per file of the drop: copied, hashed, checked and read page by page, or rejected with its reason.

    Rows live in the ledger (table ``documents``), copies in ``documents/`` of the archive, named by SHA-256.
    A partition is a drop: files that arrived together and were sealed.
    """
    with step(context), runtime.archive() as archive, runtime.reader() as reader:
        report = read_drop(archive, reader, context.partition_key, datetime.now(UTC))
    return dg.MaterializeResult(
        metadata={
            "dagster/partition_row_count": report.n_documents,
            **{f"{state}": report.states[state] for state in ("ok", "partial", "rejected", "duplicate")},
            "pages": report.pages,
            "faulty_documents": tables.faulty_documents(report.faulty),
        },
        check_results=[_rejected_share_is_low(report, runtime.settings.max_rejected_share)],
    )


def _rejected_share_is_low(report: DocumentsReport, most: float) -> dg.AssetCheckResult:
    too_many = report.rejected_share > most
    return dg.AssetCheckResult(
        check_name="rejected_share_is_low",
        passed=report.states["rejected"] == 0,
        severity=dg.AssetCheckSeverity.ERROR if too_many else dg.AssetCheckSeverity.WARN,
        description=f"{report.states['rejected']} of {report.n_documents} documents were rejected; "
        f"an error above a share of {most:g}.",
        metadata={"rejected_share": round(report.rejected_share, 4)},
    )


@drop_asset(
    GROUP,
    deps=["documents"],
    kinds={"opencv", "parquet"},
    check=(
        "photos_per_document_in_range",
        "The mean number of photos a document is plausible; another one hints at a new form.",
    ),
)
def photos(
    context: dg.AssetExecutionContext, config: ExtractorConfig, runtime: dg.ResourceParam[Runtime]
) -> Materialized:
    """One row a photo on a page of the drop's documents: its box on the page and its JPEG bytes.

    Rows live in Parquet, ``photos/<drop>/``, a file for each chunk of documents.
    """
    with step(context), runtime.archive() as archive, runtime.reader() as reader:
        report = cut_drop(archive, reader, config.of(runtime).cutter(), context.partition_key, datetime.now(UTC))
    return dg.MaterializeResult(
        metadata={
            "dagster/partition_row_count": report.photos,
            "documents": report.documents,
            "documents_without_photos": report.documents_by_count[0],
            "photos_per_document": round(report.photos_a_document, 2),
            "chunks_cut_now": report.chunks_made,
            "pages_whose_text_could_not_be_read": report.pages_unread,
        },
        check_results=[_photos_per_document_in_range(report, runtime.settings)],
    )


def _photos_per_document_in_range(report: PhotosReport, settings: Settings) -> dg.AssetCheckResult:
    low, high = settings.min_photos_per_document, settings.max_photos_per_document
    return dg.AssetCheckResult(
        check_name="photos_per_document_in_range",
        passed=report.documents == 0 or low <= report.photos_a_document <= high,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{report.photos_a_document:.2f} photos a document, expected are {low:g} to {high:g}.",
        metadata={"photos_per_document": round(report.photos_a_document, 2)},
    )


@drop_asset(
    GROUP,
    deps=["photos"],
    kinds={"numpy", "parquet"},
    pool=GPU_POOL,
    check=(
        "every_photo_has_one_embedding",
        "As many vectors as photos. Photos that could not be embedded are faults in the ledger; if the two do "
        "not add up, nothing of the drop is indexed.",
    ),
    blocking=True,
)
def photo_embeddings(
    context: dg.AssetExecutionContext, config: EmbedderConfig, runtime: dg.ResourceParam[Runtime]
) -> Materialized:
    """One unit vector a photo, written with embedder, weights and preprocessing.

    Rows live in Parquet, ``embeddings/<embedder>/<drop>/``; the collection can be rebuilt from them alone.
    """
    with step(context), runtime.archive() as archive:
        asked = config.of(runtime)
        model, version = asked.embedder(), asked.cutter().version
        report = embed_drop(archive, model, version, context.partition_key, datetime.now(UTC))
    return dg.MaterializeResult(
        metadata={
            "dagster/partition_row_count": report.rows,
            "embedder": model.embedder_id,
            "weights_sha256": model.weights_sha256,
            "dim": model.dim,
            "embedded_now": report.made_now,
            "photos_per_second": round(report.photos_per_second, 1),
        },
        check_results=[_every_photo("every_photo_has_one_embedding", report, "vectors", "embedded", key="vectors")],
    )


@drop_asset(
    GROUP,
    deps=["photos"],
    kinds={"opencv", "parquet"},
    check=(
        "every_photo_is_described",
        "As many rows of features as photos. Photos that could not be described are faults in the ledger; if the "
        "two do not add up, nothing of the drop is indexed.",
    ),
    blocking=True,
)
def local_features(
    context: dg.AssetExecutionContext, config: ExtractorConfig, runtime: dg.ResourceParam[Runtime]
) -> Materialized:
    """Keypoints of every photo, and the visual words they stand for.

    Words find what a global vector misses, heavy crops above all; keypoints verify what was found. Rows live in
    Parquet, ``local_features/<method>/<drop>/``.
    """
    with step(context), runtime.archive() as archive:
        describer, version = runtime.describer(), config.of(runtime).cutter().version
        workers, now = runtime.settings.decode_workers, datetime.now(UTC)
        report = describe_drop(archive, describer, workers, version, context.partition_key, now)
    return dg.MaterializeResult(
        metadata={
            "dagster/partition_row_count": report.rows,
            "features": describer.features_id,
            "described_now": report.made_now,
            "photos_per_second": round(report.photos_per_second, 1),
        },
        check_results=[
            _every_photo("every_photo_is_described", report, "rows of features", "described", key="described")
        ],
    )


def _every_photo(name: str, report: PhotoStageReport, rows: str, done: str, *, key: str) -> dg.AssetCheckResult:
    """Fails if the rows are fewer than the photos: a warning if each photo that lacks is a fault, else an error."""
    return dg.AssetCheckResult(
        check_name=name,
        passed=report.photos == report.rows,
        severity=dg.AssetCheckSeverity.WARN if report.adds_up else dg.AssetCheckSeverity.ERROR,
        description=f"{report.rows} {rows} for {report.photos} photos; {report.left_out} could not be {done}, and "
        "their documents are partial.",
        metadata={"photos": report.photos, key: report.rows, "left_out": report.left_out},
    )


@drop_asset(GROUP, deps=["photo_embeddings", "local_features"], kinds={"qdrant"}, pool=INDEX_POOL)
def indexed_photos(
    context: dg.AssetExecutionContext, config: EmbedderConfig, runtime: dg.ResourceParam[Runtime]
) -> Materialized:
    """The drop's vectors and words as points of the embedder's collection; points of replaced documents are gone.

    Point ids follow from document, page, photo and embedder, so a second run changes nothing.
    """
    with step(context), runtime.archive() as archive, runtime.store() as store:
        asked, now = config.of(runtime), datetime.now(UTC)
        report = index_drop(archive, store, asked.versions(), asked.embedder().dim, context.partition_key, now)
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
    group_name=GROUP,
    owners=OWNERS,
    kinds={"qdrant"},
    pool=INDEX_POOL,
    freshness_policy=dg.FreshnessPolicy.time_window(warn_window=QUIET_DAYS, fail_window=3 * QUIET_DAYS),
)
def photo_collection(context: dg.AssetExecutionContext, runtime: dg.ResourceParam[Runtime]) -> Materialized:
    """The alias that searches use, pointing at the collection of the embedder in use once it is complete."""
    with step(context), runtime.archive() as archive, runtime.store() as store:
        spec, collection, now = runtime.embedder_spec(), runtime.versions().collection, datetime.now(UTC)
        report = publish_collection(archive, store, collection, runtime.embedder(), spec, runtime.alias, now)
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
