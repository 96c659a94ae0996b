"""That a search did not see the whole archive, noted beside its settings, where reports find it."""

from sqlalchemy import select, update

from doc_assets.archive.ledger.database import Database
from doc_assets.archive.ledger.schema import Search

INCOMPLETE = "incomplete"


def note_incomplete(database: Database, search_id: str, says: str | None) -> None:
    """Files what a search did not see, or that it saw everything."""
    with database.writing() as connection:
        settings = dict(connection.execute(select(Search.settings).where(Search.search_id == search_id)).scalar_one())
        changed = {name: value for name, value in settings.items() if name != INCOMPLETE}
        if says is not None:
            changed[INCOMPLETE] = says
        if changed != settings:
            connection.execute(update(Search).where(Search.search_id == search_id).values(settings=changed))
