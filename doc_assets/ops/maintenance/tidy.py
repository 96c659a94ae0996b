"""One pass over a home: which things are too old, kind by kind."""

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from upath import UPath

from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.faults import DocumentState
from doc_assets.ops.maintenance.report import MaintenanceReport, own_files
from doc_assets.settings import Settings
from doc_assets.sources.origin import fetched_digest
from doc_assets.sources.staging import STAGED_PATTERN
from doc_assets.util.files import LEFTOVER_PATTERN, is_local
from doc_assets.util.log_files import CLOSED_PATTERN

_LEFTOVER_DAYS = 1
"""A writer that is alive finishes or is killed long before."""
_RUN_LOGS = tuple(f"*/compute_logs/*.{end}" for end in ("out", "err", "complete"))
_TICK_LOGS = tuple(f"__repository__/*/*.{end}" for end in ("out", "err", "complete"))
_WRITTEN = ("documents", "photos", "embeddings", "local_features", "page_text")
"""Folders of the bulk root; the inbox, which may lie beside them, is never touched."""
_LEFT_FOLDERS = ("qdrant/.*.dropped", "qdrant/.*.new", "models/.*.new", "models/.*.download")
_AT_ONCE = 500
_UNREAD = (DocumentState.PENDING, DocumentState.REJECTED)


@dataclass(frozen=True, slots=True)
class Places:
    """What maintenance looks at.

    Attributes:
        home: the home.
        bulk: root of documents and tables.
        log_dir: folder of logs.
        log_pattern: names of closed log files in it.
        results: reports and evidence.
    """

    home: Path
    bulk: UPath
    log_dir: Path
    log_pattern: str
    results: Path


@dataclass(frozen=True, slots=True)
class Keeping:
    """For how many days things are kept; 0 keeps them for ever."""

    logs_days: int
    results_days: int
    superseded_days: int


def tidy_home(settings: Settings, ledger: Ledger, *, dry_run: bool) -> MaintenanceReport:
    """Deletes what the settings say is too old, or says what would go."""
    places = Places(settings.home, settings.bulk, settings.log_dir, CLOSED_PATTERN, settings.results_dir)
    keeping = Keeping(settings.keep_logs_days, settings.keep_results_days, settings.keep_superseded_days)
    return tidy(ledger, places, keeping, datetime.now(UTC), dry_run=dry_run)


def tidy(ledger: Ledger, places: Places, keeping: Keeping, now: datetime, *, dry_run: bool) -> MaintenanceReport:
    """Deletes what is older than it is kept, or says what would go.

    Runs, materializations and rows of the ledger stay, whatever their age.

    Raises:
        ServiceError: if the ledger does not answer; then no document is deleted.
    """
    report = MaintenanceReport(dry_run)
    if keeping.logs_days:
        _tidy_logs(places, _before(now, keeping.logs_days), report)
    if keeping.results_days:
        _tidy_results(places.results, _before(now, keeping.results_days), report)
    if keeping.superseded_days:
        _tidy_staged(ledger, places.bulk, _before(now, keeping.superseded_days), report)
    _tidy_leftovers(places, _before(now, _LEFTOVER_DAYS), report)
    return report


def _before(now: datetime, days: int) -> float:
    return (now - timedelta(days=days)).timestamp()


def _tidy_logs(places: Places, before: float, report: MaintenanceReport) -> None:
    for path in sorted(places.log_dir.glob(places.log_pattern)):
        _take_file("closed logs", path, before, report)
    for pattern in (*_RUN_LOGS, *_TICK_LOGS):
        for path in sorted(places.log_dir.glob(pattern)):
            _take_file("output of runs", path, before, report)
            if not report.dry_run:
                _remove_empty(path.parent, path.parent.parent)


def _tidy_results(results: Path, before: float, report: MaintenanceReport) -> None:
    for folder in [*_folders(results), *_folders(results / "drops")]:
        if folder == results / "drops":
            continue
        files = own_files(folder)
        newest = max((path.stat().st_mtime for path in files), default=folder.stat().st_mtime)
        if newest < before:
            size = sum(path.stat().st_size for path in files)
            report.take("reports and evidence", folder, size, lambda folder=folder: shutil.rmtree(folder))  # type: ignore[misc]


def _tidy_staged(ledger: Ledger, bulk: UPath, before: float, report: MaintenanceReport) -> None:
    """Copies that no current document needs: of replaced versions, of rejected files, of a killed run.

    What an API gave and could not be read yet stays: there is no other copy to read it from.
    """
    root = bulk / "documents"
    if not root.exists():
        return
    unread = {fetched_digest(origin) for origin in ledger.queries.remote_origins(_UNREAD)}
    for some in _portions(root.glob(STAGED_PATTERN)):
        old = {path.stem: path for path in some if path.stat().st_mtime < before}
        needed = ledger.documents.current_with_sha256(sorted(old))
        for digest, path in old.items():
            if digest not in needed and digest not in unread:
                report.take("copies of replaced or rejected documents", path, path.stat().st_size, path.unlink)


def _tidy_leftovers(places: Places, before: float, report: MaintenanceReport) -> None:
    if is_local(places.bulk):
        for part in _WRITTEN:
            for path in sorted((Path(str(places.bulk)) / part).rglob(LEFTOVER_PATTERN)):
                _take_file("leftovers of killed writers", path, before, report)
    for pattern in _LEFT_FOLDERS:
        for folder in sorted(places.home.glob(pattern)):
            if folder.is_dir() and folder.stat().st_mtime < before:
                size = sum(path.stat().st_size for path in own_files(folder))
                report.take("leftovers of killed writers", folder, size, lambda folder=folder: shutil.rmtree(folder))  # type: ignore[misc]


def _take_file(kind: str, path: Path, before: float, report: MaintenanceReport) -> None:
    found = path.lstat()
    if path.is_file() and not path.is_symlink() and found.st_mtime < before:
        report.take(kind, path, found.st_size, path.unlink)


def _folders(parent: Path) -> list[Path]:
    if not parent.is_dir():
        return []
    return sorted(path for path in parent.iterdir() if path.is_dir() and not path.is_symlink())


def _remove_empty(*folders: Path) -> None:
    for folder in folders:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _portions(paths: Iterable[UPath]) -> Iterator[list[UPath]]:
    portion: list[UPath] = []
    for path in paths:
        portion.append(path)
        if len(portion) == _AT_ONCE:
            yield portion
            portion = []
    yield portion
