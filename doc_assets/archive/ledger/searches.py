"""Searches and what they found, one row per query document.

The view ``doc_similarity_results`` (made by migrations) shows them to programs that read the database, with the earlier
system's columns; ``reports.export_rows`` makes the same rows from the typed results.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Text, cast, delete, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from doc_assets.archive.ledger.database import LedgerPart
from doc_assets.archive.ledger.results import ChangedFinding, ResultRecord, earlier_id, global_top_docs
from doc_assets.archive.ledger.rows import columns_of, delete_in, record_of, row_of
from doc_assets.archive.ledger.schema import Search, SearchResult
from doc_assets.archive.ledger.search_settings import SearchSettings

KEY_FIELDS = ("사업자등록번호", "수신일자", "업종명", "가맹점상호명", "구분")
EARLIER_COLUMNS = (
    "run_identifier",
    "requesting_username",
    "search_time_stamp",
    "query_document",
    "matched_query_document",
    "top_similar_docs",
    "threshold_match_count",
    "sim_img_check",
    "image_authenticity",
    "fraud_doc_probability",
    "global_top_docs",
    *KEY_FIELDS,
)
"""Columns of the earlier system's table, in its order."""

_DROP = "drop:"


def search_id_of(drop_key: str) -> str:
    """Under which search the ledger holds a drop's matches; screening again replaces them."""
    return f"{_DROP}{drop_key}"


def drop_of(search_id: str) -> str | None:
    """The drop whose matches a search holds; None for a search of other documents."""
    return search_id.removeprefix(_DROP) if search_id.startswith(_DROP) else None


@dataclass(frozen=True, slots=True)
class SearchRecord:
    """One search run; see ``schema.Search``."""

    search_id: str
    started_at: datetime
    finished_at: datetime | None
    collection: str
    n_indexed_photos: int
    settings: SearchSettings
    requested_by: str | None = None


class SearchLedger(LedgerPart):
    """The tables ``searches`` and ``search_results``: what searches found."""

    def start(self, record: SearchRecord) -> None:
        """Files a search that begins; a search with this id that was begun before is begun anew."""
        values = row_of(record, changed_findings=())
        with self._database.writing() as connection:
            begun = update(Search).where(Search.search_id == record.search_id).values(**values)
            if not connection.execute(begun).rowcount:
                connection.execute(insert(Search), values)
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
        wanted = (None, record.collection, record.settings)
        if begun is None or (begun.finished_at, begun.collection, begun.settings) != wanted:
            self.start(record)
            return set()
        query = select(SearchResult.query_document).where(SearchResult.search_id == record.search_id)
        return set(self._database.values(query))

    def record(self, search_id: str, results: Sequence[ResultRecord]) -> None:
        """Files results; a document's earlier result of the same search is replaced."""
        if not results:
            return
        rows = [
            row_of(each, search_id=search_id, best_document=each.best_document, best_score=each.best_score)
            for each in results
        ]
        with self._database.writing() as connection:
            dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
            statement = dialect.insert(SearchResult)
            keys = {"search_id", "query_document"}
            changed = {name: statement.excluded[name] for name in rows[0] if name not in keys}
            connection.execute(statement.on_conflict_do_update(index_elements=sorted(keys), set_=changed), rows)

    def naming(self, words: Sequence[str]) -> list[str]:
        """Searches with a result that holds one of these words, as query or as match, in the order they began."""
        found = (SearchResult.top_docs, SearchResult.findings, SearchResult.legacy, SearchResult.faults)
        columns = (SearchResult.query_document, SearchResult.error, *(cast(column, Text) for column in found))
        # JSON escapes what is not ASCII on one database and not on the other.
        spelt = {spelling for word in words for spelling in (word, json.dumps(word)[1:-1])}
        holds = or_(*(column.contains(word, autoescape=True) for column in columns for word in sorted(spelt)))
        changed = cast(Search.changed_findings, Text)
        noted = or_(*(changed.contains(word, autoescape=True) for word in sorted(spelt)))
        query = (
            select(Search.search_id)
            .where(or_(Search.search_id.in_(select(SearchResult.search_id).where(holds)), noted))
            .order_by(Search.started_at, Search.search_id)
        )
        return list(self._database.values(query))

    def knows(self, document_id: str) -> bool:
        """Whether there is a result about a document of this id."""
        query = select(SearchResult.search_id).where(SearchResult.document_id == document_id).limit(1)
        return bool(self._database.values(query))

    def remove(self, search_id: str, query_documents: Sequence[str]) -> None:
        """Removes results of a search."""
        with self._database.writing() as connection:
            same = SearchResult.search_id == search_id
            delete_in(connection, SearchResult, SearchResult.query_document, query_documents, same)

    def finish(self, search_id: str, now: datetime) -> None:
        """Files that a search is complete, and the documents that stand out over all its queries."""
        best = global_top_docs(self.results(search_id), self.get(search_id).settings.top_doc)
        self._update(search_id, finished_at=now, global_top_docs=best)

    def get(self, search_id: str) -> SearchRecord:
        """The search of that id.

        Raises:
            KeyError: if there is none.
        """
        for row in self._database.rows(select(*columns_of(SearchRecord, Search)).where(Search.search_id == search_id)):
            return SearchRecord(*row)
        raise KeyError(search_id)

    def results(self, search_id: str) -> list[ResultRecord]:
        """A search's results in the order of its query documents."""
        query = _RESULTS.where(SearchResult.search_id == search_id).order_by(SearchResult.position)
        return [_result(row) for row in self._database.rows(query)]

    def of_documents(self, search_ids: Sequence[str], document_ids: Sequence[str]) -> dict[str, list[ResultRecord]]:
        """Results about these documents in these searches, by search."""
        query = _RESULTS.add_columns(SearchResult.search_id).where(SearchResult.search_id.in_(search_ids))
        found: dict[str, list[ResultRecord]] = {}
        for row in self._database.rows_in(query, SearchResult.document_id, document_ids):
            found.setdefault(row.search_id, []).append(_result(row))
        return found

    def ids(self, since: datetime | None = None) -> list[str]:
        """Every search in the order they began, or those that began at a time or later."""
        query = select(Search.search_id).order_by(Search.started_at, Search.search_id)
        if since is not None:
            query = query.where(Search.started_at >= since)
        return list(self._database.values(query))

    def global_top_docs(self, search_id: str) -> list[str] | None:
        """The documents that stand out over all queries of a finished search; None before."""
        query = select(Search.global_top_docs).where(Search.search_id == search_id)
        return next(iter(self._database.values(query)), None)

    def relabel(self, search_id: str, settings: SearchSettings) -> None:
        """Files the settings with which a search's labels are made now."""
        self._update(search_id, settings=settings)

    def note_incomplete(self, search_id: str, says: str | None) -> None:
        """Files what a search did not see of the archive, or that it saw everything."""
        self.relabel(search_id, replace(self.get(search_id).settings, incomplete=says))

    def note_changes(self, search_id: str, changed: Sequence[ChangedFinding]) -> None:
        """Files which findings of other drops a drop's screening changed."""
        self._update(search_id, changed_findings=tuple(changed))

    def changes(self, search_id: str) -> list[ChangedFinding]:
        """Which findings of other drops a drop's screening changed."""
        query = select(Search.changed_findings).where(Search.search_id == search_id)
        return [change for changed in self._database.values(query) for change in changed or ()]

    def _update(self, search_id: str, **values: Any) -> None:  # noqa: ANN401 - columns of the table
        with self._database.writing() as connection:
            connection.execute(update(Search).where(Search.search_id == search_id).values(**values))


_RESULTS = select(*columns_of(ResultRecord, SearchResult))


def _result(row: Row[Any]) -> ResultRecord:
    return record_of(ResultRecord, row._mapping, document_id=row.document_id or earlier_id(row.query_document))
