"""Whole files, written so that a reader never sees half of one.

Local folders get a temporary name, fsync and rename. Object stores show an object only when it is
complete; what goes there is spooled first, so that an error half way uploads nothing.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from upath import UPath

_SPOOL_BYTES = 64 << 20
"""Kept in memory up to this size, in a temporary file beyond."""

LEFTOVER_PATTERN = ".*.tmp"
"""Names of files that a killed writer may leave behind."""


def is_local(path: UPath) -> bool:
    """Whether ``path`` lies in this machine's file system."""
    return path.protocol in {"", "file", "local"}


@contextmanager
def atomic_writer(path: UPath) -> Iterator[IO[bytes]]:
    """A binary file that appears at ``path`` complete, or not at all if the block raises."""
    if not is_local(path):
        with tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES) as spool:
            yield cast("IO[bytes]", spool)
            spool.seek(0)
            with path.open("wb") as target:
                shutil.copyfileobj(spool, target)
        return
    final = Path(str(path))
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = final.with_name(f".{final.name}.tmp")
    with _claimed(temporary) as target:
        try:
            yield target
            target.flush()
            os.fsync(target.fileno())
            temporary.replace(final)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    sync_folder(final.parent)


@contextmanager
def _claimed(path: Path) -> Iterator[IO[bytes]]:
    """``path`` opened empty, for this writer alone.

    The name is always the same, so that a writer's second try replaces what a kill left of its first. A
    second writer at the same time waits; the system gives the claim back when a process dies.
    """
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        with os.fdopen(handle, "r+b") as target:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if not _is_same_file(path, handle):  # the writer before us renamed it away; claim a new one
                continue
            target.truncate(0)
            yield target
            return


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Runs the block while no other process holds ``path``, which is made if it is not there and stays.

    The system gives the claim back when a process dies.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _is_same_file(path: Path, handle: int) -> bool:
    try:
        return path.stat().st_ino == os.fstat(handle).st_ino
    except FileNotFoundError:
        return False


def sync_folder(folder: Path) -> None:
    """Makes renames in ``folder`` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomic(path: UPath, content: bytes) -> None:
    """``content`` at ``path``, complete or not at all."""
    with atomic_writer(path) as target:
        target.write(content)
