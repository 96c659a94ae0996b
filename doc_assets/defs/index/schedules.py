"""The nightly look for what is missing or stale."""

import dagster as dg

from doc_assets.defs.jobs import INGESTION, ingest_drop_job
from doc_assets.defs.partitions import drops
from doc_assets.pipeline.rebuild import stale_drops
from doc_assets.runtime import Runtime
from doc_assets.settings import load_settings

_MAX_REQUESTS = 100


@dg.definitions
def schedules() -> dg.Definitions:
    """The schedule at the time that the settings ask for."""
    settings = load_settings()

    @dg.schedule(
        job_name=ingest_drop_job.name,
        cron_schedule=settings.reindex_cron,
        execution_timezone=settings.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Ingests drops again of which a step is missing, or was made by another version or setting.",
    )
    def nightly_reindex_schedule(
        context: dg.ScheduleEvaluationContext, runtime: dg.ResourceParam[Runtime]
    ) -> list[dg.RunRequest] | dg.SkipReason:
        with runtime.archive() as archive:
            stale = stale_drops(archive.ledger, runtime.versions())
        if not stale:
            return dg.SkipReason("Every drop is complete and made by the versions in use.")
        context.instance.add_dynamic_partitions(str(drops.name), stale)
        night = f"{context.scheduled_execution_time:%Y%m%d}"
        assets = [dg.AssetKey(name) for name in INGESTION]  # what was screened stays screened
        return [
            dg.RunRequest(run_key=f"{key}:{night}", partition_key=key, asset_selection=assets)
            for key in stale[:_MAX_REQUESTS]
        ]

    return dg.Definitions(schedules=[nightly_reindex_schedule])
