"""The command line ``doc-assets``: one file per group of commands, signature and body together.

The help lists the commands in the order of the imports.
"""

# isort: off
from doc_assets.cli import (
    archive,
    reindex,
    status,
    backup,
    browsing,
    desk,
    groups,
    form_pictures,
    examine,
    retry,
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

# isort: on
from doc_assets.cli.shell import app

__all__ = [
    "archive",
    "backup",
    "browsing",
    "desk",
    "examine",
    "fitting",
    "forget",
    "form_pictures",
    "groups",
    "keys",
    "ledger",
    "main",
    "models",
    "operations",
    "pages",
    "reindex",
    "retry",
    "search",
    "serve",
    "start",
    "status",
]


def main() -> None:
    """Entry point of ``doc-assets``."""
    app()
