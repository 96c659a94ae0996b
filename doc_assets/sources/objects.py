"""Folders in object storage, through fsspec: what lies in them, and what may go wrong."""

import sys
from collections.abc import Sequence

from upath import UPath

from doc_assets.errors import FolderUnreachableError, SettingsError
from doc_assets.sources.folder import FileStat, FolderListing
from doc_assets.sources.names import is_ignored_folder, why_ignored


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
