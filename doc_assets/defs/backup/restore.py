"""Restores of the home of the settings, with Dagster's own records."""

import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from shlex import quote

from doc_assets.archive.home import half_made
from doc_assets.defs.backup.scope import scope_of
from doc_assets.defs.erasure.erasing import opened_for_erasure
from doc_assets.defs.instance import open_instance
from doc_assets.defs.maintenance.abandoned import fail_runs_in_progress, require_nothing_runs
from doc_assets.errors import DocAssetsError
from doc_assets.ops.backup.forgotten import ForgottenList, read_lists
from doc_assets.ops.backup.manifest import read_manifest
from doc_assets.ops.backup.packing import unpack
from doc_assets.ops.backup.restore import RestoreReport, complete, find_returned, replace_home
from doc_assets.ops.backup.retention import find_backup
from doc_assets.ops.home import prepare_home, restoring
from doc_assets.runtime import Runtime
from doc_assets.settings import Settings

_IMPORT = ".import"
_WAS_RUNNING = "This run was in progress when the backup was made that this home was restored from."


def restore(settings: Settings, folder: Path) -> RestoreReport:
    """Makes the home of the settings what a backup says, or the newest one in a folder.

    Raises:
        BackupError: if the backup is damaged or does not fit, then nothing was changed; or if the restored home is not
            whole, then it stays half made until a restore is complete.
        ServiceError: if a run is in progress, or a store does not answer.
    """
    found = find_backup(folder.absolute())
    with restoring(settings.home):
        return _restore(settings, found, f"restore {quote(str(found))}", read_lists(found.parent))


def import_stack(settings: Settings, file: Path) -> RestoreReport:
    """Does the same from a file that ``export-stack`` wrote."""
    unpacked = settings.home / _IMPORT
    shutil.rmtree(unpacked, ignore_errors=True)  # of a killed import
    try:
        with restoring(settings.home):
            unpack(file, unpacked)
            report = _restore(settings, unpacked, f"import-stack {quote(str(file.absolute()))}", [])
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)
    report.folder = file.absolute()
    return report


def _restore(settings: Settings, folder: Path, again: str, beside: Sequence[ForgottenList]) -> RestoreReport:
    manifest = read_manifest(folder)
    report = RestoreReport(folder, manifest.made_at, dict(manifest.counts))
    try:
        with open_instance() as instance:  # closed before its files are exchanged
            scope = scope_of(settings, instance)
        with suppress(DocAssetsError, OSError), scope.runtime.store():
            pass  # which collections are this home's own is known by the ledger that is about to go
        own = replace_home(scope, folder, manifest, again, report, _require_idle)
        prepare_home(settings)
        with open_instance() as restored:
            fail_runs_in_progress(restored, _WAS_RUNNING)
        names = find_returned(scope, [*beside, *own], report)
        if names:
            report.traces = _forget(settings, names)
        complete(scope, manifest, report)
    except DocAssetsError as error:
        if says := half_made(settings.home):
            error.args = (f"{error} {says}",)
        raise
    if report.traces:  # some may have been in the old data, which is gone now
        report.traces = _forget(settings, [])
    return report


def _require_idle() -> None:
    with open_instance() as instance:
        require_nothing_runs(instance)


def _forget(settings: Settings, names: Sequence[str]) -> int:
    """Forgets these documents, and what was not ended; returns how many traces are left."""
    with open_instance() as instance, opened_for_erasure(Runtime(settings), instance) as erasing:
        reports = erasing.carry_out(erasing.plan(names))
    return sum(len(report.traces) for report in reports)
