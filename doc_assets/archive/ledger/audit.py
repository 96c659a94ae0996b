"""Who saw, decided, exported or changed what in the review desk; rows are only added, each bound to the one before.

A row names cases and documents by their numbers in the ledger, so that a forgotten document leaves none of its names
here. Whoever changes a row must change all later ones; whoever cuts the end off is found by the last digest, which
every backup's manifest holds.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, text

from doc_assets.archive.ledger.database import LedgerPart
from doc_assets.archive.ledger.schema import AuditRow

_FIRST = "0" * 64
_LOCK = 7_202_611_22  # any number; PostgreSQL advisory lock of whoever adds a row
_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the audit.

    Attributes:
        number: from 1, without gaps.
        at: when.
        person: who; empty for the program itself.
        action: what was done, as ``case.decide``.
        subject: what it was done to, as ``case 17``.
        detail: what it was before and after, where that says something.
        digest: SHA-256 of this row and of the digest before.
    """

    number: int
    at: datetime
    person: str
    action: str
    subject: str
    detail: dict[str, Any]
    digest: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What looking through the audit came to.

    Attributes:
        entries: that hold.
        last_digest: of the last one that holds.
        broken: number of the first row that does not fit the one before it; None if all do.
    """

    entries: int
    last_digest: str
    broken: int | None


class AuditLedger(LedgerPart):
    """The table ``audit``."""

    def add(self, person: str, action: str, subject: str, now: datetime, detail: dict[str, Any] | None = None) -> None:
        """Adds a row at the end."""
        with self._database.writing() as connection:
            if connection.dialect.name == "postgresql":  # SQLite has one writer at a time
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            number, before = _last(connection)
            entry = Entry(number + 1, now.astimezone(UTC), person, action, subject, detail or {}, "")
            values = {"number": entry.number, "at": now, "person": person, "action": action, "subject": subject}
            connection.execute(insert(AuditRow), values | {"detail": entry.detail, "digest": _digest(entry, before)})

    def page(self, limit: int, before: int | None = None) -> list[Entry]:
        """At most ``limit`` rows, the newest first, those below the number ``before``."""
        query = select(AuditRow.__table__).order_by(AuditRow.number.desc()).limit(limit)
        if before is not None:
            query = query.where(AuditRow.number < before)
        return [_entry(row) for row in self._database.rows(query)]

    def verify(self, newest: int | None = None) -> Verified:
        """Looks through all rows, or so many of the newest ones, from the oldest to the last."""
        number, digest = 0, _FIRST
        if newest is not None and (skipped := self.last()[0] - newest) > 0:
            number, digest = skipped, self.digest_of(skipped) or ""
        for entry in self._after(number):
            if entry.number != number + 1 or entry.digest != _digest(entry, digest):
                return Verified(number, digest, number + 1)
            number, digest = entry.number, entry.digest
        return Verified(number, digest, None)

    def last(self) -> tuple[int, str]:
        """Number and digest of the newest row; 0 and zeros if there is none."""
        with self._database.reading() as connection:
            return _last(connection)

    def digest_of(self, number: int) -> str | None:
        """Digest of a row, zeros for row 0; None if it is not there."""
        found = self._database.values(select(AuditRow.digest).where(AuditRow.number == number))
        return next(iter(found), None) if number else _FIRST

    def _after(self, after: int) -> Iterator[Entry]:
        while True:
            query = select(AuditRow.__table__).where(AuditRow.number > after).order_by(AuditRow.number).limit(_AT_ONCE)
            rows = [_entry(row) for row in self._database.rows(query)]
            yield from rows
            if len(rows) < _AT_ONCE:
                return
            after = rows[-1].number


def _last(connection: Connection) -> tuple[int, str]:
    query = select(AuditRow.number, AuditRow.digest).order_by(AuditRow.number.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return (row.number, row.digest) if row is not None else (0, _FIRST)


def _entry(row: Row[Any]) -> Entry:
    return Entry(row.number, row.at, row.person, row.action, row.subject, row.detail, row.digest)


def _digest(entry: Entry, before: str) -> str:
    content = [
        before,
        entry.number,
        entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        entry.person,
        entry.action,
        entry.subject,
        entry.detail,
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=True).encode("ascii")).hexdigest()
