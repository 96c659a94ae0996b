"""Backups of a home with Dagster's records: asked for, on a schedule, and the way back."""

import shutil
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote

import dagster as dg

from doc_assets.archive.home import half_made
from doc_assets.defs.erasure import opened_for_erasure
from doc_assets.defs.instance import (
    fail_runs_in_progress,
    open_instance,
    places_of_records,
    require_nothing_runs,
    runs_in_progress,
)
from doc_assets.defs.lineage import INDEX_POOL, MAX_RUNTIME_TAG
from doc_assets.defs.step import step
from doc_assets.errors import BackupError, DocAssetsError, SettingsError
from doc_assets.ops.backup.forgotten import ForgottenList, read_lists
from doc_assets.ops.backup.make import MadeBackup, make_backup
from doc_assets.ops.backup.manifest import Retention, find_backup, read_manifest
from doc_assets.ops.backup.packing import unpack
from doc_assets.ops.backup.restore import RestoreReport, complete, find_returned, replace_home
from doc_assets.ops.backup.scope import BackupScope
from doc_assets.ops.home import prepare_home, restoring
from doc_assets.runtime import Runtime
from doc_assets.settings import Settings, load_settings

_IMPORT = ".import"
_WAS_RUNNING = "This run was in progress when the backup was made that this home was restored from."


def scope_of(settings: Settings, instance: dg.DagsterInstance) -> BackupScope:
    """The home of the settings with its stores.

    Raises:
        BackupError: if Dagster keeps its records in several places.
    """
    places = places_of_records(instance)
    if len(places) > 1:
        raise BackupError("Dagster keeps its records in several places; a backup holds one. Use `storage: postgres`.")
    return BackupScope(Runtime(settings), places.pop())


def back_up(
    settings: Settings,
    instance: dg.DagsterInstance,
    *,
    to: Path | None = None,
    by_reference: bool | None = None,
    keep: int | None = None,
    keep_days: int | None = None,
    but: str | None = None,
) -> MadeBackup:
    """Makes a backup of the home as the settings say, where nothing else is asked for.

    ``to`` is a folder of backups; ``by_reference`` lists documents and tables instead of copying them; ``keep`` and
    ``keep_days`` say how many backups stay, and for how many days (0 sets no bound); the run ``but`` does not count as
    work in progress.

    Raises:
        SettingsError: if no folder is named.
        BackupError: if a source is missing or empty, or the backup cannot be written.
    """
    root = to or settings.backup_dir
    if root is None:
        raise SettingsError("Name a folder for backups with --to, or in DOC_ASSETS_BACKUP_DIR; best on another disk.")
    return make_backup(
        scope_of(settings, instance),
        root.absolute(),
        datetime.now(UTC),
        Retention(
            settings.backup_keep if keep is None else keep,
            settings.backup_keep_days if keep_days is None else keep_days,
        ),
        by_reference=settings.backup_bulk == "reference" if by_reference is None else by_reference,
        is_busy=bool(runs_in_progress(instance, but)),
    )


def described(made: MadeBackup) -> dict[str, int | str | bool]:
    """A backup in a few values."""
    manifest = made.manifest
    return {
        "folder": str(made.folder),
        "bytes": manifest.size_bytes,
        "files": len(manifest.files),
        "quiet": manifest.quiet,
        "faults": manifest.faults,
        "removed": len(made.removed),
        **manifest.counts,
    }


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


def restore(settings: Settings, folder: Path) -> RestoreReport:
    """Makes the home of the settings what a backup says, or the newest one in a folder.

    Raises:
        BackupError: if the backup is damaged or does not fit, then nothing was changed; or if the restored home is not
            whole, then it stays half made until a restore is complete.
        ServiceError: if a run is in progress, or a store does not answer.
    """
    found = find_backup(folder.absolute())
    with restoring(settings.home):
        return _restore(settings, found, f"restore {quote(str(found))}", read_lists(found.parent))


def import_stack(settings: Settings, file: Path) -> RestoreReport:
    """Does the same from a file that ``export-stack`` wrote."""
    unpacked = settings.home / _IMPORT
    shutil.rmtree(unpacked, ignore_errors=True)  # of a killed import
    try:
        with restoring(settings.home):
            unpack(file, unpacked)
            report = _restore(settings, unpacked, f"import-stack {quote(str(file.absolute()))}", [])
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)
    report.folder = file.absolute()
    return report


def _restore(settings: Settings, folder: Path, again: str, beside: Sequence[ForgottenList]) -> RestoreReport:
    manifest = read_manifest(folder)
    report = RestoreReport(folder, manifest.made_at, dict(manifest.counts))
    try:
        with open_instance() as instance:  # closed before its files are exchanged
            scope = scope_of(settings, instance)
        with suppress(DocAssetsError, OSError), scope.runtime.store():
            pass  # which collections are this home's own is known by the ledger that is about to go
        own = replace_home(scope, manifest, again, report, _require_idle)
        prepare_home(settings)
        with open_instance() as restored:
            fail_runs_in_progress(restored, _WAS_RUNNING)
        names = find_returned(scope, [*beside, *own], report)
        if names:
            report.traces = _forget(settings, names)
        complete(scope, manifest, report)
    except DocAssetsError as error:
        if says := half_made(settings.home):
            error.args = (f"{error} {says}",)
        raise
    if report.traces:  # some may have been in the old data, which is gone now
        report.traces = _forget(settings, [])
    return report


def _require_idle() -> None:
    with open_instance() as instance:
        require_nothing_runs(instance)


def _forget(settings: Settings, names: Sequence[str]) -> int:
    """Forgets these documents, and what was not ended; returns how many traces are left."""
    with open_instance() as instance, opened_for_erasure(Runtime(settings), instance) as erasing:
        reports = erasing.carry_out(erasing.plan(names))
    return sum(len(report.traces) for report in reports)
