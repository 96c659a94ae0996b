"""What searches found, one row a query document."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Text, and_, cast, delete, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from doc_assets.ledger.database import Database
from doc_assets.ledger.rows import in_parts
from doc_assets.ledger.schema import Search, SearchResult


@dataclass(frozen=True, slots=True)
class SearchRecord:
    """One search run; see ``schema.Search``."""

    search_id: str
    started_at: datetime
    finished_at: datetime | None
    collection: str
    n_indexed_photos: int
    settings: dict[str, Any]
    requested_by: str | None = None


@dataclass(frozen=True, slots=True)
class ResultRecord:
    """One query document's result.

    Attributes:
        query_document: names it within the search.
        position: its place within the search.
        merchant_id: whose it is; None if unknown.
        state, error: of reading it.
        n_photos: photos found on it.
        best_document, best_score: of the first of ``top_docs``.
        risk_score: in [0, 1]; None if it could not be read.
        flagged: whether the risk reached the threshold of the search.
        elapsed_s: seconds spent on it.
        top_docs: as the JSON report shows them.
        legacy: fields of the earlier system's report.
        fields: of the key table's row that names the document, by column.
        faults: what could not be looked for or compared; see ``search.faults.SearchFault``.
    """

    query_document: str
    position: int
    merchant_id: str | None
    state: str
    error: str | None
    n_photos: int
    best_document: str | None
    best_score: float | None
    risk_score: float | None
    flagged: bool
    elapsed_s: float
    top_docs: list[dict[str, Any]]
    legacy: dict[str, Any]
    fields: dict[str, str] = field(default_factory=dict)
    faults: list[dict[str, Any]] = field(default_factory=list)

    @property
    def best_probability(self) -> float | None:
        """That the best document shows the same shot: 1 for an identical file; None without one, or unverified."""
        if not self.top_docs:
            return None
        best = self.top_docs[0]
        if best["exact_duplicate"]:
            return 1.0
        probability = best["matches"][0]["probability"] if best["matches"] else None
        return None if probability is None else float(probability)


def global_top_docs(results: Sequence[ResultRecord], top_doc: int | None) -> list[str]:
    """Documents by their best photo pair over all queries: the most probable, if pairs were verified, then similar."""
    best: dict[str, tuple[float, float]] = {}
    for result in results:
        for found in result.top_docs:
            pairs = [(pair["probability"] or 0.0, pair["similarity"]) for pair in found["matches"]]
            score = (1.0, 1.0) if found["exact_duplicate"] else max(pairs, default=(0.0, 0.0))
            best[found["document"]] = max(score, best.get(found["document"], (-1.0, -1.0)))
    return sorted(best, key=lambda document: (*(-value for value in best[document]), document))[:top_doc]


class SearchLedger:
    """The tables ``searches`` and ``search_results``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(self, record: SearchRecord) -> None:
        """Files a search that begins; a search with this id that was begun before is begun anew."""
        values = {
            "search_id": record.search_id,
            "started_at": record.started_at,
            "finished_at": record.finished_at,
            "collection": record.collection,
            "n_indexed_photos": record.n_indexed_photos,
            "settings": record.settings,
            "requested_by": record.requested_by,
        }
        with self._database.writing() as connection:
            known = connection.execute(
                select(Search.search_id).where(Search.search_id == record.search_id)
            ).one_or_none()
            if known is None:
                connection.execute(insert(Search), values)
            else:
                connection.execute(update(Search).where(Search.search_id == record.search_id).values(**values))
                connection.execute(delete(SearchResult).where(SearchResult.search_id == record.search_id))

    def resume(self, record: SearchRecord) -> set[str]:
        """Goes on with a search of the same id, collection and settings that was not finished, or starts it.

        Returns:
            The query documents that have their results already.
        """
        try:
            begun = self.get(record.search_id)
        except KeyError:
            begun = None
        wanted = (None, record.collection, json.loads(json.dumps(record.settings)))  # as it comes back
        if begun is None or (begun.finished_at, begun.collection, begun.settings) != wanted:
            self.start(record)
            return set()
        query = select(SearchResult.query_document).where(SearchResult.search_id == record.search_id)
        with self._database.reading() as connection:
            return set(connection.execute(query).scalars())

    def record(self, search_id: str, results: Sequence[ResultRecord]) -> None:
        """Files results; a document's earlier result of the same search is replaced."""
        rows = [
            {
                "search_id": search_id,
                "query_document": result.query_document,
                "position": result.position,
                "merchant_id": result.merchant_id,
                "state": result.state,
                "error": result.error,
                "n_photos": result.n_photos,
                "best_document": result.best_document,
                "best_score": result.best_score,
                "risk_score": result.risk_score,
                "flagged": result.flagged,
                "elapsed_s": result.elapsed_s,
                "top_docs": result.top_docs,
                "legacy": result.legacy,
                "fields": result.fields,
                "faults": result.faults,
            }
            for result in results
        ]
        if not rows:
            return
        with self._database.writing() as connection:
            dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
            statement = dialect.insert(SearchResult)
            keys = {"search_id", "query_document"}
            changed = {name: statement.excluded[name] for name in rows[0] if name not in keys}
            connection.execute(statement.on_conflict_do_update(index_elements=sorted(keys), set_=changed), rows)

    def naming(self, words: Sequence[str]) -> list[str]:
        """Searches with a result that holds one of these words, as query or as match, in the order they began."""
        columns = (
            SearchResult.query_document,
            cast(SearchResult.top_docs, Text),
            cast(SearchResult.legacy, Text),
            cast(SearchResult.faults, Text),
            SearchResult.error,
        )
        # JSON escapes what is not ASCII on one database and not on the other.
        spelt = {spelling for word in words for spelling in (word, json.dumps(word)[1:-1])}
        holds = or_(*(column.contains(word, autoescape=True) for column in columns for word in sorted(spelt)))
        query = (
            select(Search.search_id)
            .where(Search.search_id.in_(select(SearchResult.search_id).where(holds)))
            .order_by(Search.started_at, Search.search_id)
        )
        with self._database.reading() as connection:
            return list(connection.execute(query).scalars())

    def remove(self, search_id: str, query_documents: Sequence[str]) -> None:
        """Removes results of a search."""
        with self._database.writing() as connection:
            for part in in_parts(query_documents):
                gone = and_(SearchResult.search_id == search_id, SearchResult.query_document.in_(part))
                connection.execute(delete(SearchResult).where(gone))

    def finish(self, search_id: str, now: datetime) -> None:
        """Files that a search is complete, and the documents that stand out over all its queries."""
        best = global_top_docs(self.results(search_id), self.get(search_id).settings.get("top_doc"))
        with self._database.writing() as connection:
            connection.execute(
                update(Search).where(Search.search_id == search_id).values(finished_at=now, global_top_docs=best)
            )

    def get(self, search_id: str) -> SearchRecord:
        """The search of that id.

        Raises:
            KeyError: if there is none.
        """
        with self._database.reading() as connection:
            row = connection.execute(
                select(
                    Search.search_id,
                    Search.started_at,
                    Search.finished_at,
                    Search.collection,
                    Search.n_indexed_photos,
                    Search.settings,
                    Search.requested_by,
                ).where(Search.search_id == search_id)
            ).one_or_none()
        if row is None:
            raise KeyError(search_id)
        return SearchRecord(*row)

    def results(self, search_id: str) -> list[ResultRecord]:
        """A search's results in the order of its query documents."""
        with self._database.reading() as connection:
            rows = connection.execute(
                select(
                    SearchResult.query_document,
                    SearchResult.position,
                    SearchResult.merchant_id,
                    SearchResult.state,
                    SearchResult.error,
                    SearchResult.n_photos,
                    SearchResult.best_document,
                    SearchResult.best_score,
                    SearchResult.risk_score,
                    SearchResult.flagged,
                    SearchResult.elapsed_s,
                    SearchResult.top_docs,
                    SearchResult.legacy,
                    SearchResult.fields,
                    SearchResult.faults,
                )
                .where(SearchResult.search_id == search_id)
                .order_by(SearchResult.position)
            )
            return [ResultRecord(*row) for row in rows]
