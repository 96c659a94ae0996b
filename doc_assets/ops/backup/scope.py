"""The scope of a backup: the stores and folders of a home, and their files listed, digested and copied."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import cast

from upath import UPath

from doc_assets.archive.archive import Archive
from doc_assets.archive.consistency import Findings, check_archive
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.vectors.base import VectorStore
from doc_assets.ops.backup.manifest import FileEntry
from doc_assets.runtime import Runtime
from doc_assets.settings import Settings
from doc_assets.util.files import is_local

HOME_FOLDERS = ("results", "models", "key_tables", "forgetting")
"""Of the home; the inbox is its operator's, ``file_index.sqlite`` is made again by listing folders."""

ACCOUNTS, DESK_KEY = "accounts.sqlite", "desk.key"
"""Of the home, where the review desk was used: its people, unless PostgreSQL has them, and what signs its cookies."""

_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class BackupScope:
    """A home with Dagster's records: the URL of their database, None if they are SQLite files in the home."""

    runtime: Runtime
    dagster_url: str | None

    @property
    def settings(self) -> Settings:
        """Of the home."""
        return self.runtime.settings

    def check(self, ledger: Ledger, store: VectorStore) -> Findings:
        """Compares ledger, files and collection, as `doc-assets check` does."""
        archive = Archive(ledger, self.settings.bulk)
        return check_archive(archive, store, self.runtime.alias, self.runtime.versions())

    def dagster_files(self) -> Iterator[tuple[str, Path]]:
        """SQLite databases of Dagster, with their paths below its folder."""
        for relative, path in files_below(self.settings.dagster_home):
            if path.suffix == ".db" and path.stat().st_size:
                yield relative, Path(str(path))


def files_below(root: UPath | Path) -> Iterator[tuple[str, UPath | Path]]:
    """Every regular file below ``root`` with its path from there, in order.

    Links and hidden names do not count: they are locks, and what an interrupted writer or restore left.
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


def entry_of(path: UPath | Path) -> FileEntry:
    """Size and digest of a file."""
    with path.open("rb") as reading:
        digest = hashlib.file_digest(cast("BufferedIOBase", reading), "sha256")
        return FileEntry(size_bytes=reading.tell(), sha256=digest.hexdigest())


def copy_file(source: UPath | Path, target: UPath | Path) -> FileEntry:
    """Copies one file with its modification time; returns size and digest of what was copied."""
    if is_local(UPath(target)):
        Path(str(target)).parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as reading, target.open("wb") as writing:
        while piece := reading.read(_PIECE_BYTES):
            digest.update(piece)
            writing.write(piece)
            size += len(piece)
    if is_local(UPath(target)) and is_local(UPath(source)):
        modified = Path(str(source)).stat().st_mtime_ns  # maintenance goes by it
        os.utime(str(target), ns=(modified, modified))
    return FileEntry(size_bytes=size, sha256=digest.hexdigest())
