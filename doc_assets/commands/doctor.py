"""``doc-assets doctor``."""

from collections.abc import Sequence

from rich.text import Text

from doc_assets.cli.console import console
from doc_assets.errors import InterruptedRestoreError, SettingsError
from doc_assets.ops.doctor.check import Check, CheckedLine, Finding, Level, green, red, run_checks, yellow
from doc_assets.ops.doctor.folders import folder_checks
from doc_assets.ops.doctor.key_tables import key_table_checks
from doc_assets.ops.doctor.machine import machine_checks
from doc_assets.ops.doctor.models import model_checks
from doc_assets.ops.doctor.neighbours import neighbour_checks
from doc_assets.ops.doctor.packages import package_checks
from doc_assets.ops.doctor.services import service_checks
from doc_assets.ops.home import INSTANCE_FILE, require_whole, use_home
from doc_assets.settings import Settings, load_settings

_COLOURS = {Level.GREEN: "green", Level.YELLOW: "yellow", Level.RED: "bold red"}


def examine() -> list[CheckedLine]:
    """A line for everything this program needs; with settings that cannot be read, for what needs none."""
    try:
        settings = load_settings()
    except SettingsError as error:
        found = red(str(error), "Correct them; everything else waits for that.")
        broken = Check("settings", "values", lambda: found)
        return run_checks([broken, *package_checks()])
    use_home(settings)
    good = Check("settings", "values", lambda: green("known and in range (`doc-assets config show`)"))
    return run_checks(
        [
            good,
            *package_checks(),
            *machine_checks(settings),
            *folder_checks(settings),
            *key_table_checks(settings),
            Check("folders", "restore", lambda: check_restore(settings)),
            *model_checks(settings),
            *service_checks(settings),
            *neighbour_checks(settings),
            *_dagster_checks(settings),
        ]
    )


def settings_are_broken(lines: Sequence[CheckedLine]) -> bool:
    """Whether the settings themselves cannot be read, so that little else was looked at."""
    return any(line.group == "settings" and line.level == Level.RED for line in lines)


def check_restore(settings: Settings) -> Finding:
    """Whether a restore left the home half made."""
    try:
        require_whole(settings.home)
    except InterruptedRestoreError as error:
        return red(str(error), "Restore again, or `doc-assets restore --undo`.")
    return green("none was interrupted")


def _dagster_checks(settings: Settings) -> list[Check]:
    return [
        Check("dagster", "instance", lambda: check_instance(settings)),
        Check("dagster", "daemon", lambda: check_daemon(settings)),
    ]


def check_instance(settings: Settings) -> Finding:
    """Whether Dagster's home is configured and its storage answers."""
    import dagster as dg  # noqa: PLC0415 - 1 s, and the other checks need none of it

    file = settings.dagster_home / INSTANCE_FILE
    if not file.exists():
        return yellow(f"{file} does not exist", "Run `doc-assets init`.")
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        runs = instance.get_runs_count()
    return green(f"{settings.dagster_home}, {runs} runs")


def check_daemon(settings: Settings) -> Finding:
    """Whether the daemon that runs sensors and schedules shows signs of life."""
    import dagster as dg  # noqa: PLC0415

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


def print_lines(lines: Sequence[CheckedLine]) -> None:
    """Every line in its colour, and a summary."""
    out = console()
    width = max(len(f"{line.group}: {line.name}") for line in lines)
    for line in lines:
        shown = Text()
        shown.append(f"{line.level:<6}", _COLOURS[line.level])
        shown.append(f"  {f'{line.group}: {line.name}':<{width}}  {line.says}")
        if line.fix:
            shown.append(f"  -> {line.fix}")
        out.print(shown)
    n = {level: sum(line.level == level for line in lines) for level in Level}
    out.print(f"{n[Level.GREEN]} green, {n[Level.YELLOW]} yellow, {n[Level.RED]} red")
