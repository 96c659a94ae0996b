"""Asset ``photo_embeddings``."""

from datetime import UTC, datetime

import dagster as dg

from doc_assets.defs.partitions import GPU_POOL, OWNERS, drops
from doc_assets.defs.resources import ArchiveResource, EmbedderResource, PhotoCutterResource
from doc_assets.defs.step import Materialized, severity_of, step
from doc_assets.pipeline.embedding import embed_drop


@dg.asset(
    partitions_def=drops,
    deps=["photos"],
    group_name="embedding",
    kinds={"torch", "parquet"},
    owners=OWNERS,
    code_version="photo_embeddings-1",
    pool=GPU_POOL,
    check_specs=[
        dg.AssetCheckSpec(
            "every_photo_has_one_embedding",
            asset="photo_embeddings",
            blocking=True,
            description="As many vectors as photos. Photos that could not be embedded are faults in the ledger; if "
            "the two do not add up, nothing of the drop is indexed.",
        )
    ],
)
def photo_embeddings(
    context: dg.AssetExecutionContext,
    archive: ArchiveResource,
    photo_cutter: PhotoCutterResource,
    embedder: EmbedderResource,
) -> Materialized:
    """One unit vector a photo, stamped with embedder, weights and preprocessing.

    Rows live in Parquet, ``embeddings/<embedder>/<drop>/``; the collection can be rebuilt from them alone.
    """
    with step(context), archive.open() as opened:
        model, version = embedder.load(), photo_cutter.load().version
        report = embed_drop(opened, model, version, context.partition_key, datetime.now(UTC))
    return dg.MaterializeResult(
        metadata={
            "dagster/partition_row_count": report.rows,
            "embedder": model.embedder_id,
            "weights_sha256": model.weights_sha256,
            "dim": model.dim,
            "embedded_now": report.made_now,
            "photos_per_second": report.photos_per_second,
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="every_photo_has_one_embedding",
                passed=report.photos == report.rows,
                # What is left out is named in the ledger and keeps nothing else from the index.
                severity=severity_of(report.adds_up),
                description=f"{report.rows} vectors for {report.photos} photos; {report.left_out} could not be "
                "embedded, and their documents are partial.",
                metadata={"photos": report.photos, "vectors": report.rows, "left_out": report.left_out},
            )
        ],
    )
