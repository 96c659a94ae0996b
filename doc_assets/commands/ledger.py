"""``doc-assets migrate`` and ``doc-assets export-results``."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from doc_assets.errors import SettingsError
from doc_assets.evidence.exports import export_rows
from doc_assets.ledger.database import SCHEMA_REVISION, Database
from doc_assets.ledger.ledger import Ledger
from doc_assets.ledger.result_view import EXPORTED, read_results
from doc_assets.screening.run import search_id_of
from doc_assets.settings import Settings


@dataclass(frozen=True, slots=True)
class SchemaStatus:
    """Revisions of the ledger's tables.

    Attributes:
        revision: they have; None for an empty database.
        wanted: that this program needs.
        known: all that it can bring them to.
    """

    revision: str | None
    wanted: str
    known: list[str]


def schema_status(settings: Settings) -> SchemaStatus:
    """How the ledger's tables stand; changes nothing."""
    database = Database(settings.ledger_address)
    try:
        return SchemaStatus(database.revision(), SCHEMA_REVISION, database.revisions())
    finally:
        database.close()


def migrate(settings: Settings, revision: str | None) -> SchemaStatus:
    """Brings the ledger's tables to a revision, by default the newest."""
    database = Database(settings.ledger_address)
    try:
        if revision is None:
            database.migrate()
        else:
            database.migrate_to(revision)
    finally:
        database.close()
    return schema_status(settings)


def export_results(
    settings: Settings, searches: Sequence[str], drops: Sequence[str], since: datetime | None, kind: str, output: Path
) -> int:
    """Writes results of searches as a file; returns how many rows.

    Args:
        settings: of the home.
        searches: ids of searches; with ``drops`` empty: all.
        drops: keys of screened drops.
        since: only of searches that began then or later.
        kind: csv, xlsx, json or parquet.
        output: the file.

    Raises:
        SettingsError: if the ledger knows no such search, or the format does not exist or does not hold the rows.
    """
    wanted = [*searches, *(search_id_of(drop) for drop in drops)]
    columns = [name for name in EXPORTED if name not in settings.remove_columns_from_results]
    with Ledger.open(settings.ledger_address) as ledger:
        for search_id in wanted:
            _require_known(ledger, search_id)
        rows = read_results(ledger.database, search_ids=wanted or None, since=since)
        return export_rows(rows, columns, kind, output)


def _require_known(ledger: Ledger, search_id: str) -> None:
    try:
        ledger.searches.get(search_id)
    except KeyError as error:
        raise SettingsError(
            f"The ledger knows no search {search_id!r}. A search's id is that of its run in Dagster and stands in its "
            "JSON summary; a drop has one once it was screened (`doc-assets screen --drop KEY`)."
        ) from error
