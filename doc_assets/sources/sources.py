"""Sources: folders, key tables over folders, key tables over a document API; each gives documents one by one.

A source is one file: it gives ``SourceFile`` for what can be read, ``KeyProblem`` for what should be there and
is not.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from upath import UPath

from doc_assets.errors import UnreadableDocumentError
from doc_assets.faults import FaultCode
from doc_assets.sources.folders import FileStat, FolderListing, Ignored, list_documents, list_objects, store_errors
from doc_assets.sources.key_lookup import KeyState, Resolution, Resolver
from doc_assets.sources.key_tables.table import KeyOf, KeyRow, KeyTable, no_keys
from doc_assets.sources.names import DOCUMENT_SUFFIXES, display_name, document_id, real_path, stored_path
from doc_assets.sources.origin import is_remote, read_origin, stat_origin
from doc_assets.util.files import is_local
from doc_assets.util.isolation import Failure, attempt

_NO_BULK = UPath("/nonexistent")
_HIDDEN = "this user cannot look into it, and what lies in it is not known"


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document's bytes.

    Attributes:
        name: its file name.
        content: the bytes.
        origin: where they came from; see ``origin``.
        correlation_id: of the request that gave them; empty if there was none.
        more: further documents of the same key, which only the answer names.
    """

    name: str
    content: bytes
    origin: str
    correlation_id: str = ""
    more: "tuple[SourceFile, ...]" = ()


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A document that a source has.

    Attributes:
        label: names it for people before its bytes are there: its path below the source, or its key.
        origin: where it is; see ``origin``. Of an API the request.
        stat: its size and time; None if only its bytes will tell.
        row: the key table's row that named it; None if none did.
        fetch: most bytes allowed -> its bytes; raises UnreadableDocumentError.
    """

    label: str
    origin: str
    stat: FileStat | None
    row: KeyRow | None
    fetch: Callable[[int], Fetched]


@dataclass(frozen=True, slots=True)
class KeyProblem:
    """A key that gave no document, or a path of a folder that cannot be looked into.

    Attributes:
        row: the key; of a path, line 0 and the path.
        state: missing, ambiguous, failed or unusable.
        reason: in words, with what was tried.
        correlation_id: of the request; empty if there was none.
    """

    row: KeyRow
    state: KeyState
    reason: str
    correlation_id: str = ""

    @property
    def is_of_table(self) -> bool:
        """Whether a row of a key table is concerned, and no path."""
        return self.row.line > 0


_CODES = {
    KeyState.MISSING: FaultCode.NO_FILE,
    KeyState.AMBIGUOUS: FaultCode.AMBIGUOUS_KEY,
    KeyState.FAILED: FaultCode.FETCH_FAILED,
    KeyState.UNUSABLE: FaultCode.NO_FILE,
}


class KeyFailedError(UnreadableDocumentError):
    """A key, or a path of a folder, could not be turned into documents."""

    def __init__(self, problem: KeyProblem) -> None:
        self.problem = problem
        what = f"Key {problem.row.key}" if problem.is_of_table else problem.row.key
        super().__init__(_CODES[problem.state], f"{what}: {problem.reason}.")


class DocumentSource(Protocol):
    """Where documents come from."""

    @property
    def name(self) -> str:
        """For people and the ledger."""

    @property
    def table(self) -> KeyTable | None:
        """The key table that was asked for; None if there was none."""

    def files(self) -> Iterator[SourceFile | KeyProblem]:
        """Every document, every key without one, and every path that cannot be looked into.

        Raises:
            FolderUnreachableError: if a folder cannot be listed.
        """


@dataclass(frozen=True, slots=True)
class FolderSource:
    """The documents below a folder, by path.

    Attributes:
        folder: a path, or a URL of object storage.
        recursive: whether subfolders are looked into.
        ignore: further name patterns to ignore.
        key_of: document id -> key table row.
        ignored: what lies in the folder and is no document, once ``files`` was asked for.
        table: the key table that was asked for; its unusable rows are problems of this source.
    """

    folder: UPath
    recursive: bool = True
    ignore: tuple[str, ...] = ()
    key_of: KeyOf = no_keys
    ignored: Ignored = field(default_factory=Ignored, compare=False)
    table: KeyTable | None = None

    @property
    def name(self) -> str:
        """The folder."""
        return f"folder {self.folder}"

    def files(self) -> Iterator[SourceFile | KeyProblem]:
        """The documents of the folder, and what cannot be looked into."""
        listing = self._listing()
        self.ignored.n, self.ignored.reasons = listing.ignored.n, listing.ignored.reasons
        for path in sorted(listing.unreadable):
            yield KeyProblem(KeyRow(0, self._label(path)), KeyState.FAILED, _HIDDEN)
        for origin in sorted(listing.files):
            yield local_or_remote(origin, self._label(origin), listing.files[origin], self.key_of(_id(origin)))
        if self.table is not None:
            yield from unusable_rows(self.table)

    def _listing(self) -> FolderListing:
        if is_local(self.folder):
            return list_documents(Path(str(self.folder)).absolute(), recursive=self.recursive, ignore=self.ignore)
        return list_objects(self.folder, recursive=self.recursive, ignore=self.ignore)

    def _label(self, origin: str) -> str:
        if is_remote(origin):
            return display_name(origin.removeprefix(str(self.folder).rstrip("/") + "/"))
        return display_name(str(real_path(origin).relative_to(Path(str(self.folder)).absolute())))


@dataclass(frozen=True, slots=True)
class KeyedFolders:
    """The documents that a key table names, looked up in archive folders.

    Attributes:
        table: the keys.
        resolver: finds their files.
    """

    table: KeyTable
    resolver: Resolver

    @property
    def name(self) -> str:
        """The table and the roots."""
        return f"key table {self.table.path.name} over {', '.join(str(root) for root in self.resolver.roots)}"

    def files(self) -> Iterator[SourceFile | KeyProblem]:
        """Every file of every key, in the order of the table."""
        for found in self.resolver.resolve(self.table.rows()):
            if found.state is not KeyState.FOUND:
                yield KeyProblem(found.row, found.state, found.reason)
                continue
            given = attempt(f"line {found.row.line} of the key table", partial(self._files_of, found))
            yield from [KeyProblem(found.row, KeyState.FAILED, given.reason)] if isinstance(given, Failure) else given
        yield from unusable_rows(self.table)

    def _files_of(self, found: Resolution) -> list[SourceFile | KeyProblem]:
        files: list[SourceFile | KeyProblem] = []
        for origin in found.files:
            try:
                stat = stat_origin(origin)
            except store_errors() as error:
                reason = f"{display_name(origin)} cannot be looked at: {error}"
                files.append(KeyProblem(found.row, KeyState.FAILED, reason))
                continue
            files.append(local_or_remote(origin, display_name(file_name(origin)), stat, found.row))
        return files


def files_of(source: DocumentSource) -> Iterator[SourceFile | KeyProblem]:
    """Everything that a source has; if it breaks on the way, that is one more problem, and what came before stays.

    Raises:
        SetupError, ServiceError: as the source does.
    """
    files = iter(source.files())
    while True:
        given = attempt(f"documents of {source.name}", lambda: next(files, None))
        if given is None:
            return
        if not isinstance(given, Failure):
            yield given
            continue
        reason = f"the list of documents broke here; what comes after is not known: {given.reason}"
        yield KeyProblem(KeyRow(0, source.name), KeyState.FAILED, reason)


def ignored_in(source: DocumentSource) -> Ignored:
    """What a source passed over, once its files were asked for; of a key table nothing, every row is accounted for."""
    return source.ignored if isinstance(source, FolderSource) else Ignored()


def nothing_in(source: DocumentSource) -> str:
    """Why a source that was asked for its files gave none, in words."""
    found = ignored_in(source)
    if not found.n:
        return f"There is no document in {source.name}: it is empty."
    return (
        f"There is no document in {source.name}: {found.n} ignored ({found.in_numbers}). Documents end in "
        f"{', '.join(DOCUMENT_SUFFIXES)}."
    )


def unreadable_file(problem: KeyProblem) -> SourceFile:
    """A document that stands for a problem: whoever fetches it gets ``KeyFailedError``, and so accounts for it."""

    def fetch(_max_bytes: int) -> Fetched:
        raise KeyFailedError(problem)

    return SourceFile(problem.row.key, "", None, problem.row if problem.is_of_table else None, fetch)


def unusable_rows(table: KeyTable) -> Iterator[KeyProblem]:
    """Rows of a key table that name no document, so that nothing of it is passed over."""
    for line, reason in table.faults():
        yield KeyProblem(KeyRow(line, f"line {line}"), KeyState.UNUSABLE, reason)


@dataclass(frozen=True, slots=True)
class UnusableRows:
    """The rows of a key table that cannot be used, where documents are named one by one."""

    table: KeyTable

    @property
    def name(self) -> str:
        """The table."""
        return f"key table {self.table.path.name}"

    def files(self) -> Iterator[SourceFile | KeyProblem]:
        """The problems."""
        return unusable_rows(self.table)


def local_or_remote(origin: str, label: str, stat: FileStat | None, row: KeyRow | None) -> SourceFile:
    """A file of this machine or of object storage."""

    def fetch(max_bytes: int) -> Fetched:
        return Fetched(file_name(origin), read_origin(origin, _NO_BULK, max_bytes), origin)

    return SourceFile(label, origin, stat, row, fetch)


def single_file(path: Path, label: str | None = None, key_of: KeyOf = no_keys) -> SourceFile:
    """A file that was named by hand."""
    origin = stored_path(str(path.absolute()))
    return local_or_remote(origin, label or display_name(path.name), None, key_of(document_id(path.name)))


def file_name(origin: str) -> str:
    """The name of the file at an origin, as it is there."""
    return origin.rpartition("/")[2] if is_remote(origin) else real_path(origin).name


def _id(origin: str) -> str:
    return document_id(file_name(origin))
