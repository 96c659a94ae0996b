"""Making a backup: under another name until it is complete, and none at all if a source is missing.

The ledger and the collections are taken first, while nobody else can write the embedded store, so that they agree.
Files come after them: what a run adds meanwhile is more than the ledger knows, as after a kill, and does no harm.
"""

import json
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.ledger.schema import DocumentRow, DropStage, Search, Tombstone
from doc_assets.errors import BackupError, DamagedError
from doc_assets.ops.backup import databases
from doc_assets.ops.backup.estate import BULK_FOLDERS, HOME_FOLDERS, Estate
from doc_assets.ops.backup.files import copy_file, entry_of, files_below
from doc_assets.ops.backup.forgotten import keep_beside
from doc_assets.ops.backup.manifest import DatabasePart, FileEntry, Manifest
from doc_assets.ops.backup.retention import Keeping, drop_old, name_of, partial_name
from doc_assets.ops.backup.sources import open_existing_ledger, require_documents, require_sources
from doc_assets.ops.backup.vectors import save_collections
from doc_assets.util.files import exclusive, sync_folder
from doc_assets.util.progress import track

_PROGRAMS = ("doc_assets", "dagster", "qdrant-client", "qdrant-edge-py", "pyarrow")
CONFIGURATION = "configuration.json"


@dataclass(frozen=True, slots=True)
class MadeBackup:
    """A backup that is complete.

    Attributes:
        folder: it lies in.
        manifest: of it.
        removed: older backups that retention removed.
    """

    folder: Path
    manifest: Manifest
    removed: list[Path] = field(default_factory=list)


def make_backup(
    estate: Estate, root: Path, now: datetime, keeping: Keeping, *, by_reference: bool, is_busy: bool
) -> MadeBackup:
    """Makes a backup in a folder of backups.

    Args:
        estate: what to back up.
        root: folder of backups; made if it is not there.
        now: names the backup.
        keeping: which older ones stay afterwards.
        by_reference: documents and tables are listed with their digests and stay where they are.
        is_busy: whether a run is in progress.

    Raises:
        BackupError: if a source is missing or empty, or the backup cannot be written; then nothing of it stays.
        ServiceError: if a store does not answer; likewise.
    """
    _require_outside(root, estate)
    final, partial = root / name_of(now), root / partial_name(now)
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with exclusive(root / ".lock"):
            if final.exists():
                raise BackupError(f"{final} exists already.")
            for left in root.glob(partial_name(None)):
                shutil.rmtree(left)
            partial.mkdir(mode=0o700)
            try:
                manifest = _fill(estate, partial, now, by_reference=by_reference, is_busy=is_busy)
                manifest.write(partial)
                os.sync()
                partial.rename(final)
                sync_folder(root)
            except BaseException:
                shutil.rmtree(partial, ignore_errors=True)
                raise
            with open_existing_ledger(estate) as ledger:
                keep_beside(root, ledger.tombstones, now)
            return MadeBackup(final, manifest, drop_old(root, keeping, now))
    except (DamagedError, SQLAlchemyError) as error:
        raise BackupError(
            f"The ledger cannot be read: {str(error).splitlines()[0]}. Is it damaged? Restore an earlier backup."
        ) from error
    except OSError as error:
        raise BackupError(
            f"The backup cannot be written into {root}: {error}. Give this user the right to write there, and room; "
            "nothing half-made was left under a backup's name."
        ) from error


def _require_outside(root: Path, estate: Estate) -> None:
    inside = [estate.home / name for name in (*HOME_FOLDERS, *BULK_FOLDERS, "qdrant", "inbox")]
    if any(root.absolute().is_relative_to(folder) for folder in (*inside, estate.dagster_home)):
        raise BackupError(f"Backups cannot lie in {root}: that folder is backed up itself. Name another.")


def _fill(estate: Estate, folder: Path, now: datetime, *, by_reference: bool, is_busy: bool) -> Manifest:
    with open_existing_ledger(estate) as ledger:
        with estate.open_store() as store:
            before = _watermark(ledger)
            counts = require_sources(estate, ledger, store)
            ledger_part = _dumped(estate.ledger_url, folder, "ledger")
            collections = save_collections(store, folder)
            aliases = {alias: name for alias, name in store.aliases().items() if name in collections}
            faults = estate.check(ledger, store).n_faults
        dagster_part = _dagster(estate, folder)
        listed = _bulk(estate, folder, by_reference=by_reference)
        require_documents(ledger, {name: entry.sha256 for name, entry in listed.items()})
        _rest_of_home(estate, folder)
        quiet = not is_busy and _watermark(ledger) == before
    files = {relative: entry_of(path) for relative, path in files_below(folder) if not relative.startswith("bulk/")}
    if not by_reference:
        files |= {f"bulk/{relative}": entry for relative, entry in listed.items()}
    return Manifest(
        format=1,
        home=estate.name,
        made_at=now.astimezone(UTC),
        versions={name: version(name) for name in _PROGRAMS} | {"python": platform.python_version()},
        ledger=ledger_part,
        dagster=dagster_part,
        bulk="reference" if by_reference else "copy",
        bulk_root=estate.configuration.get("DOC_ASSETS_BULK_ROOT") or str(estate.home),
        collections=collections,
        aliases=aliases,
        forgotten=ledger_part.rows.get(Tombstone.__tablename__, 0),
        quiet=quiet,
        faults=faults,
        counts={
            "documents": counts.current,
            "photos": counts.photos,
            "drops": counts.drops,
            "arrivals": sum(counts.arrivals_by_state.values()),
            "searches": ledger_part.rows.get(Search.__tablename__, 0),
            "points": sum(part.points for part in collections.values()),
        },
        files=dict(sorted(files.items())),
        referenced=dict(sorted(listed.items())) if by_reference else {},
    )


def _dumped(url: str, folder: Path, name: str) -> DatabasePart:
    """Dumps a database and reads the dump to its end: the rows counted are those that are in it."""
    path = databases.dump(url, folder / "databases", name)
    kind = databases.kind_of(url)
    found = databases.contents(path, kind)
    if not found.rows:
        raise BackupError(f"The database of {name} has no tables. Nothing was backed up.")
    return DatabasePart(kind=kind, file=path.relative_to(folder).as_posix(), revision=found.revision, rows=found.rows)


def _dagster(estate: Estate, folder: Path) -> DatabasePart | None:
    if estate.dagster_url is not None:
        return _dumped(estate.dagster_url, folder, "dagster")
    for relative, path in track(list(dagster_files(estate.dagster_home)), "records of runs", 1):
        databases.copy_sqlite(path, folder / "dagster" / relative)
    return None


def dagster_files(home: Path) -> Iterator[tuple[str, Path]]:
    """SQLite databases of Dagster, with their paths below its folder."""
    for relative, path in files_below(home):
        if path.suffix == ".db" and path.stat().st_size:
            yield relative, Path(str(path))


def _bulk(estate: Estate, folder: Path, *, by_reference: bool) -> dict[str, FileEntry]:
    """Documents and tables by their path below the bulk root, copied or only read."""
    listed: dict[str, FileEntry] = {}
    for stage in BULK_FOLDERS:
        found = list(files_below(estate.bulk / stage))
        for relative, path in track(found, stage, len(found)):
            try:
                name = f"{stage}/{relative}"
                listed[name] = entry_of(path) if by_reference else copy_file(path, folder / "bulk" / name)
            except FileNotFoundError:  # replaced by a run meanwhile; documents that are missing are named later
                (folder / "bulk" / stage / relative).unlink(missing_ok=True)
    return listed


def _rest_of_home(estate: Estate, folder: Path) -> None:
    for name in HOME_FOLDERS:
        for relative, path in files_below(estate.home / name):
            with suppress(FileNotFoundError):  # a report that maintenance removed meanwhile
                copy_file(path, folder / "home" / name / relative)
    if estate.forgotten_key.is_file():
        copy_file(estate.forgotten_key, folder / "home" / estate.forgotten_key.name)
    shown = {"settings": dict(estate.configuration), "secrets": list(estate.secrets)}
    (folder / CONFIGURATION).write_text(json.dumps(shown, ensure_ascii=False, indent=1), encoding="utf-8")


def _watermark(ledger: Ledger) -> tuple[object, ...]:
    """Changes whenever a run writes to the ledger."""
    with ledger.database.reading() as connection:
        newest = connection.execute(select(func.max(DropStage.completed_at))).scalar_one()
        last = connection.execute(select(func.max(DocumentRow.id))).scalar_one()
        ended = connection.execute(select(func.max(Search.finished_at))).scalar_one()
        forgotten = connection.execute(select(func.count()).select_from(Tombstone)).scalar_one()
    return newest, last, ended, forgotten, tuple(sorted(asdict(ledger.documents.counts()).items(), key=str))
