"""A restore: copies of the backup beside the old data first, then an exchange by rename, then proof.

Until the exchange nothing changes. From there to the end the home is marked as half made and every command refuses it;
an interrupted restore is run again, from its beginning. Old data stays in ``.before-restore`` folders, and in the
schema ``before_restore`` of PostgreSQL, until the restored home has the rows and points of the manifest, has forgotten
what was forgotten since, and agrees with itself as well as it did. Then it is removed.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from upath import UPath

from doc_assets.archive.home import RESTORE_MARKER, half_made, mark_half_made
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.errors import BackupError
from doc_assets.ops.backup import databases
from doc_assets.ops.backup.forgotten import ForgottenList, drop_lists, read_lists, returned, write_own_list
from doc_assets.ops.backup.manifest import DatabasePart, FileEntry, Manifest
from doc_assets.ops.backup.scope import ACCOUNTS, DESK_KEY, HOME_FOLDERS, BackupScope, copy_file, entry_of
from doc_assets.ops.backup.vectors import load_collections
from doc_assets.ops.backup.verify import faults_of, lost_audit
from doc_assets.ops.home import BULK_FOLDERS
from doc_assets.settings import Settings
from doc_assets.util.files import is_local, sync_folder
from doc_assets.util.progress import track

NEW, OLD = ".restoring", ".before-restore"
_ALL_MOVED = ".all-aside"
"""In ``.before-restore`` once every old entry is there: what comes later is not old, least of all a database's log."""
_LOCKS = (".lock", ".lock-holder", ".opening.lock")
"""Held by whoever restores."""
_OWNERS = ("home/forgotten.key", "home/forgetting/", f"home/{DESK_KEY}", f"home/{ACCOUNTS}")
"""Readable by the home's owner only."""
_SQLITE_SUFFIXES = ("", "-wal", "-shm")
_MOST_NAMED = 5


@dataclass(slots=True)
class RestoreReport:
    """The outcome of a restore.

    Attributes:
        folder, made_at: of the backup.
        counts: what the archive holds by its manifest, proved after loading.
        faults: disagreements that the backup held already, in words.
        forgotten_again: documents of the backup that were forgotten since.
        traces: of these, that are left.
        notes: what its operator should know or do.
    """

    folder: Path
    made_at: datetime
    counts: dict[str, int]
    faults: list[str] = field(default_factory=list)
    forgotten_again: list[str] = field(default_factory=list)
    traces: int = 0
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ReplacedFolder:
    """A folder whose entries a restore replaces. The folder itself stays: it may be a volume of its own.

    Attributes:
        path: of the folder. New entries wait in ``.restoring`` in it, old ones go to ``.before-restore`` in it.
        names: only these entries; None for all but locks and links.
    """

    path: Path
    names: tuple[str, ...] | None = None

    def exchange(self) -> None:
        """Moves the old entries out and the new ones in.

        After a kill, call it again with new entries staged anew: entries that were there first stay the old ones.
        """
        old, new = self.path / OLD, self.path / NEW
        old.mkdir(parents=True, exist_ok=True)
        for entry in self._entries():
            if (old / _ALL_MOVED).exists() or (old / entry.name).exists():
                _remove(entry)  # of the restore that was killed
            else:
                entry.rename(old / entry.name)
        (old / _ALL_MOVED).touch()
        sync_folder(old)
        for entry in list(new.iterdir()) if new.is_dir() else []:
            entry.rename(self.path / entry.name)
        sync_folder(self.path)

    def _entries(self) -> list[Path]:
        if self.names is not None:
            return [self.path / name for name in self.names if (self.path / name).exists()]
        kept = {NEW, OLD, *_LOCKS}
        return [entry for entry in self.path.iterdir() if entry.name not in kept and not entry.is_symlink()]


def replace_home(
    scope: BackupScope, manifest: Manifest, again: str, report: RestoreReport, require_idle: Callable[[], None]
) -> list[ForgottenList]:
    """Puts everything of a backup into a home, which is half made from then on until ``complete``.

    The backup is read in full and copied beside the old data before anything changes.

    Args:
        scope: the home; nothing else may write to it meanwhile.
        manifest: of the backup.
        again: arguments of `doc-assets` that do this restore again.
        report: names the backup's folder, and gets notes.
        require_idle: raises if a run is in progress.

    Returns:
        What the ledger that was replaced knew as forgotten.

    Raises:
        BackupError: if the backup is damaged or does not fit; then nothing was changed. If it does not go in.
        ServiceError: if a run is in progress or a store does not answer.
    """
    home, folder = scope.settings.home, report.folder
    was_interrupted = half_made(home) is not None
    if not was_interrupted:
        require_idle()
    _require_fitting(scope, folder, manifest)
    _remove_staged(scope, manifest)
    try:
        _stage(scope.settings, folder, manifest)
        if not was_interrupted:  # else the old data is aside already, and listed what it knew as forgotten
            require_idle()
            _remove_old(scope, manifest)
            drop_lists(home)
            write_own_list(scope.settings, report.notes)
        mark_half_made(home, again)
    except BaseException:
        _remove_staged(scope, manifest)
        raise
    for place in _folders(scope, manifest):
        place.exchange()
    for url, part in _databases(scope, manifest):
        if part.kind == "postgresql":
            databases.replace_postgres(url, folder / part.file, databases.schemas_of(part.rows))
    with scope.runtime.store() as store:
        load_collections(store, folder, manifest.collections, manifest.aliases)
    _require_same_rows(scope, manifest)
    return read_lists(home)


def find_returned(scope: BackupScope, lists: Sequence[ForgottenList], report: RestoreReport) -> list[str]:
    """Documents of the restored ledger that were forgotten since; takes in the tombstones of the lists."""
    with Ledger.open(scope.settings.ledger_address, scope.settings.forgotten_key) as ledger:
        report.forgotten_again = returned(ledger, [known.tombstones for known in lists])
        foreign = [known for known in lists if not ledger.tombstones.take_in(known.tombstones)]
    if foreign:
        report.notes.append(
            "Some tombstones were made with another key than the backup's: documents of the backup that they name were "
            "forgotten again, others that they name may be dropped again unseen."
        )
    until = max((known.known_until for known in lists if known not in foreign), default=report.made_at)
    report.notes.append(
        f"What was forgotten until {until:%Y-%m-%d %H:%M} UTC is forgotten; later requests must be repeated."
    )
    return report.forgotten_again


def complete(scope: BackupScope, manifest: Manifest, report: RestoreReport) -> None:
    """Checks the restored home, removes the old data and the mark.

    Raises:
        BackupError: if the home disagrees with itself more than it did; it stays half made, with its old data.
    """
    settings = scope.settings
    with Ledger.open(settings.ledger_address, settings.forgotten_key) as ledger, scope.runtime.store() as store:
        findings, lost = scope.check(ledger, store), lost_audit(ledger.audit, manifest)
    if manifest.quiet and findings.n_faults > manifest.faults:
        raise BackupError(
            f"The restored home disagrees with itself in {findings.n_faults} places, the saved one did in "
            f"{manifest.faults}: {' '.join(findings.faults[:_MOST_NAMED])} Are the settings those of the backup "
            f"({report.folder / 'configuration.json'})?"
        )
    report.faults = findings.faults
    if lost is not None:
        report.notes.append(lost)
    if not manifest.quiet:
        report.notes.append("The backup was made while runs went on; the next re-index ends what they had begun.")
    _remove_staged(scope, manifest)
    _remove_old(scope, manifest)
    (settings.home / RESTORE_MARKER).unlink()
    drop_lists(settings.home)  # last: without it an interrupted restore would bring forgotten documents back


def _require_fitting(scope: BackupScope, folder: Path, manifest: Manifest) -> None:
    """Refuses a backup that is damaged, does not fit the home, or holds files that no backup has."""
    for what, held, is_served in [
        ("ledger", manifest.ledger.kind, databases.kind_of(scope.settings.ledger_address) == "postgresql"),
        ("Dagster's database", manifest.dagster.kind if manifest.dagster else "sqlite", scope.dagster_url is not None),
    ]:
        wanted = "postgresql" if is_served else "sqlite"
        if held != wanted:
            raise BackupError(
                f"The backup holds the {what} as {held}, this home has it in {wanted}. Restore it into a home of the "
                "same kind: the container stack has PostgreSQL, a home without one SQLite."
            )
    for name in manifest.files:
        _staged_at(scope.settings, manifest, name)
    faults = faults_of(folder, manifest, scope.settings.bulk)
    if faults:
        raise BackupError(
            f"The backup {folder} is not whole ({len(faults)} faults): {' '.join(faults[:_MOST_NAMED])} Nothing was "
            "changed. `doc-assets verify-backup` lists all; take another backup."
        )


def _stage(settings: Settings, folder: Path, manifest: Manifest) -> None:
    """Copies every file beside its place; files in object storage, which has no rename, into their place."""
    for name, entry in track(manifest.files.items(), "files", len(manifest.files)):
        target = _staged_at(settings, manifest, name)
        if target is None:
            continue
        if not is_local(target):
            _require_free(target, entry)
        if copy_file(folder / name, target) != entry:
            raise BackupError(f"{folder / name} changed while it was copied. Nothing was restored.")
        if name.startswith(_OWNERS):
            target.chmod(0o600)


def _staged_at(settings: Settings, manifest: Manifest, name: str) -> UPath | None:
    """Where a file of the backup waits for the exchange; None for one that is loaded from where it is."""
    first, _, rest = name.partition("/")
    below, _, inside = rest.partition("/")
    if name == manifest.ledger.file and manifest.ledger.kind == "sqlite":
        ledger = databases.file_of(settings.ledger_address)
        return UPath(ledger.parent / NEW / ledger.name)
    if first in {"vectors", "databases", "configuration.json"}:
        return None
    if first == "dagster":
        return UPath(settings.dagster_home / NEW / rest)
    if first == "home" and rest in {settings.forgotten_key.name, DESK_KEY, ACCOUNTS}:
        return UPath(settings.home / NEW / rest)
    if first == "home" and below in HOME_FOLDERS and inside:
        return UPath(settings.home / below / NEW / inside)
    if first == "bulk" and below in BULK_FOLDERS and inside and manifest.bulk == "copy":
        return settings.bulk / below / NEW / inside if is_local(settings.bulk) else settings.bulk / below / inside
    raise BackupError(f"The backup holds a file that no backup has: {name}.")


def _require_free(target: UPath, entry: FileEntry) -> None:
    """Refuses to overwrite what is in object storage: under the same name there must be the same."""
    if target.exists() and entry_of(target) != entry:
        raise BackupError(
            f"{target} is there and holds something else. Restore into an empty prefix: set DOC_ASSETS_BULK_ROOT."
        )


def _folders(scope: BackupScope, manifest: Manifest) -> list[ReplacedFolder]:
    """Every folder whose entries a restore replaces."""
    settings = scope.settings
    named: dict[Path, list[str]] = {settings.home: [settings.forgotten_key.name]}
    if f"home/{DESK_KEY}" in manifest.files:  # a backup without people of the desk leaves those that there are
        named[settings.home].append(DESK_KEY)
    if f"home/{ACCOUNTS}" in manifest.files:
        named[settings.home] += [f"{ACCOUNTS}{suffix}" for suffix in _SQLITE_SUFFIXES]
    if manifest.ledger.kind == "sqlite":
        ledger = databases.file_of(settings.ledger_address)
        named.setdefault(ledger.parent, []).extend(f"{ledger.name}{suffix}" for suffix in _SQLITE_SUFFIXES)
    if manifest.dagster is None:
        records = {name for name, _ in scope.dagster_files()}
        records |= {name.removeprefix("dagster/") for name in manifest.files if name.startswith("dagster/")}
        entries = sorted({name.partition("/")[0] for name in records})
        named[settings.dagster_home] = [f"{entry}{suffix}" for entry in entries for suffix in _SQLITE_SUFFIXES]
    folders = [settings.home / name for name in HOME_FOLDERS]
    if manifest.bulk == "copy" and is_local(settings.bulk):
        folders += [Path(str(settings.bulk)) / stage for stage in BULK_FOLDERS]
    return [*(ReplacedFolder(path, tuple(names)) for path, names in named.items()), *map(ReplacedFolder, folders)]


def _databases(scope: BackupScope, manifest: Manifest) -> Iterator[tuple[str, DatabasePart]]:
    """Address of every database that the backup holds a dump of."""
    yield scope.settings.ledger_address, manifest.ledger
    if manifest.dagster is not None and scope.dagster_url is not None:
        yield scope.dagster_url, manifest.dagster


def _require_same_rows(scope: BackupScope, manifest: Manifest) -> None:
    differing = []
    for url, part in _databases(scope, manifest):
        found = databases.live_rows(url, list(part.rows))
        differing += [f"table {name}: {found[name]}, not {n}" for name, n in part.rows.items() if found[name] != n]
    if differing:
        raise BackupError(f"The restored home is not what was saved ({'; '.join(differing)}).")


def _remove_staged(scope: BackupScope, manifest: Manifest) -> None:
    for place in _folders(scope, manifest):
        shutil.rmtree(place.path / NEW, ignore_errors=True)


def _remove_old(scope: BackupScope, manifest: Manifest) -> None:
    """Removes what a restore set aside."""
    for place in _folders(scope, manifest):
        shutil.rmtree(place.path / OLD, ignore_errors=True)
    shutil.rmtree(scope.settings.home / f"{OLD}-vectors", ignore_errors=True)  # of the version before
    for url, part in _databases(scope, manifest):
        if part.kind == "postgresql":
            databases.drop_old_schemas(url)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
