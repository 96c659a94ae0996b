"""The lead's report of a day or month, made from the ledger and written into the home's results."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from doc_assets.archive.archive import Archive
from doc_assets.archive.vectors.base import embedder_of
from doc_assets.reports.review_report.figures import ReviewReport, period_of, review_report
from doc_assets.reports.review_report.pages import write_review_report
from doc_assets.runtime import Runtime


@dataclass(frozen=True, slots=True)
class WrittenReport:
    """A report, and the folder of its files."""

    report: ReviewReport
    folder: Path


def make_review_report(runtime: Runtime, archive: Archive, period: str, now: datetime) -> WrittenReport:
    """Makes and writes the report of a period, in place of one that is there.

    Args:
        runtime: of the home.
        archive: its archive.
        period: a day, ``2026-11-27``, or a month, ``2026-11``, in the site's time zone.
        now: of this look.

    Raises:
        ValueError: if it is no period.
    """
    settings = runtime.settings
    used = archive.ledger.collections.last("in_use")
    model = runtime.pair_model(embedder_of(used.name) if used else None)
    report = review_report(
        archive.ledger,
        period_of(period, settings.timezone),
        settings.timezone,
        runtime.report_columns,
        model.model_id,
        now,
    )
    return WrittenReport(report, write_review_report(report, settings.results_dir))
