"""The sensor that turns files in the drop folder into runs."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from doc_assets.defs.intake.failed_drops import failed_drops
from doc_assets.defs.jobs import ingest_drop_job
from doc_assets.defs.partitions import drops
from doc_assets.pipeline.intake import IntakeReport, intake_rules, look
from doc_assets.runtime import Runtime
from doc_assets.settings import load_settings
from doc_assets.sources.names import display_name, real_path

_MAX_REQUESTS = 20
_MAX_NAMED = 20


@dg.definitions
def sensors() -> dg.Definitions:
    """The sensor with the interval that the settings ask for."""

    @dg.sensor(
        job_name=ingest_drop_job.name,
        minimum_interval_seconds=load_settings().intake_interval_s,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Watches the drop folder, seals files that stand still into drops and ingests them. A drop whose "
        "run failed is asked for again, at most five times, after pauses of one minute to eight hours.",
    )
    def new_tif_sensor(context: dg.SensorEvaluationContext, runtime: dg.ResourceParam[Runtime]) -> dg.SensorResult:
        inbox, rules = runtime.settings.inbox_dir, intake_rules(runtime.settings)
        with runtime.archive() as archive:
            now = datetime.now(UTC)
            report = look(archive.ledger, inbox, rules, now, runtime.key_of(), runtime.dates)
            sealed = archive.ledger.intake.drop_keys()
        new = _new_drops(context, sealed)
        requests = [
            *(dg.RunRequest(run_key=f"{key}:1", partition_key=key) for key in new),
            *failed_drops(context.instance, sealed, now),
        ]
        if report.unreadable:
            context.log.warning(_unreadable(report))
        if report.date_faults:
            named = "; ".join(report.date_faults[:_MAX_NAMED])
            context.log.warning(f"{len(report.date_faults)} dates of the key table cannot be used: {named}.")
        if requests and (report.ignored.n or report.waits):
            context.log.info(_passed_over(inbox, report))
        return dg.SensorResult(
            run_requests=requests,
            dynamic_partitions_requests=[drops.build_add_request(new)] if new else [],
            skip_reason=None if requests else dg.SkipReason(_reason(inbox, report)),
            cursor=json.dumps({"last_drop": sealed[-1] if sealed else None, "files": report.files}),
        )

    return dg.Definitions(sensors=[new_tif_sensor])


def _new_drops(context: dg.SensorEvaluationContext, sealed: Sequence[str]) -> list[str]:
    """Drops of the ledger that Dagster has no partition for yet, oldest first.

    The ledger is asked, not the cursor: a tick that was killed after sealing, a reset cursor or drops sealed
    on the command line lose nothing.
    """
    known = set(context.instance.get_dynamic_partitions(str(drops.name)))
    return [key for key in sealed if key not in known][:_MAX_REQUESTS]


def _reason(inbox: Path, report: IntakeReport) -> str:
    reason = (
        f"{report.files} documents in {inbox}: {report.settling} still being written or just arrived, "
        f"{report.waiting} waiting for their drop to fill or age, the others are ingested."
    )
    if report.forgotten:
        reason += f" {report.forgotten} were forgotten and are not taken."
    reason = f"{reason} {_passed_over(inbox, report)}".strip()
    return f"{reason} {_unreadable(report)}" if report.unreadable else reason


def _passed_over(inbox: Path, report: IntakeReport) -> str:
    """What the inbox ignores and what waits, the first ones by name."""
    sentences = []
    if report.waits:
        named = [
            f"{display_name(real_path(wait.path).name)} {wait.state}, until {wait.until:%H:%M:%S} UTC"
            for wait in report.waits[:_MAX_NAMED]
        ]
        more = len(report.waits) - len(named)
        sentences.append(f"Not taken yet: {'; '.join(named)}{f'; and {more} more' if more else ''}.")
    if report.ignored.n:
        sentences.append(f"{report.ignored.named(_MAX_NAMED, str(inbox))}.")
    return " ".join(sentences)


def _unreadable(report: IntakeReport) -> str:
    named = ", ".join(display_name(path) for path in report.unreadable[:_MAX_NAMED])
    return f"{len(report.unreadable)} paths cannot be looked into: {named}. What lies there is not ingested."
