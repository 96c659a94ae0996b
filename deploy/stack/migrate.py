"""One-shot service ``migrate``: brings all tables up to date, grants the review desk its rights, and sets the pools.

Tables are Dagster's, the ledger's, and those of the desk's people.
"""

import os
import sys

import dagster as dg
from pydantic import SecretStr
from sqlalchemy import create_engine

from doc_assets.archive.ledger.grants import grant_desk
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.errors import DocAssetsError
from doc_assets.ops.home import prepare_home
from doc_assets.settings import Settings, load_settings


def main() -> int:
    """Returns the exit code: 0, or 1 with the reason on standard error."""
    try:
        settings, url = load_settings(), os.environ["STACK_LEDGER_MIGRATOR_URL"]
        prepare_home(settings)
        with Ledger.open(url):
            pass  # opening brings its tables up to date
        _prepare_desk(settings.model_copy(update={"ledger_url": SecretStr(url)}), url)
    except DocAssetsError as error:
        sys.stderr.write(f"migrate: {error}\n")
        return 1
    with dg.DagsterInstance.get() as instance:
        instance.upgrade()
        instance.event_log_storage.set_concurrency_slots("gpu", int(os.environ["STACK_GPUS"]))
    return 0


def _prepare_desk(settings: Settings, url: str) -> None:
    from doc_assets.web.site import Door, configure, migrate

    configure(settings, Door("of no browser", (), is_secure=False))
    migrate()
    with create_engine(url).begin() as connection:
        if not grant_desk(connection):
            sys.stderr.write(
                "migrate: the server has no role desk, so the review desk cannot be served and backups cannot be made; "
                "make it as in deploy/postgres/roles.sh, with the password in secrets/desk_password.\n"
            )


if __name__ == "__main__":
    sys.exit(main())
