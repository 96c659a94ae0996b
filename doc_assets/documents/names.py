"""File names: which are documents, what a document is called, and how odd ones are kept.

A name comes from outside. It is shown and stored, and never becomes a path of ours, SQL, a shell word or
markup.
"""

import fnmatch
import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path

DOCUMENT_SUFFIXES = (".tif", ".tiff")

IGNORED_NAMES = (".*", "~$*", "Thumbs.db", "desktop.ini", "*.part", "*.partial", "*.tmp", "*.crdownload", "*.filepart")
"""Unfinished and system files: hidden (also macOS ``._*``), Office locks, downloads under way."""

IGNORED_FOLDERS = (".*", "@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found")
"""System folders of NAS boxes and Windows shares, trash, and hidden ones (Syncthing's versions)."""

_UNDECODABLE = "bytes:"


def is_document_name(name: str, ignore: Sequence[str] = ()) -> bool:
    """Whether a file of this name counts as a document, in any case of its suffix."""
    if not name.lower().endswith(DOCUMENT_SUFFIXES):
        return False
    return not any(fnmatch.fnmatchcase(name, pattern) for pattern in (*IGNORED_NAMES, *ignore))


def is_ignored_folder(name: str, ignore: Sequence[str] = ()) -> bool:
    """Whether a folder of this name is not looked into."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in (*IGNORED_FOLDERS, *ignore))


def display_name(name: str) -> str:
    r"""``name`` as text: composed Hangul (NFC), undecodable bytes as ``\xNN``."""
    try:
        raw = os.fsencode(name)
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can hold; no file name can
        raw = name.encode("utf-8", "backslashreplace")
    return unicodedata.normalize("NFC", raw.decode("utf-8", "backslashreplace"))


def document_id(name: str) -> str:
    """What the document in a file of this name is called: the name without its suffix."""
    shown = display_name(name)
    for suffix in sorted(DOCUMENT_SUFFIXES, key=len, reverse=True):
        if shown.lower().endswith(suffix):
            return shown[: -len(suffix)]
    return shown


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
