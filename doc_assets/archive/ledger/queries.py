"""Looking at documents one by one: lists with filters, and every trace of one document."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, func, or_, select, text

from doc_assets.archive.ledger.database import LedgerPart
from doc_assets.archive.ledger.results import FoundDocument
from doc_assets.archive.ledger.rows import DOCUMENTS, Document, columns_of, documents_of, record_of
from doc_assets.archive.ledger.schema import DocumentRow as Row
from doc_assets.archive.ledger.schema import Drop, Search, SearchResult

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
    """Reads, for people; changes nothing."""

    def page(self, wanted: DocumentFilter, limit: int, offset: int = 0) -> tuple[int, list[Document]]:
        """How many arrivals there are, and ``limit`` of them in order of arrival from ``offset`` on."""
        conditions = _conditions(wanted)
        with self._database.reading() as connection:
            total = connection.execute(select(func.count()).select_from(Row).where(*conditions)).scalar_one()
            found = DOCUMENTS.where(*conditions).order_by(Row.id).limit(limit).offset(offset)
            return total, documents_of(connection.execute(found))

    def remote_origins(self, states: Sequence[str]) -> list[str]:
        """Origins that are URLs, of arrivals in these states."""
        query = select(Row.source_path).where(Row.state.in_(states), Row.source_path.contains("://"))
        return list(self._database.values(query))

    def drops(self, keys: Sequence[str]) -> dict[str, DropRecord]:
        """Drops by key; unknown ones are left out."""
        query = select(*columns_of(DropRecord, Drop)).where(Drop.drop_key.in_(keys))
        return {drop.drop_key: drop for drop in (DropRecord(*row) for row in self._database.rows(query))}

    def as_query(self, file_names: Sequence[str], limit: int) -> list[Mention]:
        """Results of queries of these names, in whatever folder they lay; newest search first."""
        inside = [SearchResult.query_document.endswith(f"/{name}", autoescape=True) for name in file_names]
        query = _results().where(or_(SearchResult.query_document.in_(file_names), *inside))
        rows = [row._mapping for row in self._database.rows(query.limit(limit))]
        return [_mention(row, row["top_docs"][0] if row["top_docs"] else None, None) for row in rows]

    def as_match(self, file_name: str, limit: int) -> list[Mention]:
        """Results that rank a document of this name; newest search first."""
        with self._database.reading() as connection:
            condition = text(_HAS_MATCH[connection.dialect.name]).bindparams(name=file_name)
            rows = connection.execute(_results().where(condition).limit(limit)).mappings().all()
        found = []
        for row in rows:
            ranks = {match.document: rank for rank, match in reversed(list(enumerate(row["top_docs"], start=1)))}
            rank = ranks[file_name]
            found.append(_mention(row, row["top_docs"][rank - 1], rank))
        return found


def _conditions(wanted: DocumentFilter) -> list[ColumnElement[bool]]:
    asked = {Row.state: wanted.state, Row.drop_key: wanted.drop_key, Row.merchant_id: wanted.merchant_id}
    conditions: list[ColumnElement[bool]] = [column == value for column, value in asked.items() if value is not None]
    if wanted.current_only:
        conditions.append(Row.is_current.is_(True))
    return conditions


def _results() -> Select[Any]:
    return (
        select(
            SearchResult.search_id,
            Search.started_at,
            SearchResult.query_document,
            SearchResult.top_docs,
            SearchResult.risk_score,
            SearchResult.flagged,
        )
        .join(Search, Search.search_id == SearchResult.search_id)
        .order_by(Search.started_at.desc(), SearchResult.search_id, SearchResult.position)
    )


def _mention(row: RowMapping, match: FoundDocument | None, rank: int | None) -> Mention:
    score, n_photos = (None, 0) if match is None else (match.score, match.n_matched_photos)
    return record_of(Mention, row, rank=rank, score=score, n_matched_photos=n_photos)
