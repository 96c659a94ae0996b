"""The lead's report of every day and month, with its schedules in the site's time zone."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg

from doc_assets.defs.lineage import MAX_RUNTIME_TAG, OWNERS
from doc_assets.defs.links import desk_link
from doc_assets.defs.step import Materialized, step
from doc_assets.pipeline.review_report import WrittenReport, make_review_report
from doc_assets.reports.review_report.pages import DATA, PAGE, WORKBOOK
from doc_assets.runtime import Runtime
from doc_assets.settings import Settings, load_settings

FIRST_DAY = "2026-01-01"
DAY_DESCRIPTION = (
    "What the head of the team reads of a day: arrivals, rejects by sender, photos per document, risk, outliers by "
    "branch and inspector, drift against the thirty days before, precision and agreement of verdicts, cases that wait. "
    "Files live in `results/review/<day>/`; `review.html` comes first."
)
MONTH_DESCRIPTION = DAY_DESCRIPTION.replace("of a day", "of a month").replace("<day>", "<month>")
_LATE = {"review_report": timedelta(days=1, hours=3), "review_report_month": timedelta(days=32)}
"""After so long without a report its schedule did not run; after a day more nobody can call it late."""


def _asset(name: str, description: str, partitions: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """A report per partition; of many missing ones each is a run of its own, because each is written by itself."""

    @dg.asset(
        name=name,
        description=description,
        partitions_def=partitions,
        group_name="screening",
        kinds={"pandas", "html", "excel"},
        owners=OWNERS,
        # Of every drop that arrived in the period; the drops are keyed otherwise, and there are thousands.
        deps=[dg.AssetDep("review_cases", partition_mapping=dg.LastPartitionMapping())],
        backfill_policy=dg.BackfillPolicy.multi_run(1),
        freshness_policy=dg.FreshnessPolicy.time_window(
            warn_window=_LATE[name], fail_window=_LATE[name] + timedelta(days=1)
        ),
    )
    def report(context: dg.AssetExecutionContext, runtime: dg.ResourceParam[Runtime]) -> Materialized:
        with step(context), runtime.archive() as archive:
            written = make_review_report(runtime, archive, context.partition_key, datetime.now(UTC))
        return dg.MaterializeResult(metadata=_metadata(runtime.settings, written))

    return report


def _metadata(settings: Settings, written: WrittenReport) -> dict[str, Any]:
    report, folder = written.report, written.folder
    page = desk_link(settings, f"statistics/{report.period}")
    return {
        "report": page or dg.MetadataValue.path(str(folder / PAGE)),
        "page": dg.MetadataValue.path(str(folder / PAGE)),
        "xlsx": dg.MetadataValue.path(str(folder / WORKBOOK)),
        "data": dg.MetadataValue.path(str(folder / DATA)),
        "dagster/uri": folder.as_uri(),
        "documents": report.arrivals.documents,
        "flagged": report.risks.flagged,
        "pairs_judged": sum(each.n for each in report.answers),
        "cases_waiting": report.backlog.cases,
    }


@dg.definitions
def review_reports() -> dg.Definitions:
    """Assets, jobs and schedules at the times and in the time zone that the settings ask for."""
    settings = load_settings()
    zone = settings.timezone
    days = dg.DailyPartitionsDefinition(start_date=FIRST_DAY, timezone=zone)
    months = dg.MonthlyPartitionsDefinition(start_date=FIRST_DAY[:7], timezone=zone, fmt="%Y-%m")
    return dg.Definitions(
        assets=[
            _asset("review_report", DAY_DESCRIPTION, days),
            _asset("review_report_month", MONTH_DESCRIPTION, months),
        ],
        jobs=[_job("review_report", "day"), _job("review_report_month", "month")],
        schedules=[
            _schedule("review_report", settings.report_cron, zone, yesterday, "yesterday's report every morning"),
            _schedule("review_report_month", settings.report_month_cron, zone, last_month, "last month's report"),
        ],
    )


def yesterday(now: datetime) -> str:
    """The day before, as a partition; ``now`` in the site's time zone."""
    return f"{now.date() - timedelta(days=1)}"


def last_month(now: datetime) -> str:
    """The month before, as a partition; ``now`` in the site's time zone."""
    return f"{now.date().replace(day=1) - timedelta(days=1):%Y-%m}"


def _job(asset: str, period: str) -> Any:  # noqa: ANN401 - Dagster does not publish the class
    return dg.define_asset_job(
        f"{asset}_job",
        dg.AssetSelection.assets(asset),
        description=f"The lead's report of a {period}, from what the ledger holds.",
        tags=MAX_RUNTIME_TAG,
    )


def _schedule(
    asset: str, cron: str, zone: str, period_of_run: Callable[[datetime], str], says: str
) -> dg.ScheduleDefinition:

    @dg.schedule(
        name=f"{asset}_schedule",
        job_name=f"{asset}_job",
        cron_schedule=cron,
        execution_timezone=zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Makes {says}.",
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        period = period_of_run(context.scheduled_execution_time.astimezone(ZoneInfo(zone)))
        return dg.RunRequest(run_key=period, partition_key=period)

    return schedule
