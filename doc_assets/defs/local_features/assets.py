"""Asset ``local_features``."""

from datetime import UTC, datetime

import dagster as dg

from doc_assets.defs.partitions import OWNERS, drops
from doc_assets.defs.resources import ArchiveResource, DescriberResource, PhotoCutterResource
from doc_assets.defs.step import Materialized, severity_of, step
from doc_assets.pipeline.describing import describe_drop


@dg.asset(
    partitions_def=drops,
    deps=["photos"],
    group_name="local_features",
    kinds={"opencv", "parquet"},
    owners=OWNERS,
    code_version="local_features-1",
    check_specs=[
        dg.AssetCheckSpec(
            "every_photo_is_described",
            asset="local_features",
            blocking=True,
            description="As many rows of features as photos. Photos that could not be described are faults in the "
            "ledger; if the two do not add up, nothing of the drop is indexed.",
        )
    ],
)
def local_features(
    context: dg.AssetExecutionContext,
    archive: ArchiveResource,
    photo_cutter: PhotoCutterResource,
    describer: DescriberResource,
) -> Materialized:
    """Keypoints of every photo, and the visual words they stand for.

    Words find what a global vector misses, heavy crops above all; keypoints verify what was found. Rows live in
    Parquet, ``local_features/<method>/<drop>/``.
    """
    with step(context), archive.open() as opened:
        made_by, version = describer.load(), photo_cutter.load().version
        report = describe_drop(opened, made_by, describer.workers, version, context.partition_key, datetime.now(UTC))
    return dg.MaterializeResult(
        metadata={
            "dagster/partition_row_count": report.rows,
            "features": made_by.features_id,
            "described_now": report.made_now,
            "photos_per_second": report.photos_per_second,
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="every_photo_is_described",
                passed=report.photos == report.rows,
                severity=severity_of(report.adds_up),
                description=f"{report.rows} rows of features for {report.photos} photos; {report.left_out} could "
                "not be described, and their documents are partial.",
                metadata={"photos": report.photos, "described": report.rows, "left_out": report.left_out},
            )
        ],
    )
