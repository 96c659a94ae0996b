"""What a lead's report counts: arrivals, their results, verdicts and open cases of a period."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import or_, select

from doc_assets.archive.ledger.cases import verdict_of
from doc_assets.archive.ledger.database import LedgerPart
from doc_assets.archive.ledger.results import PhotoPair
from doc_assets.archive.ledger.schema import DocumentRow, Drop, ReviewCase, ReviewPair, SearchResult, VerdictRow
from doc_assets.archive.ledger.searches import search_id_of
from doc_assets.archive.ledger.verdicts import UNDECIDED, CaseState, Stage, Verdict


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file of a drop.

    Attributes:
        drop_key, position: which one.
        source: of the drop.
        state, reason_code: what became of it.
        n_photos: photos found on it; None if it was not cut.
        fields: of its key table.
    """

    drop_key: str
    position: int
    source: str
    state: str
    reason_code: str | None
    n_photos: int | None
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class Risk:
    """What screening made of a file of a drop; ``risk_score`` is None if it was not searched for."""

    drop_key: str
    position: int
    risk_score: float | None
    flagged: bool


@dataclass(frozen=True, slots=True)
class OpenCase:
    """A case that waited at a time.

    Attributes:
        opened_at: since when.
        state: that it waits for; None if it was decided, or ended, after that time.
    """

    opened_at: datetime
    state: CaseState | None


@dataclass(frozen=True, slots=True)
class JudgedPair:
    """Two photos of a case as they stand now, with what divides pairs into those to learn from and those to test on.

    Attributes:
        pair_key: see ``verdicts.pair_key``.
        drop_key: of the case's document, whose search compared them.
        case_row, other_row: numbers of both documents; the other one is None if it is gone.
        merchant_id, other_merchant_id: of both documents; None if unknown.
        document_date: of the case's document.
        probability: that both show the same photograph, in [0, 1].
        pair: as in the result; None between identical files.
    """

    pair_key: str
    drop_key: str
    case_row: int
    other_row: int | None
    merchant_id: str | None
    other_merchant_id: str | None
    document_date: date
    probability: float
    pair: PhotoPair | None


class ReviewFigureLedger(LedgerPart):
    """Reads many tables; writes none."""

    def arrivals(self, start: datetime, end: datetime) -> list[Arrival]:
        """Files of the drops that were sealed from ``start`` on and before ``end``."""
        query = (
            select(
                DocumentRow.drop_key,
                DocumentRow.position,
                Drop.source,
                DocumentRow.state,
                DocumentRow.reason_code,
                DocumentRow.n_photos,
                DocumentRow.fields,
            )
            .join(Drop, Drop.drop_key == DocumentRow.drop_key)
            .where(Drop.sealed_at >= start, Drop.sealed_at < end)
            .order_by(DocumentRow.id)
        )
        return [Arrival(*row) for row in self._database.rows(query)]

    def risks(self, drop_keys: Collection[str]) -> list[Risk]:
        """What screening made of the files of these drops; of one that was not screened there is nothing."""
        drops = {search_id_of(key): key for key in drop_keys}
        query = select(SearchResult.search_id, SearchResult.position, SearchResult.risk_score, SearchResult.flagged)
        found = self._database.rows_in(query, SearchResult.search_id, drops)
        return [Risk(drops[search_id], *rest) for search_id, *rest in found]

    def verdicts(self, start: datetime, end: datetime, stages: Sequence[Stage]) -> list[Verdict]:
        """Everything said before ``end`` of the pairs of which somebody spoke in these stages since ``start``."""
        spoken = select(VerdictRow.pair_key).where(
            VerdictRow.at >= start, VerdictRow.at < end, VerdictRow.stage.in_(stages)
        )
        query = (
            select(VerdictRow.__table__)
            .where(VerdictRow.at < end, VerdictRow.pair_key.in_(spoken))
            .order_by(VerdictRow.verdict_id)
        )
        return [verdict_of(row) for row in self._database.rows(query)]

    def open_cases(self, at: datetime) -> list[OpenCase]:
        """The cases that waited at that time.

        A case has only its newest state; one that changed since was waiting before, unless it was decided, opened again
        and decided anew since then.
        """
        waited = or_(ReviewCase.state.in_(UNDECIDED), ReviewCase.changed_at >= at)
        query = select(ReviewCase.opened_at, ReviewCase.state).where(ReviewCase.opened_at < at, waited)
        return [
            OpenCase(opened_at, state if state in UNDECIDED else None)
            for opened_at, state in self._database.rows(query)
        ]

    def judged_pairs(self) -> list[JudgedPair]:
        """Pairs of today's cases of which somebody spoke."""
        other = DocumentRow.__table__.alias("other")
        spoken = select(VerdictRow.pair_key)
        query = (
            select(
                ReviewPair.pair_key,
                ReviewCase.drop_key,
                ReviewCase.row_id,
                ReviewPair.other_row,
                ReviewCase.merchant_id,
                other.c.merchant_id,
                DocumentRow.document_date,
                ReviewPair.probability,
                ReviewPair.pair,
            )
            .join(ReviewCase, ReviewCase.case_id == ReviewPair.case_id)
            .join(DocumentRow, DocumentRow.id == ReviewCase.row_id)
            .outerjoin(other, other.c.id == ReviewPair.other_row)
            .where(ReviewPair.pair_key.in_(spoken))
            .order_by(ReviewPair.case_id, ReviewPair.position)
        )
        return [JudgedPair(*row) for row in self._database.rows(query)]
