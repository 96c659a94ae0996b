"""Maintenance: deletes what is too old to be kept, and nothing that a document of the archive needs."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path

from upath import UPath

from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.faults import DocumentState
from doc_assets.ops.home import BULK_FOLDERS
from doc_assets.settings import Settings
from doc_assets.sources.staging import STAGED_PATTERN, fetched_digest
from doc_assets.util.files import LEFTOVER_PATTERN, is_local
from doc_assets.util.log_files import CLOSED_PATTERN

_LEFTOVER_DAYS = 1
"""A writer that is alive finishes or is killed long before."""
_LEFTOVERS = "leftovers of killed writers"
_OUTPUT_OF_RUNS = tuple(
    f"{folder}/*.{end}" for folder in ("*/compute_logs", "__repository__/*") for end in ("out", "err", "complete")
)
_LEFT_FOLDERS = ("qdrant/.*.dropped", "qdrant/.*.new", "models/.*.new", "models/.*.download")
_BATCH = 500
_UNREAD = (DocumentState.PENDING, DocumentState.REJECTED)
_MAX_LISTED = 1000


@dataclass(slots=True)
class Tally:
    """Things of one kind: how many went, with how many bytes."""

    n: int = 0
    size_bytes: int = 0


@dataclass(slots=True)
class MaintenanceReport:
    """What went; at most a thousand paths are listed, all are counted.

    Attributes:
        dry_run: nothing went, it was only counted.
        kinds: by kind of thing.
        paths: what went.
        failed: what could not be deleted, with the reason.
        n_failed: how many of these.
    """

    dry_run: bool
    kinds: dict[str, Tally] = field(default_factory=dict)
    paths: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    n_failed: int = 0

    @property
    def size_bytes(self) -> int:
        """Bytes in all."""
        return sum(tally.size_bytes for tally in self.kinds.values())

    def take(self, kind: str, path: object, size_bytes: int, delete: Callable[[], object]) -> None:
        """Deletes one thing unless this is a dry run, and counts it; one that cannot be deleted is named."""
        if not self.dry_run:
            try:
                delete()
            except FileNotFoundError:
                return  # another maintenance was quicker
            except OSError as error:
                self.n_failed += 1
                if len(self.failed) < _MAX_LISTED:
                    self.failed.append(f"{path}: {error.strerror or error}")
                return
        tally = self.kinds.setdefault(kind, Tally())
        tally.n += 1
        tally.size_bytes += size_bytes
        if len(self.paths) < _MAX_LISTED:
            self.paths.append(str(path))

    def take_file(self, kind: str, path: Path, before: float) -> None:
        """Deletes a regular file that was last written before a time, in seconds since 1970."""
        found = path.lstat()
        if path.is_file() and not path.is_symlink() and found.st_mtime < before:
            self.take(kind, path, found.st_size, path.unlink)

    def take_folder(self, kind: str, folder: Path) -> None:
        """Deletes a folder with everything in it."""
        size_bytes = sum(path.stat().st_size for path in _files_in(folder))
        self.take(kind, folder, size_bytes, partial(shutil.rmtree, folder))


def tidy_home(settings: Settings, ledger: Ledger, now: datetime | None = None, *, dry_run: bool) -> MaintenanceReport:
    """Deletes what is older than the settings keep it, or says what would go; 0 days keep a thing for ever.

    Runs, materializations and rows of the ledger stay, whatever their age.

    Args:
        settings: of the home.
        ledger: of the home.
        now: aware time that ages are counted from; None for that of the clock.
        dry_run: deletes nothing.

    Raises:
        ServiceError: if the ledger does not answer; then no document is deleted.
    """
    report, today = MaintenanceReport(dry_run), now or datetime.now(UTC)

    def before(days: int) -> float:
        return (today - timedelta(days=days)).timestamp()

    if settings.keep_logs_days:
        _tidy_logs(settings.log_dir, before(settings.keep_logs_days), report)
    if settings.keep_results_days:
        _tidy_results(settings.results_dir, before(settings.keep_results_days), report)
    if settings.keep_superseded_days:
        _tidy_staged(ledger, settings.bulk, before(settings.keep_superseded_days), report)
    _tidy_leftovers(settings, before(_LEFTOVER_DAYS), report)
    _tidy_uploads(settings, (today - timedelta(hours=settings.keep_uploads_hours)).timestamp(), report)
    return report


def _tidy_uploads(settings: Settings, before: float, report: MaintenanceReport) -> None:
    """Files that somebody searched for in a review desk that is no longer there to remove them."""
    for folder in _folders(settings.uploads_dir):
        if folder.stat().st_mtime < before:
            report.take_folder("files of searches", folder)


def _tidy_logs(log_dir: Path, before: float, report: MaintenanceReport) -> None:
    for path in sorted(log_dir.glob(CLOSED_PATTERN)):
        report.take_file("closed logs", path, before)
    for pattern in _OUTPUT_OF_RUNS:
        for path in sorted(log_dir.glob(pattern)):
            report.take_file("output of runs", path, before)
            if not report.dry_run:
                _remove_empty(path.parent, path.parent.parent)


def _tidy_results(results: Path, before: float, report: MaintenanceReport) -> None:
    shared = [results / "drops", results / "review"]  # a folder per drop, and per day or month
    below = [folder for parent in shared for folder in _folders(parent)]
    for folder in [*(folder for folder in _folders(results) if folder not in shared), *below]:
        newest = max((path.stat().st_mtime for path in _files_in(folder)), default=folder.stat().st_mtime)
        if newest < before:
            report.take_folder("reports and evidence", folder)


def _tidy_staged(ledger: Ledger, bulk: UPath, before: float, report: MaintenanceReport) -> None:
    """Copies that no current document needs: of replaced versions, of rejected files, of a killed run.

    What an API gave and could not be read yet stays: there is no other copy to read it from.
    """
    root = bulk / "documents"
    if not root.exists():
        return
    unread = {fetched_digest(origin) for origin in ledger.queries.remote_origins(_UNREAD)}
    for paths in _batches(root.glob(STAGED_PATTERN)):
        old = {path.stem: path for path in paths if path.stat().st_mtime < before}
        needed = ledger.documents.current_with_sha256(sorted(old))
        for digest, path in old.items():
            if digest not in needed and digest not in unread:
                report.take("copies of replaced or rejected documents", path, path.stat().st_size, path.unlink)


def _tidy_leftovers(settings: Settings, before: float, report: MaintenanceReport) -> None:
    if is_local(settings.bulk):
        for part in BULK_FOLDERS:
            for path in sorted((Path(str(settings.bulk)) / part).rglob(LEFTOVER_PATTERN)):
                report.take_file(_LEFTOVERS, path, before)
    for pattern in _LEFT_FOLDERS:
        for folder in sorted(settings.home.glob(pattern)):
            if folder.is_dir() and folder.stat().st_mtime < before:
                report.take_folder(_LEFTOVERS, folder)


def _files_in(folder: Path) -> list[Path]:
    """Regular files below a folder; links are not followed and not listed."""
    return [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]


def _folders(parent: Path) -> list[Path]:
    if not parent.is_dir():
        return []
    return sorted(path for path in parent.iterdir() if path.is_dir() and not path.is_symlink())


def _remove_empty(*folders: Path) -> None:
    for folder in folders:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _batches(paths: Iterable[UPath]) -> Iterator[list[UPath]]:
    left = iter(paths)
    while batch := list(islice(left, _BATCH)):
        yield batch
