"""Files that people search for, from the wire to a private folder and out of it again.

A request's files are written while they arrive, never kept in memory and never decoded here: their kind is told by
their first bytes, and a run's limited child decodes them. What a sender calls a file is shown to people and is no part
of any path.
"""

import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.http import HttpRequest
from typing_extensions import override

from doc_assets.archive.ledger.desk_searches import GivenFile
from doc_assets.errors import UnreadableDocumentError
from doc_assets.reading.formats import HEAD_BYTES, Kind, kind_of
from doc_assets.sources.names import display_name, document_id

FIELD = "files"
RefusedFor = Literal["kind", "empty", "too_many", "too_large"]

_TOKEN_LETTERS, _TOKEN_LENGTH = "abcdefghijkmnpqrstuvwxyz", 20
"""Letters alone: digits of a label could be read as the date of a document."""
_LONGEST_NAME = 255
_RECEIVED_WITHIN_S = 900.0
"""A folder without a search is one that is being filled, or what a killed desk left."""
_SUFFIXES = {
    Kind.TIFF: ".tif",
    Kind.JPEG: ".jpg",
    Kind.PNG: ".png",
    Kind.WEBP: ".webp",
    Kind.BMP: ".bmp",
    Kind.PDF: ".pdf",
}


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that was not taken: what its sender calls it, and why."""

    name: str
    why: RefusedFor


class Uploads:
    """The folder of files that wait for their search, for its owner alone.

    Args:
        root: of it.
        max_bytes: of all files of a request.
        max_files: of a request.
    """

    def __init__(self, root: Path, max_bytes: int, max_files: int) -> None:
        self._root, self.max_bytes, self.max_files = root, max_bytes, max_files

    def folder(self, name: str) -> Path:
        """The folder of a search's files."""
        return self._root / name

    def new_folder(self) -> Path:
        """A folder of its own for the files of one request."""
        self.prepare()
        folder = self._root / "".join(secrets.choice(_TOKEN_LETTERS) for _ in range(_TOKEN_LENGTH))
        folder.mkdir(mode=0o700)
        return folder

    def prepare(self) -> None:
        """Makes the folder of them all, closed to others."""
        self._root.mkdir(parents=True, exist_ok=True)
        self._root.chmod(0o700)

    def remove(self, name: str) -> None:
        """Removes the files of a search; twice is once."""
        shutil.rmtree(self.folder(name), ignore_errors=True)

    def remove_strays(self, known: Collection[str]) -> int:
        """Removes folders that belong to no search and are not being filled; returns how many."""
        before = time.time() - _RECEIVED_WITHIN_S
        folders = [path for path in self._root.glob("*") if path.is_dir() and path.name not in known]
        strays = [path for path in folders if path.stat().st_mtime < before]
        for path in strays:
            shutil.rmtree(path, ignore_errors=True)
        return len(strays)


class Reception(FileUploadHandler):
    """Takes the files of one request.

    Args:
        request: whose.
        uploads: where they go.

    Attributes:
        files: that were taken.
        refused: the others.
        is_taken: whether a search has them now; otherwise they leave with the request.
    """

    def __init__(self, request: HttpRequest, uploads: Uploads) -> None:
        super().__init__(request)
        self.files: list[GivenFile] = []
        self.refused: list[Refused] = []
        self.is_taken = False
        self._uploads = uploads
        self._folder: Path | None = None
        self._n_bytes = 0
        self._file: _Arriving | None = None

    @property
    def folder(self) -> str:
        """Name of the folder that has them."""
        return self._folder.name if self._folder is not None else ""

    @override
    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """A file begins; one too many is passed over."""
        super().new_file(*args, **kwargs)
        self._end()
        if self.field_name != FIELD:
            raise SkipFile
        name = display_name(str(self.file_name))[:_LONGEST_NAME]
        if len(self.files) >= self._uploads.max_files:
            self._refuse(name, "too_many")
        self._file = _Arriving(name)

    @override
    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Bytes of it."""
        file = self._file
        assert file is not None
        self._n_bytes += len(raw_data)
        if self._n_bytes > self._uploads.max_bytes:
            self._refuse(file.name, "too_large")
        file.add(raw_data)
        if file.handle is None and len(file.head) >= HEAD_BYTES:
            self._open(file)

    @override
    def file_complete(self, file_size: int) -> None:
        """The file is whole; it is no file of Django's."""
        file = self._file
        assert file is not None
        if not file.n_bytes:
            self.refused.append(Refused(file.name, "empty"))
            self._end()
            return
        try:
            self._open(file)
        except SkipFile:
            return
        self.files.append(file.given())
        file.close()
        self._file = None

    @override
    def upload_interrupted(self) -> None:
        """The request broke off."""
        self._end()

    def take(self, name: str, path: Path) -> None:
        """Takes a file that is kept, as if it came again.

        Raises:
            FileNotFoundError: if it is not there.
        """
        with path.open("rb") as source:
            self._file = file = _Arriving(name)
            while piece := source.read(self.chunk_size):
                file.add(piece)
                if file.handle is None and len(file.head) >= HEAD_BYTES:
                    self._open(file)
        self.file_complete(file.n_bytes)

    def discard(self) -> None:
        """Removes what no search took."""
        self._end()
        if self._folder is not None and not self.is_taken:
            self._uploads.remove(self._folder.name)

    def _open(self, file: "_Arriving") -> None:
        """Tells the kind of a file by its head, and begins to write it if documents have that kind."""
        if file.handle is not None:
            return
        try:
            kind = kind_of(bytes(file.head[:HEAD_BYTES]))
        except UnreadableDocumentError:
            self._refuse(file.name, "kind")
        if self._folder is None:
            self._folder = self._uploads.new_folder()
        file.open(self._folder, f"{self._folder.name}-{len(self.files) + 1}{_SUFFIXES[kind]}")

    def _refuse(self, name: str, why: RefusedFor) -> None:
        self.refused.append(Refused(name, why))
        self._end()
        raise SkipFile

    def _end(self) -> None:
        """Gives up the file that is under way."""
        if self._file is not None:
            self._file.drop()
            self._file = None


class _Arriving:
    """A file under way; nothing is written before its kind is known.

    Args:
        name: what its sender calls it.
    """

    def __init__(self, name: str) -> None:
        self.name, self.n_bytes, self.head = name, 0, bytearray()
        self.handle: int | None = None
        self._path: Path | None = None
        self._digest = hashlib.sha256()

    def add(self, content: bytes) -> None:
        """Takes bytes."""
        self.n_bytes += len(content)
        self._digest.update(content)
        if self.handle is None:
            self.head += content
        else:
            _write(self.handle, content)

    def open(self, folder: Path, label: str) -> None:
        """Begins to write."""
        self._path = folder / label
        self.handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        _write(self.handle, self.head)
        self.head = bytearray()

    def given(self) -> GivenFile:
        """The whole file as the ledger has it."""
        assert self._path is not None
        return GivenFile(self.name, document_id(self.name), self._path.name, self._digest.hexdigest(), self.n_bytes)

    def close(self) -> None:
        """Ends writing."""
        if self.handle is not None:
            os.close(self.handle)
            self.handle = None

    def drop(self) -> None:
        """Removes what was written."""
        self.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def _write(handle: int, content: bytes | bytearray) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(handle, left) :]
