"""The sensor that turns files in the drop folder into runs."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from doc_assets.defs.jobs import ingest_drop_job
from doc_assets.defs.partitions import drops
from doc_assets.pipeline.intake import IntakeReport, intake_rules, look
from doc_assets.runtime import Runtime
from doc_assets.settings import load_settings
from doc_assets.sources.key_tables.table import RESOLVE_KEYS_NAMES_THEM

_MAX_REQUESTS = 20
_STATUS_NAMES_THEM = "`doc-assets status` names them."


@dg.definitions
def sensors() -> dg.Definitions:
    """The sensor with the interval that the settings ask for."""

    @dg.sensor(
        job_name=ingest_drop_job.name,
        minimum_interval_seconds=load_settings().intake_interval_s,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Watches the drop folder, seals files that stand still into drops and ingests them.",
    )
    def new_tif_sensor(context: dg.SensorEvaluationContext, runtime: dg.ResourceParam[Runtime]) -> dg.SensorResult:
        inbox, rules = runtime.settings.inbox_dir, intake_rules(runtime.settings)
        with runtime.archive() as archive:
            report = look(archive.ledger, inbox, rules, datetime.now(UTC), runtime.key_of(), runtime.dates)
            sealed = archive.ledger.intake.drop_keys()
        requests = _new_drops(context, sealed)
        if report.unreadable:
            context.log.warning(_unreadable(report))
        if report.date_faults:
            context.log.warning(
                f"{len(report.date_faults)} dates of the key table cannot be used. {RESOLVE_KEYS_NAMES_THEM}"
            )
        if requests and (report.ignored.n or report.waits):
            context.log.info(_passed_over(report))
        return dg.SensorResult(
            run_requests=[dg.RunRequest(run_key=f"{key}:1", partition_key=key) for key in requests],
            dynamic_partitions_requests=[drops.build_add_request(requests)] if requests else [],
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
    reason = f"{reason} {_passed_over(report)}".strip()
    return f"{reason} {_unreadable(report)}" if report.unreadable else reason


def _passed_over(report: IntakeReport) -> str:
    """How much waits, until when, and how much the inbox ignores."""
    sentences = []
    if report.waits:
        until = max(wait.until for wait in report.waits)
        sentences.append(f"{len(report.waits)} are not taken yet, the last until {until:%H:%M:%S} UTC.")
    if report.ignored.n:
        sentences.append(f"{report.ignored.n} are ignored: {report.ignored.in_numbers}.")
    return " ".join([*sentences, _STATUS_NAMES_THEM]) if sentences else ""


def _unreadable(report: IntakeReport) -> str:
    return f"{len(report.unreadable)} paths cannot be looked into and are not ingested. {_STATUS_NAMES_THEM}"
