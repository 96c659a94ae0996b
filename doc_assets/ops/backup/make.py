"""Making a backup: under another name until it is complete, and none at all if a source is missing or empty.

The ledger and the collections are taken first, while nobody else can write the embedded store, so that they agree.
Files come after them: what a run adds meanwhile is more than the ledger knows, as after a kill, and does no harm.
"""

import json
import os
import platform
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from upath import UPath

from doc_assets.archive.ledger.database import SCHEMA_REVISION, Database, is_absent
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.ledger.rows import ArchiveCounts
from doc_assets.archive.ledger.schema import DocumentRow, DropStage, Search, Tombstone
from doc_assets.archive.vectors.base import VectorStore
from doc_assets.errors import BackupError, DamagedError
from doc_assets.ops.backup import databases
from doc_assets.ops.backup.forgotten import write_list
from doc_assets.ops.backup.manifest import (
    AuditPart,
    DatabasePart,
    FileEntry,
    Manifest,
    Retention,
    drop_old,
    name_of,
    partial_name,
)
from doc_assets.ops.backup.scope import (
    ACCOUNTS,
    DESK_KEY,
    HOME_FOLDERS,
    BackupScope,
    copy_file,
    entry_of,
    files_below,
)
from doc_assets.ops.backup.vectors import save_collections
from doc_assets.ops.home import BULK_FOLDERS
from doc_assets.settings import PREFIX, Settings
from doc_assets.sources.staging import staged_path
from doc_assets.util.files import exclusive, sync_folder
from doc_assets.util.masking import is_secret, shown
from doc_assets.util.progress import track

_MOST_NAMED = 5
_PROGRAMS = ("doc_assets", "dagster", "qdrant-client", "qdrant-edge-py", "pyarrow")
CONFIGURATION = "configuration.json"


@dataclass(frozen=True, slots=True)
class MadeBackup:
    """A backup that is complete, and older ones that retention removed."""

    folder: Path
    manifest: Manifest
    removed: list[Path] = field(default_factory=list)


def make_backup(
    scope: BackupScope, root: Path, now: datetime, retention: Retention, *, by_reference: bool, is_busy: bool
) -> MadeBackup:
    """Makes a backup.

    Args:
        scope: what to back up.
        root: folder of backups; made if it is not there.
        now: names the backup.
        retention: which older ones stay afterwards.
        by_reference: documents and tables are listed with their digests and stay where they are.
        is_busy: whether a run is in progress.

    Raises:
        BackupError: if a source is missing or empty, or the backup cannot be written; then nothing of it stays.
        ServiceError: if a store does not answer; likewise.
    """
    _require_outside(root, scope.settings)
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
                manifest = _fill(scope, partial, now, by_reference=by_reference, is_busy=is_busy)
                manifest.write(partial)
                os.sync()
                partial.rename(final)
                sync_folder(root)
            except BaseException:
                shutil.rmtree(partial, ignore_errors=True)
                raise
            with _existing_ledger(scope.settings) as ledger:
                write_list(root, ledger.tombstones, now)
            return MadeBackup(final, manifest, drop_old(root, retention, now))
    except (DamagedError, SQLAlchemyError) as error:
        raise BackupError(
            f"The ledger cannot be read: {str(error).splitlines()[0]}. Is it damaged? Restore an earlier backup."
        ) from error
    except OSError as error:
        raise BackupError(
            f"The backup cannot be written into {root}: {error}. Give this user the right to write there, and room; "
            "nothing half-made was left under a backup's name."
        ) from error


def _require_outside(root: Path, settings: Settings) -> None:
    inside = [settings.home / name for name in (*HOME_FOLDERS, *BULK_FOLDERS, "qdrant", "inbox")]
    if any(root.absolute().is_relative_to(folder) for folder in (*inside, settings.dagster_home)):
        raise BackupError(f"Backups cannot lie in {root}: that folder is backed up itself. Name another.")


def _fill(scope: BackupScope, folder: Path, now: datetime, *, by_reference: bool, is_busy: bool) -> Manifest:
    settings = scope.settings
    with _existing_ledger(settings) as ledger:
        with scope.runtime.store() as store:
            before = _watermark(ledger)
            counts = _require_sources(scope, ledger, store)
            entries, last_digest = ledger.audit.last()  # the dump holds these, and perhaps more
            ledger_part = _dumped(settings.ledger_address, folder, "ledger")
            collections = save_collections(store, folder)
            aliases = {alias: name for alias, name in store.aliases().items() if name in collections}
            faults = scope.check(ledger, store).n_faults
        dagster_part = _dagster(scope, folder)
        listed = _bulk(settings, folder, by_reference=by_reference)
        _require_documents(ledger, listed)
        _rest_of_home(settings, folder)
        quiet = not is_busy and _watermark(ledger) == before
    files = {relative: entry_of(path) for relative, path in files_below(folder) if not relative.startswith("bulk/")}
    if not by_reference:
        files |= {f"bulk/{relative}": entry for relative, entry in listed.items()}
    return Manifest(
        format=1,
        home=settings.home.name,
        made_at=now.astimezone(UTC),
        versions={name: version(name) for name in _PROGRAMS} | {"python": platform.python_version()},
        ledger=ledger_part,
        dagster=dagster_part,
        bulk="reference" if by_reference else "copy",
        bulk_root=shown(settings.bulk_root) or str(settings.home),
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
        audit=AuditPart(entries=entries, last_digest=last_digest),
    )


def _dumped(url: str, folder: Path, name: str) -> DatabasePart:
    """Dumps a database and reads the dump to its end: the rows counted are those that are in it."""
    path = databases.dump(url, folder / "databases", name)
    kind = databases.kind_of(url)
    found = databases.contents(path, kind)
    if not found.rows:
        raise BackupError(f"The database of {name} has no tables. Nothing was backed up.")
    return DatabasePart(kind=kind, file=path.relative_to(folder).as_posix(), revision=found.revision, rows=found.rows)


def _dagster(scope: BackupScope, folder: Path) -> DatabasePart | None:
    if scope.dagster_url is not None:
        return _dumped(scope.dagster_url, folder, "dagster")
    for relative, path in track(list(scope.dagster_files()), "records of runs", 1):
        databases.copy_sqlite(path, folder / "dagster" / relative)
    return None


def _bulk(settings: Settings, folder: Path, *, by_reference: bool) -> dict[str, FileEntry]:
    """Documents and tables by their path below the bulk root, copied or only read."""
    listed: dict[str, FileEntry] = {}
    for stage in BULK_FOLDERS:
        found = list(files_below(settings.bulk / stage))
        for relative, path in track(found, stage, len(found)):
            try:
                name = f"{stage}/{relative}"
                listed[name] = entry_of(path) if by_reference else copy_file(path, folder / "bulk" / name)
            except FileNotFoundError:  # replaced by a run meanwhile; documents that are missing are named later
                (folder / "bulk" / stage / relative).unlink(missing_ok=True)
    return listed


def _rest_of_home(settings: Settings, folder: Path) -> None:
    for name in HOME_FOLDERS:
        for relative, path in files_below(settings.home / name):
            with suppress(FileNotFoundError):  # a report that maintenance removed meanwhile
                copy_file(path, folder / "home" / name / relative)
    if settings.forgotten_key.is_file():
        copy_file(settings.forgotten_key, folder / "home" / settings.forgotten_key.name)
    if settings.desk_key.is_file():
        copy_file(settings.desk_key, folder / "home" / DESK_KEY)
    if settings.accounts_file.is_file() and settings.accounts_file.stat().st_size:
        databases.copy_sqlite(settings.accounts_file, folder / "home" / ACCOUNTS)
    values = {f"{PREFIX}{name.upper()}": getattr(settings, name) for name in Settings.model_fields}
    configuration = {
        "settings": {name: shown(value) for name, value in values.items() if not is_secret(value)},
        "secrets": [name for name, value in values.items() if is_secret(value)],
    }
    (folder / CONFIGURATION).write_text(json.dumps(configuration, ensure_ascii=False, indent=1), encoding="utf-8")


def _watermark(ledger: Ledger) -> tuple[object, ...]:
    """Changes whenever a run writes to the ledger."""
    with ledger.database.reading() as connection:
        newest = connection.execute(select(func.max(DropStage.completed_at))).scalar_one()
        last = connection.execute(select(func.max(DocumentRow.id))).scalar_one()
        ended = connection.execute(select(func.max(Search.finished_at))).scalar_one()
        forgotten = connection.execute(select(func.count()).select_from(Tombstone)).scalar_one()
    return newest, last, ended, forgotten, tuple(sorted(asdict(ledger.documents.counts()).items(), key=str))


def _existing_ledger(settings: Settings) -> Ledger:
    """The ledger as it is; unlike every other opening this one makes and changes nothing."""
    url = settings.ledger_address
    if is_absent(url):
        raise BackupError(f"The ledger {databases.file_of(url)} is missing; there is nothing to back up.")
    database = Database(url)
    revision = database.revision()
    if revision != SCHEMA_REVISION:
        database.close()
        raise BackupError(
            f"The ledger {database.url.render_as_string(hide_password=True)} has tables of revision "
            f"{revision or 'none'}, this program works with {SCHEMA_REVISION}. Back it up with the version that wrote "
            "it, or run `doc-assets migrate`."
        )
    return Ledger(database, settings.forgotten_key)


def _require_sources(scope: BackupScope, ledger: Ledger, store: VectorStore) -> ArchiveCounts:
    """Counts of the archive, once every store proved to be there and to hold something."""
    settings = scope.settings
    counts = ledger.documents.counts()
    if not counts.current:
        raise BackupError("The ledger holds no document of the archive; there is nothing to back up.")
    _require_collection(settings.collection_alias, ledger, store)
    for stage in ["documents", *(["photos", "embeddings", "local_features"] if counts.photos else [])]:
        folder = settings.bulk / stage
        if not folder.exists() or not any(True for _ in folder.iterdir()):
            raise BackupError(
                f"{folder} is missing or empty, the ledger counts {counts.current} documents with {counts.photos} "
                "photos. Is its disk mounted, and DOC_ASSETS_BULK_ROOT right? Nothing was backed up."
            )
    if scope.dagster_url is None and not any(settings.dagster_home.rglob("*.db")):
        raise BackupError(f"Dagster's records in {settings.dagster_home} are missing. Nothing was backed up.")
    return counts


def _require_documents(ledger: Ledger, copied: Mapping[str, FileEntry]) -> None:
    """Refuses a backup in which the copy of a document of the archive is missing or damaged."""
    faulty = []
    for document in track(ledger.documents.current(), "documents", ledger.documents.counts().current):
        path = staged_path(UPath(), str(document.sha256)).as_posix()
        if path not in copied or copied[path].sha256 != document.sha256:
            faulty.append(document.id)
    if faulty:
        raise BackupError(
            f"The copies of {len(faulty)} documents are missing or damaged (numbers "
            f"{', '.join(map(str, faulty[:_MOST_NAMED]))}; `doc-assets check --read-data` names all). Drop these "
            "documents again; nothing was backed up."
        )


def _require_collection(alias: str, ledger: Ledger, store: VectorStore) -> None:
    collection = store.resolve(alias)
    if collection is None or collection not in store.collections():
        raise BackupError(
            f"The vector store has no collection behind {alias!r} ({collection or 'no such alias'}). "
            "`doc-assets rebuild-index` makes it from Parquet; nothing was backed up."
        )
    expected = ledger.collections.photos(collection)
    if expected and not store.count(collection):
        raise BackupError(
            f"Collection {collection} is empty, the ledger counts {expected} photos in it. `doc-assets rebuild-index` "
            "makes it from Parquet; nothing was backed up."
        )
