"""Everything that a backup holds, Dagster's own records among it."""

import dagster as dg

from doc_assets.backup.estate import Estate
from doc_assets.backup.make import MadeBackup
from doc_assets.backup.retention import Keeping
from doc_assets.defs.maintenance.abandoned import IN_PROGRESS
from doc_assets.defs.resources import VectorStoreResource, resources_from, versions_in_use
from doc_assets.errors import BackupError
from doc_assets.index.base import VectorStore
from doc_assets.ingest.archive import Archive
from doc_assets.ingest.consistency import Findings, check_archive
from doc_assets.ledger.ledger import Ledger
from doc_assets.masking import is_secret, shown
from doc_assets.settings import PREFIX, Settings


def estate_of(settings: Settings, instance: dg.DagsterInstance | None) -> Estate:
    """The home of the settings.

    Args:
        settings: that name it.
        instance: Dagster's, for the address of its database; None if its records are files.
    """
    resources = resources_from(settings)
    store: VectorStoreResource = resources["vector_store"]

    def check(ledger: Ledger, opened: VectorStore) -> Findings:
        tools = (resources[name] for name in ("photo_cutter", "embedder", "describer"))
        return check_archive(Archive(ledger, settings.bulk), opened, store.alias, versions_in_use(*tools))

    values = {name: getattr(settings, name) for name in Settings.model_fields}
    return Estate(
        name=settings.home.name,
        home=settings.home,
        bulk=settings.bulk,
        ledger_url=settings.ledger_address,
        dagster_url=_served(instance) if instance is not None else None,
        dagster_home=settings.dagster_home,
        forgotten_key=settings.forgotten_key,
        open_store=store.open,
        alias=store.alias,
        check=check,
        configuration={
            f"{PREFIX}{name.upper()}": shown(value) for name, value in values.items() if not is_secret(value)
        },
        secrets=tuple(f"{PREFIX}{name.upper()}" for name, value in values.items() if is_secret(value)),
    )


def keeping_of(settings: Settings) -> Keeping:
    """Which backups the settings keep."""
    return Keeping(settings.backup_keep, settings.backup_keep_days)


def is_busy(instance: dg.DagsterInstance, but: str | None = None) -> bool:
    """Whether a run is in progress, that of ``but`` aside."""
    runs = instance.get_run_records(filters=dg.RunsFilter(statuses=IN_PROGRESS), limit=2)
    return any(record.dagster_run.run_id != but for record in runs)


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
    storages = (instance.run_storage, instance.event_log_storage, instance.schedule_storage)
    urls = {getattr(storage, "postgres_url", None) for storage in storages}
    if len(urls) > 1:
        raise BackupError(
            "Dagster keeps its records in several databases; a backup holds one. Use `storage: postgres`."
        )
    return urls.pop()
