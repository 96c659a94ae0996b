"""Checks of the machine: installed packages, memory, processors, GPU, fonts, clock, folders and their disks."""

import os
import platform
import tempfile
import uuid
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from upath import UPath

from doc_assets.errors import FolderUnreachableError, SetupError
from doc_assets.ops.doctor.check import Check, Finding, green, red, yellow
from doc_assets.settings import Settings
from doc_assets.sources.folders import list_documents
from doc_assets.util.files import is_local
from doc_assets.util.fonts import font

_US = "doc_assets"
_INSTALL = "Run `make .venv/.installed`, or `pip install -r requirements.lock`."
_INIT = "Run `doc-assets init`, or create it for the user of this program."

MIN_AVAILABLE_BYTES = 1 << 30
"""Red below: the programs alone, before the first page, take about that much."""
WANTED_AVAILABLE_BYTES = 3 << 30
"""Yellow below: a run with torch and two decoders of A4 pages."""
MIN_FREE_BYTES = 1 << 30
"""Red below: the ledger and the vector store suffer from a full disk before staging stops."""
WANTED_FREE_BYTES = 10 << 30
"""Yellow below: about a day of 40,000 documents of 250 kB."""
MIN_FREE_FILES = 10_000
"""Red below, where the file system counts files: a drop writes a few thousand."""

_RELEASED = datetime(2026, 11, 1, tzinfo=UTC)
_LATEST = datetime(2066, 1, 1, tzinfo=UTC)
_CGROUP = Path("/sys/fs/cgroup")


def package_checks() -> list[Check]:
    """Python, and every package that this one requires."""
    every = [Requirement(line) for line in metadata.requires(_US) or []]
    needed = [found for found in every if found.marker is None or found.marker.evaluate({"extra": ""})]
    return [
        Check("packages", "python", check_python),
        *(Check("packages", package.name, partial(check_package, package)) for package in needed),
    ]


def check_python() -> Finding:
    """The interpreter's version."""
    found = platform.python_version()
    wanted = SpecifierSet(metadata.metadata(_US)["Requires-Python"])
    if found not in wanted:
        return red(f"{found}, wanted {wanted}", "Install with a Python of that version.")
    return green(found)


def check_package(requirement: Requirement) -> Finding:
    """Whether a package is installed in a version that fits."""
    try:
        found = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return red(f"not installed, wanted {requirement.specifier}", _INSTALL)
    if not requirement.specifier.contains(found, prereleases=True):
        return red(f"{found}, wanted {requirement.specifier}", _INSTALL)
    return green(found)


def check_memory() -> Finding:
    """Memory that is free now, within the limit of this container."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    known = {name: int(value.split()[0]) << 10 for name, value in (line.split(":") for line in lines)}
    total, available = known["MemTotal"], known["MemAvailable"]
    limit = _number(_CGROUP / "memory.max")
    if limit is not None and limit < total:
        total, available = limit, min(available, max(0, limit - (_number(_CGROUP / "memory.current") or 0)))
    says = f"{_gib(available)} of {_gib(total)} free"
    if available < MIN_AVAILABLE_BYTES:
        fix = f"End other programs or give the machine or container more; {_gib(MIN_AVAILABLE_BYTES)} needed."
        return red(says, fix)
    if available < WANTED_AVAILABLE_BYTES:
        return yellow(says, "Lower DOC_ASSETS_DECODE_WORKERS and DOC_ASSETS_EMBED_BATCH_SIZE, or give it more memory.")
    return green(says)


def check_processors(settings: Settings) -> Finding:
    """Processors that this process may use, against the decoders that run side by side."""
    usable = len(os.sched_getaffinity(0))
    says = f"{usable} usable, {settings.decode_workers} decoders"
    if settings.decode_workers > 2 * usable:
        return yellow(says, f"Set DOC_ASSETS_DECODE_WORKERS to {usable}.")
    return green(says)


def check_gpu(settings: Settings) -> Finding:
    """The GPU that models run on."""
    import torch

    if not torch.cuda.is_available():
        if settings.device == "cuda":
            fix = "Install driver, container toolkit and a CUDA build of torch, or set DOC_ASSETS_DEVICE to auto."
            return red("DOC_ASSETS_DEVICE=cuda, and torch sees no GPU", fix)
        return green("none; models run on the processor")
    names = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
    return green(names + ("; not used, DOC_ASSETS_DEVICE=cpu" if settings.device == "cpu" else ""))


def check_fonts() -> Finding:
    """The Hangul font that reports are drawn with."""
    try:
        family, style = font(12).getname()
    except SetupError as error:
        return red(str(error), "Install the package it names.")
    except OSError as error:
        return red(f"the font file cannot be read: {error}", "Install koreanize-matplotlib again.")
    return green(f"{family} {style}")


def check_clock(settings: Settings, now: datetime) -> Finding:
    """Whether the clock can be right, and the time zone of the schedules exists."""
    try:
        zone = ZoneInfo(settings.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        fix = "Set DOC_ASSETS_TIMEZONE to a name such as Asia/Seoul; on a bare machine install tzdata."
        return red(f"there is no time zone {settings.timezone!r}", fix)
    says = f"{now.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, {now.astimezone(zone):%H:%M:%S} {settings.timezone}"
    if not _RELEASED <= now < _LATEST:
        return red(says, "The clock is wrong: keys of drops and what is deleted by age follow from it. Set it (NTP).")
    return green(says)


def check_writable(folder: Path) -> Finding:
    """Whether files can be made in a folder; tried, because permission bits do not tell of read-only mounts."""
    if not folder.is_dir():
        return red(f"{folder} does not exist" if not folder.exists() else f"{folder} is no folder", _INIT)
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"probe")
            probe.flush()
    except OSError as error:
        fix = f"Give user {os.geteuid()} the right to write there, mount it writable, or make room."
        return red(f"{folder} cannot be written: {error.strerror or error}", fix)
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
        fix = "Check DOC_ASSETS_BULK_ROOT, its credentials and the network."
        return red(f"the bulk root cannot be written: {type(error).__name__}: {error}", fix)
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
        n, first = len(listing.unreadable), listing.unreadable[0]
        return yellow(f"{inbox}: {n} entries cannot be looked into, first {first}", right)
    return green(f"{inbox}, {len(listing.files)} documents in it")


def check_disk(folder: Path) -> Finding:
    """Room on the disk below a folder, or below the first of its parents that exists."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    found = os.statvfs(existing)
    free, total = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    says = f"{_mib(free)} of {_mib(total)} free below {existing}"
    if free < MIN_FREE_BYTES:
        fix = f"The disk is full: make room, {_mib(MIN_FREE_BYTES)} at least (`doc-assets maintain --dry-run`)."
        return red(says, fix)
    if found.f_files and found.f_favail < MIN_FREE_FILES:
        return red(f"{found.f_favail} more files fit below {existing}", "The disk has no room for more files (inodes).")
    if free < WANTED_FREE_BYTES:
        return yellow(says, f"Make room soon: {_mib(WANTED_FREE_BYTES)} are wanted (`doc-assets maintain --dry-run`).")
    return green(says)


def _mib(size_bytes: int) -> str:
    return f"{size_bytes >> 20:,} MiB"


def _number(path: Path) -> int | None:
    """The number in a file of the control group; None if there is no such file or no limit."""
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / (1 << 30):.1f} GiB"
