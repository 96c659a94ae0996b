"""Files copied with their digest, and found below a folder."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from upath import UPath

from doc_assets.ops.backup.manifest import FileEntry
from doc_assets.util.files import is_local

_PIECE_BYTES = 1 << 20


def copy_file(source: UPath | Path, target: UPath | Path) -> FileEntry:
    """Copies one file, keeping its age, and returns what was copied."""
    if is_local(UPath(target)):
        Path(str(target)).parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as reading, target.open("wb") as writing:
        while piece := reading.read(_PIECE_BYTES):
            digest.update(piece)
            writing.write(piece)
            size += len(piece)
    if is_local(UPath(target)) and is_local(UPath(source)):
        age = Path(str(source)).stat().st_mtime_ns  # maintenance goes by it
        os.utime(str(target), ns=(age, age))
    return FileEntry(size_bytes=size, sha256=digest.hexdigest())


def entry_of(path: UPath | Path) -> FileEntry:
    """Size and digest of a file."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as reading:
        while piece := reading.read(_PIECE_BYTES):
            digest.update(piece)
            size += len(piece)
    return FileEntry(size_bytes=size, sha256=digest.hexdigest())


def files_below(root: UPath | Path) -> Iterator[tuple[str, UPath | Path]]:
    """Every regular file below ``root`` with its path from there, in order.

    Links and hidden names do not count: they are locks, and what a writer or a restore has not ended.
    """
    if not is_local(UPath(root)):
        yield from _remote_files(UPath(root))
        return
    top = Path(str(root))
    for folder, below, names in os.walk(top):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder) / name
            if not name.startswith(".") and path.is_file() and not path.is_symlink():
                yield path.relative_to(top).as_posix(), path


def _remote_files(root: UPath) -> Iterator[tuple[str, UPath]]:
    if not root.exists():
        return
    for path in sorted(root.rglob("*"), key=str):
        if path.is_file():
            yield path.relative_to(root).as_posix(), path
