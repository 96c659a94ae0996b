"""Filters of the queue that a person keeps under a name."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, insert, select

from doc_assets.archive.ledger.database import LedgerPart
from doc_assets.archive.ledger.rows import columns_of
from doc_assets.archive.ledger.schema import SavedFilterRow
from doc_assets.errors import InputError

MOST = 20
"""Filters of one person."""


@dataclass(frozen=True, slots=True)
class SavedFilter:
    """A filter that a person keeps: its number, what the person calls it, and its query string."""

    filter_id: int
    name: str
    query: str


class SavedFilterLedger(LedgerPart):
    """The table ``saved_filters``."""

    def of(self, person: str) -> list[SavedFilter]:
        """The filters of a person, by name."""
        query = select(*columns_of(SavedFilter, SavedFilterRow)).where(SavedFilterRow.person == person)
        return [SavedFilter(*row) for row in self._database.rows(query.order_by(SavedFilterRow.name))]

    def save(self, person: str, name: str, query: str, now: datetime) -> int:
        """Keeps a filter; one of the same person and name is replaced.

        Returns:
            Its number.

        Raises:
            InputError: if the person has as many as one may have.
        """
        same = (SavedFilterRow.person == person, SavedFilterRow.name == name)
        with self._database.writing() as connection:
            connection.execute(delete(SavedFilterRow).where(*same))
            count = select(func.count()).select_from(SavedFilterRow).where(SavedFilterRow.person == person)
            if connection.execute(count).scalar_one() >= MOST:
                raise InputError(f"There are {MOST} saved filters already; delete one first.")
            values = {"person": person, "name": name, "query": query, "saved_at": now}
            saved = insert(SavedFilterRow).values(**values).returning(SavedFilterRow.filter_id)
            return int(connection.execute(saved).scalar_one())

    def remove(self, person: str, filter_id: int) -> bool:
        """Removes a filter of this person; False if the person has none of this number."""
        mine = (SavedFilterRow.person == person, SavedFilterRow.filter_id == filter_id)
        with self._database.writing() as connection:
            return bool(connection.execute(delete(SavedFilterRow).where(*mine)).rowcount)
