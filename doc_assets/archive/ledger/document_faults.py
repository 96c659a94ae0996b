"""What stages could not do with documents: the table ``document_faults``, and the states that follow from it.

A readable document is partial while any stage left something out, and ok again once a later run did it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from doc_assets.archive.ledger.database import LedgerPart
from doc_assets.archive.ledger.rows import READABLE, ReadOutcome, columns_of, delete_in, row_of, rows_in
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
        places = (("page", self.page_index), ("photo", self.photo_index))
        where = ", ".join(f"{what} {index + 1}" for what, index in places if index is not None)
        return f"{where}: {self.reason}" if where else self.reason


Faults = Mapping[int, Sequence[StageFault]]
"""What was left out, by row of ``documents``."""


class FaultLedger(LedgerPart):
    """The table ``document_faults``: what stages could not do with documents."""

    def record(self, stage: str, target: str, row_ids: Sequence[int], faults: Faults) -> None:
        """Files what a stage left out of these arrivals, in place of what it left out before.

        Args:
            stage: of the lineage.
            target: what it fills; see ``schema.DropStage``.
            row_ids: every arrival that the stage went through.
            faults: of those with any, by row.
        """
        with self._database.writing() as connection:
            same = (DocumentFault.stage == stage, DocumentFault.target == target)
            before = rows_in(connection, select(DocumentFault.row_id).where(*same), DocumentFault.row_id, row_ids)
            touched = {*(row_id for (row_id,) in before), *faults}
            delete_in(connection, DocumentFault, DocumentFault.row_id, touched, *same)
            _insert(connection, stage, target, faults)
            _sum_up(connection, touched)

    def of(self, stage: str, target: str, row_ids: Sequence[int]) -> dict[int, list[StageFault]]:
        """What a stage left out of these arrivals, by row; rows without any are not in it."""
        query = _FAULTS.where(DocumentFault.stage == stage, DocumentFault.target == target).order_by(DocumentFault.id)
        found: dict[int, list[StageFault]] = defaultdict(list)
        for row_id, *fault in self._database.rows_in(query, DocumentFault.row_id, row_ids):
            found[row_id].append(StageFault(*fault))
        return dict(found)

    def photos_lacking(self, row_ids: Sequence[int]) -> dict[int, int]:
        """How many photos of these arrivals any stage left out, by row."""
        found = _photos_by_row(self._database.rows_in(_PHOTOS, DocumentFault.row_id, row_ids))
        return {row_id: len(photos) for row_id, photos in found.items()}

    def photos_left_out(self, stage: str, target: str) -> dict[int, set[int]]:
        """Photos, by arrival, that a stage left out of what it fills."""
        same = (DocumentFault.stage == stage, DocumentFault.target == target)
        return _photos_by_row(self._database.rows(_PHOTOS.where(*same)))


_FAULTS = select(DocumentFault.row_id, *columns_of(StageFault, DocumentFault))
_PHOTOS = select(DocumentFault.row_id, DocumentFault.photo_index).where(DocumentFault.photo_index.is_not(None))


def _photos_by_row(rows: Iterable[Row[Any]]) -> dict[int, set[int]]:
    found: dict[int, set[int]] = defaultdict(set)
    for row_id, photo_index in rows:
        found[row_id].add(photo_index)
    return dict(found)


def settle_reading(connection: Connection, outcomes: Sequence[ReadOutcome]) -> None:
    """Files what reading left out; what later stages left out of a document stays while it is readable."""
    rows = [outcome.row_id for outcome in outcomes]
    delete_in(connection, DocumentFault, DocumentFault.row_id, rows, DocumentFault.stage == READING)
    gone = [outcome.row_id for outcome in outcomes if outcome.state not in READABLE]
    delete_in(connection, DocumentFault, DocumentFault.row_id, gone)
    partial = {
        outcome.row_id: [StageFault(outcome.reason_code or "", outcome.reason or "")]
        for outcome in outcomes
        if outcome.state == "partial"
    }
    _insert(connection, READING, "", partial)
    _sum_up(connection, rows)


def _insert(connection: Connection, stage: str, target: str, faults: Faults) -> None:
    names = rows_in(connection, select(DocumentRow.id, DocumentRow.document_id), DocumentRow.id, faults)
    rows = [
        row_of(fault, row_id=row_id, document_id=document_id, stage=stage, target=target)
        for row_id, document_id in names
        for fault in faults[row_id]
    ]
    if rows:
        connection.execute(insert(DocumentFault), rows)


def _sum_up(connection: Connection, row_ids: Collection[int]) -> None:
    """Makes state, code and reason of readable arrivals the sum of their faults."""
    readable = select(DocumentRow.id).where(DocumentRow.state.in_(READABLE))
    found: dict[int, list[StageFault]] = {
        row_id: [] for (row_id,) in rows_in(connection, readable, DocumentRow.id, row_ids)
    }
    query = _FAULTS.order_by(DocumentFault.stage != READING, DocumentFault.id)
    for row_id, *fault in rows_in(connection, query, DocumentFault.row_id, found):
        found[row_id].append(StageFault(*fault))
    rows = [
        {
            "of_row": row_id,
            "state": "partial" if faults else "ok",
            "reason_code": faults[0].code if faults else None,
            "reason": _in_words(faults) if faults else None,
        }
        for row_id, faults in found.items()
    ]
    if rows:
        connection.execute(update(DocumentRow).where(DocumentRow.id == bindparam("of_row")), rows)


def _in_words(faults: Sequence[StageFault]) -> str:
    shown = "; ".join(dict.fromkeys(str(fault) for fault in faults[:_MOST_NAMED]))
    more = len(faults) - _MOST_NAMED
    return f"{shown}; and {more} more" if more > 0 else shown
