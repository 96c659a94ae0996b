"""Where every file of a backup belongs in a home, and whether it fits there."""

from pathlib import Path

from upath import UPath

from doc_assets.errors import BackupError
from doc_assets.ops.backup import databases
from doc_assets.ops.backup.estate import BULK_FOLDERS, HOME_FOLDERS, Estate
from doc_assets.ops.backup.exchange import Exchange, FolderExchange, PostgresExchange
from doc_assets.ops.backup.files import copy_file, entry_of
from doc_assets.ops.backup.make import dagster_files
from doc_assets.ops.backup.manifest import FileEntry, Manifest
from doc_assets.ops.backup.verify import faults_of
from doc_assets.util.files import is_local
from doc_assets.util.progress import track

_MOST_NAMED = 5
_OWNERS = ("home/forgotten.key", "home/forgetting/")
"""What nobody but the home's owner may read."""
_SQLITE_SUFFIXES = ("", "-wal", "-shm")


def require_fitting(estate: Estate, folder: Path, manifest: Manifest) -> None:
    """Refuses a backup that is damaged or does not fit a home, before anything changes.

    Raises:
        BackupError: if it is or does not.
    """
    kinds = {
        "ledger": (manifest.ledger.kind, databases.kind_of(estate.ledger_url)),
        "Dagster's database": (
            manifest.dagster.kind if manifest.dagster else "sqlite",
            "postgresql" if estate.dagster_url else "sqlite",
        ),
    }
    for what, (held, wanted) in kinds.items():
        if held != wanted:
            raise BackupError(
                f"The backup holds the {what} as {held}, this home has it in {wanted}. Restore it into a home of the "
                "same kind: the container stack has PostgreSQL, a home without one SQLite."
            )
    strange = [name for name in manifest.files if not _is_known(name, manifest)]
    if strange:
        raise BackupError(f"The backup holds files that no backup has: {', '.join(strange[:_MOST_NAMED])}.")
    faults = faults_of(folder, manifest, estate.bulk)
    if faults:
        raise BackupError(
            f"The backup {folder} is not whole ({len(faults)} faults): {' '.join(faults[:_MOST_NAMED])} Nothing was "
            "changed. `doc-assets verify-backup` lists all; take another backup."
        )


def _is_known(name: str, manifest: Manifest) -> bool:
    first, _, rest = name.partition("/")
    below = rest.partition("/")[0]
    return (
        first in {"vectors", "databases", "dagster", "configuration.json"}
        or (first == "bulk" and below in BULK_FOLDERS and manifest.bulk == "copy")
        or (first == "home" and (below in HOME_FOLDERS or rest == "forgotten.key"))
    )


def folder_exchanges(estate: Estate, manifest: Manifest) -> list[FolderExchange]:
    """Every folder whose entries a restore changes."""
    names: list[str] = [estate.forgotten_key.name]
    elsewhere: list[FolderExchange] = []
    if manifest.ledger.kind == "sqlite":
        ledger = databases.file_of(estate.ledger_url)
        files = tuple(f"{ledger.name}{suffix}" for suffix in _SQLITE_SUFFIXES)
        if ledger.parent == estate.home:
            names += files
        else:
            elsewhere.append(FolderExchange(ledger.parent, files))
    found = [FolderExchange(estate.home, tuple(names)), *elsewhere]
    found += [FolderExchange(estate.home / name) for name in HOME_FOLDERS]
    if manifest.dagster is None:
        known = {name for name, _ in dagster_files(estate.dagster_home)}
        known |= {name.partition("/")[2] for name in manifest.files if name.startswith("dagster/")}
        tops = {name.partition("/")[0] for name in known}
        every = sorted(f"{top}{suffix}" for top in tops for suffix in _SQLITE_SUFFIXES)
        found.append(FolderExchange(estate.dagster_home, tuple(every)))
    if manifest.bulk == "copy" and is_local(estate.bulk):
        found += [FolderExchange(Path(str(estate.bulk)) / stage) for stage in BULK_FOLDERS]
    return found


def database_exchanges(estate: Estate, folder: Path, manifest: Manifest) -> list[Exchange]:
    """Every PostgreSQL database whose tables a restore changes."""
    found: list[Exchange] = []
    if manifest.ledger.kind == "postgresql":
        found.append(PostgresExchange(estate.ledger_url, folder / manifest.ledger.file))
    if manifest.dagster is not None and estate.dagster_url is not None:
        found.append(PostgresExchange(estate.dagster_url, folder / manifest.dagster.file))
    return found


def stage(estate: Estate, folder: Path, manifest: Manifest) -> None:
    """Copies every file beside its place; files in object storage into their place.

    Raises:
        BackupError: if one changed meanwhile, or something else lies in its place in object storage.
    """
    for name, entry in track(manifest.files.items(), "files", len(manifest.files)):
        target = _place_of(estate, manifest, name)
        if target is None:
            continue
        if not is_local(target):
            _require_free(target, entry)
        if copy_file(folder / name, target) != entry:
            raise BackupError(f"{folder / name} changed while it was copied. Nothing was restored.")
        if name.startswith(_OWNERS):
            target.chmod(0o600)


def _place_of(estate: Estate, manifest: Manifest, name: str) -> UPath | None:
    """Where a file of the backup waits for the exchange; None for what is loaded from where it is."""
    first, _, rest = name.partition("/")
    if first == "home":
        below, _, inside = rest.partition("/")
        exchange = FolderExchange(estate.home / below if inside else estate.home)
        return UPath(exchange.staged / (inside or rest))
    if first == "dagster":
        return UPath(FolderExchange(estate.dagster_home).staged / rest)
    if name == manifest.ledger.file and manifest.ledger.kind == "sqlite":
        ledger = databases.file_of(estate.ledger_url)
        return UPath(FolderExchange(ledger.parent).staged / ledger.name)
    if first == "bulk":
        stage, _, inside = rest.partition("/")
        if not is_local(estate.bulk):
            return estate.bulk / stage / inside
        return UPath(FolderExchange(Path(str(estate.bulk)) / stage).staged / inside)
    return None


def _require_free(target: UPath, entry: FileEntry) -> None:
    """Object storage has no aside: what lies there under the same name must be the same."""
    if target.exists() and entry_of(target) != entry:
        raise BackupError(
            f"{target} is there and holds something else. Restore into an empty prefix: set DOC_ASSETS_BULK_ROOT."
        )
