"""Everything that a backup holds, Dagster's own records among it."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from doc_assets.archive.archive import Archive
from doc_assets.archive.consistency import Findings, check_archive
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.vectors.base import VectorStore
from doc_assets.defs.instance import places_of_records
from doc_assets.defs.maintenance.abandoned import runs_in_progress
from doc_assets.errors import BackupError, SettingsError
from doc_assets.ops.backup.estate import Estate
from doc_assets.ops.backup.make import MadeBackup, make_backup
from doc_assets.ops.backup.retention import Keeping
from doc_assets.runtime import Runtime
from doc_assets.settings import PREFIX, Settings
from doc_assets.util.masking import is_secret, shown


def estate_of(settings: Settings, instance: dg.DagsterInstance | None) -> Estate:
    """The home of the settings.

    Args:
        settings: that name it.
        instance: Dagster's, for the address of its database; None if its records are files.
    """
    runtime = Runtime(settings)

    def check(ledger: Ledger, opened: VectorStore) -> Findings:
        return check_archive(Archive(ledger, settings.bulk), opened, runtime.alias, runtime.versions())

    values = {name: getattr(settings, name) for name in Settings.model_fields}
    return Estate(
        name=settings.home.name,
        home=settings.home,
        bulk=settings.bulk,
        ledger_url=settings.ledger_address,
        dagster_url=_served(instance) if instance is not None else None,
        dagster_home=settings.dagster_home,
        forgotten_key=settings.forgotten_key,
        open_store=runtime.store,
        alias=runtime.alias,
        check=check,
        configuration={
            f"{PREFIX}{name.upper()}": shown(value) for name, value in values.items() if not is_secret(value)
        },
        secrets=tuple(f"{PREFIX}{name.upper()}" for name, value in values.items() if is_secret(value)),
    )


def back_up(
    settings: Settings,
    instance: dg.DagsterInstance,
    *,
    to: Path | None = None,
    by_reference: bool | None = None,
    keeping: Keeping | None = None,
    but: str | None = None,
) -> MadeBackup:
    """Makes a backup of the home as the settings say, where nothing else is asked for.

    Args:
        settings: of the home.
        instance: Dagster's.
        to: folder of backups.
        by_reference: whether documents and tables are listed instead of copied.
        keeping: which older backups stay.
        but: a run that does not count as work in progress.

    Raises:
        SettingsError: if no folder is named.
        BackupError: if a source is missing or empty, or the backup cannot be written.
    """
    root = to or settings.backup_dir
    if root is None:
        raise SettingsError("Name a folder for backups with --to, or in DOC_ASSETS_BACKUP_DIR; best on another disk.")
    return make_backup(
        estate_of(settings, instance),
        root.absolute(),
        datetime.now(UTC),
        keeping or Keeping(settings.backup_keep, settings.backup_keep_days),
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


def _served(instance: dg.DagsterInstance) -> str | None:
    """Address of the database that the instance keeps its records in; None for files."""
    places = places_of_records(instance)
    if len(places) > 1:
        raise BackupError("Dagster keeps its records in several places; a backup holds one. Use `storage: postgres`.")
    return places.pop()
