"""Commands that set up a home, look after it and tidy it."""

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doc_assets.cli.console import console, print_first, show_table
from doc_assets.cli.shell import FAILED, WRONG_USE, AsJson, app, command, home_ledger, say
from doc_assets.errors import SettingsError
from doc_assets.ops.doctor.check import Check, CheckedLine, Finding, Level, green, yellow

if TYPE_CHECKING:
    from doc_assets.ops.configuration import InitReport
    from doc_assets.ops.maintenance import MaintenanceReport
    from doc_assets.settings import Settings

config = typer.Typer(no_args_is_help=True, help="The settings in use.")
app.add_typer(config, name="config", rich_help_panel="Operation")

_COLOURS = {Level.GREEN: "green", Level.YELLOW: "yellow", Level.RED: "bold red"}
_log = logging.getLogger(__name__)


@app.command(rich_help_panel="Operation")
def init(
    home: Annotated[Path | None, typer.Option(file_okay=False, help="Default: DOC_ASSETS_HOME, or appdata.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a home's folders and an .env with generated secrets in this folder; keeps what is there."""
    from doc_assets.ops.configuration import initialize

    report = initialize(home)
    say(report, lambda: _print_init(report), as_json=as_json)


@app.command(rich_help_panel="Operation")
def doctor(as_json: AsJson = False) -> None:
    """Look at everything needed, a line each, with what to do; exit 1 if one is red, 2 if the settings are."""
    from doc_assets.ops.doctor.examination import examine, settings_are_broken

    def dagster_checks(settings: "Settings") -> list[Check]:
        return [
            Check("dagster", "instance", lambda: _check_instance(settings)),
            Check("dagster", "daemon", lambda: _check_daemon(settings)),
        ]

    lines = examine(dagster_checks)
    say(lines, lambda: _print_lines(lines), as_json=as_json)
    if settings_are_broken(lines):
        raise typer.Exit(WRONG_USE)
    if any(line.level == Level.RED for line in lines):
        raise typer.Exit(FAILED)


@app.command(rich_help_panel="Operation")
def maintain(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, delete nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete what is too old to be kept: logs, evidence, copies of replaced documents, leftovers of killed writers."""
    with command() as settings:
        from doc_assets.ops.maintenance import tidy_home

        with home_ledger(settings) as ledger:
            report = tidy_home(settings, ledger, dry_run=dry_run)
        verb = "would go" if dry_run else "went"
        for kind, tally in report.kinds.items():
            _log.info("%s: %d things, %d bytes %s", kind, tally.n, tally.size_bytes, verb)
        say(report, lambda: _print_report(report), as_json=as_json)
        if report.n_failed:
            raise typer.Exit(FAILED)


@app.command(rich_help_panel="Operation")
def send_test_alert() -> None:
    """Post a test to DOC_ASSETS_ALERT_WEBHOOK_URL, as alerts about failed runs are; exit 1 if it is not taken."""
    with command() as settings:
        from doc_assets.ops.alerts import make_test_alert, webhook_from

        webhook = webhook_from(settings)
        if webhook is None:
            raise SettingsError(
                "Alerts are off. Set DOC_ASSETS_ALERT_WEBHOOK_URL, and its origin in DOC_ASSETS_ALERT_WEBHOOK_ALLOWED."
            )
        webhook.post(make_test_alert(datetime.now(UTC)))
        typer.echo(f"{webhook.origin} took the test alert.")


@config.command()
def show(as_json: AsJson = False) -> None:
    """Show every setting in use and where it comes from; secrets are masked."""
    from doc_assets.ops.configuration import effective_settings
    from doc_assets.settings import load_settings

    found = effective_settings(load_settings())
    rows = ((each.name, each.value, each.source) for each in found)
    say(found, lambda: show_table(("setting", "value", "from"), rows), as_json=as_json)


@config.command()
def validate(as_json: AsJson = False) -> None:
    """Check the settings without touching any data; exit 2 and a list if one cannot be used."""
    from dagster._utils.schedules import is_valid_cron_string

    from doc_assets.ops.configuration import faults_of
    from doc_assets.settings import load_settings

    faults = faults_of(load_settings(), is_valid_cron_string)
    in_words = "\n".join(faults) or "All settings can be used."
    say({"faults": faults}, lambda: typer.echo(in_words), as_json=as_json)
    if faults:
        raise typer.Exit(WRONG_USE)


def _print_init(report: "InitReport") -> None:
    out = console()
    for path in report.made:
        out.print(f"made  {path}")
    for path in report.kept:
        out.print(f"kept  {path}")
    if report.secrets:
        out.print(f"Generated in {report.env_file} (mode 600): {', '.join(report.secrets)}")
    out.print("Next: `doc-assets doctor`, then `doc-assets ui` or `doc-assets build-image-index --folder DIR`.")


def _check_instance(settings: "Settings") -> Finding:
    """Whether Dagster's home is configured and its storage answers."""
    import dagster as dg

    from doc_assets.ops.home import INSTANCE_FILE

    file = settings.dagster_home / INSTANCE_FILE
    if not file.exists():
        return yellow(f"{file} does not exist", "Run `doc-assets init`.")
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        runs = instance.get_runs_count()
    return green(f"{settings.dagster_home}, {runs} runs")


def _check_daemon(settings: "Settings") -> Finding:
    """Whether the daemon that runs sensors and schedules shows signs of life."""
    import dagster as dg

    from doc_assets.ops.home import INSTANCE_FILE

    if not (settings.dagster_home / INSTANCE_FILE).exists():
        return yellow("never started", "Run `doc-assets init`, then `doc-assets ui`.")
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        required = [status for status in instance.get_daemon_statuses().values() if status.required]
    sick = sorted(status.daemon_type for status in required if not status.healthy)
    if not sick:
        return green(f"{len(required)} daemons alive")
    if len(sick) == len(required):
        return yellow("not running: inbox and schedules are not looked at", "Start it: `doc-assets ui`.")
    return yellow(f"no sign of life from {', '.join(sick)}", "Its log says why; start the daemon again.")


def _print_lines(lines: Sequence[CheckedLine]) -> None:
    from rich.text import Text

    out = console()
    width = max(len(f"{line.group}: {line.name}") for line in lines)
    for line in lines:
        shown = Text()
        shown.append(f"{line.level:<6}", _COLOURS[line.level])
        shown.append(f"  {f'{line.group}: {line.name}':<{width}}  {line.says}")
        if line.fix:
            shown.append(f"  -> {line.fix}")
        out.print(shown)
    n = Counter(line.level for line in lines)
    out.print(f"{n[Level.GREEN]} green, {n[Level.YELLOW]} yellow, {n[Level.RED]} red")


def _print_report(report: "MaintenanceReport") -> None:
    out = console()
    if report.kinds:
        rows = ((kind, tally.n, f"{tally.size_bytes:,}") for kind, tally in report.kinds.items())
        show_table(("kind", "things", "bytes"), rows)
    print_first(report.paths)
    for fault in report.failed:
        out.print(f"NOT DELETED  {fault}")
    verb = "would go" if report.dry_run else "went"
    out.print(f"{sum(tally.n for tally in report.kinds.values())} things, {report.size_bytes:,} bytes {verb}.")
