"""Deleting what is too old to be kept."""

import dagster as dg
from pydantic import Field

from doc_assets.defs.partitions import MAX_RUNTIME_TAG
from doc_assets.defs.step import step
from doc_assets.errors import SetupError
from doc_assets.ops.maintenance import tidy_home
from doc_assets.runtime import Runtime
from doc_assets.settings import load_settings


class MaintenanceConfig(dg.Config):
    """Whether to delete."""

    dry_run: bool = Field(default=True, description="Say what would go, delete nothing.")


@dg.op(
    description="Deletes closed logs and output of runs, reports and evidence, and copies of replaced and rejected "
    "documents that are older than the settings keep them, and leftovers of killed writers. Runs and materializations "
    "stay; old ticks go by Dagster's own retention."
)
def delete_what_is_too_old(
    context: dg.OpExecutionContext, config: MaintenanceConfig, runtime: dg.ResourceParam[Runtime]
) -> None:
    """Tidies the home."""
    with step(context):
        with runtime.archive() as archive:
            report = tidy_home(runtime.settings, archive.ledger, dry_run=config.dry_run)
        counted = {f"{kind}: things": tally.n for kind, tally in report.kinds.items()}
        sizes = {f"{kind}: bytes": tally.size_bytes for kind, tally in report.kinds.items()}
        context.add_output_metadata({"dry_run": report.dry_run, "bytes": report.size_bytes, **counted, **sizes})
        context.log.info("%d bytes %s", report.size_bytes, "would go" if report.dry_run else "went")
        if report.n_failed:
            raise SetupError(
                f"{report.n_failed} things could not be deleted; `doc-assets maintain` names them. "
                "Give the user of this program the right to delete there."
            )


@dg.job(
    tags=MAX_RUNTIME_TAG,
    description="Deletes what is older than the settings keep it; started by hand it only says what would go.",
)
def maintenance_job() -> None:
    """The home -> a tidier home."""
    delete_what_is_too_old()


@dg.definitions
def maintenance() -> dg.Definitions:
    """The schedule at the time that the settings ask for."""
    settings = load_settings()

    @dg.schedule(
        job=maintenance_job,
        cron_schedule=settings.maintenance_cron,
        execution_timezone=settings.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Deletes every night what is older than the settings keep it.",
    )
    def maintenance_schedule() -> dg.RunRequest:
        return dg.RunRequest(run_config=dg.RunConfig({"delete_what_is_too_old": MaintenanceConfig(dry_run=False)}))

    return dg.Definitions(schedules=[maintenance_schedule])
