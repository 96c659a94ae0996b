"""Which cases a list shows and in which order, as conditions of a query on ``review_cases`` and its document."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Select, and_, func, literal, or_, select, tuple_

from doc_assets.archive.ledger.results import FindingKind
from doc_assets.archive.ledger.schema import DocumentRow, ReviewCase, ReviewPair, VerdictRow
from doc_assets.archive.ledger.verdicts import UNDECIDED, CaseState

Order = Literal["priority", "age", "risk"]
"""The most urgent, the longest open, or the most probable case first."""
ORDERS: tuple[Order, ...] = get_args(Order)
Origin = Literal["same_drop", "archive"]
"""Whether the other document of a pair came with the same drop or with another one."""
Place = tuple[float, int]
"""Of a case in a list: rank, probability or time of opening in seconds of the epoch, and number."""


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """Which cases a list shows; what is None does not matter.

    Attributes:
        states: of them.
        holder: who holds them.
        drop_key, merchant_id: of their documents.
        text: part of the document's name, in any case.
        finding: of one of their pairs.
        since, until: first and last date of their documents.
        business: business type of their documents, as the key table writes it.
        origin: of the other document of one of their pairs.
        order: of the list.
    """

    states: tuple[CaseState, ...] = UNDECIDED
    holder: str | None = None
    drop_key: str | None = None
    merchant_id: str | None = None
    text: str | None = None
    finding: FindingKind | None = None
    since: date | None = None
    until: date | None = None
    business: str | None = None
    origin: Origin | None = None
    order: Order = "priority"


def place_of(order: Order, rank: float, probability: float, opened_at: datetime, case_id: int) -> Place:
    """The place of a case in a list of this order."""
    value = {"priority": rank, "risk": probability, "age": opened_at.timestamp()}[order]
    return value, case_id


def conditions(wanted: CaseFilter) -> list[ColumnElement[bool]]:
    """What must hold of a case, joined with its document."""
    exact = {
        ReviewCase.holder: wanted.holder,
        ReviewCase.drop_key: wanted.drop_key,
        ReviewCase.merchant_id: wanted.merchant_id,
        ReviewCase.business: wanted.business,
    }
    holds: list[ColumnElement[bool]] = [ReviewCase.state.in_(wanted.states)]
    holds += [column == value for column, value in exact.items() if value is not None]
    if wanted.text is not None:
        holds.append(func.lower(DocumentRow.file_name).contains(wanted.text.lower(), autoescape=True))
    if wanted.since is not None:
        holds.append(DocumentRow.document_date >= wanted.since)
    if wanted.until is not None:
        holds.append(DocumentRow.document_date <= wanted.until)
    if wanted.finding is not None:
        of_case = and_(ReviewPair.case_id == ReviewCase.case_id, ReviewPair.finding == wanted.finding)
        holds.append(select(ReviewPair.position).where(of_case).exists())
    if wanted.origin is not None:
        holds.append(_has_origin(wanted.origin))
    return holds


def _has_origin(origin: Origin) -> ColumnElement[bool]:
    other = DocumentRow.__table__.alias("other")
    is_same = other.c.drop_key == ReviewCase.drop_key
    pair = select(ReviewPair.position).join(other, other.c.id == ReviewPair.other_row)
    pair = pair.where(ReviewPair.case_id == ReviewCase.case_id, is_same if origin == "same_drop" else ~is_same)
    return pair.exists()


def ordered(query: Select[Any], order: Order, after: Place | None) -> Select[Any]:
    """The query in this order, from behind a place on."""
    column: Any = {"priority": ReviewCase.rank, "risk": ReviewCase.probability, "age": ReviewCase.opened_at}[order]
    if order == "age":
        query = query.order_by(column, ReviewCase.case_id)
    else:
        query = query.order_by(column.desc(), ReviewCase.case_id.desc())
    if after is None:
        return query
    here = tuple_(column, ReviewCase.case_id)
    if order == "age":
        opened = literal(datetime.fromtimestamp(after[0], UTC), ReviewCase.opened_at.type)
        return query.where(here > tuple_(opened, literal(after[1])))
    return query.where(here < tuple_(literal(after[0]), literal(after[1])))


def is_free(person: str, now: datetime) -> ColumnElement[bool]:
    """Whether a case is held by nobody else."""
    return or_(ReviewCase.holder.is_(None), ReviewCase.holder == person, ReviewCase.held_until <= now)


def judged_by(person: str) -> ColumnElement[bool]:
    """Whether a case waits for a second person, and the first verdict in force on one of its pairs is this person's.

    A first verdict that was withdrawn, or that another person's replaced, bars nobody: what counts then came from
    somebody else, and this person has not seen it.
    """
    said, undone = VerdictRow.__table__.alias("said"), VerdictRow.__table__.alias("undone")
    later, later_undone = VerdictRow.__table__.alias("later"), VerdictRow.__table__.alias("later_undone")

    def is_withdrawn(verdict: Any, by: Any) -> ColumnElement[bool]:  # noqa: ANN401 - aliases of a table
        same = and_(by.c.pair_key == verdict.c.pair_key, by.c.withdraws == verdict.c.verdict_id)
        return select(by.c.verdict_id).where(same).exists()

    def is_first(verdict: Any) -> ColumnElement[bool]:  # noqa: ANN401 - an alias of a table
        return and_(verdict.c.stage == "first", verdict.c.photograph.is_not(None))

    replaced = (
        select(later.c.verdict_id)
        .where(later.c.pair_key == said.c.pair_key, later.c.verdict_id > said.c.verdict_id)
        .where(is_first(later), ~is_withdrawn(later, later_undone))
        .exists()
    )
    in_force = (
        select(said.c.verdict_id)
        .join(ReviewPair, ReviewPair.pair_key == said.c.pair_key)
        .where(ReviewPair.case_id == ReviewCase.case_id, said.c.person == person)
        .where(is_first(said), ~is_withdrawn(said, undone), ~replaced)
        .exists()
    )
    return and_(ReviewCase.state == "second", in_force)
