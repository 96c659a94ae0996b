"""Lists the documents of a folder; the folder may be a slow share that is gone tomorrow."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from doc_assets.errors import FolderUnreachableError
from doc_assets.sources.names import display_name, is_ignored_folder, stored_path, why_ignored

_MAX_IGNORED_KEPT = 1000


@dataclass(frozen=True, slots=True)
class FileStat:
    """What tells one version of a file from the next, as far as listing shows."""

    size_bytes: int
    mtime_ns: int


@dataclass(slots=True)
class Ignored:
    """What lies in a folder and is not taken.

    Attributes:
        reasons: path, as stored -> why; the first thousand that were met.
        n: how many there are in all.
    """

    reasons: dict[str, str] = field(default_factory=dict)
    n: int = 0

    def add(self, path: str, reason: str) -> None:
        """Notes a file or folder."""
        self.n += 1
        if len(self.reasons) < _MAX_IGNORED_KEPT:
            self.reasons[path] = reason

    def named(self, most: int, below: str) -> str:
        """How many there are, and the names and reasons of the first ones.

        Args:
            most: named at most.
            below: folder that is left out of their names.
        """
        folder = f"{below.rstrip('/')}/"
        shown = [
            f"{display_name(path.removeprefix(folder))} ({reason})"
            for path, reason in sorted(self.reasons.items())[:most]
        ]
        more = f" and {self.n - len(shown)} more" if self.n > len(shown) else ""
        return f"{self.n} ignored: {', '.join(shown)}{more}"


@dataclass(slots=True)
class FolderListing:
    """Documents by path (as stored), what could not be looked into, and what is no document."""

    files: dict[str, FileStat] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)
    ignored: Ignored = field(default_factory=Ignored)

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
        if is_ignored_folder(entry.name, ignore):
            listing.ignored.add(stored_path(entry.path), "a hidden or system folder, not looked into")
        elif recursive:
            waiting.append(os.scandir(entry.path))
        else:
            listing.ignored.add(stored_path(entry.path), "a subfolder; --recursive looks into it")
        return
    reason = why_ignored(entry.name, ignore)
    if reason is None and not entry.is_file(follow_symlinks=False):
        reason = "a link, which is not followed" if entry.is_symlink() else "no regular file"
    if reason is not None:
        listing.ignored.add(stored_path(entry.path), reason)
        return
    stat = entry.stat(follow_symlinks=False)
    listing.files[stored_path(entry.path)] = FileStat(stat.st_size, stat.st_mtime_ns)
