"""Look-up of documents: what the file index knows, and nothing else of this machine."""

import logging
import os
import sqlite3
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Protocol

from upath import UPath

from doc_assets.errors import FolderUnreachableError, SettingsError, UnreadableDocumentError
from doc_assets.faults import FaultCode
from doc_assets.reports.safe_names import safe_stem
from doc_assets.sources.file_index import FileIndex
from doc_assets.sources.key_lookup import KeyState, Resolution
from doc_assets.sources.key_names import normalised
from doc_assets.sources.key_tables.table import KeyRow, keys_in
from doc_assets.sources.names import DOCUMENT_SUFFIXES, display_name, document_id, real_path
from doc_assets.sources.open_sources import SourceRules, open_resolver
from doc_assets.sources.sources import file_name
from doc_assets.sources.staging import is_remote, read_origin
from doc_assets.util.files import is_local, sha256_of, write_atomic

_log = logging.getLogger(__name__)
_NO_BULK = UPath("/nonexistent")
_DIGEST_CHARACTERS = 16


@dataclass(frozen=True, slots=True)
class Refusal:
    """No document: the HTTP status, and why, in words that name no folder of this machine."""

    status: HTTPStatus
    reason: str


@dataclass(frozen=True, slots=True)
class FoundDocument:
    """A document.

    Attributes:
        name: its file name.
        content: its bytes as they are.
        others: names of the key's further documents.
        row: of the key table; None if no row names it.
    """

    name: str
    content: bytes
    others: tuple[str, ...]
    row: KeyRow | None

    def keep_copy(self, folder: Path) -> bool:
        """Keeps a copy in a folder, under a name of our own; nothing there is ever replaced.

        Returns:
            Whether the copy is there; the log says why not.
        """
        ending = Path(self.name).suffix.lower()
        suffix = ending if ending in DOCUMENT_SUFFIXES else ".tif"
        digest = sha256_of(self.content)[:_DIGEST_CHARACTERS]
        target = folder / f"{safe_stem(document_id(self.name))}_{digest}{suffix}"
        if os.path.lexists(target):
            return target.is_file() and not target.is_symlink() and target.read_bytes() == self.content
        try:
            write_atomic(UPath(target), self.content)
        except OSError as error:
            _log.warning("A copy could not be kept in %s: %s", folder, error.strerror or type(error).__name__)
            return False
        return True


class Lookup(Protocol):
    """What a server of documents asks; see ``DocumentLookup``."""

    def look_up(self, name: str) -> FoundDocument | Refusal:
        """The first document of a key, or the document of a file name."""
        ...

    def keep_fresh(self, stop: threading.Event, interval_s: float) -> None:
        """Starts a thread that refreshes the index until ``stop`` is set."""
        ...

    def faults(self) -> list[str]:
        """What keeps documents from being given, now; empty if all is well."""
        ...


class DocumentLookup:
    """Looks documents up and keeps the index fresh; usable from several threads.

    Args:
        rules: how keys name files, and where the index is.
        roots: archive folders; those of the rules if empty.
        max_bytes: larger documents are not given.
        stack: closes the index.

    Raises:
        SettingsError: if no archive folder is known, or the key table cannot be read.
        FolderUnreachableError: if an archive folder cannot be listed.
    """

    def __init__(self, rules: SourceRules, roots: tuple[str, ...], max_bytes: int, stack: ExitStack) -> None:
        self._rules, self._max_bytes = rules, max_bytes
        self._resolver = open_resolver(rules, roots, stack)
        self._key_of = keys_in(rules.key_table, rules.layout, rules.naming)
        self._faults: list[str] = []
        self._refreshing: threading.Thread | None = None

    def look_up(self, name: str) -> FoundDocument | Refusal:
        """The first document of a key, or the document of a file name."""
        stem = document_id(name)
        if not normalised(stem):
            return Refusal(HTTPStatus.NOT_FOUND, "the name is empty")
        (found,) = self._resolver.resolve([KeyRow(0, stem)])
        if found.state is not KeyState.FOUND:
            return _refusal(found)
        origin = found.files[0]
        if not self._is_inside(origin):
            return Refusal(HTTPStatus.NOT_FOUND, "the file lies outside the archive folders")
        try:
            content = read_origin(origin, _NO_BULK, self._max_bytes)
        except UnreadableDocumentError as error:
            return self._unread(error)
        names = [display_name(file_name(path)) for path in found.files]
        return FoundDocument(names[0], content, tuple(names[1:]), self._key_of(stem))

    def keep_fresh(self, stop: threading.Event, interval_s: float) -> None:
        """Starts a thread that refreshes the index until ``stop`` is set."""

        def refresh() -> None:
            while not stop.wait(interval_s):
                self.refresh()

        self._refreshing = threading.Thread(target=refresh, name="file-index", daemon=True)
        self._refreshing.start()

    def refresh(self) -> None:
        """Brings index and key table up to date; what fails stays as it was and shows in ``faults``."""
        faults = []
        with FileIndex(self._rules.index) as index:  # of its own, so that look-ups go on meanwhile
            for number, root in enumerate(self._resolver.roots, start=1):
                try:
                    index.refresh([root])
                except (FolderUnreachableError, sqlite3.Error) as error:
                    _log.warning("Archive folder %d is not refreshed: %s", number, error)
                    faults.append(f"archive folder {number} could not be listed")
        try:
            self._key_of = keys_in(self._rules.key_table, self._rules.layout, self._rules.naming)
        except SettingsError as error:
            _log.warning("The key table is not read again: %s", error)
            faults.append("the key table could not be read")
        self._faults = faults

    def faults(self) -> list[str]:
        """What keeps documents from being given, now; empty if all is well."""
        faults = list(self._faults)
        for number, root in enumerate(self._resolver.roots, start=1):
            fault = f"archive folder {number} could not be listed"
            if fault not in faults and not _is_there(root):
                faults.append(fault)
        if self._refreshing is not None and not self._refreshing.is_alive():
            faults.append("the index is no longer refreshed")
        return faults

    def _is_inside(self, origin: str) -> bool:
        """Whether a file lies below a root even if a folder became a link since it was indexed."""
        if is_remote(origin):
            return True
        roots = [Path(str(root)).resolve() for root in self._resolver.roots if is_local(root)]
        path = real_path(origin).resolve()
        return any(path.is_relative_to(root) for root in roots)

    def _unread(self, error: UnreadableDocumentError) -> Refusal:
        if error.code == FaultCode.GONE and all(_is_there(root) for root in self._resolver.roots):
            return Refusal(HTTPStatus.NOT_FOUND, "the file is gone")
        if error.code in {FaultCode.GONE, FaultCode.CHANGING, FaultCode.NOT_READABLE}:
            return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "the file cannot be read at present")
        return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "the file is larger than this server gives")


def _refusal(found: Resolution) -> Refusal:
    tried = ", ".join(found.tried)
    if found.state is KeyState.AMBIGUOUS:
        return Refusal(HTTPStatus.CONFLICT, f"{len(found.files)} different files have this name; looked for {tried}")
    return Refusal(HTTPStatus.NOT_FOUND, f"no file has this name; looked for {tried}")


def _is_there(root: UPath) -> bool:
    """Whether a local root can be listed; of others the last refresh tells."""
    if not is_local(root):
        return True
    try:
        os.scandir(str(root)).close()
    except OSError:
        return False
    return True
