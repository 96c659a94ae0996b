"""What stages could not do with documents: the table ``document_faults``, and the states that follow from it.

A readable document is partial while any stage left something out, and ok again once a later run did it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from doc_assets.archive.ledger.database import Database
from doc_assets.archive.ledger.rows import READABLE, ReadOutcome, in_parts
from doc_assets.archive.ledger.schema import DocumentFault, DocumentRow

READING = "documents"
"""The stage whose faults ``settle_reading`` files."""

_MOST_NAMED = 10


@dataclass(frozen=True, slots=True)
class StageFault:
    """Something that a stage left out.

    Attributes:
        code, reason: why.
        page_index, photo_index: of which page and photo; None if it is about more than one.
    """

    code: str
    reason: str
    page_index: int | None = None
    photo_index: int | None = None

    def __str__(self) -> str:
        where = [] if self.page_index is None else [f"page {self.page_index + 1}"]
        where += [] if self.photo_index is None else [f"photo {self.photo_index + 1}"]
        return f"{', '.join(where)}: {self.reason}" if where else self.reason


class FaultLedger:
    """The table ``document_faults``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(
        self, stage: str, target: str, row_ids: Sequence[int], faults: Mapping[int, Sequence[StageFault]]
    ) -> None:
        """Files what a stage left out of these arrivals, in place of what it left out before.

        Args:
            stage: of the lineage.
            target: what it fills; see ``schema.DropStage``.
            row_ids: every arrival that the stage went through.
            faults: of those with any, by row.
        """
        with self._database.writing() as connection:
            known = _rows_with_faults(connection, row_ids, stage, target)
            touched = sorted({*known, *faults})
            for part in in_parts(touched):
                same = (DocumentFault.stage == stage, DocumentFault.target == target, DocumentFault.row_id.in_(part))
                connection.execute(delete(DocumentFault).where(*same))
            _insert(connection, stage, target, faults)
            _sum_up(connection, touched)

    def of(self, stage: str, target: str, row_ids: Sequence[int]) -> dict[int, list[StageFault]]:
        """What a stage left out of these arrivals, by row; rows without any are not in it."""
        found: dict[int, list[StageFault]] = defaultdict(list)
        with self._database.reading() as connection:
            for part in in_parts(row_ids):
                query = (
                    select(DocumentFault.row_id, *_COLUMNS)
                    .where(DocumentFault.stage == stage, DocumentFault.target == target)
                    .where(DocumentFault.row_id.in_(part))
                    .order_by(DocumentFault.id)
                )
                for row in connection.execute(query):
                    found[row[0]].append(StageFault(*row[1:]))
        return dict(found)

    def photos_lacking(self, row_ids: Sequence[int]) -> dict[int, int]:
        """How many photos of these arrivals any stage left out, by row."""
        found: dict[int, set[int]] = defaultdict(set)
        with self._database.reading() as connection:
            for part in in_parts(row_ids):
                query = select(DocumentFault.row_id, DocumentFault.photo_index).where(
                    DocumentFault.row_id.in_(part), DocumentFault.photo_index.is_not(None)
                )
                for row_id, photo_index in connection.execute(query):
                    found[row_id].add(photo_index)
        return {row_id: len(photos) for row_id, photos in found.items()}

    def photos_left_out(self, stage: str, target: str) -> dict[int, set[int]]:
        """Photos, by arrival, that a stage left out of what it fills."""
        found: dict[int, set[int]] = defaultdict(set)
        query = select(DocumentFault.row_id, DocumentFault.photo_index).where(
            DocumentFault.stage == stage, DocumentFault.target == target, DocumentFault.photo_index.is_not(None)
        )
        with self._database.reading() as connection:
            for row_id, photo_index in connection.execute(query):
                found[row_id].add(photo_index)
        return dict(found)


_COLUMNS = (DocumentFault.code, DocumentFault.reason, DocumentFault.page_index, DocumentFault.photo_index)


def settle_reading(connection: Connection, outcomes: Sequence[ReadOutcome]) -> None:
    """Files what reading left out; what later stages left out of a document stays while it is readable."""
    for part in in_parts([outcome.row_id for outcome in outcomes]):
        same = (DocumentFault.stage == READING, DocumentFault.row_id.in_(part))
        connection.execute(delete(DocumentFault).where(*same))
    gone = [outcome.row_id for outcome in outcomes if outcome.state not in READABLE]
    for part in in_parts(gone):
        connection.execute(delete(DocumentFault).where(DocumentFault.row_id.in_(part)))
    partial = {
        outcome.row_id: [StageFault(outcome.reason_code or "", outcome.reason or "")]
        for outcome in outcomes
        if outcome.state == "partial"
    }
    _insert(connection, READING, "", partial)
    _sum_up(connection, [outcome.row_id for outcome in outcomes])


def _rows_with_faults(connection: Connection, row_ids: Sequence[int], stage: str, target: str) -> set[int]:
    found: set[int] = set()
    for part in in_parts(row_ids):
        query = select(DocumentFault.row_id).where(
            DocumentFault.stage == stage, DocumentFault.target == target, DocumentFault.row_id.in_(part)
        )
        found |= set(connection.execute(query).scalars())
    return found


def _insert(connection: Connection, stage: str, target: str, faults: Mapping[int, Sequence[StageFault]]) -> None:
    rows: list[dict[str, Any]] = []
    for part in in_parts(sorted(faults)):
        names = select(DocumentRow.id, DocumentRow.document_id).where(DocumentRow.id.in_(part))
        rows += [
            {
                "row_id": row_id,
                "document_id": document_id,
                "stage": stage,
                "target": target,
                "page_index": fault.page_index,
                "photo_index": fault.photo_index,
                "code": fault.code,
                "reason": fault.reason,
            }
            for row_id, document_id in connection.execute(names).all()
            for fault in faults[row_id]
        ]
    if rows:
        connection.execute(insert(DocumentFault), rows)


def _sum_up(connection: Connection, row_ids: Sequence[int]) -> None:
    """Makes state, code and reason of readable arrivals the sum of their faults."""
    for part in in_parts(row_ids):
        readable = select(DocumentRow.id).where(DocumentRow.id.in_(part), DocumentRow.state.in_(READABLE))
        found: dict[int, list[StageFault]] = {row_id: [] for row_id in connection.execute(readable).scalars()}
        query = select(DocumentFault.row_id, *_COLUMNS).where(DocumentFault.row_id.in_(part))
        for row in connection.execute(query.order_by(DocumentFault.stage != READING, DocumentFault.id)):
            if row[0] in found:
                found[row[0]].append(StageFault(*row[1:]))
        if found:
            connection.execute(
                update(DocumentRow).where(DocumentRow.id == bindparam("of_row")),
                [
                    {
                        "of_row": row_id,
                        "state": "partial" if faults else "ok",
                        "reason_code": faults[0].code if faults else None,
                        "reason": _in_words(faults) if faults else None,
                    }
                    for row_id, faults in found.items()
                ],
            )


def _in_words(faults: Sequence[StageFault]) -> str:
    shown = "; ".join(dict.fromkeys(str(fault) for fault in faults[:_MOST_NAMED]))
    more = len(faults) - _MOST_NAMED
    return f"{shown}; and {more} more" if more > 0 else shown
