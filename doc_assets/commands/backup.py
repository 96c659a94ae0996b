"""``doc-assets backup``, ``verify-backup`` and ``export-stack``."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from doc_assets.cli.console import console, progress_bars
from doc_assets.cli.launch import open_instance
from doc_assets.defs.backup.estate import back_up, described
from doc_assets.errors import BackupError
from doc_assets.ops.backup.make import MadeBackup
from doc_assets.ops.backup.manifest import Manifest, read_manifest
from doc_assets.ops.backup.packing import pack
from doc_assets.ops.backup.retention import Keeping, find_backup
from doc_assets.ops.backup.verify import faults_of
from doc_assets.settings import Settings

_MOST_LISTED = 50


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a backup is whole.

    Attributes:
        folder: of the backup.
        manifest: of it.
        faults: what is wrong, in words.
    """

    folder: Path
    manifest: Manifest
    faults: list[str]


def backup(settings: Settings, to: Path | None, *, by_reference: bool | None, keeping: Keeping | None) -> MadeBackup:
    """Makes a backup of the home.

    Raises:
        SettingsError: if no folder for it is named.
        BackupError: if a source is missing or empty, or the backup cannot be written.
    """
    with open_instance() as instance, progress_bars():
        return back_up(settings, instance, to=to, by_reference=by_reference, keeping=keeping)


def verify(folder: Path) -> Verdict:
    """Reads a backup, or the newest one in a folder, to its last byte; needs no home.

    Raises:
        BackupError: if there is none.
    """
    found = find_backup(folder.absolute())
    manifest = read_manifest(found)
    with progress_bars():
        return Verdict(found, manifest, faults_of(found, manifest))


def export_stack(settings: Settings, output: Path, existing: Path | None) -> tuple[Manifest, int]:
    """Writes a backup as one file: one that exists, or one that is made for it. Returns its manifest and its bytes.

    Raises:
        BackupError: if the file exists, the backup is not whole, or something cannot be read or written.
    """
    output = output.absolute()
    if output.exists():
        raise BackupError(f"{output} exists already; name another file.")
    if existing is not None:
        verdict = verify(existing)
        if verdict.faults:
            raise BackupError(f"{verdict.folder} is not whole: {verdict.faults[0]}")
        with progress_bars():
            return verdict.manifest, pack(verdict.folder, output)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        room = tempfile.TemporaryDirectory(prefix=".export-", dir=output.parent)
    except OSError as error:
        raise BackupError(f"{output.parent} cannot be written: {error}.") from error
    with room as folder:
        made = backup(settings, Path(folder), by_reference=False, keeping=Keeping())
        with progress_bars():
            return made.manifest, pack(made.folder, output)


def print_made(made: MadeBackup) -> None:
    """What was made, in words."""
    out, manifest = console(), made.manifest
    out.print(f"{made.folder}: {_counts(manifest)}; {len(manifest.files)} files, {manifest.size_bytes:,} bytes.")
    if not manifest.quiet:
        out.print("Runs went on meanwhile: after a restore the next re-index ends what they had begun.")
    if manifest.faults:
        out.print(f"The home disagrees with itself in {manifest.faults} places; `doc-assets check` lists them.")
    for folder in made.removed:
        out.print(f"  removed {folder}")


def print_verdict(verdict: Verdict) -> None:
    """Whether it is whole, in words."""
    out = console()
    state = f"{len(verdict.faults)} faults" if verdict.faults else "whole"
    out.print(f"{verdict.folder}: {_counts(verdict.manifest)}: {state}.")
    for fault in verdict.faults[:_MOST_LISTED]:
        out.print(f"  {fault}")
    if len(verdict.faults) > _MOST_LISTED:
        out.print(f"  ... and {len(verdict.faults) - _MOST_LISTED} more")


def made_as_data(made: MadeBackup) -> dict[str, Any]:
    """The same as data."""
    return {**described(made), "removed": [str(folder) for folder in made.removed]}


def verdict_as_data(verdict: Verdict) -> dict[str, Any]:
    """The same as data."""
    manifest = verdict.manifest
    return {
        "folder": str(verdict.folder),
        "made_at": manifest.made_at.isoformat(),
        "schema_revision": manifest.ledger.revision,
        "versions": manifest.versions,
        "counts": manifest.counts,
        "faults": verdict.faults,
    }


def _counts(manifest: Manifest) -> str:
    counts = manifest.counts
    return f"{counts['documents']} documents, {counts['photos']} photos, {counts['points']} points"
