"""``doc-assets restore`` and ``import-stack``."""

import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DatabaseError

from doc_assets.archive.ledger.database import Database
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.cli.console import console, progress_bars
from doc_assets.cli.launch import open_instance
from doc_assets.commands import forget as forgetting
from doc_assets.defs.backup.estate import estate_of
from doc_assets.defs.forgetting.home import require_nothing_runs
from doc_assets.defs.maintenance.abandoned import fail_runs_in_progress
from doc_assets.errors import BackupError, DamagedError, DocAssetsError, ServiceError
from doc_assets.ops.backup.databases import file_of, kind_of
from doc_assets.ops.backup.estate import Estate
from doc_assets.ops.backup.forgotten import ForgottenList, read_beside
from doc_assets.ops.backup.manifest import read_manifest
from doc_assets.ops.backup.packing import unpack
from doc_assets.ops.backup.restore import HEALTHY, RestoreReport, undo_interrupted, was_interrupted, was_served
from doc_assets.ops.backup.restore import restore as replace_home
from doc_assets.ops.backup.retention import find_backup
from doc_assets.ops.home import prepare_home, restoring
from doc_assets.settings import Settings

_MOST_LISTED = 50
_IMPORT = ".import"
_WAS_RUNNING = "This run was in progress when the backup was made that this home was restored from."


def restore(settings: Settings, folder: Path) -> RestoreReport:
    """Makes the home of the settings what a backup says, or the newest one in a folder.

    Raises:
        BackupError: if the backup is damaged or does not fit, or the home is not whole afterwards; then the old data
            is back.
        ServiceError: if a run is in progress, or a store does not answer.
    """
    found = find_backup(folder.absolute())
    with restoring(settings.home):
        return _restore(settings, found, read_beside(found.parent))


def undo(settings: Settings) -> bool:
    """Ends a restore that was killed: back to the old data, or on to the new if that was found whole already.

    Returns:
        Whether the home is the old one again.

    Raises:
        BackupError: if no restore was interrupted.
        ServiceError: if another process is restoring, or a store does not answer.
    """
    with restoring(settings.home), progress_bars():
        if not was_interrupted(settings.home):
            raise BackupError(f"No restore of {settings.home} was interrupted; there is nothing to undo.")
        return not _undo_interrupted(settings, served=was_served(settings.home))


def import_stack(settings: Settings, file: Path) -> RestoreReport:
    """Does the same from a file that ``export-stack`` wrote."""
    room = settings.home / _IMPORT
    shutil.rmtree(room, ignore_errors=True)  # of a killed import
    try:
        with restoring(settings.home):
            with progress_bars():
                unpack(file, room)
            report = _restore(settings, room, [])
    finally:
        shutil.rmtree(room, ignore_errors=True)
    report.folder = file.absolute()
    return report


def _restore(settings: Settings, folder: Path, lists: Sequence[ForgottenList]) -> RestoreReport:
    manifest = read_manifest(folder)
    notes: list[str] = []
    with progress_bars():
        if was_interrupted(settings.home):
            _undo_interrupted(settings, served=manifest.dagster is not None or was_served(settings.home))
            notes.append("An earlier restore had been interrupted; it was ended first.")
        with open_instance() as instance:
            require_nothing_runs(instance)
            estate = estate_of(settings, instance)

        with suppress(DocAssetsError, OSError), estate.open_store():
            pass  # what is this home's own is known by the ledger that is about to go; a store that is lost is replaced

        def finish(names: Sequence[str]) -> int:
            prepare_home(settings)
            with open_instance() as restored:
                fail_runs_in_progress(restored, _WAS_RUNNING)
            return _forgotten(settings, names) if names else 0

        report = replace_home(estate, folder, manifest, [*lists, *_known_here(estate, notes)], finish)
        if report.traces:  # some may have been in the old data, which is gone now
            report.traces = _forgotten(settings, [])
    report.notes[:0] = notes
    return report


def _forgotten(settings: Settings, names: Sequence[str]) -> int:
    """Forgets these documents, and what was not ended; returns how many traces are left."""
    reports = forgetting.carry_out(settings, forgetting.plan(settings, names), delete_originals=False)
    return sum(len(report.traces) for report in reports)


def _undo_interrupted(settings: Settings, *, served: bool) -> bool:
    """Brings back what a killed restore had set aside, before anything opens the half-made stores.

    Returns:
        Whether the restored data was whole already and stays.
    """
    if served:
        with open_instance() as instance:
            estate = estate_of(settings, instance)
    else:
        estate = estate_of(settings, None)
    return undo_interrupted(estate) == HEALTHY


def _known_here(estate: Estate, notes: list[str]) -> list[ForgottenList]:
    """What the ledger that is about to be replaced knows as forgotten; nothing if it is new or cannot be read."""
    if kind_of(estate.ledger_url) == "sqlite" and not file_of(estate.ledger_url).is_file():
        return []
    database = Database(estate.ledger_url)
    try:
        if database.revision() is None:
            return []
        ledger = Ledger(database, estate.forgotten_key)  # whatever its revision: an update may be what is undone
        known = ledger.tombstones.taken_out()
    except (DamagedError, DatabaseError, ServiceError) as error:
        notes.append(f"The ledger that was replaced could not be read ({error}), nor what it knew as forgotten.")
        return []
    finally:
        database.close()
    return [ForgottenList(known, datetime.now(UTC))] if known else []


def print_restored(report: RestoreReport) -> None:
    """What came back, in words."""
    out = console()
    counts = ", ".join(f"{n} {what}" for what, n in report.counts.items())
    out.print(f"Restored from {report.folder}, made at {report.made_at:%Y-%m-%d %H:%M:%S} UTC: {counts}; all equal.")
    for fault in report.faults[:_MOST_LISTED]:
        out.print(f"  was in the backup already: {fault}")
    if report.forgotten_again:
        out.print(f"{len(report.forgotten_again)} documents that were forgotten since were forgotten again.")
    if report.traces:
        out.print(f"{report.traces} traces of them are left; `doc-assets forget` lists them.")
    for note in report.notes:
        out.print(note)


def as_data(report: RestoreReport) -> dict[str, Any]:
    """The same as data."""
    return {**asdict(report), "folder": str(report.folder), "made_at": report.made_at.isoformat()}
