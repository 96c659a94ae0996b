"""What became of the keys of key tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, func, insert, select

from doc_assets.archive.ledger.database import Database
from doc_assets.archive.ledger.schema import KeyRequest

_ROWS_A_STATEMENT = 5000


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


class KeyLedger:
    """The table ``key_requests``: the newest outcome of every key of every source."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, source: str, outcomes: Sequence[KeyOutcome], now: datetime) -> None:
        """Files outcomes; they replace those that the same keys had before."""
        with self._database.writing() as connection:
            for start in range(0, len(outcomes), _ROWS_A_STATEMENT):
                part = outcomes[start : start + _ROWS_A_STATEMENT]
                connection.execute(
                    delete(KeyRequest).where(KeyRequest.source == source, KeyRequest.key == bindparam("asked")),
                    [{"asked": outcome.key} for outcome in part],
                )
                connection.execute(insert(KeyRequest), [_values(source, outcome, now) for outcome in part])

    def found(self, source: str) -> set[str]:
        """Keys of the source that were found."""
        query = select(KeyRequest.key).where(KeyRequest.source == source, KeyRequest.state == "found")
        with self._database.reading() as connection:
            return set(connection.execute(query).scalars())

    def counts(self, source: str) -> dict[str, int]:
        """Number of keys by state."""
        query = select(KeyRequest.state, func.count()).where(KeyRequest.source == source).group_by(KeyRequest.state)
        with self._database.reading() as connection:
            return {state: n for state, n in connection.execute(query)}

    def problems(self, source: str, limit: int) -> list[KeyOutcome]:
        """Keys that were not found, by line."""
        query = (
            select(
                KeyRequest.key,
                KeyRequest.line,
                KeyRequest.state,
                KeyRequest.reason,
                KeyRequest.correlation_id,
                KeyRequest.n_files,
            )
            .where(KeyRequest.source == source, KeyRequest.state != "found")
            .order_by(KeyRequest.line)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [KeyOutcome(*row) for row in connection.execute(query)]


def _values(source: str, outcome: KeyOutcome, now: datetime) -> dict[str, object]:
    return {
        "source": source,
        "key": outcome.key,
        "line": outcome.line,
        "state": outcome.state,
        "reason": outcome.reason,
        "correlation_id": outcome.correlation_id,
        "n_files": outcome.n_files,
        "asked_at": now,
    }
