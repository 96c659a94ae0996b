"""The command line ``doc-assets``: one file a group of commands, each thin; the work is in ``commands/``."""

from doc_assets.cli import (
    archive,
    backup,
    browsing,
    examine,
    fitting,
    forget,
    keys,
    ledger,
    models,
    operations,
    pages,
    search,
    serve,
    start,
)
from doc_assets.cli.shell import app

__all__ = [
    "archive",
    "backup",
    "browsing",
    "examine",
    "fitting",
    "forget",
    "keys",
    "ledger",
    "main",
    "models",
    "operations",
    "pages",
    "search",
    "serve",
    "start",
]


def main() -> None:
    """Entry point of ``doc-assets``."""
    app()
