"""One-shot service ``configure``: checks secrets and settings, and lays them where every container reads them.

It reads the secret files of the compose file and its own environment, and writes into the volume on /etc/doc-assets:
``settings.env`` (every DOC_ASSETS_ variable), ``pgpass`` (passwords of the run-time roles) and ``secrets/``. The
password of the role that may change tables goes into a volume of its own, which only ``migrate`` sees. Run containers
mount the same volume, so no secret passes through an environment, where ``docker inspect`` would show it.
"""

import os
import sys
from pathlib import Path

from doc_assets.errors import SettingsError
from doc_assets.settings import MACHINE_DIR, PREFIX, load_settings

GIVEN = Path("/run/secrets")
MIGRATE_DIR = Path("/etc/doc-assets-migrate")
MIN_SECRET = 16
TEMPLATE_WORDS = ("change", "example", "password", "secret", "template")
OF_SETTINGS = ("qdrant_api_key", "document_api_key", "image_api_key", "alert_webhook_token")
"""Secrets that are settings too; all may be empty."""


def main() -> int:
    """Returns the exit code: 0, or 2 with every fault on standard error."""
    try:
        _refuse_secrets_in_settings()
        roles = ("dagster", "ledger", "ledger_reader", "ledger_migrator")
        database = {f"{role}_password": _secret(f"{role}_password") for role in roles}
        of_settings = {name: _secret(name) for name in OF_SETTINGS}
        (MACHINE_DIR / "secrets").mkdir(exist_ok=True, mode=0o700)
        _write(MACHINE_DIR / "settings.env", _settings())
        _write(
            MACHINE_DIR / "pgpass",
            _pgpass("dagster", "dagster", database["dagster_password"])
            + _pgpass("doc_assets", "ledger", database["ledger_password"])
            + _pgpass("doc_assets", "ledger_reader", database["ledger_reader_password"]),
        )
        _write(
            MIGRATE_DIR / "pgpass",
            _pgpass("dagster", "dagster", database["dagster_password"])
            + _pgpass("doc_assets", "ledger_migrator", database["ledger_migrator_password"]),
        )
        for name, value in of_settings.items():
            path = MACHINE_DIR / "secrets" / f"{PREFIX}{name}".lower()
            path.unlink(missing_ok=True)
            if value:
                _write(path, value)
        load_settings()
    except SettingsError as error:
        sys.stderr.write(f"configure: {error}\n")
        return 2
    return 0


def _refuse_secrets_in_settings() -> None:
    for name in OF_SETTINGS:
        variable = f"{PREFIX}{name.upper()}"
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
    if not value and name in OF_SETTINGS:
        return value
    if len(value) < MIN_SECRET or any(word in value.lower() for word in TEMPLATE_WORDS) or not value.isprintable():
        raise SettingsError(
            f"secrets/{name} is a template or too weak: {len(value)} characters, wanted are {MIN_SECRET} or more that "
            f"hold none of {', '.join(TEMPLATE_WORDS)}. Delete the file and run deploy/init, which draws a new one."
        )
    return value


def _settings() -> str:
    lines = []
    for name, value in sorted(os.environ.items()):
        if name.startswith(PREFIX) and value:
            if "'" in value or "\n" in value:
                raise SettingsError(f"{name} holds a quotation mark ' or a line break, which settings.env cannot hold.")
            lines.append(f"{name}='{value}'\n")
    return "".join(lines)


def _pgpass(database: str, user: str, password: str) -> str:
    host, port = os.environ["STACK_POSTGRES_HOST"], os.environ["STACK_POSTGRES_PORT"]
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    return f"{host}:{port}:{database}:{user}:{escaped}\n"


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
