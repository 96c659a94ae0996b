"""The home of the settings made what a backup says, Dagster's own records among it."""

import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from doc_assets.defs.backup.estate import estate_of
from doc_assets.defs.forgetting import requests as forgetting
from doc_assets.defs.forgetting.home import require_nothing_runs
from doc_assets.defs.instance import open_instance
from doc_assets.defs.maintenance.abandoned import fail_runs_in_progress
from doc_assets.errors import BackupError, DocAssetsError
from doc_assets.ops.backup.forgotten import ForgottenList, known_in, read_beside
from doc_assets.ops.backup.manifest import read_manifest
from doc_assets.ops.backup.packing import unpack
from doc_assets.ops.backup.restore import HEALTHY, RestoreReport, undo_interrupted, was_interrupted, was_served
from doc_assets.ops.backup.restore import restore as replace_home
from doc_assets.ops.backup.retention import find_backup
from doc_assets.ops.home import prepare_home, restoring
from doc_assets.runtime import Runtime
from doc_assets.settings import Settings

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
    with restoring(settings.home):
        if not was_interrupted(settings.home):
            raise BackupError(f"No restore of {settings.home} was interrupted; there is nothing to undo.")
        return not _undo_interrupted(settings, served=was_served(settings.home))


def import_stack(settings: Settings, file: Path) -> RestoreReport:
    """Does the same from a file that ``export-stack`` wrote."""
    room = settings.home / _IMPORT
    shutil.rmtree(room, ignore_errors=True)  # of a killed import
    try:
        with restoring(settings.home):
            unpack(file, room)
            report = _restore(settings, room, [])
    finally:
        shutil.rmtree(room, ignore_errors=True)
    report.folder = file.absolute()
    return report


def _restore(settings: Settings, folder: Path, lists: Sequence[ForgottenList]) -> RestoreReport:
    manifest = read_manifest(folder)
    notes: list[str] = []
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

    report = replace_home(estate, folder, manifest, [*lists, *known_in(estate, notes)], finish)
    if report.traces:  # some may have been in the old data, which is gone now
        report.traces = _forgotten(settings, [])
    report.notes[:0] = notes
    return report


def _forgotten(settings: Settings, names: Sequence[str]) -> int:
    """Forgets these documents, and what was not ended; returns how many traces are left."""
    runtime = Runtime(settings)
    reports = forgetting.carry_out(runtime, forgetting.plan(runtime, names), delete_originals=False)
    return sum(len(report.traces) for report in reports)


def _undo_interrupted(settings: Settings, *, served: bool) -> bool:
    """Brings back what a killed restore had set aside, before anything opens the half-made stores.

    Returns:
        Whether the restored data was whole already and stays.
    """
    if not served:
        return undo_interrupted(estate_of(settings, None)) == HEALTHY
    with open_instance() as instance:
        estate = estate_of(settings, instance)
    return undo_interrupted(estate) == HEALTHY
