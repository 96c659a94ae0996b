"""Whether a home is whole, and who it is.

A home's identity is a random id, by which a server of vectors that several homes share tells their collections apart.
It lies in the home and stays with it when the home is moved or restored into: a restore changes what a home holds, not
who it is. A copy of a home that still stands where it was made gets an id of its own, so that the two do not write
into one collection.
"""

import json
import logging
import os
import re
import secrets
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from upath import UPath

from doc_assets.errors import InterruptedRestoreError, SettingsError
from doc_assets.util.files import write_atomic

IDENTITY_FILE = "identity.json"
RESTORE_MARKER = ".restore.json"
"""In a home from before a restore's first change until its end: while it is there the home is half made."""
_ID_BYTES = 8
_ID = re.compile(rf"[0-9a-f]{{{2 * _ID_BYTES}}}")
_DAMAGED = (
    "Bring it back from a copy; or delete it, then the home gets another identity and `doc-assets rebuild-index` makes "
    "its collection anew."
)
_log = logging.getLogger(__name__)


restored_here: set[Path] = set()
"""Homes that this process restores at the moment; it alone may use them half made."""


def require_whole(home: Path) -> None:
    """Refuses a home in which a restore is in progress or was killed.

    Raises:
        InterruptedRestoreError: if one is or was.
    """
    says = half_made(home)
    if says is not None and home not in restored_here:
        raise InterruptedRestoreError(says)


def half_made(home: Path) -> str | None:
    """A sentence that says how a restore that is not complete is ended; None if the home is whole."""
    marker = home / RESTORE_MARKER
    if not marker.exists():
        return None
    again = "restore BACKUP"
    with suppress(OSError, ValueError):
        content = json.loads(marker.read_text(encoding="utf-8"))
        again = content.get("again") or f"restore {content.get('backup', 'BACKUP')}"  # the version before: backup
    return (
        f"The home {home} is half made: a restore is in progress or was interrupted. If none is in progress, "
        f"`doc-assets {again}` does it again from its beginning. Until then nothing else may use the home."
    )


def mark_half_made(home: Path, again: str) -> None:
    """Marks a home as half made.

    Args:
        home: its folder.
        again: arguments of `doc-assets` that do the restore again.
    """
    write_atomic(UPath(home / RESTORE_MARKER), json.dumps({"again": again}).encode())


def home_identity(home: Path, *, make: bool = True) -> str:
    """The id of a home.

    Args:
        home: its folder.
        make: whether a home without one gets one; else its id is empty.

    Raises:
        SettingsError: if the file that holds it is damaged.
    """
    path = home / IDENTITY_FILE
    found = _read(path)
    if found is None:
        return _made(path, home) if make else ""
    identity, place = found
    if place == home or not make:
        return identity
    if _is_copy(home, place, identity):
        _log.warning("%s is a copy of %s; it is a home of its own from now on.", home, place)
        return _write(path, home, secrets.token_hex(_ID_BYTES))
    with suppress(OSError):  # a home that cannot be written is named right by its id all the same
        _write(path, home, identity)
    return identity


def _read(path: Path) -> tuple[str, Path] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        identity, place = str(content["id"]), Path(str(content["place"]))
        whole = _ID.fullmatch(identity) is not None
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"{path}, by which a Qdrant server knows this home's collections, is damaged ({error}). {_DAMAGED}"
        ) from error
    if not whole:
        raise SettingsError(f"{path} holds no id of {2 * _ID_BYTES} hexadecimal digits. {_DAMAGED}")
    return identity, place


def _made(path: Path, home: Path) -> str:
    """A new identity; that of another process which was quicker counts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ours = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        _write(ours, home, secrets.token_hex(_ID_BYTES))
        with suppress(FileExistsError):
            os.link(ours, path)
    finally:
        ours.unlink(missing_ok=True)
    found = _read(path)
    assert found is not None
    return found[0]


def _write(path: Path, home: Path, identity: str) -> str:
    content = {"id": identity, "place": str(home), "since": datetime.now(UTC).isoformat(timespec="seconds")}
    write_atomic(UPath(path), json.dumps(content, ensure_ascii=False, indent=1).encode())
    return identity


def _is_copy(home: Path, place: Path, identity: str) -> bool:
    """Whether the home of this identity still stands at another place than ``home``."""
    try:
        if place.samefile(home):  # the same folder by another name
            return False
        other = _read(place / IDENTITY_FILE)
    except (OSError, SettingsError):
        return False
    return other is not None and other[0] == identity
