"""Lists the documents of folders: here, on a slow share that is gone tomorrow, or in object storage through fsspec."""

import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from upath import UPath

from doc_assets.errors import FolderUnreachableError, SettingsError
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

    @property
    def in_numbers(self) -> str:
        """How many there are of each reason, among the first thousand, without names."""
        counted = Counter(self.reasons.values()).most_common()
        return ", ".join(f"{n} {reason}" for reason, n in counted)

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


def opened_folder(address: str) -> UPath:
    """A folder of this machine, or one in object storage whose driver is there.

    Raises:
        SettingsError: if no driver for it is installed.
    """
    try:
        folder = UPath(address)
        if "://" in address:
            _ = folder.fs
    except (ImportError, ValueError) as error:
        raise SettingsError(
            f"The folder {address} cannot be opened: {error}. Folders at s3:// need `pip install doc_assets[s3]`."
        ) from error
    return folder


def root_url(folder: UPath) -> str:
    """The address of a folder in object storage, without a slash at its end."""
    return str(folder).rstrip("/")


def list_objects(folder: UPath, *, recursive: bool = True, ignore: Sequence[str] = ()) -> FolderListing:
    """The documents below a folder in object storage, by address.

    Raises:
        FolderUnreachableError: if it cannot be listed, or nothing at all is there: stores have no empty folders.
    """
    root = root_url(folder)
    scheme, _, prefix = root.partition("://")
    try:
        store = folder.fs
        store.invalidate_cache()
        found = store.find(prefix, detail=True, maxdepth=None if recursive else 1)
        if not found and not store.exists(prefix):
            raise FileNotFoundError("there is nothing of this name")
    except store_errors() as error:
        raise FolderUnreachableError(
            f"The folder {root} cannot be listed: {error}. Nothing was concluded about the files in it."
        ) from error
    listing = FolderListing()
    for path, entry in found.items():
        address = f"{scheme}://{str(path).lstrip('/')}"
        *folders, name = address.removeprefix(f"{root}/").split("/")
        reason = why_ignored(name, ignore)
        if any(is_ignored_folder(part, ignore) for part in folders):
            reason = "in a hidden or system folder"
        if reason is None:
            listing.files[address] = FileStat(int(entry["size"]), mtime_ns(entry))
        elif name:  # some stores keep an empty object for a folder
            listing.ignored.add(address, reason)
    return listing


def mtime_ns(entry: dict[str, object]) -> int:
    """The time of an object; stores that keep none give 0, a change then shows in the size alone."""
    changed = entry.get("LastModified") or entry.get("created") or entry.get("mtime")
    timestamp = getattr(changed, "timestamp", None)
    if timestamp is not None:
        return int(timestamp() * 1_000_000_000)
    return int(float(str(changed)) * 1_000_000_000) if changed else 0


def store_errors() -> tuple[type[Exception], ...]:
    """What an object store may raise; the S3 library has a tree of its own for unknown keys and dead endpoints."""
    s3 = sys.modules.get("botocore.exceptions")
    return (OSError, ValueError, s3.BotoCoreError) if s3 else (OSError, ValueError)
