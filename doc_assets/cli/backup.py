"""Backups, the way back, and the collection made anew."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doc_assets.cli.shell import FAILED, WRONG_USE, AsJson, app, command, say
from doc_assets.errors import SettingsError
from doc_assets.settings import Settings

if TYPE_CHECKING:
    from doc_assets.ops.backup.restore import RestoreReport

YesInto = Annotated[
    str, typer.Option("--yes-restore-into", metavar="NAME", help="Name of the home, instead of typing it.")
]
BackupFolder = Annotated[
    Path, typer.Argument(exists=True, file_okay=False, help="A backup, or a folder of backups for its newest.")
]


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
    from doc_assets.commands import backup as commands
    from doc_assets.ops.backup.retention import Keeping

    with command() as settings:
        keeping = Keeping(
            settings.backup_keep if keep is None else keep,
            settings.backup_keep_days if keep_days is None else keep_days,
        )
        made = commands.backup(settings, to, by_reference=by_reference, keeping=keeping)
        say(commands.made_as_data(made), lambda: commands.print_made(made), as_json=as_json)


@app.command(rich_help_panel="Backup")
def verify_backup(folder: BackupFolder, as_json: AsJson = False) -> None:
    """Read a backup to its last byte: digests, dumps, counts, revision; exit 1 and a list if it is not whole."""
    from doc_assets.commands import backup as commands

    with command(of_half_made_home=True):
        verdict = commands.verify(folder)
        say(commands.verdict_as_data(verdict), lambda: commands.print_verdict(verdict), as_json=as_json)
        if verdict.faults:
            raise typer.Exit(FAILED)


@app.command(rich_help_panel="Backup")
def restore(
    folder: Annotated[
        Path | None,
        typer.Argument(exists=True, file_okay=False, help="A backup, or a folder of backups for its newest."),
    ] = None,
    yes_restore_into: YesInto = "",
    undo: Annotated[
        bool, typer.Option("--undo", help="End a restore that was killed: bring back what the home held before.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make this home what a backup says; what it holds now comes back if the restored one is not whole."""
    from doc_assets.commands import restore as commands

    with command(of_half_made_home=True) as settings:
        if (folder is None) != undo:
            raise typer.BadParameter("name a backup, or --undo alone")
        if folder is None:
            is_old = commands.undo(settings)
            words = (
                "The home is what it was before the interrupted restore."
                if is_old
                else ("The interrupted restore had been found whole; the restored data stays.")
            )
            say({"undone": is_old}, lambda: typer.echo(words), as_json=as_json)
            return
        _confirm(settings, yes_restore_into)
        report = commands.restore(settings, folder)
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
    from doc_assets.commands import backup as commands

    with command() as settings:
        manifest, size = commands.export_stack(settings, file, from_backup)
        data = {"file": str(file.absolute()), "bytes": size, **manifest.counts}
        in_words = f"{file}: {size:,} bytes, {manifest.counts['documents']} documents."
        say(data, lambda: typer.echo(in_words), as_json=as_json)


@app.command(rich_help_panel="Backup")
def import_stack(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="File that export-stack wrote.")],
    yes_restore_into: YesInto = "",
    as_json: AsJson = False,
) -> None:
    """Make this home what an exported file says; what it holds now comes back if that is not whole."""
    from doc_assets.commands import restore as commands

    with command(of_half_made_home=True) as settings:
        _confirm(settings, yes_restore_into)
        report = commands.import_stack(settings, file)
        _say_restored(report, as_json=as_json)


@app.command(rich_help_panel="Backup")
def rebuild_index(as_json: AsJson = False) -> None:
    """Make the collection anew from Parquet, for a vector store that was lost; nothing is embedded again."""
    from doc_assets.commands import rebuild as commands

    with command() as settings:
        report = commands.rebuild_index(settings)
        say(asdict(report), lambda: commands.print_rebuilt(report), as_json=as_json)
        if not report.collection.is_sound or report.not_ready:
            raise typer.Exit(FAILED)


def _say_restored(report: "RestoreReport", *, as_json: bool) -> None:
    from doc_assets.commands import restore as commands

    say(commands.as_data(report), lambda: commands.print_restored(report), as_json=as_json)
    if report.traces:
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
