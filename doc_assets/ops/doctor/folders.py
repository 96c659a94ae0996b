"""Folders and the disks below them."""

import os
import tempfile
import uuid
from functools import partial
from pathlib import Path

from upath import UPath

from doc_assets.errors import FolderUnreachableError
from doc_assets.ops.doctor.check import Check, Finding, green, red, yellow
from doc_assets.settings import Settings
from doc_assets.sources.folders import list_documents
from doc_assets.util.files import is_local

MIN_FREE_BYTES = 1 << 30
"""Red below: the ledger and the vector store suffer from a full disk before staging stops."""
WANTED_FREE_BYTES = 10 << 30
"""Yellow below: about a day of 40,000 documents of 250 kB."""
MIN_FREE_FILES = 10_000
"""Red below, where the file system counts files: a drop writes a few thousand."""

_INIT = "Run `doc-assets init`, or create it for the user of this program."


def folder_checks(settings: Settings) -> list[Check]:
    """Checks of every folder, and of the disk below each that is local."""
    written = {"home": settings.home, "logs": settings.log_dir}
    places = dict(written)
    bulk = Check("folders", "bulk root", lambda: check_bulk_root(settings.bulk))
    if is_local(settings.bulk):
        places["bulk root"] = Path(str(settings.bulk))
    return [
        *(Check("folders", name, partial(check_writable, path)) for name, path in written.items()),
        bulk,
        Check("folders", "inbox", lambda: check_inbox(settings)),
        *(Check("disk", name, partial(check_disk, path)) for name, path in places.items()),
    ]


def check_writable(folder: Path) -> Finding:
    """Whether files can be made in a folder; tried, because permission bits do not tell of read-only mounts."""
    if not folder.is_dir():
        return red(f"{folder} does not exist" if not folder.exists() else f"{folder} is no folder", _INIT)
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"probe")
            probe.flush()
    except OSError as error:
        return red(
            f"{folder} cannot be written: {error.strerror or error}",
            f"Give user {os.geteuid()} the right to write there, mount it writable, or make room.",
        )
    return green(str(folder))


def check_bulk_root(root: UPath) -> Finding:
    """Whether documents and tables can be written where ``DOC_ASSETS_BULK_ROOT`` says."""
    if is_local(root):
        return check_writable(Path(str(root)))
    probe = root / f".probe-{uuid.uuid4().hex}"
    try:
        probe.write_bytes(b"probe")
        probe.unlink()
    except Exception as error:  # noqa: BLE001 - every object store has errors of its own
        return red(
            f"the bulk root cannot be written: {type(error).__name__}: {error}",
            "Check DOC_ASSETS_BULK_ROOT, its credentials and the network.",
        )
    return green(f"{root.protocol} storage")


def check_inbox(settings: Settings) -> Finding:
    """Whether the drop folder and every folder in it can be listed and its files opened."""
    inbox = settings.inbox_dir
    if not inbox.exists():
        fix = "Mount the share, or correct DOC_ASSETS_INBOX." if settings.inbox else _INIT
        return red(f"{inbox} does not exist", fix)
    right = f"Give user {os.geteuid()} the right to list and read it; the sensor skips while it cannot."
    try:
        listing = list_documents(inbox, ignore=settings.intake_ignore)
    except FolderUnreachableError as error:
        return red(f"the inbox is unreadable: {error}", right)
    if listing.unreadable:
        return yellow(
            f"{inbox}: {len(listing.unreadable)} entries cannot be looked into, first {listing.unreadable[0]}", right
        )
    return green(f"{inbox}, {len(listing.files)} documents in it")


def check_disk(folder: Path) -> Finding:
    """Room on the disk below a folder, or below the first of its parents that exists."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    found = os.statvfs(existing)
    free, total = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    says = f"{_mib(free)} of {_mib(total)} free below {existing}"
    if free < MIN_FREE_BYTES:
        return red(
            says, f"The disk is full: make room, {_mib(MIN_FREE_BYTES)} at least (`doc-assets maintain --dry-run`)."
        )
    if found.f_files and found.f_favail < MIN_FREE_FILES:
        return red(f"{found.f_favail} more files fit below {existing}", "The disk has no room for more files (inodes).")
    if free < WANTED_FREE_BYTES:
        return yellow(says, f"Make room soon: {_mib(WANTED_FREE_BYTES)} are wanted (`doc-assets maintain --dry-run`).")
    return green(says)


def _mib(size_bytes: int) -> str:
    return f"{size_bytes >> 20:,} MiB"
