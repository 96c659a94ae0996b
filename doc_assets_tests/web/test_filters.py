"""Saved filters, orders and further filters of the queue; shortcuts; a note that comes back; sign-ins that fail."""

import pytest

from doc_assets.archive.ledger.saved_filters import MOST
from doc_assets_tests.web.conftest import PASSWORD, text_of


def test_a_filter_is_saved_shown_used_and_deleted(desk):
    client = desk.client("reviewer")
    response = client.post(
        "/filters/save?text=new&finding=reuse&order=risk&after=1,2&evil=1", {"name": " my <b>filter "}
    )
    assert response.headers["Location"] == "/?text=new&finding=reuse&order=risk"

    page = client.get("/").content.decode()
    assert 'href="/?finding=reuse&amp;order=risk"' in page
    assert "my &lt;b&gt;filter" in page
    assert "my &lt;b&gt;filter" not in desk.client("second").get("/").content.decode()
    (kept,) = desk.ledger.saved_filters.of("reviewer")
    assert desk.client("second").post(f"/filters/{kept.filter_id}/delete").status_code == 404
    assert client.post(f"/filters/{kept.filter_id}/delete?state=open").headers["Location"] == "/?state=open"
    assert desk.ledger.saved_filters.of("reviewer") == []
    assert [row[1] for row in desk.actions()] == ["filter.save", "filter.delete"]


@pytest.mark.parametrize(
    ("query", "name"), [("", "mine"), ("?evil=1", "mine"), ("?mine=1", ""), ("?mine=1", " \0 "), ("?text=new0", "mine")]
)
def test_nothing_is_no_filter(desk, query, name):
    client = desk.client("reviewer")
    client.post(f"/filters/save{query}", {"name": name})

    assert desk.ledger.saved_filters.of("reviewer") == []
    assert "no filter, or no name" in text_of(client.get("/"))


def test_no_more_filters_are_kept_than_one_may_have(desk):
    for number in range(MOST):
        desk.ledger.saved_filters.save("reviewer", f"{number}", "mine=1", desk.desk.now())
    client = desk.client("reviewer")
    client.post("/filters/save?mine=1", {"name": "one more"})

    assert f"At most {MOST} filters" in text_of(client.get("/"))
    assert len(desk.ledger.saved_filters.of("reviewer")) == MOST


def test_the_queue_goes_by_the_order_asked_for_and_next_goes_with_it(desk):
    client = desk.client("reviewer")
    by_risk = sorted(desk.cases(), key=lambda case: (-case.probability, -case.case_id))
    page = text_of(client.get("/?order=risk"))
    places = [page.index(case.document) for case in by_risk]
    assert places == sorted(places)

    response = client.post("/next?order=risk")
    assert response.headers["Location"] == f"/cases/{by_risk[0].case_id}?order=risk"
    response = client.post(f"/cases/{by_risk[0].case_id}/release?order=risk")
    assert response.headers["Location"] == f"/cases/{by_risk[1].case_id}?order=risk"


@pytest.mark.parametrize("after", ["1e300,1", "9e15,1", "-9e15,1", "nan,1", "1e10,1", "-1e10,5"])
@pytest.mark.parametrize("order", ["age", "risk", "priority", "x"])
def test_a_place_that_no_case_has_fails_nowhere(desk, after, order):
    assert desk.client("reviewer").get("/", {"after": after, "order": order}).status_code == 200


def test_dates_and_origins_choose_cases(desk):
    client = desk.client("reviewer")
    day = desk.ledger.documents.with_row_ids([5])[0].document_date

    assert "new0.tif" in text_of(client.get(f"/?since={day}&until={day}&origin=archive"))
    assert "new0.tif" not in text_of(client.get("/?until=2000-01-01"))
    assert "new0.tif" not in text_of(client.get("/?origin=same_drop"))
    assert "new0.tif" not in text_of(client.get("/?business=cafe"))
    for wrong in ("since=x", "until=2024-13-99", "origin=x", "order=x", "since=%00"):
        assert "new0.tif" in text_of(client.get(f"/?{wrong}")), wrong


def test_a_note_comes_back_with_a_verdict_that_was_not_filed(desk):
    case_id = desk.cases()[0].case_id
    client = desk.client("reviewer")
    client.get(f"/cases/{case_id}")
    desk.ledger.cases.release("reviewer", case_id)
    desk.ledger.cases.take("second", case_id, desk.desk.now(), desk.desk.lease)

    desk.judge(client, case_id, "different", comment='seen "twice"')
    other = client.get(f"/cases/{desk.cases()[1].case_id}").content.decode()
    assert "twice" not in other
    assert desk.ledger.cases.comments(case_id) == []

    desk.judge(client, case_id, "different", comment='seen "twice"')
    assert 'value="seen &quot;twice&quot;"' in client.get(f"/cases/{case_id}").content.decode()
    assert "twice" not in client.get(f"/cases/{case_id}").content.decode()


def test_a_note_comes_back_after_a_screening_too(desk):
    case_id = desk.cases()[0].case_id
    client = desk.client("reviewer")
    client.post(f"/cases/{case_id}/verdict", {"photograph": "different", "pair": "0" * 64, "comment": "as before"})

    assert 'value="as before"' in client.get(f"/cases/{case_id}").content.decode()


def test_shortcuts_are_switched_off_and_on_for_a_browser(desk):
    client = desk.client("auditor")
    assert 'data-shortcuts="off"' not in client.get("/help").content.decode()

    client.post("/profile/shortcuts", {"shortcuts": "off"})
    assert 'data-shortcuts="off"' in client.get("/help").content.decode()
    assert client.cookies["desk_shortcuts"]["samesite"] == "Strict"
    client.post("/profile/shortcuts", {"shortcuts": "on"})
    assert 'data-shortcuts="off"' not in client.get("/help").content.decode()


def test_sign_ins_that_fail_are_in_the_audit_without_password_and_unknown_name(desk):
    login = "/accounts/login/"
    desk.client().post(login, {"login": "reviewer", "password": "a wrong one"})
    desk.client().post(login, {"login": "my secret password", "password": "x"})
    desk.client().post(login, {"login": "reviewer", "password": PASSWORD})

    assert desk.actions() == [
        ("", "person.sign_in_failed", "person reviewer"),
        ("", "person.sign_in_failed", "an unknown name"),
        ("reviewer", "person.sign_in", "person reviewer"),
    ]
    assert all(entry.detail == {} for entry in desk.ledger.audit.page(10))


def test_a_code_that_does_not_fit_is_in_the_audit(desk):
    from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
    from django.contrib.auth.models import User

    TOTP.activate(User.objects.get(username="reviewer"), generate_totp_secret())
    client = desk.client()
    client.post("/accounts/login/", {"login": "reviewer", "password": PASSWORD})
    client.post("/accounts/2fa/authenticate/", {"code": "000000"})

    assert desk.actions() == [("reviewer", "person.code_failed", "person reviewer")]
