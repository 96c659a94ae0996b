"""Origins of documents and their bytes, read while nobody changes them; staged copies, named by their content.

An origin, as the ledger keeps it, is a path of this machine (see ``names.stored_path``), a URL in object storage, or
the request to a document API with the digest of what it answered: ``https://host/images?filename=KEY#sha256=...``,
whose bytes are staged.
"""

import os
import re
import shutil
import stat
import time
from pathlib import Path

from upath import UPath

from doc_assets.errors import ServiceError, UnreadableDocumentError
from doc_assets.faults import FaultCode
from doc_assets.sources.folders import FileStat, store_errors
from doc_assets.sources.names import real_path
from doc_assets.util.files import is_local, sha256_of, write_atomic

_TRIES = 3
_PAUSE_S = 0.5
_MIN_FREE_BYTES = 256 << 20
"""Room left on the disk for the ledger and the vector store, which suffer more from a full disk than we do."""

_DIGEST_MARK = "#sha256="
_FETCHED = re.compile(rf"https?://.*{_DIGEST_MARK}([0-9a-f]{{64}})", re.DOTALL)
"""A name in object storage may look alike; its end must never become a path."""


def is_remote(origin: str) -> bool:
    """Whether the origin is a URL, not a path of this machine."""
    return "://" in origin and not origin.startswith(("/", "bytes:"))


def fetched_origin(request: str, sha256: str) -> str:
    """The origin of what an API answered to ``request``."""
    return f"{request}{_DIGEST_MARK}{sha256}"


def fetched_digest(origin: str) -> str | None:
    """SHA-256 of what was fetched from this origin, whose only copy is the staged one; None for files and objects."""
    fetched = _FETCHED.fullmatch(origin)
    return fetched[1] if fetched else None


def read_origin(origin: str, bulk: UPath, max_bytes: int) -> bytes:
    """The bytes of a document; what was fetched is staged in ``bulk``.

    Raises:
        UnreadableDocumentError: if it is gone, forbidden, too large or changes while it is read.
    """
    if not is_remote(origin):
        return read_stable(real_path(origin), max_bytes)
    sha256 = fetched_digest(origin)
    if sha256 is not None:
        return read_staged(bulk, sha256)
    return _read_object(UPath(origin), max_bytes)


def _read_object(path: UPath, max_bytes: int) -> bytes:
    """An object; stores show an object only when it is complete, so one look is enough."""
    try:
        with path.open("rb") as source:
            content: bytes = source.read(max_bytes + 1)
    except FileNotFoundError as error:
        raise UnreadableDocumentError(FaultCode.GONE, "The object vanished before it was read.") from error
    except store_errors() as error:
        raise UnreadableDocumentError(FaultCode.NOT_READABLE, f"The object cannot be read: {error}.") from error
    if len(content) > max_bytes:
        reason = f"The object has more than {max_bytes} bytes; DOC_ASSETS_MAX_FILE_BYTES sets the limit."
        raise UnreadableDocumentError(FaultCode.FILE_TOO_LARGE, reason)
    return content


def stat_origin(origin: str) -> FileStat:
    """Size and time of a file or object.

    Raises:
        OSError: or another of ``store_errors``, if it cannot be looked at.
    """
    if not is_remote(origin):
        return FileStat.of(real_path(origin).stat(follow_symlinks=False))
    return FileStat.of_object(UPath(origin).fs.info(origin))


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
            reason = f"The file cannot be read: {error.strerror or error}."
            raise UnreadableDocumentError(FaultCode.NOT_READABLE, reason) from error
        if content is not None:
            return content
    reason = f"The file changed during {_TRIES} tries to read it; it is taken when it stands still."
    raise UnreadableDocumentError(FaultCode.CHANGING, reason)


def _read_once(path: Path, max_bytes: int) -> bytes | None:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as source:
        before = os.fstat(handle)
        if not stat.S_ISREG(before.st_mode):
            raise UnreadableDocumentError(FaultCode.NOT_READABLE, "This is not a regular file.")
        if before.st_size > max_bytes:
            reason = f"The file has {before.st_size} bytes, allowed are {max_bytes}"
            raise UnreadableDocumentError(
                FaultCode.FILE_TOO_LARGE, f"{reason}; DOC_ASSETS_MAX_FILE_BYTES sets the limit."
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
        reason = f"The staged copy {path} is gone. Drop the document again."
        raise UnreadableDocumentError(FaultCode.GONE, reason) from error
    if (found := sha256_of(content)) != sha256:
        reason = f"The staged copy {path} has SHA-256 {found}. Drop the document again."
        raise UnreadableDocumentError(FaultCode.DAMAGED, reason)
    return content
