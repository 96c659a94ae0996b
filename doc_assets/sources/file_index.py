"""Names of all documents below archive folders, kept in SQLite, so that a key is found without listing a million files.

Only folders that changed are listed again: adding, removing or renaming a file changes the time of its folder. Folders
in object storage have no such time and are listed each time.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from upath import UPath

from doc_assets.errors import FolderUnreachableError
from doc_assets.sources.folders import list_objects
from doc_assets.sources.key_names import normalised
from doc_assets.sources.names import document_id, is_document_name, is_ignored_folder, real_path, stored_path
from doc_assets.util.files import exclusive, is_local

FORMAT: Final = 2
_RACY_NS = 2_000_000_000
"""A folder that was listed this soon after it changed may have changed once more within the same tick of its clock."""
_NEVER = -1
_LAST_CHARACTER = "\U0010ffff"
_SCHEMA = f"""
CREATE TABLE folders (
    id INTEGER PRIMARY KEY, parent INTEGER, root TEXT NOT NULL, path TEXT NOT NULL, mtime_ns INTEGER NOT NULL,
    UNIQUE (root, path)
);
CREATE INDEX folders_parent ON folders (parent);
CREATE TABLE files (folder INTEGER NOT NULL, name TEXT NOT NULL, folded TEXT NOT NULL);
CREATE INDEX files_folded ON files (folded);
CREATE INDEX files_folder ON files (folder);
PRAGMA user_version = {FORMAT};
"""


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """A file by its path (as stored, or a URL) and normalised name without suffix; ``at_top`` of its root or below."""

    path: str
    folded: str
    at_top: bool


@dataclass(slots=True)
class Refresh:
    """What bringing the index up to date did: folders and files that are known now, folders that were listed.

    Of folders that are ``unreadable`` what was known of them stays.
    """

    folders: int = 0
    listed: int = 0
    files: int = 0
    unreadable: list[str] = field(default_factory=list)


class FileIndex:
    """The index in a SQLite file; one writer at a time, any number of readers, and look-ups from several threads."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._reading = threading.Lock()
        self._lock = path.with_name(f".{path.name}.lock")
        with exclusive(self._lock):
            self._database = _opened(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def refresh(self, roots: Sequence[UPath], *, rebuild: bool = False) -> Refresh:
        """Brings what is known of ``roots`` up to date; ``rebuild`` lists every folder, changed or not.

        Raises:
            FolderUnreachableError: if a root cannot be listed; what was known of it stays.
        """
        done = Refresh()
        with exclusive(self._lock), self._database:
            for root in roots:
                if is_local(root):
                    _LocalRoot(self._database, os.path.abspath(str(root)), done, rebuild).refresh()  # noqa: PTH100
                else:
                    _list_remote(self._database, root, done)
        of_roots = f"FROM folders WHERE root IN ({','.join('?' * len(roots))})"
        counted = f"SELECT count(*), (SELECT count(*) FROM files WHERE folder IN (SELECT id {of_roots})) {of_roots}"
        names = [root_name(root) for root in roots]
        done.folders, done.files = self._database.execute(counted, (*names, *names)).fetchone()
        return done

    def find(self, stem: str, roots: Sequence[str], *, begins: bool = False) -> Iterator[IndexedFile]:
        """Files below ``roots`` (see ``root_name``) whose normalised name is ``stem``, or begins with it."""
        marks = ",".join("?" * len(roots))
        wanted = "folded >= ? AND folded < ?" if begins else "folded = ?"
        values = (stem, stem + _LAST_CHARACTER) if begins else (stem,)
        # Names are what narrows it down; SQLite would begin with the few roots and walk all their files.
        query = (
            f"SELECT path, name, folded, parent IS NULL FROM files INDEXED BY files_folded "
            f"CROSS JOIN folders ON folders.id = folder WHERE {wanted} AND root IN ({marks})"
        )
        with self._reading:
            rows = self._database.execute(query, (*values, *roots)).fetchall()
        for folder, name, folded, at_top in rows:
            path = f"{folder}/{name}" if "://" in folder else stored_path(str(real_path(folder) / real_path(name)))
            yield IndexedFile(path, folded, bool(at_top))


def root_name(root: UPath) -> str:
    """What the index calls a root."""
    if is_local(root):
        return stored_path(os.path.abspath(str(root)))  # noqa: PTH100 - resolves no link, as users wrote it
    return str(root).rstrip("/")


def _opened(path: Path) -> sqlite3.Connection:
    """The database; made anew if it was not there, is damaged or has another format."""
    try:
        database = sqlite3.connect(path, timeout=60, check_same_thread=False)
        if database.execute("PRAGMA user_version").fetchone()[0] == FORMAT:
            return database
        database.close()
    except sqlite3.DatabaseError:
        pass
    for part in ("", "-wal", "-shm"):
        Path(f"{path}{part}").unlink(missing_ok=True)
    database = sqlite3.connect(path, timeout=60, check_same_thread=False)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = OFF")  # can be made again
    database.executescript(_SCHEMA)
    return database


class _LocalRoot:
    """Refreshing one root of this machine's file system."""

    def __init__(self, database: sqlite3.Connection, root: str, done: Refresh, rebuild: bool) -> None:
        self._database, self._root, self._done, self._rebuild = database, root, done, rebuild

    def refresh(self) -> None:
        """Looks at every folder's time and lists those that changed."""
        try:
            os.scandir(self._root).close()
        except OSError as error:
            raise FolderUnreachableError(
                f"The folder {self._root} cannot be listed: {error.strerror or error}. Is the share mounted and "
                "readable? What was known of it stays."
            ) from error
        waiting: list[tuple[str, int | None]] = [(self._root, None)]
        while waiting:
            path, parent = waiting.pop()
            try:
                waiting += self._visit(path, parent)
            except OSError:
                self._done.unreadable.append(stored_path(path))

    def _visit(self, path: str, parent: int | None) -> list[tuple[str, int | None]]:
        """Brings one folder up to date; returns its subfolders."""
        folder, known_ns = _known(self._database, parent, stored_path(self._root), stored_path(path))
        mtime_ns = Path(path).stat(follow_symlinks=parent is None).st_mtime_ns
        if known_ns == mtime_ns and not self._rebuild:
            rows = self._database.execute("SELECT path FROM folders WHERE parent = ?", (folder,))
            return [(str(real_path(row[0])), folder) for row in rows]
        listed_ns = time.time_ns()
        names, subfolders = _entries(path)
        self._done.listed += 1
        _replace_files(self._database, folder, names)
        self._forget_gone(folder, {stored_path(subfolder) for subfolder in subfolders})
        settled = mtime_ns if listed_ns - mtime_ns > _RACY_NS else _NEVER
        self._database.execute("UPDATE folders SET mtime_ns = ? WHERE id = ?", (settled, folder))
        return [(subfolder, folder) for subfolder in subfolders]

    def _forget_gone(self, folder: int, present: set[str]) -> None:
        rows = self._database.execute("SELECT id, path FROM folders WHERE parent = ?", (folder,)).fetchall()
        gone = [row[0] for row in rows if row[1] not in present]
        while gone:
            lost = gone.pop()
            gone += [row[0] for row in self._database.execute("SELECT id FROM folders WHERE parent = ?", (lost,))]
            self._database.execute("DELETE FROM files WHERE folder = ?", (lost,))
            self._database.execute("DELETE FROM folders WHERE id = ?", (lost,))


def _entries(path: str) -> tuple[list[str], list[str]]:
    """Names of the documents in a folder, and paths of its subfolders; links are not followed."""
    names, subfolders = [], []
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if not is_ignored_folder(entry.name):
                    subfolders.append(entry.path)
            elif is_document_name(entry.name) and entry.is_file(follow_symlinks=False):
                names.append(entry.name)
    return names, subfolders


def _known(database: sqlite3.Connection, parent: int | None, root: str, path: str) -> tuple[int, int]:
    """Id of a folder, which is filed if it is new, and its time when it was listed last."""
    added = "INSERT OR IGNORE INTO folders (parent, root, path, mtime_ns) VALUES (?, ?, ?, ?)"
    database.execute(added, (parent, root, path, _NEVER))
    folder, mtime_ns = database.execute(
        "SELECT id, mtime_ns FROM folders WHERE root = ? AND path = ?", (root, path)
    ).fetchone()
    return folder, mtime_ns


def _replace_files(database: sqlite3.Connection, folder: int, names: Iterable[str]) -> None:
    database.execute("DELETE FROM files WHERE folder = ?", (folder,))
    database.executemany(
        "INSERT INTO files VALUES (?, ?, ?)",
        ((folder, stored_path(name), normalised(document_id(name))) for name in names),
    )


def _list_remote(database: sqlite3.Connection, root: UPath, done: Refresh) -> None:
    name = root_name(root)
    by_folder: dict[str, list[str]] = {name: []}
    for address in list_objects(root).files:
        folder, _, file_name = address.rpartition("/")
        by_folder.setdefault(folder, []).append(file_name)
    database.execute("DELETE FROM files WHERE folder IN (SELECT id FROM folders WHERE root = ?)", (name,))
    database.execute("DELETE FROM folders WHERE root = ?", (name,))
    top = None
    for folder, names in by_folder.items():
        known, _ = _known(database, top, name, folder)
        top = top or known
        _replace_files(database, known, names)
    done.listed += len(by_folder)
