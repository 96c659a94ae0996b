"""All checks, in the order of their lines."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path

from doc_assets.errors import SettingsError
from doc_assets.ops.doctor import home, machine, models
from doc_assets.ops.doctor.check import Check, CheckedLine, Level, green, red, run_checks
from doc_assets.ops.home import use_home
from doc_assets.settings import Settings, load_settings
from doc_assets.util.files import is_local


def examine(further: Callable[[Settings], Iterable[Check]]) -> list[CheckedLine]:
    """A line for everything this program needs; with settings that cannot be read, for what needs none.

    Lines of ``further`` checks, of what this room does not know, come last.
    """
    try:
        settings = load_settings()
    except SettingsError as error:
        found = red(str(error), "Correct them; everything else waits for that.")
        return run_checks([Check("settings", "values", lambda: found), *machine.package_checks()])
    use_home(settings)
    return run_checks([*_checks(settings), *further(settings)])


def settings_are_broken(lines: Sequence[CheckedLine]) -> bool:
    """Whether the settings themselves cannot be read, so that little else was looked at."""
    return any(line.group == "settings" and line.level == Level.RED for line in lines)


def _checks(settings: Settings) -> Iterable[Check]:
    yield Check("settings", "values", lambda: green("known and in range (`doc-assets config show`)"))
    yield from machine.package_checks()
    yield Check("machine", "memory", machine.check_memory)
    yield Check("machine", "processors", partial(machine.check_processors, settings))
    yield Check("machine", "gpu", partial(machine.check_gpu, settings))
    yield Check("machine", "fonts", machine.check_fonts)
    yield Check("machine", "clock", lambda: machine.check_clock(settings, datetime.now(UTC)))
    folders = {"home": settings.home, "logs": settings.log_dir}
    for name, folder in folders.items():
        yield Check("folders", name, partial(machine.check_writable, folder))
    yield Check("folders", "bulk root", partial(machine.check_bulk_root, settings.bulk))
    yield Check("folders", "inbox", partial(machine.check_inbox, settings))
    if is_local(settings.bulk):
        folders["bulk root"] = Path(str(settings.bulk))
    for name, folder in folders.items():
        yield Check("disk", name, partial(machine.check_disk, folder))
    yield Check("key tables", "naming", partial(home.check_naming, settings))
    yield Check("key tables", "table", partial(home.check_table, settings))
    yield Check("folders", "restore", partial(home.check_restore, settings))
    embedder = cache(partial(models.check_embedder, settings))  # two checks ask; weights are loaded once
    yield Check("models", "embedder", embedder)
    yield Check("models", "photo extractor", partial(models.check_extractor, settings))
    yield Check("models", "words", partial(models.check_words, settings))
    yield Check("models", "probability", partial(models.check_probability, settings, embedder))
    yield Check("models", "page text", partial(models.check_page_text, settings))
    yield Check("models", "added models", partial(models.check_added, settings.models_dir))
    yield Check("ledger", "database", partial(home.check_ledger, settings))
    yield Check("ledger", "audit", partial(home.check_audit, settings))
    yield Check("store", "vectors", partial(home.check_store, settings))
    yield Check("alerts", "webhook", partial(home.check_webhook, settings))
    yield Check("document API", "own", partial(home.check_image_api, settings))
