"""The command line ``doc-assets``: one file per group of commands, signature and body together.

An import registers the commands of a file; the help lists them in this order.
"""

# ruff: noqa: F401
# isort: off
import gc

from doc_assets.cli import (
    archive,
    reindex,
    backup,
    browsing,
    desk,
    examine,
    forget,
    keys,
    ledger,
    models,
    operations,
    search,
    start,
)

# isort: on
from doc_assets.cli.shell import app

_COLLECT_AFTER = 10_000
"""New objects between two collections of garbage. At Python's 700, a command that only looks something up spends a
tenth of its time looking through what it has just imported."""


def main() -> None:
    """Entry point of ``doc-assets``."""
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)
    app()
