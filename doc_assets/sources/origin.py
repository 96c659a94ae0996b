"""Origins: where a document came from, as the ledger keeps it, and its bytes.

An origin is a path of this machine (see ``names.stored_path``), a URL in object storage, or the request to a document
API with the digest of what it answered: ``https://host/images?filename=KEY#sha256=...``, whose bytes are staged.
"""

import re

from upath import UPath

from doc_assets.errors import UnreadableDocumentError
from doc_assets.faults import FaultCode
from doc_assets.sources.folders import FileStat, store_errors
from doc_assets.sources.names import real_path
from doc_assets.sources.staging import read_stable, read_staged

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
    """The bytes of a document.

    Args:
        origin: where it came from.
        bulk: where what was fetched is staged.
        max_bytes: most that is read.

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
        raise UnreadableDocumentError(
            FaultCode.FILE_TOO_LARGE,
            f"The object has more than {max_bytes} bytes; DOC_ASSETS_MAX_FILE_BYTES sets the limit.",
        )
    return content


def stat_origin(origin: str) -> FileStat:
    """Size and time of a file or object.

    Raises:
        OSError: or another of ``store_errors``, if it cannot be looked at.
    """
    if not is_remote(origin):
        return FileStat.of(real_path(origin).stat(follow_symlinks=False))
    return FileStat.of_object(UPath(origin).fs.info(origin))
