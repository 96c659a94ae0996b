"""Everything that a backup holds and a restore replaces, whoever knows where it is."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from upath import UPath

from doc_assets.archive.consistency import Findings
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.vectors.base import VectorStore

BULK_FOLDERS = ("documents", "photos", "embeddings", "local_features", "page_text")
HOME_FOLDERS = ("results", "models", "key_tables", "forgetting")
"""Of the home; the inbox is its operator's, ``file_index.sqlite`` is made again by listing folders."""


@dataclass(frozen=True, slots=True)
class Estate:
    """A home with all its stores.

    Attributes:
        name: that whoever restores into it must type.
        home: its folder.
        bulk: root of documents and tables.
        ledger_url: of the ledger.
        dagster_url: of Dagster's database; None if its records are SQLite files in ``dagster_home``.
        dagster_home: Dagster's folder.
        forgotten_key: file of the key of tombstones.
        open_store: opens the vector store; the embedded one is held until the block ends.
        alias: that searches use.
        check: compares ledger, files and collection.
        configuration: settings as they may be shown, by variable.
        secrets: names of the variables that were left out because they are secret.
    """

    name: str
    home: Path
    bulk: UPath
    ledger_url: str
    dagster_url: str | None
    dagster_home: Path
    forgotten_key: Path
    open_store: Callable[[], AbstractContextManager[VectorStore]]
    alias: str
    check: Callable[[Ledger, VectorStore], Findings]
    configuration: Mapping[str, str]
    secrets: tuple[str, ...]
