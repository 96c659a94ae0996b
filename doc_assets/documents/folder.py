"""Lists the documents of a folder; the folder may be a slow share that is gone tomorrow."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from doc_assets.documents.names import is_document_name, is_ignored_folder, stored_path
from doc_assets.errors import FolderUnreachableError


@dataclass(frozen=True, slots=True)
class FileStat:
    """What tells one version of a file from the next, as far as listing shows."""

    size_bytes: int
    mtime_ns: int


@dataclass(slots=True)
class FolderListing:
    """Documents by path (as stored), and what could not be looked into."""

    files: dict[str, FileStat] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)

    def may_hide(self, path: str) -> bool:
        """Whether ``path`` may exist although it is not listed: its folder could not be read."""
        return any(path.startswith(folder + os.sep) for folder in self.unreadable)


def list_documents(folder: Path, *, recursive: bool = True, ignore: Sequence[str] = ()) -> FolderListing:
    """The documents below ``folder``.

    Symbolic links are not followed: a link in a drop folder could name any file of this machine.

    Raises:
        FolderUnreachableError: if the folder itself cannot be listed.
    """
    listing = FolderListing()
    try:
        entries = os.scandir(folder)
    except OSError as error:
        raise FolderUnreachableError(
            f"The folder {folder} cannot be listed: {error.strerror or error}. Is the share mounted and readable? "
            "Nothing was concluded about the files in it."
        ) from error
    waiting = [entries]
    while waiting:
        with waiting.pop() as entries:
            for entry in entries:
                try:
                    _take(entry, listing, waiting, recursive, ignore)
                except OSError:  # gone or forbidden since the listing began; the next look settles it
                    listing.unreadable.append(stored_path(entry.path))
    return listing


def _take(
    entry: "os.DirEntry[str]",
    listing: FolderListing,
    waiting: "list[os._ScandirIterator[str]]",
    recursive: bool,
    ignore: Sequence[str],
) -> None:
    if entry.is_dir(follow_symlinks=False):
        if recursive and not is_ignored_folder(entry.name, ignore):
            waiting.append(os.scandir(entry.path))
    elif is_document_name(entry.name, ignore) and entry.is_file(follow_symlinks=False):
        stat = entry.stat(follow_symlinks=False)
        listing.files[stored_path(entry.path)] = FileStat(stat.st_size, stat.st_mtime_ns)
