"""A backup as one tar file, and back. What is read may come from anywhere and is held to its manifest.

The manifest is the first member; after it come exactly the files that it lists, once each, plain files of the sizes and
digests that it gives. Anything else ends the reading.
"""

import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from upath import UPath

from doc_assets.errors import BackupError
from doc_assets.ops.backup.make import MadeBackup
from doc_assets.ops.backup.manifest import MANIFEST, MAX_MANIFEST_BYTES, Manifest, parse_manifest, read_manifest
from doc_assets.ops.backup.scope import entry_of
from doc_assets.ops.backup.verify import verify
from doc_assets.util.files import atomic_writer
from doc_assets.util.progress import track


def export(target: Path, existing: Path | None, make: Callable[[Path], MadeBackup]) -> tuple[Manifest, int]:
    """Writes a backup as one file: one that exists, or one that is made for it. Returns its manifest and its bytes.

    Args:
        target: the file.
        existing: a backup, or a folder of backups for its newest; None for a new one.
        make: makes a new one in a folder of backups.

    Raises:
        BackupError: if the file exists, the backup is not whole, or something cannot be read or written.
    """
    if target.exists():
        raise BackupError(f"{target} exists already; name another file.")
    try:
        if existing is not None:
            verdict = verify(existing)
            if verdict.faults:
                raise BackupError(f"{verdict.folder} is not whole: {verdict.faults[0]}")
            return verdict.manifest, pack(verdict.folder, target)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".export-", dir=target.parent) as folder:
            made = make(Path(folder))
            return made.manifest, pack(made.folder, target)
    except OSError as error:
        raise BackupError(f"{target} cannot be written: {error}. Nothing was left under that name.") from error


def pack(folder: Path, target: Path) -> int:
    """Writes a backup as one file that appears complete or not at all; returns its bytes.

    Raises:
        BackupError: if it only refers to its documents.
    """
    manifest = read_manifest(folder)
    if manifest.bulk != "copy":
        raise BackupError(f"{folder} only refers to its documents and tables; pack a backup that holds copies.")
    with atomic_writer(UPath(target)) as output, tarfile.open(fileobj=output, mode="w|") as tar:
        os.fchmod(output.fileno(), 0o600)
        for name in track([MANIFEST, *manifest.files], "files", len(manifest.files) + 1):
            found, member = (folder / name).stat(), tarfile.TarInfo(name)
            member.size, member.mtime, member.mode = found.st_size, int(found.st_mtime), 0o600
            with (folder / name).open("rb") as content:
                tar.addfile(member, content)
    return target.stat().st_size


def unpack(source: Path, folder: Path) -> Manifest:
    """Unpacks such a file into a folder that is made for it; returns the manifest.

    Raises:
        BackupError: if it is not exactly what its manifest says, or there is no room for it.
    """
    folder.mkdir(mode=0o700, parents=True)
    try:
        with tarfile.open(source, mode="r|") as tar:
            manifest = _read_first(tar, source)
            size, free = manifest.size_bytes, shutil.disk_usage(folder).free
            if size > free:
                raise BackupError(f"{size >> 20} MiB are to be unpacked, {free >> 20} MiB are free in {folder}.")
            manifest.write(folder)
            left = dict(manifest.files)
            for member in track(iter(tar.next, None), "files", len(left)):
                entry = left.pop(member.name, None)
                if entry is None or not member.isreg() or member.size != entry.size_bytes:
                    raise BackupError(
                        f"{source} holds {member.name[:200]!r}, which its manifest does not list like this (once, as "
                        "a plain file of that size). Nothing of it was used."
                    )
                tar.extract(member, folder, filter="data")
                if entry_of(folder / member.name) != entry:
                    raise BackupError(f"{source}: {member.name} has another SHA-256 than the manifest says.")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise BackupError(f"{source} is no tar file that can be read to its end: {error}") from error
    if left:
        raise BackupError(f"{source} lacks {len(left)} files of its manifest, {next(iter(left))} among them.")
    return manifest


def _read_first(tar: tarfile.TarFile, source: Path) -> Manifest:
    member = tar.next()
    if member is None or member.name != MANIFEST or not member.isreg() or member.size > MAX_MANIFEST_BYTES:
        raise BackupError(f"{source} does not begin with a {MANIFEST}; it was not made by `doc-assets export-stack`.")
    content = tar.extractfile(member)
    manifest = parse_manifest(content.read() if content else b"", f"{source}: {MANIFEST}")
    if manifest.bulk != "copy":
        raise BackupError(f"{source} only refers to its documents and tables.")
    return manifest
