"""Looking at the ledger: lists of documents, every trace of one document, and all of it in numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, func, or_, select, text

from doc_assets.archive.ledger.collections import count_current
from doc_assets.archive.ledger.database import Database, LedgerPart
from doc_assets.archive.ledger.results import FoundDocument
from doc_assets.archive.ledger.rows import DOCUMENTS, Document, columns_of, documents_of, record_of
from doc_assets.archive.ledger.schema import (
    CollectionRow,
    DocumentRow,
    Drop,
    DropStage,
    InboxFile,
    IndexedDocument,
    KeyRequest,
    Search,
    SearchResult,
)

_HAS_MATCH = {
    "sqlite": "EXISTS (SELECT 1 FROM json_each(search_results.top_docs) AS found "
    "WHERE json_extract(found.value, '$.document') = :name)",
    "postgresql": "EXISTS (SELECT 1 FROM jsonb_array_elements(search_results.top_docs) AS found "
    "WHERE found ->> 'document' = :name)",
}


@dataclass(frozen=True, slots=True)
class DocumentFilter:
    """Which arrivals to list; None lets every one through.

    Attributes:
        state: ``ok``, ``partial``, ``rejected``, ``duplicate`` or ``pending``.
        drop_key: of this drop.
        merchant_id: of this merchant.
        current_only: those in the archive now.
    """

    state: str | None = None
    drop_key: str | None = None
    merchant_id: str | None = None
    current_only: bool = False


@dataclass(frozen=True, slots=True)
class DropRecord:
    """A drop: where it came from and when it was sealed."""

    drop_key: str
    source: str
    sealed_at: datetime
    n_files: int
    chunk_documents: int


@dataclass(frozen=True, slots=True)
class Mention:
    """A result that names a document.

    Attributes:
        search_id: of the run, ``drop:<key>`` for a screened drop.
        started_at: of the search.
        query_document: whose result it is.
        rank: place of the document among the matches, from 1; None if it is the query itself.
        score: of that match, or of the query's best one; None if there is none.
        n_matched_photos: of that match, or of the query's best one.
        risk_score, flagged: of the query.
    """

    search_id: str
    started_at: datetime
    query_document: str
    rank: int | None
    score: float | None
    n_matched_photos: int
    risk_score: float | None
    flagged: bool


class DocumentQueries(LedgerPart):
    """Reads single documents and the results that name them, for people; changes nothing."""

    def page(self, wanted: DocumentFilter, limit: int, offset: int = 0) -> tuple[int, list[Document]]:
        """How many arrivals there are, and ``limit`` of them in order of arrival from ``offset`` on."""
        asked = {
            DocumentRow.state: wanted.state,
            DocumentRow.drop_key: wanted.drop_key,
            DocumentRow.merchant_id: wanted.merchant_id,
        }
        query = DOCUMENTS.where(*(column == value for column, value in asked.items() if value is not None))
        if wanted.current_only:
            query = query.where(DocumentRow.is_current)
        with self._database.reading() as connection:
            total = connection.execute(query.with_only_columns(func.count(), maintain_column_froms=True)).scalar_one()
            return total, documents_of(connection.execute(query.order_by(DocumentRow.id).limit(limit).offset(offset)))

    def remote_origins(self, states: Sequence[str]) -> list[str]:
        """Origins that are URLs, of arrivals in these states."""
        query = select(DocumentRow.source_path).where(
            DocumentRow.state.in_(states), DocumentRow.source_path.contains("://")
        )
        return list(self._database.values(query))

    def drops(self, keys: Sequence[str]) -> dict[str, DropRecord]:
        """Drops by key; unknown ones are left out."""
        query = select(*columns_of(DropRecord, Drop)).where(Drop.drop_key.in_(keys))
        return {drop.drop_key: drop for drop in (DropRecord(*row) for row in self._database.rows(query))}

    def as_query(self, file_names: Sequence[str], limit: int) -> list[Mention]:
        """Results of queries of these names, in whatever folder they lay; newest search first."""
        inside = [SearchResult.query_document.endswith(f"/{name}", autoescape=True) for name in file_names]
        query = _RESULTS.where(or_(SearchResult.query_document.in_(file_names), *inside))
        rows = [row._mapping for row in self._database.rows(query.limit(limit))]
        return [_mention(row, row["top_docs"][0] if row["top_docs"] else None, None) for row in rows]

    def as_match(self, file_name: str, limit: int) -> list[Mention]:
        """Results that rank a document of this name; newest search first."""
        with self._database.reading() as connection:
            condition = text(_HAS_MATCH[connection.dialect.name]).bindparams(name=file_name)
            rows = connection.execute(_RESULTS.where(condition).limit(limit)).mappings().all()
        found = []
        for row in rows:
            ranks = {match.document: rank for rank, match in reversed(list(enumerate(row["top_docs"], start=1)))}
            rank = ranks[file_name]
            found.append(_mention(row, row["top_docs"][rank - 1], rank))
        return found


_RESULTS = (
    select(SearchResult.search_id, Search.started_at, SearchResult.query_document, SearchResult.top_docs)
    .add_columns(SearchResult.risk_score, SearchResult.flagged)
    .join(Search, Search.search_id == SearchResult.search_id)
    .order_by(Search.started_at.desc(), SearchResult.search_id, SearchResult.position)
)


def _mention(row: RowMapping, match: FoundDocument | None, rank: int | None) -> Mention:
    score, n_photos = (None, 0) if match is None else (match.score, match.n_matched_photos)
    return record_of(Mention, row, rank=rank, score=score, n_matched_photos=n_photos)


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
    """The ledger in numbers, cheap enough to be asked every minute; no names of anything.

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
    sums = (func.coalesce(func.sum(column), 0) for column in (DocumentRow.n_pages, DocumentRow.n_photos))
    archived = select(func.count(), *sums).where(DocumentRow.is_current)
    in_use = select(CollectionRow.collection).where(CollectionRow.state == "in_use")
    waiting = select(func.count(), func.min(InboxFile.unchanged_since)).where(InboxFile.drop_key.is_(None))
    arrivals = select(DocumentRow.state, DocumentRow.reason_code, func.count())
    results = select(SearchResult.flagged, func.count()).group_by(SearchResult.flagged)
    keys = select(KeyRequest.state, func.count()).group_by(KeyRequest.state)
    with database.reading() as connection:
        documents, pages, photos = (int(number) for number in connection.execute(archived).one())
        drops, last_sealed_at = connection.execute(select(func.count(), func.max(Drop.sealed_at))).one()
        n_waiting, waiting_since = connection.execute(waiting).one()
        by_state = connection.execute(arrivals.group_by(DocumentRow.state, DocumentRow.reason_code))
        return LedgerStatistics(
            arrivals={(state, code or ""): n for state, code, n in by_state},
            documents=documents,
            pages=pages,
            photos=photos,
            not_indexed=documents - count_current(connection, IndexedDocument.collection.in_(in_use)),
            drops=drops,
            last_sealed_at=last_sealed_at,
            waiting=n_waiting,
            waiting_since=waiting_since,
            stages=_stages(connection),
            results={bool(flagged): n for flagged, n in connection.execute(results)},
            keys={state: n for state, n in connection.execute(keys)},
        )


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
