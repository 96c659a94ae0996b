"""The settings in use: where each comes from, which cannot be used together, and the first ones of a new home."""

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from dotenv import dotenv_values

from doc_assets.errors import DocAssetsError, SettingsError, SetupError
from doc_assets.ops.home import prepare_home
from doc_assets.settings import ENV_FILE, PREFIX, Settings, load_settings, own_secrets, variables_of
from doc_assets.sources.key_names import require_token
from doc_assets.util.masking import shown

_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting in use: its variable, its value as text without secrets, and where it comes from."""

    name: str
    value: str
    source: str


def effective_settings(settings: Settings) -> list[Setting]:
    """Every setting in the order of ``.env.example``."""
    return [
        Setting(f"{PREFIX}{name.upper()}", shown(getattr(settings, name)), source_of(name))
        for name in Settings.model_fields
    ]


def source_of(field: str) -> str:
    """Where a setting's value comes from: ``environment``, ``.env`` or ``default``; empty values do not count."""
    variables = variables_of(field)
    places: dict[str, Mapping[str, str | None]] = {"environment": os.environ, ENV_FILE: dotenv_values(ENV_FILE)}
    for place, values in places.items():
        if any(name.upper() in variables and value for name, value in values.items()):
            return place
    return "default"


def faults_of(settings: Settings, is_cron_line: Callable[[str], bool]) -> list[str]:
    """What the single values do not show: names, files and addresses that cannot be used together. Reads no data.

    ``is_cron_line`` tells whether the scheduler takes a line.
    """
    from doc_assets.features.embedders.base import embedders  # noqa: PLC0415
    from doc_assets.features.model_folders import resolve_checkpoint  # noqa: PLC0415
    from doc_assets.photos.base import make_extractor  # noqa: PLC0415

    extractor_options = resolve_checkpoint(settings.photo_extractor_options, settings.models_dir)
    tries: dict[str, Callable[[], object]] = {
        "EMBEDDER": lambda: embedders.get(settings.embedder),
        "PHOTO_EXTRACTOR": lambda: make_extractor(settings.photo_extractor, extractor_options),
        "LEDGER_URL": lambda: _require_url(settings.ledger_address),
        "BULK_ROOT": lambda: settings.bulk.exists(),  # noqa: PLW0108 - ``bulk`` raises if its protocol is unknown
        "TIMEZONE": lambda: ZoneInfo(settings.timezone),
        "REINDEX_CRON": lambda: _require_cron(settings.reindex_cron, is_cron_line),
        "MAINTENANCE_CRON": lambda: _require_cron(settings.maintenance_cron, is_cron_line),
        "BACKUP_CRON": lambda: _require_cron(settings.backup_cron, is_cron_line),
        "KEY_INSERT_TOKEN": lambda: require_token(settings.key_insert_token),
    }
    for field in ("key_table", "words_codebook", "probability_model"):
        path: Path | None = getattr(settings, field)
        if path is not None:
            tries[field.upper()] = lambda path=path: _require_file(path)  # type: ignore[misc]
    faults = []
    for name, attempt in tries.items():
        try:
            attempt()
        except DocAssetsError as error:
            faults.append(f"{PREFIX}{name}: {error}")
        except Exception as error:  # noqa: BLE001 - storage libraries have errors of their own
            faults.append(f"{PREFIX}{name}: {type(error).__name__}: {error}")
    if settings.log_dir == settings.home:
        faults.append(f"{PREFIX}LOG_DIR: is the home; maintenance deletes old files of the log folder. Name another.")
    return faults


def _require_url(address: str) -> None:
    from sqlalchemy import make_url  # noqa: PLC0415

    if make_url(address).get_backend_name() not in {"sqlite", "postgresql"}:
        raise SettingsError("the ledger works on SQLite and PostgreSQL only.")


def _require_cron(line: str, is_cron_line: Callable[[str], bool]) -> None:
    if not is_cron_line(line):
        raise SettingsError(f"{line!r} is no cron line, e.g. 0 2 * * *.")


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise SettingsError(f"{path} is no file.")


@dataclass(frozen=True, slots=True)
class InitReport:
    """What ``init`` did.

    Attributes:
        home: that is ready now.
        env_file: with the settings.
        made: folders and files that are new.
        kept: what was there already.
        secrets: names of the variables that were generated.
    """

    home: str
    env_file: str
    made: list[str]
    kept: list[str]
    secrets: list[str]


def initialize(home: Path | None) -> InitReport:
    """Makes a home's folders and, in the current folder, an ``.env`` with its address and generated secrets.

    What exists is kept as it is; a second call changes nothing.

    Raises:
        SettingsError: if the settings already name another home.
        SetupError: if something cannot be written.
    """
    settings = load_settings()
    if home is not None and home.expanduser().absolute() != settings.home:
        if source_of("home") != "default":
            set_by = f"{PREFIX}HOME is {settings.home} by {source_of('home')}"
            raise SettingsError(f"{set_by}; --home says {home.absolute()}. Change it there.")
        settings = settings.model_copy(update={"home": home.expanduser().absolute()})
    inbox, results, models = settings.home / "inbox", settings.results_dir, settings.models_dir
    folders = [settings.home, settings.dagster_home, inbox, results, models, settings.log_dir]
    kept = [str(folder) for folder in folders if folder.is_dir()]
    prepare_home(settings)
    try:
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        env_file = Path(ENV_FILE).absolute()
        generated = _write_env(env_file, settings)
    except OSError as error:
        says = f"{error.filename} cannot be made: {error.strerror}. Run it where this user may write."
        raise SetupError(says) from error
    made = [str(folder) for folder in folders if str(folder) not in kept]
    (made if generated is not None else kept).append(str(env_file))
    return InitReport(str(settings.home), str(env_file), made, kept, generated or [])


def _write_env(path: Path, settings: Settings) -> list[str] | None:
    """Writes ``path`` for its owner's eyes only; returns the variables generated, None if it was there."""
    keys = [f"{PREFIX}{name.upper()}" for name in own_secrets()]
    lines = [
        "# Made by `doc-assets init`. .env.example lists every setting; the environment wins over this file.",
        f"{PREFIX}HOME={_quoted(str(settings.home))}",
        f"{PREFIX}LOG_DIR={_quoted(str(settings.log_dir))}",
        "# What this program asks of its clients. Credentials of other servers come from whoever runs those.",
        *(f"{key}={secrets.token_urlsafe(_KEY_BYTES)}" for key in keys),
        "",
    ]
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        return None
    with os.fdopen(handle, "w", encoding="utf-8") as target:
        target.write("\n".join(lines))
        os.fchmod(handle, 0o600)  # whatever the umask took away
    return keys


def _quoted(value: str) -> str:
    """A value as ``.env`` files take it, whatever blanks and signs a path has."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
