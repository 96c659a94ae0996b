from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from doc_assets.archive.ledger.case_queue import CaseFilter
from doc_assets.archive.ledger.cases import CasePair, HeldError, NewCase
from doc_assets.archive.ledger.intake import ArrivedFile
from doc_assets.archive.ledger.verdicts import Answer, SecondReview, final_answer, pair_key
from doc_assets.errors import InputError
from doc_assets_tests.conftest import NOW

FRAUD, ALLOWED = Answer("same", "fraud"), Answer("same", "renewal")
DIFFERENT = Answer("different")
ALONE = SecondReview(fraud=False)
LEASE = timedelta(minutes=10)


def _pair(name, photo=0, probability=0.99, finding="reuse"):
    return CasePair(pair_key(("a", name), ("b", name)), photo, None, 0, finding, probability, None)


@pytest.fixture
def rows(ledger):
    """Numbers of four documents."""
    files = [ArrivedFile(f"/in/{name}.tif", f"{name}.tif", name, 1, 1) for name in "abcd"]
    key = ledger.intake.seal(files, source="test", now=NOW, chunk_documents=10)
    return [document.id for document in ledger.documents.of_chunk(key, range(10))]


@pytest.fixture
def desk(ledger, rows):
    """Files cases of documents by their number, each with the pairs named."""

    def file(cases, looked_at=None, rule=ALONE, now=NOW, **parts):
        new = [
            NewCase(rows[at], "drop", f"m{at}", parts or {"probability": float(at)}, tuple(pairs))
            for at, pairs in cases.items()
        ]
        looked_at = [rows[at] for at in (cases if looked_at is None else looked_at)]
        return ledger.cases.file(looked_at, new, now, age_per_day=0.1, rule=rule)

    def say(case_id, answers, person="kim", rule=ALONE, now=NOW, **more):
        keys = [pair.pair_key for pair in ledger.cases.pairs([case_id])[case_id]]
        given = dict(zip(keys, answers, strict=True))
        return ledger.cases.decide(case_id, person, given, now, rule=rule, snapshots={}, **more)

    file.say, file.cases = say, ledger.cases
    return file


def _states(cases):
    every = CaseFilter(states=("open", "second", "disputed", "decided", "gone"))
    return {case.case_id: case.state for case in cases.page(every, 100)}


def test_cases_come_by_rank_and_older_ones_rise(desk, rows):
    desk({0: [_pair("p0")], 1: [_pair("p1")]}, probability=5.0)
    desk({2: [_pair("p2")]}, now=NOW + timedelta(days=1), probability=5.05)

    assert [case.row_id for case in desk.cases.page(CaseFilter(), 10)] == [rows[1], rows[0], rows[2]]


def test_a_page_goes_on_where_the_one_before_ended(desk):
    desk({at: [_pair(f"p{at}")] for at in range(4)})

    seen, after = [], None
    while page := desk.cases.page(CaseFilter(), 3, after):
        seen += [case.document for case in page]
        after = page[-1].rank, page[-1].case_id

    assert seen == ["d.tif", "c.tif", "b.tif", "a.tif"]


def test_filters(desk, rows):
    desk({0: [_pair("p0")], 1: [_pair("p1", finding="same_day")]})

    def found(**wanted):
        return [case.row_id for case in desk.cases.page(CaseFilter(**wanted), 10)]

    assert found(merchant_id="m1") == found(finding="same_day") == found(text="B.T") == [rows[1]]
    assert found(text="%") == found(drop_key="other") == found(states=("decided",)) == []


def test_filing_again_reopens_nothing_that_was_decided(desk):
    (case_id,) = desk({0: [_pair("p")]}).opened
    desk.say(case_id, [FRAUD])

    again = desk({0: [replace(_pair("p"), probability=0.7)]})

    assert (again.opened, again.reopened) == ((), ())
    assert _states(desk.cases) == {case_id: "decided"}


def test_a_new_pair_reopens_a_decided_case_and_says_so(desk):
    (case_id,) = desk({0: [_pair("p")]}).opened
    desk.say(case_id, [FRAUD])

    again = desk({0: [_pair("p"), _pair("q", photo=1)]})

    assert again.reopened == (case_id,)
    assert _states(desk.cases) == {case_id: "open"}


def test_a_document_of_which_nothing_counts_any_more_ends_its_case(desk, rows):
    (case_id,) = desk({0: [_pair("p")]}).opened

    assert desk({}, looked_at=[0]).ended == (case_id,)
    assert _states(desk.cases) == {case_id: "gone"}
    assert desk.cases.without_case(rows) == set(rows)
    assert desk({0: [_pair("p")]}).reopened == (case_id,)
    assert desk.cases.without_case(rows) == set(rows[1:])


def test_an_undo_takes_back_the_last_word_alone_and_leaves_its_trace(desk):
    (case_id,) = desk({0: [_pair("p"), _pair("q", photo=1)]}).opened
    desk.say(case_id, [DIFFERENT, DIFFERENT])
    desk.say(case_id, [FRAUD, ALLOWED], now=NOW + timedelta(seconds=9), is_lead=True)

    assert desk.cases.withdraw(case_id, "kim", NOW + timedelta(seconds=20), rule=ALONE) == 2

    keys = [pair.pair_key for pair in desk.cases.pairs([case_id])[case_id]]
    assert set(final_answer(desk.cases.verdicts(keys)).values()) == {DIFFERENT}
    assert desk.cases.withdraw(case_id, "kim", NOW, rule=ALONE) == 2
    assert desk.cases.withdraw(case_id, "kim", NOW, rule=ALONE) == 0
    assert _states(desk.cases) == {case_id: "open"}
    assert len(desk.cases.verdicts(keys)) == 8


def test_a_verdict_on_a_pair_holds_from_either_side(desk):
    opened = desk({0: [_pair("p", finding="same_day")], 1: [_pair("p", finding="same_day")]}).opened
    desk.say(opened[0], [ALLOWED])

    assert set(_states(desk.cases).values()) == {"decided"}


# --- a second person


def test_fraud_goes_to_another_person_and_agreement_decides(desk):
    rule = SecondReview(fraud=True)
    (case_id,) = desk({0: [_pair("p")]}).opened

    assert desk.say(case_id, [FRAUD], rule=rule) == "second"
    assert desk.cases.take_next("kim", CaseFilter(), NOW, LEASE) is None
    with pytest.raises(HeldError, match="another person"):
        desk.say(case_id, [FRAUD], rule=rule)
    assert desk.cases.take_next("lee", CaseFilter(), NOW, LEASE) == case_id
    assert desk.say(case_id, [FRAUD], person="lee", rule=rule) == "decided"


def test_two_who_differ_need_a_lead(desk):
    rule = SecondReview(fraud=True)
    (case_id,) = desk({0: [_pair("p")]}).opened
    desk.say(case_id, [FRAUD], rule=rule)

    assert desk.say(case_id, [ALLOWED], person="lee", rule=rule) == "disputed"
    with pytest.raises(HeldError, match="lead"):
        desk.say(case_id, [FRAUD], person="park", rule=rule)
    assert desk.say(case_id, [ALLOWED], person="choi", rule=rule, is_lead=True) == "decided"
    (pair,) = desk.cases.pairs([case_id])[case_id]
    assert final_answer(desk.cases.verdicts([pair.pair_key]))[pair.pair_key] == ALLOWED


def test_the_share_of_other_cases_is_drawn_by_their_number():
    drawn = [SecondReview(fraud=False, share=0.05).wants(number, [DIFFERENT]) for number in range(10_000)]

    assert 400 < sum(drawn) < 600
    assert not any(SecondReview(fraud=True, share=0).wants(number, [DIFFERENT]) for number in range(100))
    assert all(SecondReview(fraud=True, share=0).wants(number, [FRAUD]) for number in range(100))


# --- who holds a case


def test_two_people_never_get_one_case(desk):
    desk({at: [_pair(f"p{at}")] for at in range(3)})

    taken = [desk.cases.take_next(person, CaseFilter(), NOW, LEASE) for person in ("kim", "lee", "park", "choi")]

    assert len(set(taken)) == 4
    assert taken[3] is None
    assert not desk.cases.take("lee", taken[0], NOW, LEASE)
    assert desk.cases.take("lee", taken[0], NOW + LEASE, LEASE)
    with pytest.raises(HeldError, match="held by lee"):
        desk.say(taken[0], [FRAUD], now=NOW + LEASE)


def test_a_case_that_is_given_back_or_decided_is_free(desk):
    (case_id,) = desk({0: [_pair("p")]}).opened
    desk.cases.take("kim", case_id, NOW, LEASE)
    desk.cases.release("lee", case_id)
    assert desk.cases.get(case_id).holder == "kim"

    desk.cases.release("kim", case_id)
    assert desk.cases.take("lee", case_id, NOW, LEASE)
    desk.say(case_id, [DIFFERENT], person="lee")
    assert desk.cases.get(case_id).holder is None


def test_what_is_not_asked_is_refused(desk):
    (case_id,) = desk({0: [_pair("p")]}).opened

    with pytest.raises(InputError, match="no pair"):
        desk.cases.decide(case_id, "kim", {"0" * 64: FRAUD}, NOW, rule=ALONE, snapshots={})
    with pytest.raises(InputError, match="no case 99"):
        desk.cases.decide(99, "kim", {}, NOW, rule=ALONE, snapshots={})
    with pytest.raises(ValueError, match="same photograph alone"):
        Answer("different", "fraud")
    with pytest.raises(ValueError, match="same photograph alone"):
        Answer("same")


def test_a_forgotten_document_takes_its_case_and_comments_along(desk, ledger, rows):
    (case_id,) = desk({0: [_pair("p")]}).opened
    desk.cases.comment(case_id, "kim", "전화로 확인", NOW)
    assert [each.text for each in desk.cases.comments(case_id)] == ["전화로 확인"]

    with ledger.database.writing() as connection:
        connection.execute(text("DELETE FROM documents WHERE id = :id"), {"id": rows[0]})

    assert desk.cases.get(case_id) is None
    assert desk.cases.comments(case_id) == []


# --- what cannot be changed


@pytest.mark.alike(3)
@pytest.mark.parametrize("table", ["verdicts", "audit"])
@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET person = 'x'"])
def test_the_database_refuses_to_change_what_was_said(desk, ledger, table, change):
    (case_id,) = desk({0: [_pair("p")]}).opened
    desk.say(case_id, [FRAUD])
    ledger.audit.add("kim", "case.decide", f"case {case_id}", NOW)

    with pytest.raises(DBAPIError, match="only added"), ledger.database.writing() as connection:
        connection.execute(text(change.format(table)))


def test_the_first_changed_row_of_the_audit_is_named(ledger):
    for number in range(5):
        at = NOW + timedelta(seconds=number)
        ledger.audit.add("kim", "case.open", f"case {number}", at, {"was": None, "is": number})
    assert (ledger.audit.verify().broken, ledger.audit.verify().entries) == (None, 5)
    assert ledger.audit.verify().last_digest == ledger.audit.last()[1]

    with ledger.database.writing() as connection:
        sqlite = connection.dialect.name == "sqlite"
        off = "DROP TRIGGER audit_no_update" if sqlite else "ALTER TABLE audit DISABLE TRIGGER USER"
        connection.execute(text(off))
        connection.execute(text("UPDATE audit SET person = 'lee' WHERE number = 3"))

    assert ledger.audit.verify().broken == 3
    assert [entry.number for entry in ledger.audit.page(2, before=4)] == [3, 2]


TWO = SecondReview(fraud=True)


def test_whose_first_verdict_is_in_force_is_no_second_reviewer_and_everybody_else_is(desk):
    (case_id,) = desk({0: [_pair("p0")]}, rule=TWO).opened
    desk.say(case_id, [FRAUD], "kim", rule=TWO)
    wanted = CaseFilter()
    assert desk.cases.take_next("kim", wanted, NOW, LEASE) is None
    assert desk.cases.refusal(case_id, "kim", is_lead=False) == "own"

    desk.cases.withdraw(case_id, "kim", NOW, rule=TWO)
    desk.say(case_id, [FRAUD], "lee", rule=TWO)

    # Kim's word no longer counts and Lee's is hidden from Kim, who is another person than Lee.
    assert desk.cases.refusal(case_id, "kim", is_lead=False) is None
    assert desk.cases.take_next("kim", wanted, NOW, LEASE) == case_id
    desk.cases.release("kim", case_id)
    assert desk.cases.take_next("lee", wanted, NOW, LEASE) is None
    assert desk.cases.refusal(case_id, "lee", is_lead=False) == "own"
    desk.say(case_id, [FRAUD], "kim", rule=TWO)
    assert _states(desk.cases)[case_id] == "decided"


def test_a_first_verdict_of_another_case_about_the_same_pair_counts_too(desk):
    one, other = desk({0: [_pair("p0")], 1: [_pair("p0")]}, rule=TWO).opened
    desk.say(one, [FRAUD], "kim", rule=TWO)

    assert _states(desk.cases) == {one: "second", other: "second"}
    assert desk.cases.take_next("kim", CaseFilter(), NOW, LEASE) is None
    assert desk.cases.take_next("lee", CaseFilter(), NOW, LEASE) in {one, other}


def _order(cases, order, **wanted):
    shown, after = [], None
    while page := cases.page(CaseFilter(order=order, **wanted), 2, after):
        shown += [case.row_id for case in page]
        after = page[-1].place(order)
    return shown


def test_cases_come_in_the_order_asked_for_page_by_page(desk, rows):
    desk({0: [_pair("p0", probability=0.7)]}, now=NOW + timedelta(days=2, microseconds=3), probability=9.0)
    desk({1: [_pair("p1", probability=0.9)]}, now=NOW + timedelta(days=1), probability=1.0)
    desk({2: [_pair("p2", probability=0.8)]}, now=NOW, probability=5.0)

    assert _order(desk.cases, "priority") == [rows[0], rows[2], rows[1]]
    assert _order(desk.cases, "risk") == [rows[1], rows[2], rows[0]]
    assert _order(desk.cases, "age") == [rows[2], rows[1], rows[0]]
    first = desk.cases.page(CaseFilter(order="age"), 1)[0]
    taken = desk.cases.take_next("kim", CaseFilter(order="age"), NOW, LEASE, first.place("age"))
    assert desk.cases.get(taken).row_id == rows[1]


def test_cases_are_filtered_by_date_business_and_where_the_other_document_is(ledger, rows):
    files = [ArrivedFile("/in/new.tif", "new.tif", "new", 1, 1, fields={"업종명": "카페"})]
    drop = ledger.intake.seal(files, source="test", now=NOW + timedelta(days=9), chunk_documents=10)
    (new,) = ledger.documents.of_chunk(drop, range(1))
    old = ledger.documents.with_row_ids(rows[:1])[0]
    pair = replace(_pair("p0"), other_row=rows[0])
    cases = [
        NewCase(new.id, drop, "m", {}, (pair,), "카페"),
        NewCase(rows[1], old.drop_key, "m", {}, (replace(_pair("p1"), other_row=rows[0]),)),
    ]
    ledger.cases.file([new.id, rows[1]], cases, NOW, age_per_day=0.0, rule=ALONE)

    def found(**wanted):
        return {case.row_id for case in ledger.cases.page(CaseFilter(**wanted), 10)}

    assert found() == {new.id, rows[1]}
    assert found(business="카페") == {new.id}
    assert found(business="약국") == set()
    assert found(origin="archive") == {new.id}
    assert found(origin="same_drop") == {rows[1]}
    assert found(since=new.document_date) == {new.id}
    assert found(until=old.document_date) == {rows[1]}
    assert found(since=old.document_date, until=new.document_date) == {new.id, rows[1]}
