"""All checks in the order of their lines."""

from collections.abc import Callable, Iterable, Sequence

from doc_assets.archive.home import require_whole
from doc_assets.errors import InterruptedRestoreError, SettingsError
from doc_assets.ops.doctor.check import Check, CheckedLine, Finding, Level, green, red, run_checks
from doc_assets.ops.doctor.folders import folder_checks
from doc_assets.ops.doctor.key_tables import key_table_checks
from doc_assets.ops.doctor.machine import machine_checks
from doc_assets.ops.doctor.models import model_checks
from doc_assets.ops.doctor.neighbours import neighbour_checks
from doc_assets.ops.doctor.packages import package_checks
from doc_assets.ops.doctor.services import service_checks
from doc_assets.ops.home import use_home
from doc_assets.settings import Settings, load_settings


def examine(further: Callable[[Settings], Iterable[Check]]) -> list[CheckedLine]:
    """A line for everything this program needs; with settings that cannot be read, for what needs none.

    Args:
        further: checks of what this room does not know; their lines come last.
    """
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
            *further(settings),
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
        return red(str(error), "Run the restore again.")
    return green("none was interrupted")
