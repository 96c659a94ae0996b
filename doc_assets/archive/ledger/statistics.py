"""What the ledger holds, in numbers: for those who watch it, cheap enough to be asked every minute."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from doc_assets.archive.ledger.collections import count_current
from doc_assets.archive.ledger.database import Database
from doc_assets.archive.ledger.schema import (
    CollectionRow,
    DocumentRow,
    Drop,
    DropStage,
    InboxFile,
    IndexedDocument,
    KeyRequest,
    SearchResult,
)


@dataclass(frozen=True, slots=True)
class StageStatistics:
    """How far a stage has come.

    Attributes:
        drops, documents: that it was completed for.
        last_at: when it was last completed for any drop.
    """

    drops: int
    documents: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class LedgerStatistics:
    """The ledger in numbers; no names of anything.

    Attributes:
        arrivals: every file that ever arrived, by state and reason code; the code is empty where there is none.
        documents: in the archive.
        pages, photos: of these.
        not_indexed: documents in the archive whose photos the collection in use does not hold.
        drops: sealed drops.
        last_sealed_at: when the last of them was sealed; None without any.
        waiting: files of the inbox that are in no drop yet.
        waiting_since: since when the oldest of them stands still; None without any.
        stages: by stage.
        results: query documents of searches and screenings by whether they were flagged.
        keys: keys of key tables by what became of them.
    """

    arrivals: dict[tuple[str, str], int]
    documents: int
    pages: int
    photos: int
    not_indexed: int
    drops: int
    last_sealed_at: datetime | None
    waiting: int
    waiting_since: datetime | None
    stages: dict[str, StageStatistics]
    results: dict[bool, int]
    keys: dict[str, int]


def read_statistics(database: Database) -> LedgerStatistics:
    """The statistics of one moment.

    Raises:
        ServiceError: if the database does not answer.
        sqlalchemy.exc.DBAPIError: if it has no tables, or others.
    """
    with database.reading() as connection:
        documents, pages, photos, not_indexed = _archive(connection)
        drops, last_sealed_at = connection.execute(select(func.count(), func.max(Drop.sealed_at))).one()
        waiting, waiting_since = connection.execute(
            select(func.count(), func.min(InboxFile.unchanged_since)).where(InboxFile.drop_key.is_(None))
        ).one()
        return LedgerStatistics(
            arrivals=_arrivals(connection),
            documents=documents,
            pages=pages,
            photos=photos,
            not_indexed=not_indexed,
            drops=drops,
            last_sealed_at=last_sealed_at,
            waiting=waiting,
            waiting_since=waiting_since,
            stages=_stages(connection),
            results=_results(connection),
            keys=_keys(connection),
        )


def _archive(connection: Connection) -> tuple[int, int, int, int]:
    query = select(
        func.count(),
        func.coalesce(func.sum(DocumentRow.n_pages), 0),
        func.coalesce(func.sum(DocumentRow.n_photos), 0),
    ).where(DocumentRow.is_current)
    n, pages, photos = connection.execute(query).one()
    in_use = select(CollectionRow.collection).where(CollectionRow.state == "in_use")
    held = count_current(connection, IndexedDocument.collection.in_(in_use))
    return int(n), int(pages), int(photos), int(n) - held


def _arrivals(connection: Connection) -> dict[tuple[str, str], int]:
    query = select(DocumentRow.state, DocumentRow.reason_code, func.count()).group_by(
        DocumentRow.state, DocumentRow.reason_code
    )
    return {(state, code or ""): n for state, code, n in connection.execute(query)}


def _stages(connection: Connection) -> dict[str, StageStatistics]:
    """A drop counts once for a stage, whatever the number of targets it passed it for."""
    passed = (
        select(DropStage.stage, DropStage.drop_key, func.max(DropStage.completed_at).label("last_at"))
        .group_by(DropStage.stage, DropStage.drop_key)
        .subquery()
    )
    query = (
        select(passed.c.stage, func.count(), func.sum(Drop.n_files), func.max(passed.c.last_at))
        .join(Drop, Drop.drop_key == passed.c.drop_key)
        .group_by(passed.c.stage)
    )
    return {stage: StageStatistics(n, int(files), last) for stage, n, files, last in connection.execute(query)}


def _results(connection: Connection) -> dict[bool, int]:
    query = select(SearchResult.flagged, func.count()).group_by(SearchResult.flagged)
    return {bool(flagged): n for flagged, n in connection.execute(query)}


def _keys(connection: Connection) -> dict[str, int]:
    query = select(KeyRequest.state, func.count()).group_by(KeyRequest.state)
    return {state: n for state, n in connection.execute(query)}
