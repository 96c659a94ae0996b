"""The scope of a backup by the settings and Dagster's instance, and a backup of it."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from doc_assets.defs.instance import places_of_records
from doc_assets.defs.maintenance.abandoned import runs_in_progress
from doc_assets.errors import BackupError, SettingsError
from doc_assets.ops.backup.make import MadeBackup, make_backup
from doc_assets.ops.backup.retention import Retention
from doc_assets.ops.backup.scope import BackupScope
from doc_assets.runtime import Runtime
from doc_assets.settings import Settings


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

    Args:
        settings: of the home.
        instance: Dagster's.
        to: folder of backups.
        by_reference: whether documents and tables are listed instead of copied.
        keep: number of backups that stay; 0 for all.
        keep_days: age in days of the oldest backup that stays; 0 for any.
        but: a run that does not count as work in progress.

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
