"""The queue of the review desk: documents that a person must judge, who holds them, and what was said of them."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import takewhile
from typing import Any, Literal

from sqlalchemy import Connection, Row, Select, and_, delete, func, insert, select, update

from doc_assets.archive.ledger.case_queue import (
    CaseFilter,
    Order,
    Place,
    conditions,
    is_free,
    judged_by,
    ordered,
    place_of,
)
from doc_assets.archive.ledger.database import LedgerPart
from doc_assets.archive.ledger.results import FindingKind, PhotoPair
from doc_assets.archive.ledger.rows import columns_of, row_of, rows_in
from doc_assets.archive.ledger.schema import DocumentRow, ReviewCase, ReviewComment, ReviewPair, VerdictRow
from doc_assets.archive.ledger.verdicts import (
    STAGE_OF,
    UNDECIDED,
    Answer,
    CaseState,
    SecondReview,
    Stage,
    Verdict,
    in_force,
    state_of,
)
from doc_assets.errors import InputError

Refusal = Literal["held", "gone", "decided", "own", "disputed"]
"""Why somebody may not judge a case now: another person holds it; nothing of it counts; it is decided; this person
judged it first and a second one is wanted; a lead decides."""
_EPOCH = date(2020, 1, 1)


@dataclass(frozen=True, slots=True)
class CasePair:
    """Two photos that a case is about.

    Attributes:
        pair_key: see ``verdicts.pair_key``.
        photo: of the case's document, from 0; -1 for the file as a whole.
        other_row: number of the other document; None if it is gone.
        other_photo: of that document.
        finding: what holds of the photo.
        probability: that both show the same photograph, in [0, 1].
        pair: as in the result, seen from the case's document; None between identical files.
    """

    pair_key: str
    photo: int
    other_row: int | None
    other_photo: int
    finding: FindingKind
    probability: float
    pair: PhotoPair | None


@dataclass(frozen=True, slots=True)
class NewCase:
    """A document with something that counts.

    Attributes:
        row_id: of the document.
        drop_key, merchant_id: its drop and merchant.
        parts: what makes its priority; their sum, and its age, order the queue.
        pairs: for every counted photo the pair that shows it best, the gravest first.
        business: business type of the merchant; None if the key table does not say.
    """

    row_id: int
    drop_key: str
    merchant_id: str | None
    parts: dict[str, float]
    pairs: tuple[CasePair, ...]
    business: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A row of ``review_cases`` with the name of its document."""

    case_id: int
    row_id: int
    document: str
    document_id: str
    drop_key: str
    merchant_id: str | None
    document_date: date
    fields: dict[str, str]
    state: CaseState
    rank: float
    probability: float
    parts: dict[str, float]
    n_pairs: int
    opened_at: datetime
    changed_at: datetime
    holder: str | None
    held_until: datetime | None

    def place(self, order: Order) -> Place:
        """Its place in a list of this order."""
        return place_of(order, self.rank, self.probability, self.opened_at, self.case_id)


@dataclass(frozen=True, slots=True)
class Comment:
    """What a person wrote about a case."""

    person: str
    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Filed:
    """What filing cases came to, as numbers of cases: new ones, decided ones that wait again, and those that ended."""

    opened: tuple[int, ...]
    reopened: tuple[int, ...]
    ended: tuple[int, ...]


class HeldError(InputError):
    """Somebody else has the case, or may not judge it.

    Attributes:
        why: in one word.
    """

    def __init__(self, message: str, why: Refusal) -> None:
        super().__init__(message)
        self.why = why


class CaseLedger(LedgerPart):
    """The tables ``review_cases``, ``review_pairs``, ``review_comments`` and ``verdicts``."""

    def file(
        self,
        row_ids: Collection[int],
        cases: Sequence[NewCase],
        now: datetime,
        *,
        age_per_day: float,
        rule: SecondReview,
    ) -> Filed:
        """Files what now counts of these documents, in place of what counted before; verdicts stay.

        Args:
            row_ids: documents that were looked at; those without a case in ``cases`` have none any more.
            cases: of those with something that counts.
            now: of this look; a new case has been open since then.
            age_per_day: by which a case's priority grows with every day.
            rule: which cases need a second person.
        """
        wanted = {case.row_id: case for case in cases}
        opened, reopened, ended = [], [], []
        with self._database.writing() as connection:
            known = {row.row_id: row for row in rows_in(connection, _STATES, ReviewCase.row_id, row_ids)}
            for row_id, case in wanted.items():
                before = known.get(row_id)
                case_id = _write(connection, case, before, now, age_per_day)
                state = _judge(connection, case_id, rule, now)
                if before is None:
                    opened.append(case_id)
                elif before.state in {"decided", "gone"} and state in UNDECIDED:
                    reopened.append(case_id)
            for row_id in known.keys() - wanted.keys():
                case_id = known[row_id].case_id
                connection.execute(delete(ReviewPair).where(ReviewPair.case_id == case_id))
                connection.execute(update(ReviewCase).where(ReviewCase.case_id == case_id).values(n_pairs=0))
                if _judge(connection, case_id, rule, now) != known[row_id].state:
                    ended.append(case_id)
        return Filed(tuple(opened), tuple(reopened), tuple(ended))

    def page(self, wanted: CaseFilter, limit: int, after: Place | None = None) -> list[Case]:
        """At most ``limit`` cases in the order wanted; ``after``: place of the last one seen."""
        query = ordered(_CASES.where(*conditions(wanted)), wanted.order, after)
        return [Case(*row) for row in self._database.rows(query.limit(limit))]

    def get(self, case_id: int) -> Case | None:
        """A case; None if there is none of this number."""
        rows = self._database.rows(_CASES.where(ReviewCase.case_id == case_id))
        return Case(*rows[0]) if rows else None

    def of_document(self, row_id: int) -> Case | None:
        """The case of a document; None if nothing of it ever counted."""
        rows = self._database.rows(_CASES.where(ReviewCase.row_id == row_id))
        return Case(*rows[0]) if rows else None

    def pairs(self, case_ids: Collection[int]) -> dict[int, list[CasePair]]:
        """What these cases are about, the gravest pair first."""
        found: dict[int, list[CasePair]] = defaultdict(list)
        query = _PAIRS.add_columns(ReviewPair.case_id).order_by(ReviewPair.case_id, ReviewPair.position)
        for *values, case_id in self._database.rows_in(query, ReviewPair.case_id, case_ids):
            found[case_id].append(CasePair(*values))
        return found

    def counts(self) -> dict[CaseState, int]:
        """How many cases are in which state."""
        rows = self._database.rows(select(ReviewCase.state, func.count()).group_by(ReviewCase.state))
        return {state: n for state, n in rows}

    def without_case(self, row_ids: Collection[int]) -> set[int]:
        """Those of these documents that have no case with a pair."""
        has = select(ReviewCase.row_id).where(ReviewCase.n_pairs > 0)
        return set(row_ids) - {row for (row,) in self._database.rows_in(has, ReviewCase.row_id, row_ids)}

    def drops_with_cases(self, drop_keys: Collection[str]) -> set[str]:
        """Those of these drops of which a document has, or had, something to be judged."""
        query = select(ReviewCase.drop_key).distinct()
        return {drop for (drop,) in self._database.rows_in(query, ReviewCase.drop_key, drop_keys)}

    # --- who works on what

    def take(self, person: str, case_id: int, now: datetime, lease: timedelta) -> bool:
        """Lets a person hold a case until ``now + lease``; False if another one holds it."""
        mine = update(ReviewCase).where(ReviewCase.case_id == case_id, is_free(person, now))
        with self._database.writing() as connection:
            done = connection.execute(mine.values(holder=person, held_until=now + lease))
            return bool(done.rowcount)

    def take_next(
        self, person: str, wanted: CaseFilter, now: datetime, lease: timedelta, after: Place | None = None
    ) -> int | None:
        """Lets a person hold the first case that is free and that this person may judge; None if there is none left."""
        query = select(ReviewCase.case_id).join(DocumentRow, DocumentRow.id == ReviewCase.row_id)
        query = query.where(*conditions(wanted), is_free(person, now), ~judged_by(person))
        query = ordered(query, wanted.order, after).limit(1)
        with self._database.writing() as connection:
            found = connection.execute(query.with_for_update(skip_locked=True, of=ReviewCase)).scalar_one_or_none()
            if found is not None:
                holds = update(ReviewCase).where(ReviewCase.case_id == found)
                connection.execute(holds.values(holder=person, held_until=now + lease))
            return found

    def release(self, person: str, case_id: int) -> None:
        """Gives a case back that this person holds."""
        mine = and_(ReviewCase.case_id == case_id, ReviewCase.holder == person)
        with self._database.writing() as connection:
            connection.execute(update(ReviewCase).where(mine).values(holder=None, held_until=None))

    # --- what people say

    def refusal(self, case_id: int, person: str, *, is_lead: bool) -> Refusal | None:
        """Why this person may not judge a case in the state that it is in; None if nothing of that hinders.

        Raises:
            InputError: if the case is gone.
        """
        with self._database.reading() as connection:
            row = connection.execute(select(ReviewCase.state).where(ReviewCase.case_id == case_id)).one_or_none()
            if row is None:
                raise InputError(f"There is no case {case_id} (any more).")
            try:
                _stage(row.state, person, _said(connection, _keys_of(connection, case_id)), is_lead=is_lead)
            except HeldError as error:
                return error.why
            return None

    def decide(
        self,
        case_id: int,
        person: str,
        answers: Mapping[str, Answer],
        now: datetime,
        *,
        rule: SecondReview,
        snapshots: Mapping[str, dict[str, Any]],
        is_lead: bool = False,
    ) -> CaseState:
        """Files what a person says of pairs of a case, by their keys; a later word of the same stage replaces it.

        Returns:
            What the case waits for now.

        Raises:
            InputError: if the case is gone, or has no such pair.
            HeldError: if another person holds it, or this person may not judge it now.
        """
        with self._database.writing() as connection:
            case = _locked(connection, case_id)
            if case.holder not in {None, person} and case.held_until > now:
                raise HeldError(
                    f"Case {case_id} is held by {case.holder} until {case.held_until:%H:%M:%S} UTC.", "held"
                )
            keys = _keys_of(connection, case_id)
            unknown = answers.keys() - set(keys)
            if unknown:
                raise InputError(f"Case {case_id} has no pair {min(unknown)[:12]}; it was screened again. Reload it.")
            stage = _stage(case.state, person, _said(connection, keys), is_lead=is_lead)
            said = [
                Verdict(0, key, case_id, stage, person, now, answer, None, snapshots.get(key, {}))
                for key, answer in answers.items()
            ]
            return _say(connection, case_id, said, now, rule)

    def withdraw(self, case_id: int, person: str, now: datetime, *, rule: SecondReview) -> int:
        """Undoes the last word of this person on a case: all verdicts that were said at that moment.

        Returns:
            How many verdicts were withdrawn; 0 if there was nothing to undo.
        """
        with self._database.writing() as connection:
            _locked(connection, case_id)
            mine = [
                each
                for each in in_force(_said(connection, _keys_of(connection, case_id)))
                if (each.person, each.case_id) == (person, case_id)
            ]
            if not mine:
                return 0
            last = max(each.at for each in mine)
            undone = [each for each in mine if each.at == last]
            said = [
                replace(each, at=now, answer=None, withdraws=each.verdict_id, snapshot={})  # of this person and case
                for each in undone
            ]
            _say(connection, case_id, said, now, rule)
            return len(undone)

    def verdicts(self, pair_keys: Collection[str]) -> list[Verdict]:
        """Everything that was ever said of these pairs, in the order it was said."""
        with self._database.reading() as connection:
            return _said(connection, pair_keys)

    def verdicts_after(self, verdict_id: int, limit: int, until: datetime) -> list[Verdict]:
        """At most ``limit`` rows of what was said above this number, up to the first one after ``until``."""
        query = select(VerdictRow.__table__).where(VerdictRow.verdict_id > verdict_id)
        rows = self._database.rows(query.order_by(VerdictRow.verdict_id).limit(limit))
        return list(takewhile(lambda each: each.at <= until, map(verdict_of, rows)))

    def comment(self, case_id: int, person: str, text: str, now: datetime) -> None:
        """Files what a person writes about a case."""
        with self._database.writing() as connection:
            _locked(connection, case_id)
            connection.execute(insert(ReviewComment), {"case_id": case_id, "person": person, "at": now, "text": text})

    def comments(self, case_id: int) -> list[Comment]:
        """What was written about a case, the oldest first."""
        query = select(*columns_of(Comment, ReviewComment)).where(ReviewComment.case_id == case_id)
        return [Comment(*row) for row in self._database.rows(query.order_by(ReviewComment.comment_id))]


_STATES = select(ReviewCase.row_id, ReviewCase.case_id, ReviewCase.state, ReviewCase.opened_at)
_PAIRS = select(*columns_of(CasePair, ReviewPair))
_CASES: Select[Any] = select(
    ReviewCase.case_id,
    ReviewCase.row_id,
    DocumentRow.file_name,
    DocumentRow.document_id,
    ReviewCase.drop_key,
    ReviewCase.merchant_id,
    DocumentRow.document_date,
    DocumentRow.fields,
    ReviewCase.state,
    ReviewCase.rank,
    ReviewCase.probability,
    ReviewCase.parts,
    ReviewCase.n_pairs,
    ReviewCase.opened_at,
    ReviewCase.changed_at,
    ReviewCase.holder,
    ReviewCase.held_until,
).join(DocumentRow, DocumentRow.id == ReviewCase.row_id)


def _write(connection: Connection, case: NewCase, before: Row[Any] | None, now: datetime, age_per_day: float) -> int:
    """Files a case with its pairs, in place of what it was about before."""
    opened = before.opened_at if before is not None else now
    values = {
        "drop_key": case.drop_key,
        "merchant_id": case.merchant_id,
        "business": case.business,
        "probability": max((pair.probability for pair in case.pairs), default=0.0),
        "parts": case.parts,
        # Older cases come first without a nightly count: of two cases the difference of their ages never changes.
        "rank": sum(case.parts.values()) - age_per_day * (opened.date() - _EPOCH).days,
        "n_pairs": len(case.pairs),
    }
    if before is None:
        new = {"row_id": case.row_id, "state": "open", "opened_at": now, "changed_at": now, **values}
        case_id = int(connection.execute(insert(ReviewCase).values(**new).returning(ReviewCase.case_id)).scalar_one())
    else:
        case_id = int(before.case_id)
        connection.execute(update(ReviewCase).where(ReviewCase.case_id == case_id).values(**values))
        connection.execute(delete(ReviewPair).where(ReviewPair.case_id == case_id))
    rows = [row_of(pair, case_id=case_id, position=position) for position, pair in enumerate(case.pairs)]
    connection.execute(insert(ReviewPair), rows)
    return case_id


def _say(connection: Connection, case_id: int, said: Sequence[Verdict], now: datetime, rule: SecondReview) -> CaseState:
    """Files verdicts of one moment, and what the case, and others about the same pairs, wait for now."""
    rows = [
        {
            "pair_key": each.pair_key,
            "case_id": each.case_id,
            "stage": each.stage,
            "person": each.person,
            "at": each.at,
            "photograph": each.answer.photograph if each.answer else None,
            "use": each.answer.use if each.answer else None,
            "withdraws": each.withdraws,
            "snapshot": each.snapshot,
        }
        for each in said
    ]
    connection.execute(insert(VerdictRow), rows)
    state = _judge(connection, case_id, rule, now)
    _judge_others(connection, case_id, [each.pair_key for each in said], rule, now)
    return state


def _judge(connection: Connection, case_id: int, rule: SecondReview, now: datetime) -> CaseState:
    """Files what a case waits for; one that waits for somebody else is no longer held."""
    keys = _keys_of(connection, case_id)
    state = state_of(case_id, keys, _said(connection, keys), rule)
    changed = update(ReviewCase).where(ReviewCase.case_id == case_id, ReviewCase.state != state)
    connection.execute(changed.values(state=state, changed_at=now, holder=None, held_until=None))
    return state


def _judge_others(
    connection: Connection, case_id: int, pair_keys: Collection[str], rule: SecondReview, now: datetime
) -> None:
    """Cases of other documents may be about the same pair, seen from the other side."""
    query = select(ReviewPair.case_id).distinct().where(ReviewPair.case_id != case_id)
    for (other,) in list(rows_in(connection, query, ReviewPair.pair_key, pair_keys)):
        _judge(connection, other, rule, now)


def _locked(connection: Connection, case_id: int) -> Row[Any]:
    query = select(ReviewCase.state, ReviewCase.holder, ReviewCase.held_until).where(ReviewCase.case_id == case_id)
    row = connection.execute(query.with_for_update()).one_or_none()
    if row is None:
        raise InputError(f"There is no case {case_id} (any more).")
    return row


def _keys_of(connection: Connection, case_id: int) -> list[str]:
    query = select(ReviewPair.pair_key).where(ReviewPair.case_id == case_id).order_by(ReviewPair.position)
    return list(connection.execute(query).scalars())


def _said(connection: Connection, pair_keys: Collection[str]) -> list[Verdict]:
    rows = rows_in(connection, select(VerdictRow.__table__), VerdictRow.pair_key, set(pair_keys))
    return sorted(map(verdict_of, rows), key=lambda each: each.verdict_id)


def verdict_of(row: Row[Any]) -> Verdict:
    """A verdict from a row of ``verdicts``."""
    answer = Answer(row.photograph, row.use) if row.photograph is not None else None
    return Verdict(
        row.verdict_id,
        row.pair_key,
        row.case_id,
        row.stage,
        row.person,
        row.at,
        answer,
        row.withdraws,
        row.snapshot,
    )


def _stage(state: CaseState, person: str, said: Sequence[Verdict], *, is_lead: bool) -> Stage:
    """As whom a person speaks in a case of this state.

    Raises:
        HeldError: if this person may not speak now.
    """
    if state == "gone":
        raise HeldError("Nothing of this case counts any more.", "gone")
    if state == "decided":
        if is_lead:
            return "lead"
        raise HeldError("The case is decided. Undo first, or ask a lead.", "decided")
    stage = STAGE_OF[state]
    first = {each.person for each in in_force(said) if each.stage == "first"}
    if stage == "second" and person in first:
        raise HeldError("A case that you judged first needs the eyes of another person.", "own")
    if stage == "lead" and not is_lead:
        raise HeldError("The two reviewers differ; a lead decides.", "disputed")
    return stage
