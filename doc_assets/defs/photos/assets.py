"""Asset ``photos``."""

from datetime import UTC, datetime

import dagster as dg

from doc_assets.defs.partitions import OWNERS, drops
from doc_assets.defs.resources import ArchiveResource, PhotoCutterResource, QualityResource, ReaderResource
from doc_assets.defs.step import Materialized, step
from doc_assets.pipeline.cutting import PhotosReport, cut_drop


@dg.asset(
    partitions_def=drops,
    deps=["documents"],
    group_name="photos",
    kinds={"opencv", "parquet"},
    owners=OWNERS,
    code_version="photos-1",
    check_specs=[
        dg.AssetCheckSpec(
            "photos_per_document_in_range",
            asset="photos",
            description="The mean number of photos a document is plausible; another one hints at a new form.",
        )
    ],
)
def photos(
    context: dg.AssetExecutionContext,
    archive: ArchiveResource,
    reader: ReaderResource,
    photo_cutter: PhotoCutterResource,
    quality: QualityResource,
) -> Materialized:
    """One row a photo on a page of the drop's documents: its box on the page and its JPEG bytes.

    Rows live in Parquet, ``photos/<drop>/``, a file for each chunk of documents.
    """
    with step(context), archive.open() as opened, reader.open() as decoder:
        report = cut_drop(opened, decoder, photo_cutter.load(), context.partition_key, datetime.now(UTC))
    return dg.MaterializeResult(
        metadata={
            "dagster/partition_row_count": report.photos,
            "documents": report.documents,
            "documents_without_photos": report.documents_by_count[0],
            "photos_per_document": report.photos_a_document,
            "chunks_cut_now": report.chunks_made,
            "pages_whose_text_could_not_be_read": report.pages_unread,
        },
        check_results=[_photos_per_document_in_range(report, quality)],
    )


def _photos_per_document_in_range(report: PhotosReport, quality: QualityResource) -> dg.AssetCheckResult:
    low, high = quality.min_photos_per_document, quality.max_photos_per_document
    return dg.AssetCheckResult(
        check_name="photos_per_document_in_range",
        passed=report.documents == 0 or low <= report.photos_a_document <= high,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{report.photos_a_document:.2f} photos a document, expected are {low:g} to {high:g}.",
        metadata={"photos_per_document": report.photos_a_document},
    )
