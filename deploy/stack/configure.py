"""One-shot service ``configure``: checks secrets and settings, and lays them where every container reads them.

It reads the secret files of the compose file and its own environment, and writes into the volume on /etc/doc-assets:
``settings.env`` (every DOC_ASSETS_ variable), ``pgpass`` (passwords of the run-time roles), ``secrets/``, and
``aws_config`` and ``aws_credentials`` for object storage. The password of the role that may change tables goes into a
volume of its own, which only ``migrate`` sees. No secret passes through an environment, where ``docker inspect`` would
show it.

Containers of runs decode what strangers send. They, the daemon and the web servers get a volume of their own, which
holds the same for less: what a run needs with these settings, and no key beside. The review desk gets a third one: it
alone sees what signs its cookies, what the proxy shows it, and the password of its role. Backups, which hold its people
too, are made with it.
"""

import os
import re
import sys
from pathlib import Path

from doc_assets.errors import SettingsError
from doc_assets.settings import MACHINE_DIR, PREFIX, load_settings

GIVEN = Path("/run/secrets")
MIGRATE_DIR = Path("/etc/doc-assets-migrate")
RUNS_DIR = Path("/etc/doc-assets-runs")
DESK_DIR = Path("/etc/doc-assets-desk")
MIN_SECRET = 16
TEMPLATE_WORDS = ("change", "example", "password", "secret", "template")
OF_SETTINGS = (
    "qdrant_api_key",
    "document_api_key",
    "image_api_key",
    "alert_webhook_token",
    "desk_secret",
    "desk_proxy_secret",
)
"""Secrets that are settings too."""
OF_DESK = ("desk_secret", "desk_proxy_secret")
"""Of them, those that the review desk needs, and nobody else."""
OF_RUNS = {"qdrant_api_key": "qdrant_url", "document_api_key": "document_api_url"}
"""Of them, those that runs need, and the setting without which they need it no more than the others."""
NOT_OF_RUNS = tuple(f"{PREFIX}{name}" for name in ("ALERT_WEBHOOK_URL", "ALERT_WEBHOOK_ALLOWED"))
"""Settings that runs do not need: the address of a webhook often is its secret."""
LEDGER_ROLES = [("doc_assets", "ledger"), ("doc_assets", "ledger_reader")]
DESK_ROLE = ("doc_assets", "desk")
S3_SECRET = "s3_secret_key"
MAY_BE_EMPTY = (*OF_SETTINGS, S3_SECRET)


def main() -> int:
    """Returns the exit code: 0, or 2 with every fault on standard error."""
    try:
        _refuse_secrets_in_settings()
        roles = ("dagster", "ledger", "ledger_reader", "ledger_migrator", "desk")
        database = {f"{role}_password": _secret(f"{role}_password") for role in roles}
        of_settings = {name: _secret(name) for name in OF_SETTINGS}
        settings = _settings()
        passwords = {role: database[f"{role}_password"] for role in roles}
        object_storage = _object_storage(_secret(S3_SECRET))
        of_services = {name: value for name, value in of_settings.items() if name not in OF_DESK}
        _lay_out(MACHINE_DIR, settings, [("dagster", "dagster"), *LEDGER_ROLES], passwords, of_services, object_storage)
        needed = {name: of_settings[name] if settings.get(_variable(of)) else "" for name, of in OF_RUNS.items()}
        told = {name: value for name, value in settings.items() if name not in NOT_OF_RUNS}
        _lay_out(RUNS_DIR, told, [("dagster", "dagster"), LEDGER_ROLES[0]], passwords, needed, object_storage)
        of_desk = needed | {name: of_settings[name] for name in OF_DESK}
        _lay_out(DESK_DIR, told, [("dagster", "dagster"), DESK_ROLE], passwords, of_desk, object_storage)
        migrating = [("dagster", "dagster"), ("doc_assets", "ledger_migrator")]
        _write(MIGRATE_DIR / "pgpass", _pgpass(migrating, passwords))
        load_settings()
    except SettingsError as error:
        sys.stderr.write(f"configure: {error}\n")
        return 2
    return 0


def _variable(setting: str) -> str:
    return f"{PREFIX}{setting.upper()}"


def _lay_out(
    folder: Path,
    settings: dict[str, str],
    roles: list[tuple[str, str]],
    passwords: dict[str, str],
    secrets: dict[str, str],
    object_storage: tuple[str, str],
) -> None:
    """Writes a folder that is mounted on MACHINE_DIR; a secret that was there before and is not given is removed."""
    (folder / "secrets").mkdir(exist_ok=True, mode=0o700)
    _write(folder / "settings.env", "".join(f"{name}='{value}'\n" for name, value in settings.items()))
    _write(folder / "pgpass", _pgpass(roles, passwords))
    for name, content in zip(("aws_config", "aws_credentials"), object_storage, strict=True):
        _write(folder / name, content)
    kept = {_variable(name).lower(): value for name, value in secrets.items() if value}
    for path in (folder / "secrets").iterdir():
        if path.name not in kept:
            path.unlink()
    for name, value in kept.items():
        _write(folder / "secrets" / name, value)


def _refuse_secrets_in_settings() -> None:
    variables = {f"{PREFIX}{name.upper()}": name for name in OF_SETTINGS} | {"AWS_SECRET_ACCESS_KEY": S3_SECRET}
    for variable, name in variables.items():
        if os.environ.get(variable):
            raise SettingsError(
                f"{variable} stands in .env, where every process and `docker inspect` shows it. Put it into "
                f"secrets/{name} and remove the line."
            )


def _secret(name: str) -> str:
    path = GIVEN / name
    if not path.is_file():
        raise SettingsError(f"The secret file secrets/{name} is missing. Run deploy/init, which makes it.")
    value = path.read_text(encoding="utf-8").strip()
    if not value and name in MAY_BE_EMPTY:
        return value
    if len(value) < MIN_SECRET or any(word in value.lower() for word in TEMPLATE_WORDS) or not value.isprintable():
        raise SettingsError(
            f"secrets/{name} is a template or too weak: {len(value)} characters, wanted are {MIN_SECRET} or more that "
            f"hold none of {', '.join(TEMPLATE_WORDS)}. Delete the file and run deploy/init, which draws a new one."
        )
    return value


def _settings() -> dict[str, str]:
    found = {}
    for name, value in sorted(os.environ.items()):
        if name.startswith(PREFIX) and value:
            if "'" in value or "\n" in value:
                raise SettingsError(f"{name} holds a quotation mark ' or a line break, which settings.env cannot hold.")
            found[name] = value
    return found


def _object_storage(secret: str) -> tuple[str, str]:
    """What the files say that every S3 client reads: where it is, and who asks; both may say nothing."""
    endpoint, region, key = (os.environ.get(f"STACK_S3_{name}", "") for name in ("ENDPOINT", "REGION", "ACCESS_KEY"))
    if bool(key) != bool(secret):
        only = "S3_ACCESS_KEY_EXTERNAL" if key else f"secrets/{S3_SECRET}"
        raise SettingsError(
            f"Of S3_ACCESS_KEY_EXTERNAL and secrets/{S3_SECRET} only {only} is set. "
            "Set both, or neither if the machine has a role."
        )
    if endpoint and not re.fullmatch(r"https?://[^\s/]+", endpoint):
        raise SettingsError(f"S3_ENDPOINT_EXTERNAL is {endpoint!r}; wanted is https://host or https://host:port.")
    for name, value in (("S3_REGION_EXTERNAL", region), ("S3_ACCESS_KEY_EXTERNAL", key)):
        if not re.fullmatch(r"[!-~]*", value):
            raise SettingsError(f"{name} is {value!r}; wanted are signs without spaces.")
    config = {"endpoint_url": endpoint, "region": region}
    credentials = {"aws_access_key_id": key, "aws_secret_access_key": secret}
    return _profile(config), _profile(credentials)


def _profile(values: dict[str, str]) -> str:
    return "".join(["[default]\n", *(f"{name} = {value}\n" for name, value in values.items() if value)])


def _pgpass(roles: list[tuple[str, str]], passwords: dict[str, str]) -> str:
    """A line for each database and role."""
    host, port = os.environ["STACK_POSTGRES_HOST"], os.environ["STACK_POSTGRES_PORT"]
    escaped = {role: password.replace("\\", "\\\\").replace(":", "\\:") for role, password in passwords.items()}
    return "".join(f"{host}:{port}:{database}:{role}:{escaped[role]}\n" for database, role in roles)


def _write(path: Path, content: str) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.unlink(missing_ok=True)
    temporary.touch(mode=0o400)
    temporary.chmod(0o600)  # libpq takes no passfile that others may read
    temporary.write_text(content, encoding="utf-8")
    temporary.chmod(0o400)
    temporary.replace(path)


if __name__ == "__main__":
    sys.exit(main())
