"""What the review desk shows around a document, a merchant or a photo group: bounded parts, found by indexes alone.

Nothing here looks into the JSON of results: what photos of documents of the archive show each other is in
``photo_links``, and which cases are about a document in ``review_pairs``.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, distinct, func, literal, select, tuple_

from doc_assets.archive.ledger.database import LedgerPart
from doc_assets.archive.ledger.groups import GroupSummary
from doc_assets.archive.ledger.results import FindingKind
from doc_assets.archive.ledger.rows import DOCUMENTS, Column, Document, columns_of, documents_of
from doc_assets.archive.ledger.schema import (
    DocumentRow,
    PageTextRow,
    PhotoGroup,
    PhotoGroupMember,
    PhotoLink,
    ReviewCase,
    ReviewPair,
    Search,
    SearchResult,
)
from doc_assets.archive.ledger.verdicts import UNDECIDED, CaseState

_GROUPS_OF_MERCHANT = 500
"""Groups that are looked at for ties; the largest ones, which tie to most."""
_DOCUMENTS_OF_GROUP = 1000
"""A group of more documents says nothing about any two of its merchants."""


@dataclass(frozen=True, slots=True)
class ResultLine:
    """A result about a document, in numbers.

    Attributes:
        search_id: of the run, ``drop:<key>`` for a screened drop.
        started_at: of the search.
        n_photos: that were looked for.
        best_score: of the best document found; None without any.
        risk_score: in [0, 1]; None if it could not be searched for.
        flagged: whether the risk reached the threshold.
    """

    search_id: str
    started_at: datetime
    n_photos: int
    best_score: float | None
    risk_score: float | None
    flagged: bool


@dataclass(frozen=True, slots=True)
class LinkLine:
    """That a photo of a document shows what a photo of another shows; photos from 0, -1 for the file as a whole."""

    photo: int
    other_row: int
    other_photo: int
    probability: float
    is_form: bool


@dataclass(frozen=True, slots=True)
class NamingCase:
    """A case of another document with a pair that shows a photo of this one."""

    case_id: int
    row_id: int
    state: CaseState
    pair_key: str
    photo: int
    other_photo: int
    finding: FindingKind
    probability: float


@dataclass(frozen=True, slots=True)
class TextLine:
    """Text that was read on a page, from 0, in a zone of it."""

    page_index: int
    zone: str
    text: str
    confidence: float


@dataclass(frozen=True, slots=True)
class GroupPhoto:
    """A photo of a group with its document; ``photo`` is -1 for the file as a whole."""

    row_id: int
    document: str
    merchant_id: str | None
    document_date: date
    photo: int


@dataclass(frozen=True, slots=True)
class GroupPair:
    """A pair of an undecided case whose two photos stand in one group."""

    case_id: int
    state: CaseState
    pair_key: str
    row_id: int
    document: str
    merchant_id: str | None
    document_date: date
    photo: int
    other_row: int
    other_photo: int
    finding: FindingKind
    probability: float


@dataclass(frozen=True, slots=True)
class Tie:
    """Another merchant whose documents show photographs of this one.

    Attributes:
        merchant_id: of it.
        n_groups: photographs that both show.
        n_documents: of the other merchant that show one.
        row_id: number of one of these documents.
    """

    merchant_id: str
    n_groups: int
    n_documents: int
    row_id: int


class TraceLedger(LedgerPart):
    """Reads what is known around single documents, merchants and photo groups; changes nothing."""

    # --- a document

    def results(self, document_id: str, limit: int) -> list[ResultLine]:
        """Results about documents of this id, the newest search first."""
        query = (
            select(SearchResult.search_id, Search.started_at, SearchResult.n_photos, SearchResult.best_score)
            .add_columns(SearchResult.risk_score, SearchResult.flagged)
            .join(Search, Search.search_id == SearchResult.search_id)
            .where(SearchResult.document_id == document_id)
            .order_by(Search.started_at.desc(), SearchResult.search_id)
        )
        return [ResultLine(*row) for row in self._database.rows(query.limit(limit))]

    def found(self, row_id: int, limit: int) -> list[LinkLine]:
        """What was found when the document was searched for, the most probable first."""
        own = PhotoLink.query_photo, PhotoLink.query_row == row_id
        return self._links(*own, PhotoLink.row_id, PhotoLink.photo, limit)

    def found_by(self, row_id: int, limit: int) -> list[LinkLine]:
        """Documents that found this one when they were searched for, the most probable first."""
        own = PhotoLink.photo, PhotoLink.row_id == row_id
        return self._links(*own, PhotoLink.query_row, PhotoLink.query_photo, limit)

    def _links(
        self, own_photo: Column, is_own: ColumnElement[bool], other_row: Column, other_photo: Column, limit: int
    ) -> list[LinkLine]:
        query = (
            select(own_photo, other_row, other_photo, PhotoLink.probability, PhotoLink.is_form)
            .join(DocumentRow, DocumentRow.id == other_row)
            .where(is_own, DocumentRow.is_current)
            .order_by(PhotoLink.probability.desc(), other_row, own_photo)
        )
        return [LinkLine(*row) for row in self._database.rows(query.limit(limit))]

    def cases_naming(self, row_id: int, limit: int) -> list[NamingCase]:
        """Pairs of other documents' cases that show a photo of this document, the newest case first."""
        query = (
            select(ReviewCase.case_id, ReviewCase.row_id, ReviewCase.state, ReviewPair.pair_key)
            .add_columns(ReviewPair.photo, ReviewPair.other_photo, ReviewPair.finding, ReviewPair.probability)
            .join(ReviewCase, ReviewCase.case_id == ReviewPair.case_id)
            .where(ReviewPair.other_row == row_id)
            .order_by(ReviewPair.case_id.desc(), ReviewPair.position)
        )
        return [NamingCase(*row) for row in self._database.rows(query.limit(limit))]

    def texts(self, sha256: str, limit: int) -> list[TextLine]:
        """What any engine read in the document of that digest, in the order of pages."""
        query = select(*columns_of(TextLine, PageTextRow)).where(PageTextRow.sha256 == sha256)
        query = query.order_by(PageTextRow.page_index, PageTextRow.zone, PageTextRow.engine)
        return [TextLine(*row) for row in self._database.rows(query.limit(limit))]

    def groups(self, numbers: Collection[int]) -> dict[int, GroupSummary]:
        """These photo groups in numbers; those that are gone are left out."""
        query = select(*columns_of(GroupSummary, PhotoGroup))
        rows = self._database.rows_in(query, PhotoGroup.group_id, numbers)
        return {row.group_id: GroupSummary(*row) for row in rows}

    # --- a merchant

    def of_merchant(self, merchant_id: str, limit: int, before: tuple[date, int] | None = None) -> list[Document]:
        """Documents of a merchant in the archive, the youngest first.

        Args:
            merchant_id: whose.
            limit: most documents returned.
            before: date and number of the last one seen; None for the first page.
        """
        query = DOCUMENTS.where(DocumentRow.merchant_id == merchant_id, DocumentRow.is_current)
        if before is not None:
            place = tuple_(DocumentRow.document_date, DocumentRow.id)
            query = query.where(place < tuple_(literal(before[0]), literal(before[1])))
        query = query.order_by(DocumentRow.document_date.desc(), DocumentRow.id.desc())
        return documents_of(self._database.rows(query.limit(limit)))

    def ties(self, merchant_id: str, limit: int) -> list[Tie]:
        """Other merchants whose documents show photographs of this one, those with most of them first."""
        own, other = DocumentRow.__table__.alias("own"), DocumentRow.__table__.alias("other")
        shown = PhotoGroupMember.__table__.alias("shown")
        groups = (
            select(PhotoGroup.group_id)
            .join(PhotoGroupMember, PhotoGroupMember.group_id == PhotoGroup.group_id)
            .join(own, own.c.id == PhotoGroupMember.row_id)
            .where(own.c.merchant_id == merchant_id, own.c.is_current)
            .where(PhotoGroup.n_merchants > 1, PhotoGroup.n_documents <= _DOCUMENTS_OF_GROUP)
            .group_by(PhotoGroup.group_id, PhotoGroup.n_merchants)
            .order_by(PhotoGroup.n_merchants.desc(), PhotoGroup.group_id)
            .limit(_GROUPS_OF_MERCHANT)
            .subquery()
        )
        n_groups = func.count(distinct(shown.c.group_id))
        query = (
            select(other.c.merchant_id, n_groups, func.count(distinct(other.c.id)), func.min(other.c.id))
            .join(shown, shown.c.row_id == other.c.id)
            .join(groups, groups.c.group_id == shown.c.group_id)
            .where(other.c.is_current, other.c.merchant_id.is_not(None), other.c.merchant_id != merchant_id)
            .group_by(other.c.merchant_id)
            .order_by(n_groups.desc(), other.c.merchant_id)
        )
        return [Tie(*row) for row in self._database.rows(query.limit(limit))]

    # --- a photo group

    def group(self, group_id: int) -> GroupSummary | None:
        """A photo group in numbers; None if there is none of this number (any more)."""
        return self.groups([group_id]).get(group_id)

    def group_photos(self, group_id: int, limit: int, after: tuple[date, int, int] | None = None) -> list[GroupPhoto]:
        """Photos of a group whose documents are in the archive, the earliest first.

        Args:
            group_id: of which group.
            limit: most photos returned.
            after: date, number and photo of the last one seen; None for the first page.
        """
        place = tuple_(DocumentRow.document_date, DocumentRow.id, PhotoGroupMember.photo)
        query = (
            select(DocumentRow.id, DocumentRow.file_name, DocumentRow.merchant_id, DocumentRow.document_date)
            .add_columns(PhotoGroupMember.photo)
            .join(PhotoGroupMember, PhotoGroupMember.row_id == DocumentRow.id)
            .where(PhotoGroupMember.group_id == group_id, DocumentRow.is_current)
            .order_by(DocumentRow.document_date, DocumentRow.id, PhotoGroupMember.photo)
        )
        if after is not None:
            query = query.where(place > tuple_(*(literal(value) for value in after)))
        return [GroupPhoto(*row) for row in self._database.rows(query.limit(limit))]

    def group_pairs(self, group_id: int, limit: int) -> list[GroupPair]:
        """Pairs of undecided cases whose two photos stand in this group, by the date of the case's document."""
        query = _GROUP_PAIRS.where(PhotoGroupMember.group_id == group_id).limit(limit)
        return [GroupPair(*row) for row in self._database.rows(query)]


def _group_pairs() -> Select[Any]:
    there = PhotoGroupMember.__table__.alias("there")
    own_photo = and_(PhotoGroupMember.row_id == ReviewCase.row_id, PhotoGroupMember.photo == ReviewPair.photo)
    other_photo = and_(
        there.c.row_id == ReviewPair.other_row,
        there.c.photo == ReviewPair.other_photo,
        there.c.group_id == PhotoGroupMember.group_id,
    )
    query: Select[Any] = (
        select(ReviewCase.case_id, ReviewCase.state, ReviewPair.pair_key, ReviewCase.row_id)
        .add_columns(DocumentRow.file_name, DocumentRow.merchant_id, DocumentRow.document_date, ReviewPair.photo)
        .add_columns(ReviewPair.other_row, ReviewPair.other_photo, ReviewPair.finding, ReviewPair.probability)
        .select_from(PhotoGroupMember)
        .join(ReviewCase, ReviewCase.row_id == PhotoGroupMember.row_id)
        .join(ReviewPair, ReviewPair.case_id == ReviewCase.case_id)
        .join(DocumentRow, DocumentRow.id == ReviewCase.row_id)
        .join(there, other_photo)
        .where(own_photo, ReviewCase.state.in_(UNDECIDED))
        .order_by(DocumentRow.document_date, ReviewCase.case_id, ReviewPair.position)
    )
    return query


_GROUP_PAIRS = _group_pairs()
