"""What is counted, source by source; Dagster's records are in ``cli/instance_metrics.py``."""

import os
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar, get_args

import pynvml
from prometheus_client.core import GaugeMetricFamily, Metric

from doc_assets.archive.ledger.cases import CaseLedger
from doc_assets.archive.ledger.collections import CollectionLedger
from doc_assets.archive.ledger.database import SCHEMA_REVISION, Database, is_absent
from doc_assets.archive.ledger.queries import LedgerStatistics, read_statistics
from doc_assets.archive.ledger.verdicts import CaseState
from doc_assets.errors import ServiceError
from doc_assets.ops.backup.manifest import MANIFEST, backups_in
from doc_assets.ops.doctor.home import connect_briefly
from doc_assets.settings import Settings
from doc_assets.sources.key_lookup import KeyState

Labels = TypeVar("Labels", bound=str | tuple[str, ...])

_ANSWER_WITHIN_S = 10
_STATES = ("ok", "partial", "rejected", "duplicate", "pending")


def gauge(name: str, meaning: str, value: float | None) -> GaugeMetricFamily:
    """``doc_assets_<name>`` with one value; without a series if there is none."""
    return gauges(name, meaning, (), {} if value is None else {(): value})


def gauges(name: str, meaning: str, labels: tuple[str, ...], values: Mapping[Labels, float]) -> GaugeMetricFamily:
    """``doc_assets_<name>`` with a value for each combination of labels, a text where there is one label."""
    family = GaugeMetricFamily(f"doc_assets_{name}", meaning, labels=labels)
    for found, value in values.items():
        family.add_metric((found,) if isinstance(found, str) else found, value)
    return family


def build_families() -> Iterator[Metric]:
    """What runs here."""
    labels = {
        "version": metadata.version("doc_assets"),
        "python": platform.python_version(),
        "dagster": metadata.version("dagster"),
        "ledger_revision": SCHEMA_REVISION,
    }
    yield gauges("build_info", "What runs here.", tuple(labels), {tuple(labels.values()): 1})


def ledger_families(url: str) -> Iterator[Metric]:
    """The ledger in numbers; reads only, and makes no tables.

    Raises:
        ServiceError: if the database does not answer, or is a file that is not there.
    """
    with closing(_opened(url)) as database:
        found, cases = read_statistics(database), CaseLedger(database).counts()
    yield from _documents(found)
    yield gauge("drops", "Sealed drops.", found.drops)
    yield gauge("last_drop_timestamp_seconds", "When the last drop was sealed.", _timestamp(found.last_sealed_at))
    yield gauge("inbox_files_waiting", "Files of the inbox that are in no drop yet.", found.waiting)
    meaning = "Since when the oldest of these stands still."
    yield gauge("inbox_oldest_waiting_timestamp_seconds", meaning, _timestamp(found.waiting_since))
    yield from _stages(found)
    results = {str(flagged).lower(): found.results.get(flagged, 0) for flagged in (False, True)}
    yield gauges("results", "Query documents of searches and screened drops.", ("flagged",), results)
    keys = dict.fromkeys(map(str, KeyState), 0) | found.keys
    yield gauges("keys", "Keys of key tables by what became of them.", ("state",), keys)
    waiting: dict[str, int] = dict.fromkeys(get_args(CaseState), 0) | cases
    yield gauges("cases", "Cases of the review desk by state.", ("state",), waiting)


def _opened(url: str) -> Database:
    if is_absent(url):  # connecting would make an empty one
        raise ServiceError("The ledger does not exist; the first ingestion makes it.")
    return Database(url, answer_within_s=_ANSWER_WITHIN_S)


def _timestamp(when: datetime | None) -> float | None:
    return None if when is None else when.timestamp()


def _documents(found: LedgerStatistics) -> Iterator[Metric]:
    states = dict.fromkeys(_STATES, 0)
    for (state, _), n in found.arrivals.items():
        states[state] = states.get(state, 0) + n
    reasons = {code: n for (state, code), n in found.arrivals.items() if state == "rejected"}
    yield gauges("documents", "Files that ever arrived, by state.", ("state",), states)
    yield gauges("rejected_documents", "Rejected files by reason.", ("reason",), reasons)
    yield gauge("archive_documents", "Documents in the archive.", found.documents)
    yield gauge("archive_pages", "Pages of the documents in the archive.", found.pages)
    yield gauge("archive_photos", "Photos of the documents in the archive.", found.photos)
    meaning = "Documents whose photos the collection in use does not hold."
    yield gauge("documents_not_indexed", meaning, found.not_indexed)


def _stages(found: LedgerStatistics) -> Iterator[Metric]:
    of = found.stages.items()
    label = ("stage",)
    yield gauges("stage_drops", "Drops that passed a stage.", label, {name: stage.drops for name, stage in of})
    documents = {name: stage.documents for name, stage in of}
    yield gauges("stage_documents", "Documents of the drops that passed it.", label, documents)
    completed = {name: stage.last_at.timestamp() for name, stage in of}
    meaning = "When a stage was last completed for a drop."
    yield gauges("stage_last_completed_timestamp_seconds", meaning, label, completed)


@dataclass(frozen=True, slots=True)
class CollectionCounts:
    """Photos in a collection (points) beside those that the ledger expects in it, counted at the same moment."""

    collection: str
    points: int
    expected: int


def server_counts(settings: Settings) -> CollectionCounts | None:
    """What a Qdrant server counts now, beside the ledger; None if nothing is published.

    Raises:
        ServiceError: if server or ledger does not answer.
    """
    with connect_briefly(settings) as store, closing(_opened(settings.ledger_address)) as database:
        collection = store.resolve(settings.collection_alias)
        if collection is None:
            return None
        return CollectionCounts(collection, store.count(collection), CollectionLedger(database).photos(collection))


def collection_families(counts: CollectionCounts | None) -> Iterator[Metric]:
    """The two counts; without a series if nothing is published yet."""
    points = {counts.collection: counts.points} if counts else {}
    meaning = "Photos in the collection: as a Qdrant server counts them, or as the last run counted the embedded ones."
    yield gauges("collection_photos", meaning, ("collection",), points)
    expected = {counts.collection: counts.expected} if counts else {}
    meaning = "Photos that the ledger said are in it at the same moment."
    yield gauges("collection_photos_expected", meaning, ("collection",), expected)


def disk_families(folders: Mapping[str, Path]) -> Iterator[Metric]:
    """Free space on the disks below folders, by what they are for.

    Raises:
        OSError: if one is away.
    """
    disks = {name: os.statvfs(path) for name, path in folders.items()}
    label = ("place",)
    free = {name: disk.f_bavail * disk.f_frsize for name, disk in disks.items()}
    yield gauges("disk_free_bytes", "Space that this program may still use.", label, free)
    size = {name: disk.f_blocks * disk.f_frsize for name, disk in disks.items()}
    yield gauges("disk_size_bytes", "Size of the disk.", label, size)
    files = {name: disk.f_favail for name, disk in disks.items() if disk.f_files}
    yield gauges("disk_free_files", "Files that still fit, where the file system counts them.", label, files)


def backup_families(folder: Path) -> Iterator[Metric]:
    """Complete backups in a folder.

    Raises:
        OSError: if the folder is away.
    """
    folder.stat()
    completed = [(backup / MANIFEST).stat().st_mtime for backup in backups_in(folder)]
    yield gauge("backups", "Complete backups in the folder of backups.", len(completed))
    newest = max(completed, default=None)
    yield gauge("last_backup_timestamp_seconds", "When the newest backup was completed.", newest)


def count_gpus() -> int:
    """GPUs that this process sees; 0 without a driver."""
    try:
        pynvml.nvmlInit()
        return int(pynvml.nvmlDeviceGetCount())
    except pynvml.NVMLError:
        return 0


def gpu_families() -> Iterator[Metric]:
    """Memory, load and temperature of every GPU, as its driver reports them; no context is made on it.

    Raises:
        pynvml.NVMLError: if the driver does not answer.
    """
    handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
    gpus = {(str(index), str(pynvml.nvmlDeviceGetName(handle))): handle for index, handle in enumerate(handles)}

    def family(name: str, meaning: str, ask: Callable[[Any], float]) -> Metric:
        values: dict[tuple[str, ...], float] = {}
        for gpu, handle in gpus.items():
            try:
                values[gpu] = float(ask(handle))
            except pynvml.NVMLError_NotSupported:  # a GPU that does not report this has no series
                continue
        return gauges(f"gpu_{name}", meaning, ("gpu", "model"), values)

    yield family("memory_used_bytes", "Memory in use.", lambda gpu: pynvml.nvmlDeviceGetMemoryInfo(gpu).used)
    yield family("memory_size_bytes", "Memory.", lambda gpu: pynvml.nvmlDeviceGetMemoryInfo(gpu).total)
    yield family(
        "busy_ratio",
        "Share of the last moment in which it computed.",
        lambda gpu: pynvml.nvmlDeviceGetUtilizationRates(gpu).gpu / 100,
    )
    yield family(
        "temperature_celsius",
        "Temperature of the chip.",
        lambda gpu: pynvml.nvmlDeviceGetTemperature(gpu, pynvml.NVML_TEMPERATURE_GPU),
    )
