"""Commands that set up a home, look after it and tidy it."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from doc_assets.cli.shell import FAILED, WRONG_USE, AsJson, app, command, our_errors, say
from doc_assets.settings import load_settings

config = typer.Typer(no_args_is_help=True, help="The settings in use.")
app.add_typer(config, name="config", rich_help_panel="Operation")


@app.command(rich_help_panel="Operation")
def init(
    home: Annotated[Path | None, typer.Option(file_okay=False, help="Default: DOC_ASSETS_HOME, or appdata.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a home's folders and an .env with generated secrets in this folder; keeps what is there."""
    from doc_assets.commands.configuration import initialize, print_init

    with our_errors():
        report = initialize(home)
        say(asdict(report), lambda: print_init(report), as_json=as_json)


@app.command(rich_help_panel="Operation")
def doctor(as_json: AsJson = False) -> None:
    """Look at everything needed, a line each, with what to do; exit 1 if one is red, 2 if the settings are."""
    from doc_assets.commands.doctor import examine, print_lines, settings_are_broken

    lines = examine()
    say([asdict(line) for line in lines], lambda: print_lines(lines), as_json=as_json)
    if settings_are_broken(lines):
        raise typer.Exit(WRONG_USE)
    if any(line.level == "red" for line in lines):
        raise typer.Exit(FAILED)


@app.command(rich_help_panel="Operation")
def maintain(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, delete nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete what is too old to be kept: logs, evidence, copies of replaced documents, leftovers of killed writers."""
    from doc_assets.commands.maintain import maintain as tidy
    from doc_assets.commands.maintain import print_report

    with command() as settings:
        report = tidy(settings, dry_run=dry_run)
        say(asdict(report), lambda: print_report(report), as_json=as_json)
        if report.n_failed:
            raise typer.Exit(FAILED)


@app.command(rich_help_panel="Operation")
def send_test_alert() -> None:
    """Post a test to DOC_ASSETS_ALERT_WEBHOOK_URL, as alerts about failed runs are; exit 1 if it is not taken."""
    from doc_assets.commands.alert import send_test_alert as send

    with command() as settings:
        typer.echo(f"{send(settings)} took the test alert.")


@config.command()
def show(as_json: AsJson = False) -> None:
    """Show every setting in use and where it comes from; secrets are masked."""
    from doc_assets.commands.configuration import effective_settings, print_settings

    with our_errors():
        found = effective_settings(load_settings())
        say([asdict(setting) for setting in found], lambda: print_settings(found), as_json=as_json)


@config.command()
def validate(as_json: AsJson = False) -> None:
    """Check the settings without touching any data; exit 2 and a list if one cannot be used."""
    from doc_assets.commands.configuration import faults_of

    with our_errors():
        faults = faults_of(load_settings())
        in_words = "\n".join(faults) or "All settings can be used."
        say({"faults": faults}, lambda: typer.echo(in_words), as_json=as_json)
        if faults:
            raise typer.Exit(WRONG_USE)
