"""Which collections there are, with which embedder, and which documents they hold."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from doc_assets.archive.ledger.database import LedgerPart
from doc_assets.archive.ledger.rows import delete_in, rows_in
from doc_assets.archive.ledger.schema import CollectionRow, DocumentRow, DropStage, IndexedDocument

CollectionState = Literal["filling", "queued", "in_use", "previous"]
"""``filling``: by a command; ``queued``: by runs that a sensor asks for; ``in_use``: one at most; ``previous``: kept to
go back to."""


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection on record.

    Attributes:
        name: in the store.
        embedder, options: what fills it, as ``reindex`` was asked; a checkpoint by its name.
        state: see ``CollectionState``.
        since: when it came into that state.
    """

    name: str
    embedder: str
    options: dict[str, Any]
    state: CollectionState
    since: datetime


class CollectionLedger(LedgerPart):
    """The tables ``collections`` and ``indexed_documents``: which collections there are and what they hold."""

    def all(self) -> list[Collection]:
        """Every collection on record, the newest change last."""
        query = select(*CollectionRow.__table__.c).order_by(CollectionRow.since, CollectionRow.collection)
        return [Collection(*row) for row in self._database.rows(query)]

    def last(self, state: CollectionState) -> Collection | None:
        """The collection that came into this state last."""
        return next((found for found in reversed(self.all()) if found.state == state), None)

    def record(self, collection: Collection) -> None:
        """Files a collection; one that is put in use makes the one before ``previous``."""
        with self._database.writing() as connection:
            connection.execute(delete(CollectionRow).where(CollectionRow.collection == collection.name))
            if collection.state == "in_use":
                before = update(CollectionRow).where(CollectionRow.state == "in_use")
                connection.execute(before.values(state="previous", since=collection.since))
            connection.execute(insert(CollectionRow).values(astuple(collection)))

    def remove(self, name: str, targets: Sequence[str]) -> None:
        """Removes what is known of a collection, and that drops were completed for these targets of stages."""
        with self._database.writing() as connection:
            connection.execute(delete(CollectionRow).where(CollectionRow.collection == name))
            connection.execute(delete(IndexedDocument).where(IndexedDocument.collection == name))
            connection.execute(delete(DropStage).where(DropStage.target.in_(targets)))

    def record_indexed(
        self, row_ids: Sequence[int], collection: str, left_out: Mapping[int, int] | None = None
    ) -> None:
        """Files that a collection now holds these documents' photos, but for the number ``left_out`` by row."""
        query = select(DocumentRow.id, DocumentRow.document_id)
        with self._database.writing() as connection:
            rows = [
                {"row_id": row_id, "document_id": name, "photos_left_out": (left_out or {}).get(row_id, 0)}
                for row_id, name in rows_in(connection, query, DocumentRow.id, row_ids)
            ]
            same = IndexedDocument.collection == collection
            delete_in(connection, IndexedDocument, IndexedDocument.row_id, row_ids, same)
            if rows:
                connection.execute(insert(IndexedDocument).values(collection=collection), rows)

    def indexed(self, row_ids: Sequence[int], collection: str) -> dict[int, int]:
        """Those of these arrivals that a collection holds, each with the number of its photos that it lacks."""
        query = select(IndexedDocument.row_id, IndexedDocument.photos_left_out)
        held = query.where(IndexedDocument.collection == collection)
        return {row_id: n for row_id, n in self._database.rows_in(held, IndexedDocument.row_id, row_ids)}

    def holding(self, row_id: int) -> list[str]:
        """Names of the collections that hold an arrival's photos, sorted."""
        query = select(IndexedDocument.collection).where(IndexedDocument.row_id == row_id)
        return sorted(self._database.values(query))

    def current_documents(self, collection: str) -> int:
        """How many current documents a collection holds."""
        with self._database.reading() as connection:
            return count_current(connection, IndexedDocument.collection == collection)

    def all_photos(self) -> dict[str, int]:
        """``photos`` of every collection that holds a document."""
        names = self._database.values(select(IndexedDocument.collection).distinct())
        return {name: self.photos(name) for name in sorted(names)}

    def photos(self, collection: str) -> int:
        """How many photos a collection should hold: those of each document's arrival indexed last.

        A newer arrival that is read but not indexed yet does not count; the older one's points are still there. Nor
        does a photo that could not be embedded or described.
        """
        indexed_last = (
            select(func.max(IndexedDocument.row_id))
            .where(IndexedDocument.collection == collection)
            .group_by(IndexedDocument.document_id)
        )
        query = (
            select(func.sum(DocumentRow.n_photos - IndexedDocument.photos_left_out))
            .join(IndexedDocument, IndexedDocument.row_id == DocumentRow.id)
            .where(IndexedDocument.collection == collection, DocumentRow.id.in_(indexed_last))
        )
        return self._database.values(query)[0] or 0


def count_current(connection: Connection, collections: ColumnElement[bool]) -> int:
    """How many current documents are held by collections for which this holds; one in two of them counts twice."""
    query = (
        select(func.count())
        .select_from(IndexedDocument)
        .join(DocumentRow, DocumentRow.id == IndexedDocument.row_id)
        .where(collections, DocumentRow.is_current)
    )
    return int(connection.execute(query).scalar_one())
