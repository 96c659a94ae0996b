"""Asset ``documents``."""

from datetime import UTC, datetime

import dagster as dg

from doc_assets.defs import tables
from doc_assets.defs.partitions import OWNERS, drops
from doc_assets.defs.resources import ArchiveResource, QualityResource, ReaderResource
from doc_assets.defs.step import Materialized, step
from doc_assets.pipeline.reading import VERSION, DocumentsReport, read_drop


@dg.asset(
    partitions_def=drops,
    group_name="intake",
    kinds={"tiff", "sqlite"},
    owners=OWNERS,
    code_version=VERSION,
    check_specs=[
        dg.AssetCheckSpec(
            "rejected_share_is_low",
            asset="documents",
            description="Few documents of the drop could not be read; a person should look if many could not.",
        )
    ],
)
def documents(
    context: dg.AssetExecutionContext, archive: ArchiveResource, reader: ReaderResource, quality: QualityResource
) -> Materialized:
    """One row per file of the drop: copied, hashed, checked and read page by page, or rejected with its reason.

    Rows live in the ledger (table ``documents``), copies in ``documents/`` of the archive, named by SHA-256.
    A partition is a drop: files that arrived together and were sealed.
    """
    with step(context), archive.open() as opened, reader.open() as decoder:
        report = read_drop(opened, decoder, context.partition_key, datetime.now(UTC))
    return dg.MaterializeResult(
        metadata={
            "dagster/partition_row_count": report.n_documents,
            **{f"{state}": report.states[state] for state in ("ok", "partial", "rejected", "duplicate")},
            "pages": report.pages,
            "faulty_documents": tables.faulty_documents(report.faulty),
        },
        check_results=[_rejected_share_is_low(report, quality.max_rejected_share)],
    )


def _rejected_share_is_low(report: DocumentsReport, most: float) -> dg.AssetCheckResult:
    too_many = report.rejected_share > most
    return dg.AssetCheckResult(
        check_name="rejected_share_is_low",
        passed=report.states["rejected"] == 0,
        severity=dg.AssetCheckSeverity.ERROR if too_many else dg.AssetCheckSeverity.WARN,
        description=f"{report.states['rejected']} of {report.n_documents} documents were rejected; "
        f"an error above a share of {most:g}.",
        metadata={"rejected_share": report.rejected_share},
    )
