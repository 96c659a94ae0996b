"""Files in the drop folder and key tables in theirs become runs."""

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from doc_assets.defs.changes import API_URL, SEARCH_ROOTS
from doc_assets.defs.failed_drops import failed_drops
from doc_assets.defs.lineage import MAX_RUNTIME_TAG, drops, ingest_drop_job
from doc_assets.defs.search import search_documents_job, search_job
from doc_assets.defs.step import step
from doc_assets.pipeline.intake import IntakeReport, intake_rules, look
from doc_assets.pipeline.sealing import seal_request, sealing_rules
from doc_assets.runtime import Runtime
from doc_assets.settings import load_settings
from doc_assets.sources.key_tables.inbox import WaitingTable, retire, waiting_tables
from doc_assets.sources.key_tables.table import RESOLVE_KEYS_NAMES_THEM
from doc_assets.sources.open_sources import SourceRequest

TABLE_TAG = "doc_assets/key_table"
"""Of runs that work a key table off: which version of which file."""

_MAX_REQUESTS, _MAX_LISTED = 20, 20


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
        new, notes = _new_drops(context, sealed), _notes(report)
        requests = [dg.RunRequest(run_key=f"{key}:1", partition_key=key) for key in new]
        requests += failed_drops(context.instance, sealed, now)
        if report.unreadable or report.date_faults:
            context.log.warning(notes)
        elif requests and notes:
            context.log.info(notes)
        return dg.SensorResult(
            run_requests=requests,
            dynamic_partitions_requests=[drops.build_add_request(new)] if new else [],
            skip_reason=None if requests else dg.SkipReason(f"{_counts(inbox, report)} {notes}"),
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


def _counts(inbox: Path, report: IntakeReport) -> str:
    return (
        f"{report.files} documents in {inbox}: {report.settling} still being written or just arrived, "
        f"{report.waiting} waiting for their drop to fill or age, the others are ingested."
    )


def _notes(report: IntakeReport) -> str:
    """What is not taken, in numbers: names of documents stay out of ticks."""
    notes = []
    if report.forgotten:
        notes.append(f"{report.forgotten} were forgotten and are not taken.")
    if report.waits:
        until = max(wait.until for wait in report.waits)
        notes.append(f"{len(report.waits)} are not taken yet, the last until {until:%H:%M:%S} UTC.")
    if report.ignored.n:
        notes.append(f"{report.ignored.n} are ignored: {report.ignored.in_numbers}.")
    if report.unreadable:
        notes.append(f"{len(report.unreadable)} paths cannot be looked into and are not ingested.")
    if report.waits or report.ignored.n or report.unreadable:
        notes.append("`doc-assets status` names them.")
    if report.date_faults:
        notes.append(f"{len(report.date_faults)} dates of the key table cannot be used. {RESOLVE_KEYS_NAMES_THEM}")
    return " ".join(notes)


class KeyTableConfig(dg.Config):
    """Which documents to take in."""

    key_table: str = Field(default="", description="Key table (.xlsx, .csv, .tsv, .json, .ndjson).")
    search_roots: list[str] = SEARCH_ROOTS
    api_url: str = API_URL


@dg.op(
    description="Finds the documents of a key table and seals those that are new into drops, which new_tif_sensor then "
    "ingests. Fails if a key has no document; the others are taken in."
)
def seal_key_table(context: dg.OpExecutionContext, config: KeyTableConfig, runtime: dg.ResourceParam[Runtime]) -> None:
    """Seals the documents of a key table."""
    table = Path(config.key_table) if config.key_table else None
    asked = SourceRequest(key_table=table, roots=tuple(config.search_roots), api_url=config.api_url)
    with step(context), runtime.archive() as archive:
        done = seal_request(archive, runtime.source_rules, asked, datetime.now(UTC), sealing_rules(runtime))
    context.add_output_metadata(
        {"documents": len(done.origins), "drops": ", ".join(done.sealed) or "none new", "problems": len(done.problems)}
    )
    if done.date_faults:
        context.log.warning(f"{len(done.date_faults)} dates of {done.source} cannot be used. {RESOLVE_KEYS_NAMES_THEM}")
    if done.problems:
        lines = ", ".join(f"{p.row.line} {p.state}" for p in done.problems[:_MAX_LISTED])
        lines += ", ..." if len(done.problems) > _MAX_LISTED else ""
        says = f"{len(done.problems)} keys of {done.source} have no document (lines {lines}). {RESOLVE_KEYS_NAMES_THEM}"
        raise dg.Failure(description=says, allow_retries=False)


@dg.job(tags=MAX_RUNTIME_TAG, description="Takes in the documents that a key table names.")
def ingest_key_table_job() -> None:
    """Key table -> sealed drops."""
    seal_key_table()


@dg.definitions
def key_tables() -> dg.Definitions:
    """The sensor with the interval that the settings ask for."""

    @dg.sensor(
        jobs=[ingest_key_table_job, search_job()],
        minimum_interval_seconds=load_settings().intake_interval_s,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Works off key tables dropped into key_tables/ingest and key_tables/search: the first take "
        "documents in, the others search for them. A table is renamed to .done when every key has its document; until "
        "then it is tried again.",
    )
    def key_table_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        settings = load_settings()
        seen = json.loads(context.cursor or "{}")
        still: dict[str, float] = {}
        requests = []
        notes = []
        for purpose in ("ingest", "search"):
            folder = settings.key_inbox_dir / purpose
            folder.mkdir(parents=True, exist_ok=True)
            for table in waiting_tables(folder):
                mark = f"{purpose}/{table.version}"
                since = still[mark] = min(seen.get(mark, time.time()), time.time())
                if mark not in seen or time.time() - since < settings.intake_settle_s:
                    notes.append(f"{table.path.name} has just arrived")
                    continue
                note = _next_step(context.instance, table, mark, settings.key_retry_s)
                if isinstance(note, int):
                    requests.append(_request(purpose, table, mark, note))
                else:
                    notes.append(note)
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else dg.SkipReason("; ".join(notes) or "No key table waits."),
            cursor=json.dumps(still),
        )

    return dg.Definitions(jobs=[ingest_key_table_job], sensors=[key_table_sensor])


def _next_step(instance: dg.DagsterInstance, table: WaitingTable, mark: str, retry_s: float) -> int | str:
    """The number of the try that is due now, or what is waited for; renames the table when it is done."""
    records = instance.get_run_records(dg.RunsFilter(tags={TABLE_TAG: mark}))
    runs = [record.dagster_run for record in records]
    if any(run.status == dg.DagsterRunStatus.SUCCESS for run in runs):
        return f"{table.path.name} is done and called {retire(table).name} now"
    if any(not run.is_finished for run in runs):
        return f"{table.path.name} is being worked off"
    ended = max((record.end_time or 0.0 for record in records), default=0.0)
    if runs and time.time() - ended < retry_s:
        return f"{table.path.name} failed and is tried again {retry_s:g} s after its last run"
    return len(runs) + 1


def _request(purpose: str, table: WaitingTable, mark: str, attempt: int) -> dg.RunRequest:
    config: dict[str, Any] = {"key_table": str(table.path)}
    op, job = "seal_key_table", ingest_key_table_job.name
    if purpose == "search":
        op, job = "match_query_documents", search_documents_job.name
    return dg.RunRequest(
        run_key=f"{mark}:{attempt}", job_name=job, run_config={"ops": {op: {"config": config}}}, tags={TABLE_TAG: mark}
    )
