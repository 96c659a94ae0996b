"""What the drop folder holds, what became of the keys of key tables, and sealing files into drops."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import Connection, bindparam, func, insert, select, update

from doc_assets.archive.ledger.database import LedgerPart
from doc_assets.archive.ledger.rows import columns_of, delete_in, row_of, rows_in
from doc_assets.archive.ledger.schema import DocumentRow, Drop, InboxFile, KeyRequest
from doc_assets.datatypes import DocumentDate


@dataclass(frozen=True, slots=True)
class InboxEntry:
    """A file of the drop folder as last seen."""

    path: str
    size_bytes: int
    mtime_ns: int
    unchanged_since: datetime
    drop_key: str | None = None


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


@dataclass(frozen=True, slots=True)
class ArrivedFile:
    """A file to be sealed into a drop; ``path`` as the ledger stores paths, ``date`` its arrival if not given."""

    path: str
    file_name: str
    document_id: str
    size_bytes: int
    mtime_ns: int
    merchant_id: str | None = None
    fields: dict[str, str] = field(default_factory=dict)
    date: DocumentDate | None = None


class IntakeLedger(LedgerPart):
    """The tables ``inbox_files`` and ``drops``, and the first rows of ``documents``."""

    def inbox(self) -> dict[str, InboxEntry]:
        """Every file of the drop folder that was seen, by path."""
        rows = self._database.rows(select(*columns_of(InboxEntry, InboxFile)))
        return {entry.path: entry for entry in (InboxEntry(*row) for row in rows)}

    def update_inbox(self, changed: Sequence[InboxEntry], gone: Iterable[str]) -> None:
        """Replaces the entries of ``changed`` paths and forgets the ``gone`` ones."""
        paths = [*gone, *(entry.path for entry in changed)]
        if not paths:
            return
        with self._database.writing() as connection:
            delete_in(connection, InboxFile, InboxFile.path, paths)
            if changed:
                connection.execute(insert(InboxFile), [row_of(entry) for entry in changed])

    def seal(
        self, files: Sequence[ArrivedFile], *, source: str, now: datetime, chunk_documents: int, bulk: bool = False
    ) -> str:
        """Files these files as a new drop, all at once, and returns its key.

        A document that arrived before keeps the date that a key table gave it, and without any date the day of its
        first arrival: a second delivery of a document does not make it younger than its copies.

        Args:
            files: in the order in which they count as having arrived.
            source: where they come from, for people.
            now: aware time of sealing; part of the key of a drop that is not ``bulk``.
            chunk_documents: documents committed together; kept with the drop, so that its chunks never move.
            bulk: whether the key is ``bulk-000001`` and so on.
        """
        prefix = "bulk-" if bulk else f"{now.astimezone(UTC):%Y%m%d-%H%M}-"
        newest = select(func.max(Drop.drop_key)).where(Drop.drop_key.startswith(prefix))
        with self._database.writing() as connection:
            last = connection.execute(newest).scalar_one()
            number = int(last.removeprefix(prefix)) + 1 if last else 1
            drop_key = f"{prefix}{number:06d}" if bulk else f"{prefix}{number:04d}"
            drop = {"source": source, "sealed_at": now, "n_files": len(files), "chunk_documents": chunk_documents}
            connection.execute(insert(Drop), {"drop_key": drop_key, **drop})
            dates = _dates(connection, files, DocumentDate(now.astimezone(UTC).date(), "arrival"))
            dated = enumerate(zip(files, dates, strict=True))
            rows = [_pending(drop_key, position, file, date) for position, (file, date) in dated]
            connection.execute(insert(DocumentRow), rows)
            sealed = update(InboxFile).where(InboxFile.path == bindparam("sealed_path")).values(drop_key=drop_key)
            connection.execute(sealed, [{"sealed_path": file.path} for file in files])
        return drop_key

    def drop_keys(self) -> list[str]:
        """All drops in the order in which they were sealed."""
        return list(self._database.values(select(Drop.drop_key).order_by(Drop.sealed_at, Drop.drop_key)))

    def sealed_from(self, source: str) -> dict[str, str]:
        """Drop of every path that was sealed from a source; of several the newest."""
        query = (
            select(DocumentRow.source_path, DocumentRow.drop_key)
            .join(Drop, Drop.drop_key == DocumentRow.drop_key)
            .where(Drop.source == source)
            .order_by(DocumentRow.id)
        )
        return {path: drop_key for path, drop_key in self._database.rows(query)}


class KeyLedger(LedgerPart):
    """The table ``key_requests``: the newest outcome of every key of every source."""

    def record(self, source: str, outcomes: Sequence[KeyOutcome], now: datetime) -> None:
        """Files outcomes; they replace those that the same keys had before."""
        if not outcomes:
            return
        rows = [row_of(outcome, source=source, asked_at=now) for outcome in outcomes]
        keys = [outcome.key for outcome in outcomes]
        with self._database.writing() as connection:
            delete_in(connection, KeyRequest, KeyRequest.key, keys, KeyRequest.source == source)
            connection.execute(insert(KeyRequest), rows)

    def found(self, source: str) -> set[str]:
        """Keys of the source that were found."""
        query = select(KeyRequest.key).where(KeyRequest.source == source, KeyRequest.state == "found")
        return set(self._database.values(query))


def _dates(connection: Connection, files: Sequence[ArrivedFile], today: DocumentDate) -> list[DocumentDate]:
    """The date of each file; see ``IntakeLedger.seal``."""
    given = [(file.document_id, file.date or today) for file in files]
    earlier = _earlier_dates(connection, {name for name, date in given if date.source != "key_table"})
    return [_chosen_date(date, earlier.get(name)) for name, date in given]


def _chosen_date(given: DocumentDate, earlier: DocumentDate | None) -> DocumentDate:
    if given.source == "key_table" or earlier is None:
        return given
    if earlier.source == "key_table":
        return earlier
    return min(given, earlier, key=lambda date: date.day) if given.source == "arrival" else given


def _earlier_dates(connection: Connection, document_ids: Collection[str]) -> dict[str, DocumentDate]:
    """Of documents that arrived before, the date that a key table gave last, else the day of the first arrival."""
    query = (
        select(DocumentRow.document_id, DocumentRow.document_date, DocumentRow.date_source)
        .where(DocumentRow.date_source != "name")
        .order_by(DocumentRow.id)
    )
    found: dict[str, DocumentDate] = {}
    for name, day, source in rows_in(connection, query, DocumentRow.document_id, document_ids):
        known = found.get(name)
        if source == "key_table":
            found[name] = DocumentDate(day, "key_table")
        elif known is None or (known.source == "arrival" and day < known.day):
            found[name] = DocumentDate(day, "arrival")
    return found


def _pending(drop_key: str, position: int, file: ArrivedFile, date: DocumentDate) -> dict[str, object]:
    row = row_of(file, drop_key=drop_key, position=position, source_path=file.path)
    del row["path"], row["date"]
    return row | {"document_date": date.day, "date_source": date.source, "state": "pending", "is_current": False}
