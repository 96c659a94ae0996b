"""One-shot service ``migrate``: brings the tables of Dagster and of the ledger up to date and sets the pools."""

import os
import sys

import dagster as dg

from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.errors import DocAssetsError
from doc_assets.ops.home import prepare_home
from doc_assets.settings import load_settings


def main() -> int:
    """Returns the exit code: 0, or 1 with the reason on standard error."""
    try:
        prepare_home(load_settings())
        with Ledger.open(os.environ["STACK_LEDGER_MIGRATOR_URL"]):
            pass  # opening brings its tables up to date
    except DocAssetsError as error:
        sys.stderr.write(f"migrate: {error}\n")
        return 1
    with dg.DagsterInstance.get() as instance:
        instance.upgrade()
        instance.event_log_storage.set_concurrency_slots("gpu", int(os.environ["STACK_GPUS"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
