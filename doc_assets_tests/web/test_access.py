"""Who may do what: every address for every role."""

import pytest

from doc_assets.web.access import ACCOUNTS, API, MAY, OPEN, ROLES
from doc_assets_tests.web.conftest import PEOPLE
from doc_assets_tests.web.home import REPORTED
from doc_assets_tests.web.searches import a_search

FORMS = {
    "next_case",
    "verdict",
    "undo",
    "comment",
    "release",
    "hold",
    "merchant_find",
    "group_preview",
    "group_decide",
    "compare_find",
    "shortcuts",
    "save_filter",
    "delete_filter",
    "search_start",
    "search_again",
    "search_delete",
    "show_faces",
}


def _patterns(patterns, prefix=""):
    for pattern in patterns:
        address = prefix + str(pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            yield from _patterns(pattern.url_patterns, address)
        else:
            yield pattern.name, "/" + address


def _routes():
    from doc_assets.web.urls import urlpatterns

    return dict(_patterns(urlpatterns))


def _address(route, case):
    given = {
        "case_id": case.case_id,
        "row_id": case.row_id,
        "photo": 0,
        "side": 320,
        "number": 1,
        "group_id": 1,
        "filter_id": 1,
        "position": 0,
        "page": 1,
        "token": "wrong",
        "period": REPORTED,
        "file": "review.json",
        "path": "desk/desk.css",
    }
    pattern = _routes()[route]
    for name, value in given.items():
        for kind in ("number", "str", "path", "int"):
            pattern = pattern.replace(f"<{kind}:{name}>", str(value))
    return pattern.replace("<int:pk>", "1")


def test_every_address_is_in_the_table_and_the_table_has_no_other(django):
    routes = _routes()

    assert None not in routes
    assert set(routes) == MAY.keys() | OPEN | ACCOUNTS | API.keys()


@pytest.mark.whole
@pytest.mark.parametrize("name", PEOPLE)
def test_a_role_may_use_what_the_table_says_and_nothing_else(desk, name):
    case, client = desk.cases()[0], desk.client(name)
    desk.ledger.saved_filters.save(name, "one", "state=open", desk.desk.now())
    assert a_search(desk, name, keeps=True) == 1  # is the person's own, with pictures
    found = {}
    for route in MAY:
        address = _address(route, case)
        response = client.post(address) if route in FORMS else client.get(address)
        found[route] = response.status_code
        response.getvalue()  # a file is closed behind its last piece

    roles = PEOPLE[name]
    allowed = {route for route, may in MAY.items() if may & set(roles)}
    assert {route for route, status in found.items() if status != 403} == allowed
    wants_an_answer = {"verdict", "group_preview", "group_decide", "search_start"}
    assert {found[route] for route in allowed} <= {200, 204, 302, *({400} if wants_an_answer & allowed else ())}
    refused = {route for route in MAY if route not in allowed}
    assert {found[route] for route in refused} <= {403}


def test_nobody_gets_to_the_login_and_comes_back_to_pages_alone(desk):
    case, client = desk.cases()[0], desk.client()
    for route in MAY:
        address = _address(route, case)
        response = client.post(address) if route in FORMS else client.get(address)
        back = "/" if route in FORMS else address
        assert (response.status_code, response.headers["Location"]) == (302, f"/accounts/login/?next={back}"), route
    assert desk.actions() == []


def test_pages_of_accounts_want_somebody_who_signed_in(desk):
    case = desk.cases()[0]
    for route in ACCOUNTS - {"account_login"}:
        response = desk.client().get(_address(route, case))
        assert response.status_code == 302, route
        assert response.headers["Location"].split("?")[0] in {"/accounts/login/", "/"}, route


@pytest.mark.parametrize(
    "path", ["signup/", "password/reset/", "password/set/", "email/", "inactive/", "confirm-email/", "login/code/"]
)
def test_what_sends_mail_or_adds_people_is_not_there(desk, path):
    assert desk.client().post(f"/accounts/{path}", {"email": "a@b.c"}).status_code == 404


def test_open_addresses_answer_everybody(desk):
    client = desk.client()
    case = desk.cases()[0]
    found = {route: client.get(_address(route, case)).status_code for route in OPEN}

    assert found == {"enter": 403, "health": 200, "set_language": 302, "static": 200, "api_health": 200}


def test_roles_are_what_the_table_knows(django):
    assert {role for roles in MAY.values() for role in roles} == set(ROLES)
    assert not MAY["verdict"] & {"admin", "auditor", "viewer"}


def test_a_role_that_is_taken_away_counts_at_once(desk):
    from doc_assets.web import accounts

    client = desk.client("reviewer")
    assert client.get("/").status_code == 200

    accounts.set_roles("reviewer", ["admin"])

    assert client.get("/").status_code == 403
    assert client.get("/audit").status_code == 200


def test_a_disabled_person_is_out_at_once(desk):
    from doc_assets.web import accounts

    client = desk.client("reviewer")
    accounts.set_active("reviewer", is_active=False)

    assert client.get("/").status_code == 302


def test_another_password_ends_sessions(desk):
    from doc_assets.web import accounts

    client = desk.client("reviewer")
    accounts.set_password("reviewer", "another horse battery")

    assert client.get("/").status_code == 302


def test_a_process_has_the_accounts_of_one_home(django, tmp_path):
    from doc_assets.settings import Settings
    from doc_assets.web.site import Door, configure

    configure(Settings(home=django.parent), Door("x", (), is_secure=False))
    with pytest.raises(RuntimeError, match="another home"):
        configure(Settings(home=tmp_path), Door("x", (), is_secure=False))
