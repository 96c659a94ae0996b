"""What became of every document: read, cut, indexed, superseded."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    tuple_,
    update,
)

from doc_assets.archive.ledger.database import LedgerPart
from doc_assets.archive.ledger.document_faults import settle_reading
from doc_assets.archive.ledger.rows import (
    DOCUMENTS,
    READABLE,
    ArchiveCounts,
    Column,
    Document,
    Key,
    ReadOutcome,
    delete_in,
    documents_of,
    in_parts,
    row_of,
    rows_in,
)
from doc_assets.archive.ledger.schema import DocumentRow, Drop, DropStage, IndexedDocument
from doc_assets.datatypes import DocumentDate

_PAGE_ROWS = 5000


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of the lineage as completed for a drop; see ``schema.DropStage``."""

    name: str
    target: str
    version: str


class DocumentLedger(LedgerPart):
    """The tables ``documents`` and ``drop_stages``: what became of every document."""

    def chunks(self, drop_key: str) -> list[range]:
        """The drop's chunks as ranges of positions; they never move.

        Raises:
            KeyError: if there is no such drop.
        """
        rows = self._database.rows(select(Drop.n_files, Drop.chunk_documents).where(Drop.drop_key == drop_key))
        if not rows:
            raise KeyError(drop_key)
        ((n_files, size),) = rows
        return [range(start, min(start + size, n_files)) for start in range(0, n_files, size)]

    def of_chunk(self, drop_key: str, positions: range, *, current_only: bool = False) -> list[Document]:
        """The chunk's documents in order."""
        query = DOCUMENTS.where(_is_in_chunk(drop_key, positions)).order_by(DocumentRow.position)
        return documents_of(self._database.rows(query.where(DocumentRow.is_current) if current_only else query))

    def with_row_ids(self, row_ids: Collection[int]) -> list[Document]:
        """These arrivals in the order of arrival."""
        return self._documents(DOCUMENTS, DocumentRow.id, row_ids)

    def arrivals(self, document_ids: Collection[str]) -> list[Document]:
        """Every arrival of these documents, each document's in the order of arrival."""
        return self._documents(DOCUMENTS, DocumentRow.document_id, document_ids)

    def _documents(self, query: Select[Any], column: Column, values: Collection[Key]) -> list[Document]:
        return documents_of(self._database.rows_in(query.order_by(DocumentRow.id), column, values))

    def latest_before(self, document_ids: Sequence[str], row_id: int) -> dict[str, Document]:
        """Of each document the newest readable arrival before row ``row_id``."""
        query = DOCUMENTS.where(DocumentRow.state.in_(READABLE), DocumentRow.id < row_id)
        return {each.document_id: each for each in self._documents(query, DocumentRow.document_id, document_ids)}

    def rivals(self, drop_key: str, document_ids: Sequence[str]) -> dict[str, Document]:
        """The first usable arrival of each of these ids in the same ingestion as a drop.

        An ingestion is all that was sealed from one source at one time, in however many drops.
        """
        found: dict[str, Document] = {}
        with self._database.reading() as connection:
            query = select(Drop.source, Drop.sealed_at).where(Drop.drop_key == drop_key)
            source, sealed_at = connection.execute(query).one()
            together = (
                DOCUMENTS.join(Drop, Drop.drop_key == DocumentRow.drop_key)
                .where(Drop.source == source, Drop.sealed_at == sealed_at)
                .where(DocumentRow.state.in_((*READABLE, "duplicate")))
                .order_by(DocumentRow.id)
            )
            for document in documents_of(rows_in(connection, together, DocumentRow.document_id, document_ids)):
                found.setdefault(document.document_id, document)
        return found

    def current_with_ids(self, document_ids: Collection[str]) -> dict[str, Document]:
        """Current documents by their ids; unknown ids are left out."""
        query = DOCUMENTS.where(DocumentRow.is_current)
        return {each.document_id: each for each in self._documents(query, DocumentRow.document_id, document_ids)}

    def date_of(self, document_id: str) -> DocumentDate | None:
        """The date of a current document; None if there is none of this id."""
        document = self.current_with_ids([document_id]).get(document_id)
        return document.date if document is not None else None

    def current_with_sha256(self, digests: Sequence[str]) -> dict[str, list[Document]]:
        """Current documents by the digest of their bytes."""
        found: dict[str, list[Document]] = {}
        for document in self._documents(DOCUMENTS.where(DocumentRow.is_current), DocumentRow.sha256, digests):
            found.setdefault(str(document.sha256), []).append(document)
        return found

    def knows_content(self, digest: str) -> bool:
        """Whether any arrival has bytes of this digest."""
        return bool(self._database.values(select(DocumentRow.id).where(DocumentRow.sha256 == digest).limit(1)))

    def record_read(self, outcomes: Sequence[ReadOutcome]) -> None:
        """Files the outcomes and decides which arrivals are current."""
        if not outcomes:
            return
        with self._database.writing() as connection:
            connection.execute(_UPDATE, [row_of(outcome) for outcome in outcomes])
            settle_reading(connection, outcomes)
            _choose_current(connection, [outcome.row_id for outcome in outcomes])

    def record_descriptions(self, documents: Sequence[Document]) -> None:
        """Files what these arrivals say beside their bytes: whose they are, what a key table says, and their dates."""
        names = ("merchant_id", "fields", "document_date", "date_source")
        self._update_rows([{"row_id": each.id} | {name: getattr(each, name) for name in names} for each in documents])

    def first_arrivals(self, document_ids: Sequence[str]) -> dict[str, datetime]:
        """When each of these documents was first sealed into a drop; unknown ids are left out."""
        query = (
            select(DocumentRow.document_id, func.min(Drop.sealed_at))
            .join(Drop, Drop.drop_key == DocumentRow.drop_key)
            .group_by(DocumentRow.document_id)
        )
        return {name: at for name, at in self._database.rows_in(query, DocumentRow.document_id, document_ids)}

    def record_photos(self, counts: dict[int, int]) -> None:
        """Files how many photos were found, by row."""
        self._update_rows([{"row_id": row, "n_photos": n} for row, n in counts.items()])

    def _update_rows(self, rows: Sequence[dict[str, Any]]) -> None:
        if rows:
            with self._database.writing() as connection:
                connection.execute(_UPDATE, rows)

    def complete_stage(self, drop_key: str, stage: Stage, now: datetime) -> None:
        """Files that every chunk of the drop passed a stage."""
        same = (DropStage.drop_key == drop_key, DropStage.stage == stage.name, DropStage.target == stage.target)
        row = {"stage": stage.name, "target": stage.target, "version": stage.version}
        with self._database.writing() as connection:
            connection.execute(delete(DropStage).where(*same))
            connection.execute(insert(DropStage), {"drop_key": drop_key, **row, "completed_at": now})

    def reopen(self, drop_key: str) -> None:
        """Makes all stages of a drop count as not completed and its rejected documents as not yet read."""
        with self._database.writing() as connection:
            connection.execute(delete(DropStage).where(DropStage.drop_key == drop_key))
            rejected = and_(DocumentRow.drop_key == drop_key, DocumentRow.state == "rejected")
            connection.execute(update(DocumentRow).where(rejected).values(state="pending"))

    def retry(self, drop_keys: Sequence[str] | None, codes: Sequence[str] | None) -> dict[str, list[int]]:
        """Makes rejected documents count as not yet read, and their drops as incomplete.

        Args:
            drop_keys: of these drops only.
            codes: rejected for these reasons only.

        Returns:
            Ids of their rows by drop, in the order of arrival.
        """
        wanted = [DocumentRow.state == "rejected"]
        if drop_keys is not None:
            wanted.append(DocumentRow.drop_key.in_(drop_keys))
        if codes is not None:
            wanted.append(DocumentRow.reason_code.in_(codes))
        found: dict[str, list[int]] = {}
        with self._database.writing() as connection:
            query = select(DocumentRow.id, DocumentRow.drop_key).where(*wanted)
            for row_id, drop_key in connection.execute(query.order_by(DocumentRow.id)):
                found.setdefault(drop_key, []).append(row_id)
            connection.execute(update(DocumentRow).where(*wanted).values(state="pending"))
            delete_in(connection, DropStage, DropStage.drop_key, found)
        return found

    def stale_drops(self, stages: Sequence[Stage]) -> list[str]:
        """Drops for which one of these stages is missing or was completed with another version, oldest first."""
        fresh = tuple_(DropStage.stage, DropStage.target, DropStage.version).in_([astuple(stage) for stage in stages])
        done = select(DropStage.drop_key).where(fresh).group_by(DropStage.drop_key).having(func.count() == len(stages))
        query = select(Drop.drop_key).where(Drop.drop_key.not_in(done)).order_by(Drop.sealed_at, Drop.drop_key)
        return list(self._database.values(query))

    def current(self) -> Iterator[Document]:
        """Every current document in the order of arrival, a page in memory at a time."""
        last = 0
        while True:
            query = DOCUMENTS.where(DocumentRow.is_current, DocumentRow.id > last)
            page = documents_of(self._database.rows(query.order_by(DocumentRow.id).limit(_PAGE_ROWS)))
            yield from page
            if len(page) < _PAGE_ROWS:
                return
            last = page[-1].id

    def chunks_superseded_by(self, drop_key: str, positions: range) -> list[tuple[str, range]]:
        """Chunks elsewhere that hold versions of this chunk's documents which are no longer current."""
        mine = select(DocumentRow.document_id).where(_is_in_chunk(drop_key, positions))
        query = (
            select(DocumentRow.drop_key, DocumentRow.position, Drop.n_files, Drop.chunk_documents)
            .join(Drop, Drop.drop_key == DocumentRow.drop_key)
            .where(DocumentRow.document_id.in_(mine), DocumentRow.state.in_(READABLE), ~DocumentRow.is_current)
        )
        found = set()
        for other, position, n_files, size in self._database.rows(query):
            start = position // size * size
            found.add((other, start, min(start + size, n_files)))
        found.discard((drop_key, positions.start, positions.stop))
        return [(other, range(start, stop)) for other, start, stop in sorted(found)]

    def pages_of_drop(self, drop_key: str) -> int:
        """Pages of the drop's readable documents."""
        readable = (DocumentRow.drop_key == drop_key, DocumentRow.state.in_(READABLE))
        return self._database.values(select(func.sum(DocumentRow.n_pages)).where(*readable))[0] or 0

    def of_drop(self, drop_key: str, states: Sequence[str], limit: int) -> list[Document]:
        """At most ``limit`` of the drop's documents in these states, in order."""
        query = DOCUMENTS.where(DocumentRow.drop_key == drop_key, DocumentRow.state.in_(states))
        return documents_of(self._database.rows(query.order_by(DocumentRow.position).limit(limit)))

    def sample_indexed(self, places: Sequence[float]) -> list[Document]:
        """For every place in [0, 1) between the first and the last arrival, the next current document with photos.

        Documents after long gaps come more often; a document may come twice. Empty if none is indexed.
        """
        held = exists().where(IndexedDocument.row_id == DocumentRow.id)
        indexed = and_(DocumentRow.is_current, held, DocumentRow.n_photos > 0)
        ends = select(func.min(DocumentRow.id), func.max(DocumentRow.id)).where(indexed)
        next_one = DOCUMENTS.where(indexed).order_by(DocumentRow.id).limit(1)
        with self._database.reading() as connection:
            first, last = connection.execute(ends).one()
            if first is None:
                return []
            starts = [first + int(place * (last - first + 1)) for place in places]
            rows = [connection.execute(next_one.where(DocumentRow.id >= start)).one() for start in starts]
        return documents_of(rows)

    def shared_names(self, drop_key: str) -> set[str]:
        """File names that more than one file of the drop has."""
        names = select(DocumentRow.file_name).where(DocumentRow.drop_key == drop_key)
        return set(self._database.values(names.group_by(DocumentRow.file_name).having(func.count() > 1)))

    def arrivals_at(self, paths: Sequence[str]) -> dict[str, Document]:
        """The newest arrival from each of these source paths."""
        return {each.source_path: each for each in self._documents(DOCUMENTS, DocumentRow.source_path, paths)}

    def states_of_drop(self, drop_key: str) -> Counter[str]:
        """How many of the drop's documents are in each state."""
        states = select(DocumentRow.state, func.count()).where(DocumentRow.drop_key == drop_key)
        return Counter({state: n for state, n in self._database.rows(states.group_by(DocumentRow.state))})

    def counts(self) -> ArchiveCounts:
        """What is in the archive."""
        readable = DocumentRow.state.in_(READABLE)
        current = select(func.count(), func.sum(DocumentRow.n_photos)).where(DocumentRow.is_current)
        superseded = select(func.count()).where(readable, ~DocumentRow.is_current)
        with self._database.reading() as connection:
            states = connection.execute(select(DocumentRow.state, func.count()).group_by(DocumentRow.state))
            n_current, n_photos = connection.execute(current).one()
            return ArchiveCounts(
                arrivals_by_state={state: n for state, n in states},
                superseded=connection.execute(superseded).scalar_one(),
                current=n_current,
                photos=int(n_photos or 0),
                drops=connection.execute(select(func.count()).select_from(Drop)).scalar_one(),
            )


_UPDATE = update(DocumentRow).where(DocumentRow.id == bindparam("row_id"))
"""Sets columns of one row, those that its parameters name."""


def _is_in_chunk(drop_key: str, positions: range) -> ColumnElement[bool]:
    is_in_range = DocumentRow.position.between(positions.start, positions.stop - 1)
    return and_(DocumentRow.drop_key == drop_key, is_in_range)


def _choose_current(connection: Connection, row_ids: Sequence[int]) -> None:
    """Of each touched document, makes the newest readable arrival current and all others not.

    The rule looks at nothing but arrival order, so that drops may be processed in any order, again and at once.
    """
    for part in in_parts(row_ids):
        touched = select(DocumentRow.document_id).where(DocumentRow.id.in_(part))
        newest = (
            select(func.max(DocumentRow.id))
            .where(DocumentRow.document_id.in_(touched), DocumentRow.state.in_(READABLE))
            .group_by(DocumentRow.document_id)
        )
        outdated = and_(DocumentRow.document_id.in_(touched), DocumentRow.is_current, DocumentRow.id.not_in(newest))
        connection.execute(update(DocumentRow).where(outdated).values(is_current=False))
        missing = and_(DocumentRow.id.in_(newest), ~DocumentRow.is_current)
        connection.execute(update(DocumentRow).where(missing).values(is_current=True))
