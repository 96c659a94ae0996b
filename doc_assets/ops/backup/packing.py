"""A backup as one tar file, and back. What is read may come from anywhere and is held to its manifest.

The manifest is the first member; after it come exactly the files that it lists, plain files of the sizes that it gives.
Nothing is unpacked by tarfile itself: links, devices, other names, a second file of one name end the reading.
"""

import hashlib
import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from upath import UPath

from doc_assets.errors import BackupError
from doc_assets.ops.backup.make import MadeBackup
from doc_assets.ops.backup.manifest import (
    MANIFEST,
    MAX_MANIFEST_BYTES,
    FileEntry,
    Manifest,
    parse_manifest,
    read_manifest,
)
from doc_assets.ops.backup.verify import verify
from doc_assets.util.files import atomic_writer
from doc_assets.util.progress import track

_PIECE_BYTES = 1 << 20


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
    if existing is not None:
        verdict = verify(existing)
        if verdict.faults:
            raise BackupError(f"{verdict.folder} is not whole: {verdict.faults[0]}")
        return verdict.manifest, pack(verdict.folder, target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        room = tempfile.TemporaryDirectory(prefix=".export-", dir=target.parent)
    except OSError as error:
        raise BackupError(f"{target.parent} cannot be written: {error}.") from error
    with room as folder:
        made = make(Path(folder))
        return made.manifest, pack(made.folder, target)


def pack(folder: Path, target: Path) -> int:
    """Writes a backup as one file that appears complete or not at all; returns its bytes.

    Raises:
        BackupError: if it only refers to its documents, or the file cannot be written.
    """
    manifest = read_manifest(folder)
    if manifest.bulk != "copy":
        raise BackupError(f"{folder} only refers to its documents and tables; pack a backup that holds copies.")
    try:
        with atomic_writer(UPath(target)) as output, tarfile.open(fileobj=output, mode="w|") as tar:
            os.fchmod(output.fileno(), 0o600)
            _add(tar, MANIFEST, folder / MANIFEST)
            for name in track(manifest.files, "files", len(manifest.files)):
                _add(tar, name, folder / name)
    except OSError as error:
        raise BackupError(f"{target} cannot be written: {error}. Nothing was left under that name.") from error
    return target.stat().st_size


def unpack(source: Path, folder: Path) -> Manifest:
    """Unpacks such a file into a folder that is made for it; returns the manifest.

    Raises:
        BackupError: if it is not exactly what its manifest says, or there is no room for it.
    """
    folder.mkdir(mode=0o700, parents=True)
    try:
        with source.open("rb") as content, tarfile.open(fileobj=content, mode="r|") as tar:
            manifest = _first(tar, source)
            if manifest.bulk != "copy":
                raise BackupError(f"{source} only refers to its documents and tables.")
            _require_room(manifest, folder)
            (folder / MANIFEST).write_bytes((manifest.model_dump_json(indent=1) + "\n").encode())
            left = dict(manifest.files)
            for member in track(iter(tar.next, None), "files", len(left)):
                _unpack_one(tar, member, left, folder, source)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise BackupError(f"{source} is no tar file that can be read to its end: {error}") from error
    if left:
        raise BackupError(f"{source} lacks {len(left)} files of its manifest, {next(iter(left))} among them.")
    return manifest


def _add(tar: tarfile.TarFile, name: str, path: Path) -> None:
    found = path.stat()
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = found.st_size, int(found.st_mtime), 0o600
    with path.open("rb") as content:
        tar.addfile(member, content)


def _first(tar: tarfile.TarFile, source: Path) -> Manifest:
    member = tar.next()
    if member is None or member.name != MANIFEST or not _is_plain(member) or member.size > MAX_MANIFEST_BYTES:
        raise BackupError(f"{source} does not begin with a {MANIFEST}; it was not made by `doc-assets export-stack`.")
    return parse_manifest(_content(tar, member).read(), f"{source}: {MANIFEST}")


def _unpack_one(
    tar: tarfile.TarFile, member: tarfile.TarInfo, left: dict[str, FileEntry], folder: Path, source: Path
) -> None:
    entry = left.pop(member.name, None)
    if entry is None or not _is_plain(member) or member.size != entry.size_bytes:
        raise BackupError(
            f"{source} holds {member.name[:200]!r}, which its manifest does not list like this (once, as a plain file "
            "of that size). Nothing of it was used."
        )
    target = folder / member.name  # the manifest's names are plain paths below the folder
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest, content = hashlib.sha256(), _content(tar, member)
    with target.open("xb") as output:
        while piece := content.read(_PIECE_BYTES):
            digest.update(piece)
            output.write(piece)
    if digest.hexdigest() != entry.sha256:
        raise BackupError(f"{source}: {member.name} has another SHA-256 than the manifest says.")
    os.utime(target, (member.mtime, member.mtime))


def _is_plain(member: tarfile.TarInfo) -> bool:
    return member.type in {tarfile.REGTYPE, tarfile.AREGTYPE} and not member.issparse()


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    return tar.extractfile(member) or io.BytesIO()


def _require_room(manifest: Manifest, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if manifest.size_bytes > free:
        raise BackupError(f"{manifest.size_bytes >> 20} MiB are to be unpacked, {free >> 20} MiB are free in {folder}.")
