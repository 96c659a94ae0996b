"""The backup as a job, and its schedule: on where DOC_ASSETS_BACKUP_DIR names a folder."""

import dagster as dg

from doc_assets.defs.backup.scope import back_up, described
from doc_assets.defs.partitions import INDEX_POOL, MAX_RUNTIME_TAG
from doc_assets.defs.step import step
from doc_assets.settings import load_settings


@dg.op(
    pool=INDEX_POOL,
    description="Copies ledger, collections, Dagster's records, documents, tables and models into a new folder below "
    "DOC_ASSETS_BACKUP_DIR, with a manifest of counts and digests; older backups go as the settings say.",
)
def back_up_home(context: dg.OpExecutionContext) -> None:
    """Makes one backup."""
    with step(context):
        made = back_up(load_settings(), context.instance, but=context.run_id)
    context.add_output_metadata(described(made))


@dg.job(tags=MAX_RUNTIME_TAG, description="Makes a backup of this home in DOC_ASSETS_BACKUP_DIR.")
def backup_job() -> None:
    """The home -> a backup."""
    back_up_home()


@dg.definitions
def backups() -> dg.Definitions:
    """The schedule at the time that the settings ask for."""
    settings = load_settings()

    @dg.schedule(
        job=backup_job,
        cron_schedule=settings.backup_cron,
        execution_timezone=settings.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING if settings.backup_dir else dg.DefaultScheduleStatus.STOPPED,
        description="Makes a backup every night, if DOC_ASSETS_BACKUP_DIR names a folder.",
    )
    def backup_schedule() -> dg.RunRequest:
        return dg.RunRequest()

    return dg.Definitions(schedules=[backup_schedule])
