"""The command line ``doc-assets``: one file per group of commands, signature and body together.

An import registers the commands of a file; the help lists them in this order.
"""

# ruff: noqa: F401
# isort: off
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


def main() -> None:
    """Entry point of ``doc-assets``."""
    app()
