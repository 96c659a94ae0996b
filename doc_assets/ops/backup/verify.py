"""Whether a backup is whole: every digest, every dump and table read to its end, every count."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from upath import UPath

from doc_assets.archive.ledger.audit import AuditLedger
from doc_assets.archive.ledger.database import SCHEMA_REVISION
from doc_assets.errors import BackupError
from doc_assets.ops.backup import databases
from doc_assets.ops.backup.manifest import MANIFEST, DatabasePart, FileEntry, Manifest, find_backup, read_manifest
from doc_assets.ops.backup.scope import ACCOUNTS, entry_of
from doc_assets.ops.backup.vectors import count_points
from doc_assets.util.progress import track


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a backup is whole: what is wrong with it, in words."""

    folder: Path
    manifest: Manifest
    faults: list[str]


def verify(folder: Path) -> Verdict:
    """Reads a backup, or the newest one in a folder, to its last byte; needs no home.

    Raises:
        BackupError: if there is none.
    """
    found = find_backup(folder.absolute())
    manifest = read_manifest(found)
    return Verdict(found, manifest, faults_of(found, manifest))


def lost_audit(audit: AuditLedger, manifest: Manifest) -> str | None:
    """What an audit lacks of that of a backup, in words; None if it holds all of it, or the backup knows of none."""
    saved = manifest.audit
    if saved is None or audit.digest_of(saved.entries) == saved.last_digest:
        return None
    return (
        f"Entry {saved.entries} of the audit is missing or another one than in the backup of "
        f"{manifest.made_at:%Y-%m-%d %H:%M} UTC: entries were removed or changed since, or an older home was restored."
    )


def faults_of(folder: Path, manifest: Manifest, bulk: UPath | None = None) -> list[str]:
    """Everything that is wrong with a backup, in words.

    ``bulk`` is the root of documents and tables that it only refers to; default: where the manifest says they lay.
    """
    faults = [*_files(folder, manifest.files), *_strangers(folder, manifest)]
    if manifest.bulk == "reference":
        faults += _files(bulk if bulk is not None else UPath(manifest.bulk_root), manifest.referenced)
    faults += _contents(folder, manifest)
    faults += _names(manifest)
    return faults


def _files(root: Path | UPath, expected: Mapping[str, FileEntry]) -> Iterator[str]:
    for relative, entry in track(expected.items(), "digests", len(expected)):
        path = root / relative
        try:
            if isinstance(path, Path) and path.is_symlink():
                yield f"{path} is a link."
                continue
            size = path.stat().st_size
            if size != entry.size_bytes:
                yield f"{path} has {size} bytes, the manifest says {entry.size_bytes}."
            elif entry_of(path) != entry:
                yield f"{path} has another SHA-256 than the manifest says."
        except OSError as error:
            yield f"{path} cannot be read: {error.strerror or error}."


def _strangers(folder: Path, manifest: Manifest) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder).as_posix()
        if not path.is_dir() and relative not in manifest.files and relative != MANIFEST:
            yield f"{path} is not in the manifest."


def _contents(folder: Path, manifest: Manifest) -> Iterator[str]:
    dumps = {"ledger": manifest.ledger, "dagster": manifest.dagster}
    for name, part in dumps.items():
        if part is not None:
            yield from _dump(folder, name, part)
    if manifest.ledger.revision is None or manifest.ledger.revision > SCHEMA_REVISION:
        yield (
            f"The ledger's tables have revision {manifest.ledger.revision}, this program knows up to "
            f"{SCHEMA_REVISION}: verify and restore it with the version that made it."
        )
    for name, collection in manifest.collections.items():
        try:
            found = count_points(folder / collection.file)
            if found != collection.points:
                yield f"Collection {name} has {found} points, the manifest says {collection.points}."
        except BackupError as error:
            yield str(error)
    for relative in manifest.files:
        if relative.startswith("dagster/") or relative == f"home/{ACCOUNTS}":
            try:
                databases.contents(folder / relative, "sqlite")
            except BackupError as error:
                yield str(error)


def _dump(folder: Path, name: str, part: DatabasePart) -> Iterator[str]:
    try:
        found = databases.contents(folder / part.file, part.kind)
    except BackupError as error:
        yield str(error)
        return
    if found.rows != part.rows:
        differing = {table for table in {*found.rows, *part.rows} if found.rows.get(table) != part.rows.get(table)}
        yield f"The dump of {name} has other rows than the manifest says in {', '.join(sorted(differing))}."
    if found.revision != part.revision:
        yield f"The dump of {name} has revision {found.revision}, the manifest says {part.revision}."


def _names(manifest: Manifest) -> Iterator[str]:
    """What the manifest says that cannot be true."""
    parts = [manifest.ledger.file, *(part.file for part in manifest.collections.values())]
    parts += [manifest.dagster.file] if manifest.dagster else []
    for file in parts:
        if file not in manifest.files:
            yield f"The manifest lists no digest of {file}."
    for alias, collection in manifest.aliases.items():
        if collection not in manifest.collections:
            yield f"Alias {alias} points at {collection}, which the backup does not hold."
