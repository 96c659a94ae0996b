"""Copies of documents that nobody else changes, named by their content."""

import os
import shutil
import stat
import time
from pathlib import Path

from upath import UPath

from doc_assets.errors import ServiceError, UnreadableDocumentError
from doc_assets.faults import FaultCode
from doc_assets.util.digests import sha256_of
from doc_assets.util.files import is_local, write_atomic

_TRIES = 3
_PAUSE_S = 0.5
_MIN_FREE_BYTES = 256 << 20
"""Room left on the disk for the ledger and the vector store, which suffer more from a full disk than we do."""


def read_stable(path: Path, max_bytes: int) -> bytes:
    """The bytes of a file that did not change while it was read.

    Raises:
        UnreadableDocumentError: if it is gone, forbidden, too large, a link, or changes each time.
    """
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_PAUSE_S)
        try:
            content = _read_once(path, max_bytes)
        except FileNotFoundError as error:
            raise UnreadableDocumentError(FaultCode.GONE, "The file vanished before it was read.") from error
        except OSError as error:
            raise UnreadableDocumentError(
                FaultCode.NOT_READABLE, f"The file cannot be read: {error.strerror or error}."
            ) from error
        if content is not None:
            return content
    raise UnreadableDocumentError(
        FaultCode.CHANGING, f"The file changed during {_TRIES} tries to read it; it is taken when it stands still."
    )


def _read_once(path: Path, max_bytes: int) -> bytes | None:
    """The bytes, None if the file changed meanwhile."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as source:
        before = os.fstat(handle)
        if not stat.S_ISREG(before.st_mode):
            raise UnreadableDocumentError(FaultCode.NOT_READABLE, "This is not a regular file.")
        if before.st_size > max_bytes:
            raise UnreadableDocumentError(
                FaultCode.FILE_TOO_LARGE,
                f"The file has {before.st_size} bytes, allowed are {max_bytes}; "
                "DOC_ASSETS_MAX_FILE_BYTES sets the limit.",
            )
        content = source.read()
        after = os.fstat(handle)
    at_path = path.stat(follow_symlinks=False)
    marks = {(s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for s in (before, after, at_path)}
    return content if len(marks) == 1 and len(content) == before.st_size else None


def staged_path(root: UPath, sha256: str) -> UPath:
    """Where a document of this content is staged; the ending says nothing of its format."""
    return root / "documents" / sha256[:2] / f"{sha256}.tif"


STAGED_PATTERN = "??/*.tif"
"""Every staged copy below ``documents``."""


def stage(root: UPath, sha256: str, content: bytes) -> None:
    """Keeps a copy of a document; one of this content that is there becomes as young as a new one.

    Maintenance goes by age: a copy that nobody needed for long must not go while it comes into use again.

    Raises:
        ServiceError: if the disk is nearly full.
    """
    path = staged_path(root, sha256)
    if is_local(root):
        if path.exists() and path.stat().st_size == len(content):
            os.utime(str(path))
            return
        Path(str(root)).mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(str(root)).free
        if free < 2 * len(content) + _MIN_FREE_BYTES:
            raise ServiceError(
                f"Only {free >> 20} MiB are free in {root}; a document of {len(content) >> 10} KiB is not staged. "
                "Make room; the run resumes where it stopped."
            )
    write_atomic(path, content)


def read_staged(root: UPath, sha256: str) -> bytes:
    """The staged bytes of a document.

    Raises:
        UnreadableDocumentError: if they are gone or no longer have this digest.
    """
    path = staged_path(root, sha256)
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise UnreadableDocumentError(
            FaultCode.GONE, f"The staged copy {path} is gone. Drop the document again."
        ) from error
    found = sha256_of(content)
    if found != sha256:
        raise UnreadableDocumentError(
            FaultCode.DAMAGED, f"The staged copy {path} has SHA-256 {found}. Drop the document again."
        )
    return content
