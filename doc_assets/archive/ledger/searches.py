"""Searches and what they found, one row per query document."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Text, and_, cast, delete, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from doc_assets.archive.ledger.database import Database
from doc_assets.archive.ledger.results import ChangedFinding, ResultRecord, earlier_id, global_top_docs
from doc_assets.archive.ledger.rows import columns_of, in_parts
from doc_assets.archive.ledger.schema import Search, SearchResult
from doc_assets.archive.ledger.search_settings import SearchSettings

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


class SearchLedger:
    """The tables ``searches`` and ``search_results``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(self, record: SearchRecord) -> None:
        """Files a search that begins; a search with this id that was begun before is begun anew."""
        values = {each.name: getattr(record, each.name) for each in fields(record)} | {"changed_findings": ()}
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
        wanted = (None, record.collection, record.settings)
        if begun is None or (begun.finished_at, begun.collection, begun.settings) != wanted:
            self.start(record)
            return set()
        query = select(SearchResult.query_document).where(SearchResult.search_id == record.search_id)
        with self._database.reading() as connection:
            return set(connection.execute(query).scalars())

    def record(self, search_id: str, results: Sequence[ResultRecord]) -> None:
        """Files results; a document's earlier result of the same search is replaced."""
        rows = [{"search_id": search_id, **_values(result)} for result in results]
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
            cast(SearchResult.findings, Text),
            cast(SearchResult.legacy, Text),
            cast(SearchResult.faults, Text),
            SearchResult.error,
        )
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
        with self._database.reading() as connection:
            return list(connection.execute(query).scalars())

    def knows(self, document_id: str) -> bool:
        """Whether there is a result about a document of this id."""
        query = select(SearchResult.search_id).where(SearchResult.document_id == document_id).limit(1)
        with self._database.reading() as connection:
            return connection.execute(query).first() is not None

    def remove(self, search_id: str, query_documents: Sequence[str]) -> None:
        """Removes results of a search."""
        with self._database.writing() as connection:
            for part in in_parts(query_documents):
                gone = and_(SearchResult.search_id == search_id, SearchResult.query_document.in_(part))
                connection.execute(delete(SearchResult).where(gone))

    def finish(self, search_id: str, now: datetime) -> None:
        """Files that a search is complete, and the documents that stand out over all its queries."""
        best = global_top_docs(self.results(search_id), self.get(search_id).settings.top_doc)
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
            row = connection.execute(_SEARCHES.where(Search.search_id == search_id)).one_or_none()
        if row is None:
            raise KeyError(search_id)
        return SearchRecord(*row)

    def results(self, search_id: str) -> list[ResultRecord]:
        """A search's results in the order of its query documents."""
        with self._database.reading() as connection:
            rows = connection.execute(
                _RESULTS.where(SearchResult.search_id == search_id).order_by(SearchResult.position)
            )
            return [_result(row) for row in rows]

    def of_documents(self, search_ids: Sequence[str], document_ids: Sequence[str]) -> dict[str, list[ResultRecord]]:
        """Results about these documents in these searches, by search."""
        found: dict[str, list[ResultRecord]] = {}
        with self._database.reading() as connection:
            for part in in_parts(document_ids):
                query = _RESULTS.add_columns(SearchResult.search_id).where(
                    SearchResult.search_id.in_(search_ids), SearchResult.document_id.in_(part)
                )
                for row in connection.execute(query):
                    found.setdefault(row.search_id, []).append(_result(row))
        return found

    def ids(self, since: datetime | None = None) -> list[str]:
        """Every search in the order they began, or those that began at a time or later."""
        query = select(Search.search_id).order_by(Search.started_at, Search.search_id)
        if since is not None:
            query = query.where(Search.started_at >= since)
        with self._database.reading() as connection:
            return list(connection.execute(query).scalars())

    def global_top_docs(self, search_id: str) -> list[str] | None:
        """The documents that stand out over all queries of a finished search; None before."""
        with self._database.reading() as connection:
            query = select(Search.global_top_docs).where(Search.search_id == search_id)
            found: list[str] | None = connection.execute(query).scalar_one_or_none()
            return found

    def relabel(self, search_id: str, settings: SearchSettings) -> None:
        """Files the settings with which a search's labels are made now."""
        with self._database.writing() as connection:
            connection.execute(update(Search).where(Search.search_id == search_id).values(settings=settings))

    def note_incomplete(self, search_id: str, says: str | None) -> None:
        """Files what a search did not see of the archive, or that it saw everything."""
        self.relabel(search_id, replace(self.get(search_id).settings, incomplete=says))

    def note_changes(self, search_id: str, changed: Sequence[ChangedFinding]) -> None:
        """Files which findings of other drops a drop's screening changed."""
        with self._database.writing() as connection:
            where = Search.search_id == search_id
            connection.execute(update(Search).where(where).values(changed_findings=tuple(changed)))

    def changes(self, search_id: str) -> list[ChangedFinding]:
        """Which findings of other drops a drop's screening changed."""
        with self._database.reading() as connection:
            query = select(Search.changed_findings).where(Search.search_id == search_id)
            return list(connection.execute(query).scalar_one_or_none() or ())


_SEARCHES = select(*columns_of(SearchRecord, Search))
_RESULTS = select(*columns_of(ResultRecord, SearchResult))


def _values(result: ResultRecord) -> dict[str, Any]:
    """A row of ``search_results`` without its search."""
    values = {each.name: getattr(result, each.name) for each in fields(result)}
    return values | {"best_document": result.best_document, "best_score": result.best_score}


def _result(row: Row[Any]) -> ResultRecord:
    values = {each.name: getattr(row, each.name) for each in fields(ResultRecord)}
    return ResultRecord(**values | {"document_id": row.document_id or earlier_id(row.query_document)})
