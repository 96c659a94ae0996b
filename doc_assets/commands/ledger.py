"""``doc-assets migrate`` and ``doc-assets export-results``."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from doc_assets.archive.ledger.database import SCHEMA_REVISION, Database
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.ledger.searches import search_id_of
from doc_assets.commands.relabel import labeller_of
from doc_assets.errors import SettingsError
from doc_assets.pipeline.relabel import relabel
from doc_assets.reports.export_rows import EXPORTED, export_rows
from doc_assets.reports.exports import write_rows
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
    """Writes results of searches as a file; returns how many rows. Labels of other thresholds are made anew before.

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
    wanted = known_searches(settings, searches, drops)
    left_out = settings.remove_columns_from_results
    columns = [name for name in EXPORTED if name not in left_out]
    with Ledger.open(settings.ledger_address) as ledger:
        begun = ledger.searches.ids(since)
        chosen = [search_id for search_id in begun if search_id in set(wanted)] if wanted else begun
        relabel(labeller_of(settings, ledger), chosen, only_outdated=True)
        return write_rows(export_rows(ledger.searches, chosen, left_out), columns, kind, output)


def known_searches(settings: Settings, searches: Sequence[str], drops: Sequence[str]) -> list[str]:
    """Ids of these searches and of the screening of these drops.

    Raises:
        SettingsError: if the ledger does not know one.
    """
    wanted = [*searches, *(search_id_of(drop) for drop in drops)]
    with Ledger.open(settings.ledger_address) as ledger:
        for search_id in wanted:
            _require_known(ledger, search_id)
    return wanted


def _require_known(ledger: Ledger, search_id: str) -> None:
    try:
        ledger.searches.get(search_id)
    except KeyError as error:
        raise SettingsError(
            f"The ledger knows no search {search_id!r}. A search's id is that of its run in Dagster and stands in its "
            "JSON summary; a drop has one once it was screened (`doc-assets screen --drop KEY`)."
        ) from error
