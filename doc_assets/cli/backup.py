"""Backups, the way back, and the collection made anew."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from doc_assets.cli.console import console, progress_bars
from doc_assets.cli.shell import FAILED, WRONG_USE, AsJson, app, command, say
from doc_assets.errors import SettingsError
from doc_assets.settings import Settings

if TYPE_CHECKING:
    from doc_assets.ops.backup.make import MadeBackup
    from doc_assets.ops.backup.manifest import Manifest
    from doc_assets.ops.backup.restore import RestoreReport
    from doc_assets.ops.backup.verify import Verdict
    from doc_assets.pipeline.rebuild import RebuildReport

YesInto = Annotated[
    str, typer.Option("--yes-restore-into", metavar="NAME", help="Name of the home, instead of typing it.")
]
BackupFolder = Annotated[
    Path, typer.Argument(exists=True, file_okay=False, help="A backup, or a folder of backups for its newest.")
]

_MOST_LISTED = 50


@app.command(rich_help_panel="Backup")
def backup(
    to: Annotated[
        Path | None, typer.Option(file_okay=False, help="Folder of backups. Default: DOC_ASSETS_BACKUP_DIR.")
    ] = None,
    by_reference: Annotated[
        bool | None,
        typer.Option("--reference/--copy", help="List documents and tables instead of copying them."),
    ] = None,
    keep: Annotated[int | None, typer.Option(min=0, help="Keep the newest n; 0 keeps all.")] = None,
    keep_days: Annotated[int | None, typer.Option(min=0, help="Remove older ones; 0 keeps them.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a backup of the home: ledger, collections, Dagster's records, documents, tables, models, reports."""
    from doc_assets.defs.backup import back_up, described
    from doc_assets.defs.instance import open_instance

    with command() as settings:
        with open_instance() as instance, progress_bars():
            made = back_up(settings, instance, to=to, by_reference=by_reference, keep=keep, keep_days=keep_days)
        say({**described(made), "removed": made.removed}, lambda: _print_made(made), as_json=as_json)


@app.command(rich_help_panel="Backup")
def verify_backup(folder: BackupFolder, as_json: AsJson = False) -> None:
    """Read a backup to its last byte: digests, dumps, counts, revision; exit 1 and a list if it is not whole."""
    from doc_assets.ops.backup.verify import verify

    with command(of_half_made_home=True):
        with progress_bars():
            verdict = verify(folder)
        say(_verdict_as_data(verdict), lambda: _print_verdict(verdict), as_json=as_json)
        if verdict.faults:
            raise typer.Exit(FAILED)


@app.command(rich_help_panel="Backup")
def restore(
    folder: BackupFolder,
    yes_restore_into: YesInto = "",
    as_json: AsJson = False,
) -> None:
    """Make this home what a backup says; what it holds now is removed once the restored home is proved whole."""
    from doc_assets.defs.backup import restore as restore_home

    with command(of_half_made_home=True) as settings:
        _confirm(settings, yes_restore_into)
        with progress_bars():
            report = restore_home(settings, folder)
        _say_restored(report, as_json=as_json)


@app.command(rich_help_panel="Backup")
def export_stack(
    file: Annotated[Path, typer.Argument(dir_okay=False, help="Tar file that is written.")],
    from_backup: Annotated[
        Path | None,
        typer.Option("--backup", exists=True, file_okay=False, help="Pack this backup. Default: a new one."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write everything of this home into one file that another machine imports."""
    from doc_assets.defs.backup import back_up
    from doc_assets.defs.instance import open_instance
    from doc_assets.ops.backup.packing import export

    with command() as settings:

        def make(folder: Path) -> "MadeBackup":
            with open_instance() as instance:
                return back_up(settings, instance, to=folder, by_reference=False, keep=0, keep_days=0)

        with progress_bars():
            manifest, size = export(file.absolute(), from_backup, make)
        data = {"file": str(file.absolute()), "bytes": size, **manifest.counts}
        in_words = f"{file}: {size:,} bytes, {manifest.counts['documents']} documents."
        say(data, lambda: typer.echo(in_words), as_json=as_json)


@app.command(rich_help_panel="Backup")
def import_stack(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="File that export-stack wrote.")],
    yes_restore_into: YesInto = "",
    as_json: AsJson = False,
) -> None:
    """Make this home what an exported file says; what it holds now is removed once that is proved whole."""
    from doc_assets.defs.backup import import_stack as import_home

    with command(of_half_made_home=True) as settings:
        _confirm(settings, yes_restore_into)
        with progress_bars():
            report = import_home(settings, file)
        _say_restored(report, as_json=as_json)


@app.command(rich_help_panel="Backup")
def rebuild_index(as_json: AsJson = False) -> None:
    """Make the collection anew from Parquet, for a vector store that was lost; nothing is embedded again."""
    from doc_assets.defs.index import rebuild
    from doc_assets.runtime import Runtime

    with command() as settings:
        with progress_bars():
            report = rebuild(Runtime(settings))
        say(report, lambda: _print_rebuilt(report), as_json=as_json)
        if not report.collection.is_sound or report.not_ready:
            raise typer.Exit(FAILED)


def _confirm(settings: Settings, typed: str) -> None:
    """Wants the home's name in letters: what a restore replaces is gone afterwards."""
    name = settings.home.name
    if not typed:
        if not sys.stdin.isatty():
            typer.secho(
                f"doc-assets: a restore replaces the home {settings.home}; give --yes-restore-into {name}.",
                fg=typer.colors.RED,
                err=True,
            )
            raise typer.Exit(WRONG_USE)
        typed = typer.prompt(f"This replaces everything in {settings.home}. Type its name, {name}, to go on")
    if typed != name:
        raise SettingsError(f"The home is called {name!r}, not {typed!r}; nothing was changed.")


def _print_made(made: "MadeBackup") -> None:
    """What was made, in words."""
    out, manifest = console(), made.manifest
    out.print(f"{made.folder}: {_counts(manifest)}; {len(manifest.files)} files, {manifest.size_bytes:,} bytes.")
    if not manifest.quiet:
        out.print("Runs went on meanwhile: after a restore the next re-index ends what they had begun.")
    if manifest.faults:
        out.print(f"The home disagrees with itself in {manifest.faults} places; `doc-assets check` lists them.")
    for folder in made.removed:
        out.print(f"  removed {folder}")


def _print_verdict(verdict: "Verdict") -> None:
    """Whether it is whole, in words."""
    out = console()
    state = f"{len(verdict.faults)} faults" if verdict.faults else "whole"
    out.print(f"{verdict.folder}: {_counts(verdict.manifest)}: {state}.")
    for fault in verdict.faults[:_MOST_LISTED]:
        out.print(f"  {fault}")
    if len(verdict.faults) > _MOST_LISTED:
        out.print(f"  ... and {len(verdict.faults) - _MOST_LISTED} more")


def _verdict_as_data(verdict: "Verdict") -> dict[str, Any]:
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


def _counts(manifest: "Manifest") -> str:
    counts = manifest.counts
    return f"{counts['documents']} documents, {counts['photos']} photos, {counts['points']} points"


def _say_restored(report: "RestoreReport", *, as_json: bool) -> None:
    say(report, lambda: _print_restored(report), as_json=as_json)
    if report.traces:
        raise typer.Exit(FAILED)


def _print_restored(report: "RestoreReport") -> None:
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


def _print_rebuilt(report: "RebuildReport") -> None:
    """The collection as it is now, in words."""
    out, found = console(), report.collection
    out.print(
        f"{found.collection}: {found.points} points, the ledger counts {found.expected}; "
        f"{found.alias} {'points at it' if found.published else 'still points at another collection'}."
    )
    for drop_key in report.not_ready:
        out.print(f"  drop {drop_key} is not embedded with the versions in use; run ingest_drop_job for it.")
