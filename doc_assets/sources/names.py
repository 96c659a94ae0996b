"""File names: which are documents, what a document is called, and how odd ones are kept.

A name comes from outside. It is shown and stored, and never becomes a path of ours, SQL, a shell word or
markup.
"""

import fnmatch
import os
import re
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from doc_assets.util.visible import visible

DOCUMENT_SUFFIXES = (
    ".tif", ".tiff", ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".pdf",
)  # fmt: skip
"""By them files of a folder are chosen, which is not opened for it; what a file is, its content tells."""

IGNORED_NAMES = (".*", "~$*", "Thumbs.db", "desktop.ini", "*.part", "*.partial", "*.tmp", "*.crdownload", "*.filepart")
"""Unfinished and system files: hidden (also macOS ``._*``), Office locks, downloads under way."""

_SYSTEM_NAMES = frozenset({"~$*", "Thumbs.db", "desktop.ini"})

IGNORED_FOLDERS = (".*", "@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found")
"""System folders of NAS boxes and Windows shares, trash, and hidden ones (Syncthing's versions)."""

_UNDECODABLE = "bytes:"
_NUMBERED = re.compile(r" \(\d+\)$")


def is_document_name(name: str, ignore: Sequence[str] = ()) -> bool:
    """Whether a file of this name counts as a document, in any case of its suffix."""
    return why_ignored(name, ignore) is None


def why_ignored(name: str, ignore: Sequence[str] = ()) -> str | None:
    """Why a file of this name is not taken as a document; None if it is."""
    for pattern in ignore:
        if fnmatch.fnmatchcase(name, pattern):
            return f"the pattern {pattern} of DOC_ASSETS_INTAKE_IGNORE"
    for pattern in IGNORED_NAMES:
        if fnmatch.fnmatchcase(name, pattern):
            return "hidden" if pattern == ".*" else "a system file" if pattern in _SYSTEM_NAMES else "unfinished"
    if name.lower().endswith(DOCUMENT_SUFFIXES):
        return None
    _, dot, ending = display_name(name).rpartition(".")
    return f"no document by its ending .{ending}" if dot and ending else "no document: it has no ending"


def is_ignored_folder(name: str, ignore: Sequence[str] = ()) -> bool:
    """Whether a folder of this name is not looked into."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in (*IGNORED_FOLDERS, *ignore))


def display_name(name: str) -> str:
    r"""``name`` as text that is safe to show: composed Hangul (NFC), undecodable bytes and hidden characters as codes.

    The ledger, every message and every output show a file's name as this, and documents are called after it.
    """
    try:
        raw = os.fsencode(name)
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can hold; no file name can
        raw = name.encode("utf-8", "backslashreplace")
    return visible(unicodedata.normalize("NFC", raw.decode("utf-8", "backslashreplace")))


def document_id(name: str) -> str:
    """What the document in a file of this name is called: the name without its suffix."""
    shown = display_name(name)
    for suffix in sorted(DOCUMENT_SUFFIXES, key=len, reverse=True):
        if shown.lower().endswith(suffix):
            return shown[: -len(suffix)]
    return shown


def document_of_label(label: str) -> str:
    """The id of the document that a result names: its path or name, numbered if a drop has several of it."""
    return document_id(PurePosixPath(_NUMBERED.sub("", label)).name)


def called(name: str, is_known: Callable[[str], bool]) -> str:
    """The id of the document that a person means, who may write its id or its file name.

    An id may end like a file name: the file ``a.tif.tif`` holds the document ``a.tif``.
    """
    last = name.rsplit("/", 1)[-1]
    candidates = dict.fromkeys((display_name(name), document_id(name), document_id(last)))
    return next((candidate for candidate in candidates if is_known(candidate)), document_id(name))


def stored_path(path: str) -> str:
    """A path as text that a database takes, also when its bytes are no UTF-8."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return _UNDECODABLE + os.fsencode(path).hex()
    return path


def real_path(stored: str) -> Path:
    """The reverse of ``stored_path``."""
    if stored.startswith(_UNDECODABLE):
        return Path(os.fsdecode(bytes.fromhex(stored.removeprefix(_UNDECODABLE))))
    return Path(stored)
