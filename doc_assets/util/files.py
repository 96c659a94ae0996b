"""Whole files, written so that a reader never sees half of one; digests of contents; full disks.

Local folders get a temporary name, fsync and rename. Object stores show an object only when it is
complete; what goes there is spooled first, so that an error half way uploads nothing.
"""

import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from upath import UPath

_SPOOL_BYTES = 64 << 20
"""Kept in memory up to this size, in a temporary file beyond."""

_EXHAUSTED_BYTES, _EXHAUSTED_FILES = 1 << 20, 10

LEFTOVER_PATTERN = ".*.tmp"
"""Names of files that a killed writer may leave behind."""

_NO_ROOM_NUMBERS = {errno.ENOSPC, errno.EDQUOT}
_NO_ROOM_WORDS = ("no space left on device", "database or disk is full", "disk quota exceeded", "disk full")
_MAYBE_NO_ROOM_WORDS = ("unable to open database file", "disk i/o error", "cannot allocate", "failed to create")
"""What engines say when they could not write, whatever the cause."""


def no_room(error: BaseException, places: Iterable[Path] = ()) -> str | None:
    """A sentence if an error came of a full disk or one without room for a file, e.g. that of ``places``; else None."""
    chain = list(_chain(error))
    said = "\n".join(map(str, chain)).lower()
    full = [at for at in map(_room, places) if at is not None]
    exhausted = [says for says, is_exhausted in full if is_exhausted]
    is_certain = any(isinstance(one, OSError) and one.errno in _NO_ROOM_NUMBERS for one in chain) or any(
        words in said for words in _NO_ROOM_WORDS
    )
    if not is_certain and not (exhausted and any(words in said for words in _MAYBE_NO_ROOM_WORDS)):
        return None
    shown = "; ".join(dict.fromkeys(exhausted or [says for says, _ in full]))
    cause = (str(chain[-1]).strip() or type(chain[-1]).__name__).splitlines()[0][:300]
    return (
        f"There is no room left on a disk{f' ({shown})' if shown else ''}: {cause}. Make "
        "room (old backups, results and logs first), then run the same command again; it goes on where it stopped."
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error, and what it came from, the first cause last."""
    seen: set[int] = set()
    now: BaseException | None = error
    while now is not None and id(now) not in seen:
        seen.add(id(now))
        yield now
        now = now.__cause__ or now.__context__


def _room(place: Path) -> tuple[str, bool] | None:
    """What is free on the disk below a folder, in words, and whether that is next to nothing."""
    try:
        existing = next(path for path in (place, *place.parents) if path.exists())
        found = os.statvfs(existing)
    except (OSError, StopIteration):
        return None
    free = found.f_bavail * found.f_frsize
    says = f"{free >> 10:,} KiB free below {existing}"
    if found.f_files:
        says += f", room for {found.f_favail:,} files"
    return says, free < _EXHAUSTED_BYTES or (found.f_files > 0 and found.f_favail < _EXHAUSTED_FILES)


_NAME_BYTES = 255
"""Longest name that common file systems take; a Hangul syllable needs three bytes."""


def fitting_name(before: str, name: str, after: str) -> str:
    """``before + name + after``, or with a digest in place of a name that is too long for a file system."""
    whole = before + name + after
    if len(os.fsencode(whole)) <= _NAME_BYTES:
        return whole
    return f"{before}{sha256_of(os.fsencode(name))}{after}"


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
    temporary = final.with_name(fitting_name(".", final.name, ".tmp"))
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
    with path.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def claim(path: Path, holder: str) -> int | None:
    """Claims ``path`` for this process and those that inherit the handle; None if another process holds it.

    ``holder`` is written into the file, so that whoever comes second can say who was first. The claim ends when the
    handle is closed or the last process that has it ends, so that a stale file is in nobody's way.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    os.ftruncate(handle, 0)
    os.pwrite(handle, holder.encode(), 0)
    return handle


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


def sha256_of(content: bytes) -> str:
    """Hex digest of some bytes."""
    return hashlib.sha256(content).hexdigest()


def sha256_of_files(*paths: Path) -> str:
    """Hex digest of the files' bytes one behind the other, without holding them in memory."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as source:
            hashlib.file_digest(source, lambda: digest)
    return digest.hexdigest()
