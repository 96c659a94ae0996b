"""Figures of the machine: disks, backups, the program itself."""

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from prometheus_client.core import Metric

from doc_assets.archive.ledger.database import SCHEMA_REVISION
from doc_assets.ops.metrics.families import gauge, gauges


def disk_families(places: Mapping[str, Path]) -> Iterator[Metric]:
    """Room on the disks below folders, by what they are for.

    Raises:
        OSError: if one is away.
    """
    found = [((name,), os.statvfs(path)) for name, path in places.items()]
    yield gauges(
        "disk_free_bytes",
        "Room that this program may still use.",
        ("place",),
        [(name, disk.f_bavail * disk.f_frsize) for name, disk in found],
    )
    yield gauges(
        "disk_size_bytes",
        "Size of the disk.",
        ("place",),
        [(name, disk.f_blocks * disk.f_frsize) for name, disk in found],
    )
    yield gauges(
        "disk_free_files",
        "Files that still fit, where the file system counts them.",
        ("place",),
        [(name, disk.f_favail) for name, disk in found if disk.f_files],
    )


def backup_families(completed_at: Sequence[float]) -> Iterator[Metric]:
    """Backups by the times, in seconds since 1970, at which they were completed."""
    yield gauge("backups", "Complete backups in the folder of backups.", len(completed_at))
    yield gauges(
        "last_backup_timestamp_seconds",
        "When the newest backup was completed.",
        (),
        [((), max(completed_at))] if completed_at else [],
    )


def build_families() -> Iterator[Metric]:
    """What runs here."""
    labels = {
        "version": metadata.version("doc_assets"),
        "python": platform.python_version(),
        "dagster": metadata.version("dagster"),
        "ledger_revision": SCHEMA_REVISION,
    }
    yield gauges("build_info", "What runs here.", tuple(labels), [(tuple(labels.values()), 1.0)])
