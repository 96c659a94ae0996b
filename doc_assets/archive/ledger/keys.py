"""What became of the keys of key tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, insert, select

from doc_assets.archive.ledger.database import LedgerPart
from doc_assets.archive.ledger.rows import columns_of, delete_in, row_of
from doc_assets.archive.ledger.schema import KeyRequest


@dataclass(frozen=True, slots=True)
class KeyOutcome:
    """What became of one key.

    Attributes:
        key: as the table has it.
        line: of the table.
        state: found, missing, ambiguous or failed.
        reason: why it was not found; None if it was.
        correlation_id: of the request; empty if there was none.
        n_files: files it named.
    """

    key: str
    line: int
    state: str
    reason: str | None
    correlation_id: str
    n_files: int


class KeyLedger(LedgerPart):
    """The table ``key_requests``: the newest outcome of every key of every source."""

    def record(self, source: str, outcomes: Sequence[KeyOutcome], now: datetime) -> None:
        """Files outcomes; they replace those that the same keys had before."""
        if not outcomes:
            return
        rows = [row_of(outcome, source=source, asked_at=now) for outcome in outcomes]
        with self._database.writing() as connection:
            delete_in(
                connection, KeyRequest, KeyRequest.key, [each.key for each in outcomes], KeyRequest.source == source
            )
            connection.execute(insert(KeyRequest), rows)

    def found(self, source: str) -> set[str]:
        """Keys of the source that were found."""
        query = select(KeyRequest.key).where(KeyRequest.source == source, KeyRequest.state == "found")
        return set(self._database.values(query))

    def counts(self, source: str) -> dict[str, int]:
        """Number of keys by state."""
        query = select(KeyRequest.state, func.count()).where(KeyRequest.source == source).group_by(KeyRequest.state)
        return {state: n for state, n in self._database.rows(query)}

    def problems(self, source: str, limit: int) -> list[KeyOutcome]:
        """Keys that were not found, by line."""
        query = select(*columns_of(KeyOutcome, KeyRequest)).where(
            KeyRequest.source == source, KeyRequest.state != "found"
        )
        return [KeyOutcome(*row) for row in self._database.rows(query.order_by(KeyRequest.line).limit(limit))]
