"""Verdicts, undo, notes, leases and second reviews through the pages; the ledger holds exactly that."""

import re
from datetime import timedelta

import pytest

from doc_assets_tests.web.conftest import text_of
from doc_assets_tests.web.home import N_CASES


def _goes_to(response):
    assert response.status_code == 302
    return response.headers["Location"].split("?")[0]


def test_the_queue_shows_every_case_by_its_priority(desk):
    page = text_of(desk.client("reviewer").get("/"))

    names = [case.document for case in desk.cases()]
    assert len(names) == N_CASES
    places = [page.index(name) for name in names]
    assert places == sorted(places)
    assert names[0] == "new7.tif"  # a file that came before, and two photos


def test_next_takes_the_first_free_case_and_no_two_people_get_one(desk):
    first, second = desk.client("reviewer"), desk.client("second")
    order = [f"/cases/{case.case_id}" for case in desk.cases()]

    assert _goes_to(first.post("/next")) == order[0]
    assert _goes_to(second.post("/next")) == order[1]
    assert _goes_to(first.post("/next")) == order[0]

    page = text_of(second.get(order[0]))
    assert "Held by reviewer until" in page
    assert "Same · fraud" not in page


def test_a_lease_that_is_over_frees_the_case(desk):
    case = desk.cases()[0]
    desk.ledger.cases.take("reviewer", case.case_id, desk.desk.now() - timedelta(hours=1), desk.desk.lease)

    page = desk.client("second").get("/").content.decode()
    assert "Held by reviewer" not in page
    assert _goes_to(desk.client("second").post("/next")) == f"/cases/{case.case_id}"


def test_a_lease_is_renewed_for_whoever_is_at_work_and_for_nobody_else(desk):
    case_id = desk.cases()[0].case_id
    soon = desk.desk.now() - desk.desk.lease + timedelta(seconds=30)
    desk.ledger.cases.take("reviewer", case_id, soon, desk.desk.lease)

    assert desk.client("second").post(f"/cases/{case_id}/hold").status_code == 409
    assert desk.client("reviewer").post(f"/cases/{case_id}/hold").status_code == 204

    case = desk.ledger.cases.get(case_id)
    assert (case.holder, case.held_until > soon + timedelta(minutes=5)) == ("reviewer", True)
    assert desk.actions() == []
    desk.judge(desk.client("reviewer"), case_id, all="1")
    assert desk.client("reviewer").post(f"/cases/{case_id}/hold").status_code == 409


def test_a_verdict_is_filed_with_what_was_seen_and_leads_to_the_case_after_it(desk):
    client = desk.client("reviewer")
    case, following = desk.cases()[2:4]
    client.get(f"/cases/{case.case_id}")

    response = desk.judge(client, case.case_id, "same", "fraud")

    assert _goes_to(response) == f"/cases/{following.case_id}"
    assert desk.said(case.case_id) == [("reviewer", "first", "same", "fraud")]
    (row,) = desk.ledger.cases.verdicts(desk.keys(case.case_id))
    assert row.snapshot["embedder"] == "gist"
    assert row.snapshot["probability"] == pytest.approx(case_probability(desk, case))
    assert desk.ledger.cases.get(case.case_id).state == "decided"
    assert desk.actions() == [
        ("reviewer", "case.see", f"case {case.case_id}"),
        ("reviewer", "case.decide", f"case {case.case_id}"),
    ]
    assert f"{case.document}: Same · fraud" in text_of(client.get(f"/cases/{following.case_id}"))


def case_probability(desk, case):
    return desk.ledger.cases.pairs([case.case_id])[case.case_id][0].probability


@pytest.mark.alike(3)
@pytest.mark.parametrize(
    ("photograph", "use"),
    [
        ("same", "fraud"),
        ("same", "renewal"),
        ("same", "same_building"),
        ("same", "test_document"),
        ("same", "own_copy"),
        ("same", "other"),
        ("other_shot", ""),
        ("shared_thing", ""),
        ("different", ""),
        ("cannot_tell", ""),
    ],
)
def test_every_answer_is_filed_as_it_was_given(desk, photograph, use):
    case_id = desk.cases()[3].case_id

    desk.judge(desk.client("reviewer"), case_id, photograph, use, comment="why")

    assert desk.said(case_id) == [("reviewer", "first", photograph, use or None)]
    assert [(each.person, each.text) for each in desk.ledger.cases.comments(case_id)] == [("reviewer", "why")]


@pytest.mark.parametrize(
    "values",
    [
        {"photograph": "same"},
        {"photograph": "different", "use": "fraud"},
        {"photograph": "sure"},
        {"photograph": "same", "use": "because"},
        {"photograph": ""},
        {"photograph": "\0"},
        {},
    ],
)
def test_what_is_no_answer_is_refused(desk, values):
    case_id = desk.cases()[0].case_id
    values = {"pair": desk.keys(case_id)[0], **values}

    assert desk.client("reviewer").post(f"/cases/{case_id}/verdict", values).status_code == 400
    assert desk.said(case_id) == []


@pytest.mark.parametrize("pair", ["", "0" * 64, "\0", "x" * 10_000, "'; DROP TABLE verdicts; --"])
def test_a_pair_that_the_case_no_longer_has_is_not_judged(desk, pair):
    case_id = desk.cases()[0].case_id
    client = desk.client("reviewer")

    response = client.post(f"/cases/{case_id}/verdict", {"photograph": "different", "pair": pair})

    assert _goes_to(response) == f"/cases/{case_id}"
    assert desk.said(case_id) == []
    assert "screened again" in text_of(client.get(f"/cases/{case_id}"))


def test_allowing_for_another_reason_wants_the_reason(desk):
    case_id = desk.cases()[0].case_id
    client = desk.client("reviewer")

    assert _goes_to(desk.judge(client, case_id, "same", "other", comment="  ")) == f"/cases/{case_id}"

    assert desk.said(case_id) == []
    assert "Say in the note" in text_of(client.get(f"/cases/{case_id}"))


def test_pairs_are_judged_one_by_one_or_all_alike(desk):
    client = desk.client("reviewer")
    whole, two = desk.cases()[:2]
    assert len(desk.keys(two.case_id)) == 2

    assert desk.judge(client, two.case_id, "different").headers["Location"] == f"/cases/{two.case_id}?pair=1"
    assert desk.ledger.cases.get(two.case_id).state == "open"
    desk.judge(client, two.case_id, "cannot_tell", pair=1)
    assert [row[2] for row in desk.said(two.case_id)] == ["different", "cannot_tell"]

    desk.judge(client, whole.case_id, "same", "own_copy", all="1")
    assert desk.said(whole.case_id) == [("reviewer", "first", "same", "own_copy")] * 3
    assert [desk.ledger.cases.get(case.case_id).state for case in (whole, two)] == ["decided"] * 2


def test_all_alike_is_ticked_for_an_identical_file_alone(desk):
    client = desk.client("reviewer")
    whole, two, one = desk.cases()[:3]

    assert re.findall(r"(Whole file|Photo \d): ", text_of(client.get(f"/cases/{whole.case_id}"))) == [
        "Whole file",
        "Photo 1",
        "Photo 2",
    ]
    ticked = 'data-key="e" checked'
    assert ticked in client.get(f"/cases/{whole.case_id}").content.decode()
    assert ticked not in client.get(f"/cases/{whole.case_id}?pair=1").content.decode()
    page = client.get(f"/cases/{two.case_id}").content.decode()
    assert 'data-key="e"' in page
    assert ticked not in page
    assert 'data-key="e"' not in client.get(f"/cases/{one.case_id}").content.decode()


def test_three_verdicts_are_undone_one_after_the_other(desk):
    client = desk.client("reviewer")
    cases = desk.cases()[2:6]
    for case in cases[:3]:
        desk.judge(client, case.case_id)

    here = cases[3].case_id
    for case in reversed(cases[:3]):
        response = client.post(f"/cases/{here}/undo")
        assert _goes_to(response) == f"/cases/{case.case_id}"
        assert desk.ledger.cases.get(case.case_id).state == "open"
        here = case.case_id

    for case in cases[:3]:
        assert desk.said(case.case_id) == [
            ("reviewer", "first", "different", None),
            ("reviewer", "first", None, None),
        ]
    assert _goes_to(client.post(f"/cases/{here}/undo")) == f"/cases/{here}"
    assert "nothing to undo" in text_of(client.get(f"/cases/{here}"))
    assert [action for _, action, _ in desk.actions()].count("case.undo") == 3


def test_nobody_undoes_what_another_person_said(desk):
    case_id = desk.cases()[0].case_id
    desk.judge(desk.client("reviewer"), case_id, all="1")

    desk.client("second").post(f"/cases/{case_id}/undo")

    assert len(desk.said(case_id)) == 3
    assert desk.ledger.cases.get(case_id).state == "decided"


def test_going_on_gives_the_case_back_and_comes_round_to_what_was_passed_over(desk):
    client = desk.client("reviewer")
    cases = desk.cases()
    client.get(f"/cases/{cases[0].case_id}")

    for here, following in zip(cases, [*cases[1:], cases[0]], strict=True):
        assert _goes_to(client.post(f"/cases/{here.case_id}/release")) == f"/cases/{following.case_id}"
        assert desk.ledger.cases.get(here.case_id).holder is None


def test_after_the_last_case_the_queue_says_that_it_is_empty(desk):
    client = desk.client("reviewer")
    for case in desk.cases():
        response = desk.judge(client, case.case_id, all="1")

    assert _goes_to(response) == "/"
    assert "no case for you" in text_of(client.get("/"))
    assert {case.state for case in desk.cases()} == {"decided"}


def test_the_only_case_that_is_left_is_not_its_own_next(desk):
    client = desk.client("reviewer")
    *others, last = desk.cases()
    for case in others:
        desk.judge(client, case.case_id, all="1")
    client.get(f"/cases/{last.case_id}")

    assert _goes_to(client.post(f"/cases/{last.case_id}/release")) == "/"
    assert desk.ledger.cases.get(last.case_id).holder is None


def test_filters_go_on_with_the_cases(desk):
    client = desk.client("reviewer")
    wanted = desk.cases()[4]

    page = text_of(client.get("/", {"text": wanted.document.upper()}))
    assert wanted.document in page
    assert desk.cases()[0].document not in page
    response = client.post(f"/next?text={wanted.document}")
    assert response.headers["Location"] == f"/cases/{wanted.case_id}?text={wanted.document}"
    response = client.post(f"/cases/{wanted.case_id}/release?text={wanted.document}")
    assert response.headers["Location"] == f"/?text={wanted.document}"


def test_a_note_is_kept_as_it_was_written_and_shown_without_its_hidden_marks(desk):
    case_id = desk.cases()[0].case_id
    client = desk.client("reviewer")
    client.post(f"/cases/{case_id}/comment", {"comment": " <b>\u202egnp.fit</b>\0 " + "x" * 5000})
    client.post(f"/cases/{case_id}/comment", {"comment": "   "})

    (note,) = desk.ledger.cases.comments(case_id)
    assert note.text.startswith("<b>\u202egnp.fit</b>")
    assert len(note.text) <= 2000
    page = client.get(f"/cases/{case_id}").content.decode()
    assert "&lt;b&gt;\\u202egnp.fit&lt;/b&gt;" in page
    assert "\u202e" not in page


# --- two pairs of eyes


@pytest.fixture
def strict(make_desk):
    """A desk where fraud needs a second person."""
    return make_desk(review_second_share=0)


def test_fraud_goes_to_a_second_person_who_does_not_see_the_first_verdict(strict):
    case_id = strict.cases()[2].case_id
    first, second = strict.client("reviewer"), strict.client("second")
    strict.judge(first, case_id, "same", "fraud", comment="surely fraud")
    assert strict.ledger.cases.get(case_id).state == "second"
    assert "Same · fraud → Second review" in text_of(first.get("/"))

    page = text_of(second.get(f"/cases/{case_id}"))
    assert "A second review does not show the first" in page
    assert "surely fraud" not in page
    assert "reviewer" not in page

    own = text_of(first.get(f"/cases/{case_id}"))
    assert "the second review is for somebody else" in own
    assert "surely fraud" in own
    assert _goes_to(first.post("/next")) != f"/cases/{case_id}"
    assert _goes_to(strict.judge(first, case_id, "same", "fraud")) == f"/cases/{case_id}"
    assert len(strict.said(case_id)) == 1

    strict.judge(second, case_id, "same", "fraud")
    assert strict.ledger.cases.get(case_id).state == "decided"
    assert strict.said(case_id)[1] == ("second", "second", "same", "fraud")
    assert "surely fraud" in text_of(second.get(f"/cases/{case_id}"))


def test_a_second_review_of_two_pairs_stays_with_the_case_until_both_are_judged(strict):
    case_id = strict.cases()[1].case_id
    strict.judge(strict.client("reviewer"), case_id, "same", "fraud", all="1")
    second = strict.client("second")

    response = strict.judge(second, case_id, "same", "fraud")
    assert response.headers["Location"] == f"/cases/{case_id}?pair=1"
    strict.judge(second, case_id, "same", "fraud", pair=1)

    assert strict.ledger.cases.get(case_id).state == "decided"


def test_where_two_differ_a_lead_decides_and_sees_both(strict):
    case_id = strict.cases()[2].case_id
    strict.judge(strict.client("reviewer"), case_id, "same", "fraud")
    second, lead = strict.client("second"), strict.client("lead")
    strict.judge(second, case_id, "different")
    assert strict.ledger.cases.get(case_id).state == "disputed"

    assert "a lead decides" in text_of(second.get(f"/cases/{case_id}"))
    page = text_of(lead.get(f"/cases/{case_id}"))
    assert "reviewer (first): Same · fraud" in page
    assert "second (second): Different" in page
    strict.judge(lead, case_id, "same", "renewal")

    assert strict.ledger.cases.get(case_id).state == "decided"
    assert strict.said(case_id)[-1] == ("lead", "lead", "same", "renewal")


def test_a_decided_case_is_reopened_by_its_reviewer_or_overruled_by_a_lead(desk):
    case_id = desk.cases()[2].case_id
    reviewer = desk.client("reviewer")
    desk.judge(reviewer, case_id)
    assert "This case is decided" in text_of(reviewer.get(f"/cases/{case_id}"))
    desk.judge(reviewer, case_id, "cannot_tell")
    assert len(desk.said(case_id)) == 1

    desk.judge(desk.client("lead"), case_id, "same", "fraud")
    assert desk.said(case_id)[-1] == ("lead", "lead", "same", "fraud")


def test_seeing_a_case_that_one_may_not_judge_takes_it_from_nobody(desk):
    case_id = desk.cases()[0].case_id
    for name in ("viewer", "auditor"):
        assert desk.client(name).get(f"/cases/{case_id}").status_code == 200

    assert desk.ledger.cases.get(case_id).holder is None
    assert [action for _, action, _ in desk.actions()] == ["case.see"] * 2


def test_the_audit_shows_what_was_done_and_holds(desk):
    case_id = desk.cases()[0].case_id
    desk.judge(desk.client("reviewer"), case_id, "same", "renewal", all="1")

    page = text_of(desk.client("auditor").get("/audit"))

    assert "case.decide" in page
    assert "use: renewal" in page
    assert "each fits the one before" in page
    assert desk.ledger.audit.verify().broken is None
