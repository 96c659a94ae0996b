"""The API for programs: who gets what, in which form, how often, and what is written about it."""

import json
import re
from datetime import timedelta

import pytest

from doc_assets.web.access import API, ROLES, SCOPES
from doc_assets_tests.hostile import NAMES
from doc_assets_tests.web.conftest import PEOPLE

pytestmark = pytest.mark.whole

ADDRESSES = {
    "api_cases": "/api/v1/cases",
    "api_case": "/api/v1/cases/{case}",
    "api_results_of_drop": "/api/v1/results/drops/{drop}",
    "api_result_of_document": "/api/v1/results/documents/{row}",
    "api_document": "/api/v1/documents/{row}",
    "api_verdicts": "/api/v1/verdicts",
    "metrics": "/metrics",
    "openapi-json": "/api/v1/openapi.json",
    "api-root": "/api/v1/",
}
PROBLEM = "application/problem+json"


def _addresses(desk):
    case = desk.cases()[0]
    given = {"case": case.case_id, "row": case.row_id, "drop": case.drop_key}
    return {route: address.format(**given) for route, address in ADDRESSES.items()}


def _key(*scopes, name="program", days=30, now=None):
    """The text of a new key."""
    from datetime import UTC, datetime

    from doc_assets.web.keys.store import add_key

    return add_key(name, scopes or SCOPES, days, now or datetime.now(UTC))[1]


def _program(desk, *scopes, name="program", **more):
    """A client that shows a new key with every request."""
    return desk.client(headers={"x-api-key": _key(*scopes, name=name)}, **more)


def _all_verdicts(monkeypatch):
    monkeypatch.setattr("doc_assets.web.api.routes._SETTLED", timedelta(0))


# --- who


def test_the_table_names_every_route_and_every_scope():
    assert set(ADDRESSES) == set(API)
    assert {each.scope for each in API.values()} - {None} | {"images"} == set(SCOPES)


@pytest.mark.parametrize("scope", SCOPES)
def test_a_key_opens_what_its_scope_says_and_nothing_else(desk, scope):
    client = _program(desk, scope)
    found = {route: client.get(address).status_code for route, address in _addresses(desk).items()}

    allowed = {route for route, access in API.items() if access.scope in {None, scope}}
    assert {route for route, status in found.items() if status != 403} == allowed
    assert {found[route] for route in allowed - {"api-root"}} == {200}
    assert found["api-root"] == 404


@pytest.mark.parametrize("name", PEOPLE)
def test_a_role_opens_what_the_table_says_and_nothing_else(desk, name):
    client, roles = desk.client(name), set(PEOPLE[name])
    found = {route: client.get(address).status_code for route, address in _addresses(desk).items()}

    allowed = {route for route, access in API.items() if access.scope is None or access.roles & roles}
    assert {route for route, status in found.items() if status != 403} == allowed
    assert {found[route] for route in allowed - {"api-root"}} == {200}


def test_a_key_opens_no_page_of_the_desk(desk):
    client, case = _program(desk), desk.cases()[0]
    for path in ("/", f"/cases/{case.case_id}", "/audit", f"/photos/{case.row_id}/0/320.jpg"):
        assert client.get(path).status_code == 302, path
    assert client.post(f"/cases/{case.case_id}/verdict", {"photograph": "different"}).status_code == 302
    assert desk.said(case.case_id) == []


@pytest.mark.parametrize("shown", ["", "x", "da_", "da_00000000_" + "0" * 40, "Bearer", "키", "\x7f", "a" * 5000])
def test_a_wrong_key_opens_nothing_for_whoever_is_signed_in(desk, shown):
    for client in (desk.client(), desk.client("lead")):
        for headers in ({"x-api-key": shown}, {"authorization": f"Bearer {shown}"}):
            for route, address in _addresses(desk).items():
                response = client.get(address, headers=headers)
                assert (response.status_code, response.headers["Content-Type"]) == (401, PROBLEM), route
                assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_key_is_told_by_headers_alone(desk):
    text = _key()
    for address in _addresses(desk).values():
        for name in ("key", "api_key", "X-API-Key", "access_token"):
            assert desk.client().get(address, {name: text}).status_code == 401
    assert desk.client().get("/api/v1/cases", headers={"x-api-key": text}).status_code == 200
    assert desk.client().get("/api/v1/cases", headers={"authorization": f"bearer {text}"}).status_code == 200


def test_a_key_with_a_changed_letter_is_none(desk):
    text = _key()
    for at in (3, 12, len(text) - 1):
        changed = text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :]
        assert desk.client(headers={"x-api-key": changed}).get("/api/v1/cases").status_code == 401


def test_a_key_ends_when_it_expires_and_when_it_is_revoked(desk):
    from doc_assets.web.keys.store import revoke_key

    now = desk.desk.now()
    old = _key(name="old", days=1, now=now - timedelta(days=1, seconds=1))
    young = _key(name="young", days=1, now=now - timedelta(hours=23))
    assert desk.client(headers={"x-api-key": old}).get("/api/v1/cases").status_code == 401
    assert desk.client(headers={"x-api-key": young}).get("/api/v1/cases").status_code == 200

    revoke_key("young", now)

    assert desk.client(headers={"x-api-key": young}).get("/api/v1/cases").status_code == 401


def test_of_a_key_only_its_digest_is_kept(desk, tmp_path):
    import hashlib

    text = _key()
    secret = text.rpartition("_")[2]
    assert re.fullmatch(r"da_[0-9a-f]{8}_[0-9a-f]{40}", text)  # 160 bits
    assert desk.client(headers={"x-api-key": text}).get("/api/v1/cases").status_code == 200

    kept = b"".join(path.read_bytes() for path in (tmp_path / "home").glob("*.sqlite*"))
    assert hashlib.sha256(text.encode()).hexdigest().encode() in kept
    assert secret.encode() not in kept
    assert bytes.fromhex(secret) not in kept


def test_names_and_scopes_of_keys_are_checked(desk):
    from doc_assets.errors import InputError
    from doc_assets.web.keys.store import add_key, all_keys, revoke_key

    now = desk.desk.now()
    _key(name="taken")
    for name, scopes, days in [
        *[(name, ["cases"], 1) for name in ("taken", *NAMES)],
        ("x", [], 1),
        ("x", ["cases", "everything"], 1),
        ("x", ["cases"], 0),
        ("x", ["cases"], 4000),
    ]:
        if (
            re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name)
            and name != "taken"
            and scopes == ["cases"]
            and days == 1
        ):
            continue
        with pytest.raises(InputError):
            add_key(name, scopes, days, now)
    revoke_key("taken", now)
    with pytest.raises(InputError):
        revoke_key("taken", now)
    _key(name="taken")
    assert [(key.name, key.state(now)) for key in all_keys()] == [("taken", "valid"), ("taken", "revoked")]


def test_the_use_of_a_key_is_noted_once_a_minute(desk):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from doc_assets.web.keys.store import all_keys, valid_key

    text, start = _key(), desk.desk.now()
    for seconds, is_noted in [(0, True), (59, False), (60, True), (61, False)]:
        with CaptureQueriesContext(connection) as queries:
            assert valid_key(text, start + timedelta(seconds=seconds)) is not None
        assert any(each["sql"].startswith("UPDATE") for each in queries) == is_noted, seconds
    assert all_keys()[0].used_at == start + timedelta(seconds=60)


def test_who_asks_too_often_waits_by_address_and_by_key(make_desk):
    desk = make_desk(image_api_rate="3/hour")
    text = _key()
    first = [desk.client(headers={"x-api-key": text}).get("/api/v1/cases") for _ in range(4)]
    assert [each.status_code for each in first] == [200, 200, 200, 429]
    assert 3500 < int(first[-1].headers["Retry-After"]) <= 3600
    assert first[-1].headers["Content-Type"] == PROBLEM

    elsewhere = {"REMOTE_ADDR": "192.0.2.7"}
    assert desk.client(headers={"x-api-key": text}, **elsewhere).get("/api/v1/cases").status_code == 429  # by its key
    assert desk.client(headers={"x-api-key": _key(name="b")}, **elsewhere).get("/api/v1/cases").status_code == 200
    assert desk.client(headers={"x-api-key": "wrong"}, **elsewhere).get("/api/v1/cases").status_code == 401
    assert desk.client(headers={"x-api-key": "wrong"}, **elsewhere).get("/api/v1/cases").status_code == 429
    assert desk.client("lead").get("/").status_code == 200  # pages are not counted
    assert desk.client().get("/healthz").status_code == 200


def test_behind_the_proxy_its_visitors_are_told_apart():
    from doc_assets.web.api.door import visitor

    headers = {"X-Forwarded-For": "10.0.0.1, 192.0.2.7"}
    assert visitor(headers, "127.0.0.1", is_proxied=True) == "192.0.2.7"
    assert visitor(headers, "127.0.0.1", is_proxied=False) == "127.0.0.1"
    assert visitor({}, "127.0.0.1", is_proxied=True) == "127.0.0.1"


# --- what


def test_nothing_of_the_api_changes_anything(desk):
    from doc_assets.web.api.routes import api

    operations = [each for routes in api.get_openapi_schema()["paths"].values() for each in routes]
    assert set(operations) == {"get"}
    for client in (_program(desk), desk.client("lead")):
        for route, address in _addresses(desk).items():
            for method in ("post", "put", "patch", "delete"):
                response = getattr(client, method)(address, "{}", content_type="application/json")
                assert response.status_code in {403, 404, 405}, (route, method)
                assert response.headers["Content-Type"] == PROBLEM
    assert not any(action.startswith("case.decide") for _, action, _ in desk.actions())


def test_cases_come_in_the_order_of_the_queue_page_by_page(desk):
    client, seen, after = _program(desk, "cases"), [], None
    while True:
        page = client.get("/api/v1/cases", {"limit": 3, **({"after": after} if after else {})}).json()
        seen += [case["case_id"] for case in page["cases"]]
        after = page["next"]
        if after is None:
            break

    assert seen == [case.case_id for case in desk.cases("open")]
    assert len(seen) == 8


def test_cases_are_filtered_as_in_the_queue(desk):
    client, case = _program(desk, "cases"), desk.cases()[2]
    desk.judge(desk.client("lead"), desk.cases()[0].case_id, all="1")

    def ids(**asked):
        return [each["case_id"] for each in client.get("/api/v1/cases", asked).json()["cases"]]

    assert ids(merchant=case.merchant_id) == ids(text=case.document.upper()) == [case.case_id]
    assert len(ids(drop=case.drop_key)) == len(ids()) == 7
    assert len(ids(state="decided")) == 1
    assert ids(finding="same_day") == []
    assert len(ids(finding="reuse")) == 7
    assert ids(mine="true") == []
    desk.client("reviewer").get(f"/cases/{case.case_id}")
    mine = desk.client("reviewer").get("/api/v1/cases", {"mine": "true"}).json()["cases"]
    assert [(each["case_id"], each["is_held"]) for each in mine] == [(case.case_id, True)]


def test_a_case_has_its_pairs_facts_and_verdicts(desk):
    case = desk.cases()[-1]
    desk.judge(desk.client("lead"), case.case_id, "same", "fraud")

    found = _program(desk, "cases", "verdicts").get(f"/api/v1/cases/{case.case_id}").json()

    pairs = desk.ledger.cases.pairs([case.case_id])[case.case_id]
    assert [pair["pair_key"] for pair in found["pairs"]] == [pair.pair_key for pair in pairs]
    assert {each["number"] for each in found["documents"]} == {case.row_id, *(pair.other_row for pair in pairs)}
    own = next(each for each in found["documents"] if each["number"] == case.row_id)
    assert own["file_name"] == case.document
    assert own["fields"] == case.fields
    (said,) = found["verdicts"]
    assert (said["person"], said["photograph"], said["use"]) == ("lead", "same", "fraud")
    assert ("key program", "case.see", f"case {case.case_id}") in [
        (person.split(" (")[0], action, subject) for person, action, subject in desk.actions()
    ]


def test_columns_that_leave_nowhere_do_not_leave_here(make_desk):
    from doc_assets.web.api.routes import _hidden

    desk = make_desk(remove_columns_from_results=["업종명"])
    assert _hidden() == {"업종명"}
    desk.desk.runtime.settings.remove_columns_from_results[:] = ["주소"]  # that of this home
    case, client = desk.cases()[0], _program(desk)
    assert case.fields.keys() == {"주소"}
    for answer in (client.get(f"/api/v1/cases/{case.case_id}"), client.get(f"/api/v1/documents/{case.row_id}")):
        assert "Seoul" not in json.dumps(answer.json(), ensure_ascii=False)


def test_who_judges_sees_no_verdict_before_the_second_one(make_desk):
    desk = make_desk(review_second_for_fraud=True, review_second_share=0)
    case = desk.cases()[0]
    desk.judge(desk.client("reviewer"), case.case_id, "same", "fraud", all="1")
    n_said = len(desk.keys(case.case_id))
    assert desk.ledger.cases.get(case.case_id).state == "second"

    def said(client):
        return client.get(f"/api/v1/cases/{case.case_id}").json()["verdicts"]

    assert said(desk.client("second")) is said(desk.client("lead")) is None
    assert len(said(desk.client("auditor"))) == len(said(desk.client("viewer"))) == n_said
    assert said(_program(desk, "cases")) is None
    assert len(said(_program(desk, "cases", "verdicts", name="both"))) == n_said
    for name in ("reviewer", "second", "lead"):
        assert desk.client(name).get("/api/v1/verdicts").status_code == 403


def test_results_of_a_drop_come_page_by_page_in_the_order_of_its_documents(desk):
    client, drop = _program(desk, "results"), desk.cases()[0].drop_key
    seen, after = [], None
    while True:
        page = client.get(
            f"/api/v1/results/drops/{drop}", {"limit": 3, **({"after": after} if after is not None else {})}
        ).json()
        seen += page["results"]
        after = page["next"]
        if after is None:
            break

    assert [each["document"] for each in seen] == [f"new{i}.tif" for i in range(8)]
    one = client.get(f"/api/v1/results/documents/{seen[3]['number']}").json()
    assert one == seen[3]
    assert (one["flagged"], one["risk_score"]) == (True, 0.9)
    assert [each["document"] for each in one["found"]] == ["old3.tif"]
    assert one["findings"][0]["kind"] == "reuse"
    assert client.get("/api/v1/results/drops/no-such-drop").status_code == 404
    assert client.get("/api/v1/results/documents/1").status_code == 404  # an archive document, never searched for


def test_a_document_has_facts_findings_and_no_place_of_this_machine(desk, tmp_path):
    case = desk.cases()[0]
    response = _program(desk, "documents").get(f"/api/v1/documents/{case.row_id}")
    found = response.json()

    assert (found["number"], found["file_name"], found["case_id"]) == (case.row_id, case.document, case.case_id)
    assert found["n_photos"] == 2
    assert found["result"]["findings"]
    assert str(tmp_path) not in response.content.decode()
    assert "source_path" not in found
    old = _program(desk, "documents", name="b").get("/api/v1/documents/1").json()
    assert (old["case_id"], old["result"]) == (None, None)
    assert _program(desk, "documents", name="c").get("/api/v1/documents/999999999999999").status_code == 404


def test_verdicts_are_read_on_from_where_the_last_reading_ended(desk, monkeypatch):
    _all_verdicts(monkeypatch)
    client, lead = _program(desk, "verdicts"), desk.client("lead")
    for case in desk.cases()[:3]:
        desk.judge(lead, case.case_id)

    first = client.get("/api/v1/verdicts", {"limit": 2}).json()
    rest = client.get("/api/v1/verdicts", {"limit": 2, "after": first["next"]}).json()
    none = client.get("/api/v1/verdicts", {"after": rest["next"]}).json()
    lead.post(f"/cases/{desk.cases()[0].case_id}/undo")
    later = client.get("/api/v1/verdicts", {"after": none["next"]}).json()

    assert [len(page["verdicts"]) for page in (first, rest, none, later)] == [2, 1, 0, 1]
    assert [page["more"] for page in (first, rest, none, later)] == [True, False, False, False]
    assert none["next"] == rest["next"]
    assert later["verdicts"][0]["photograph"] is None
    assert later["verdicts"][0]["withdraws"] in {each["verdict_id"] for each in first["verdicts"] + rest["verdicts"]}


def test_a_verdict_that_another_could_overtake_is_not_listed_yet(desk, monkeypatch):
    desk.judge(desk.client("lead"), desk.cases()[0].case_id)
    client = _program(desk, "verdicts")
    assert client.get("/api/v1/verdicts").json() == {"verdicts": [], "next": 0, "more": False}

    later = desk.desk.now() + timedelta(seconds=6)
    monkeypatch.setattr(type(desk.desk), "now", lambda _self: later)
    assert len(client.get("/api/v1/verdicts").json()["verdicts"]) == 1


def test_health_says_what_is_wrong_and_no_more(desk, monkeypatch):
    from doc_assets.errors import ServiceError

    assert desk.client().get("/api/v1/healthz").json() == {"status": "ok", "faults": []}
    desk.desk.image_faults = lambda: ["archive folder 1 could not be listed"]
    assert desk.client().get("/api/v1/healthz").status_code == 503
    assert desk.client().get("/healthz").status_code == 200  # the desk itself is well

    def fails(*_args):
        raise ServiceError("the database at secret-host does not answer")

    monkeypatch.setattr("doc_assets.archive.ledger.audit.AuditLedger.last", fails)
    for path in ("/healthz", "/api/v1/healthz"):
        response = desk.client().get(path)
        assert response.status_code == 503
        assert "the ledger cannot be read" in response.json()["faults"]
        assert "secret-host" not in response.content.decode()


def test_metrics_are_read_once_and_name_nothing(desk):
    client = _program(desk, "metrics")
    text = client.get("/metrics").content.decode()

    assert "doc_assets_archive_documents 12.0" in text
    assert 'doc_assets_source_up{source="ledger"} 1.0' in text
    assert 'doc_assets_cases{state="open"} 8.0' in text
    assert 'doc_assets_cases{state="second"} 0.0' in text
    assert 'source="dagster"' not in text
    assert ".tif" not in text
    desk.desk.registry  # noqa: B018 - the same again
    assert client.get("/metrics").content.decode().count("doc_assets_archive_documents 12.0") == 1


# --- form


def test_errors_are_problems_and_say_nothing_of_the_machine(desk, monkeypatch, caplog):
    def fails(*_args):
        raise RuntimeError("a secret of the machine")

    client = _program(desk, raise_request_exception=False)
    answers = {
        404: client.get("/api/v1/cases/999"),
        405: client.delete("/api/v1/cases"),
        422: client.get("/api/v1/cases?limit=x"),
    }
    assert client.get("/api/v1/nowhere").headers["Content-Type"] == PROBLEM
    assert answers[405].headers["Allow"] == "GET"
    monkeypatch.setattr("doc_assets.archive.ledger.cases.CaseLedger.page", fails)
    answers[500] = client.get("/api/v1/cases")

    for status, answer in answers.items():
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, PROBLEM)
        assert answer.json()["status"] == status
        assert "secret" not in answer.content.decode()
    assert "limit" in answers[422].json()["detail"]
    assert "a secret of the machine" in caplog.text


WRONG = [
    "\0",
    "x\0y",
    "0",
    "-1",
    "1e999",
    "9" * 400,
    "nan",
    "inf,1",
    "1,",
    ",1",
    "1,2,3",
    "NaN,1",
    "1e99,1;",
    "가",
    *NAMES,
]


@pytest.mark.whole
def test_hostile_values_are_refused_or_find_nothing(desk):
    from urllib.parse import quote

    client, drop = _program(desk), desk.cases()[0].drop_key
    tried = [
        f"/api/v1/{path}"
        for value in WRONG
        for path in (
            *(f"cases?{name}={quote(value)}" for name in ("state", "drop", "merchant", "text", "finding", "after")),
            *(f"cases?{name}={quote(value)}" for name in ("limit", "mine")),
            *(f"verdicts?{name}={quote(value)}" for name in ("after", "limit")),
            f"results/drops/{drop}?after={quote(value)}",
            *(
                f"{name}/{quote(value, safe='')}"
                for name in ("cases", "documents", "results/documents", "results/drops")
            ),
        )
    ]
    desk.desk.limit.pause_s = lambda _who: None
    for address in [*tried, "/api/v1/cases?text=%ff%fe", "/api/v1/cases?%00=1", "/api/v1/cases?limit=1&limit=x"]:
        response = client.get(address)
        assert response.status_code in {200, 401, 404, 422}, (address, response.content)
        assert response.status_code == 200 or response.headers["Content-Type"] == PROBLEM, address


def test_a_garbled_cursor_is_refused(desk):
    client = _program(desk, "cases")
    for cursor in ("", "x", "1", "nan,1", "inf,1", "1e999,1", "1,x", "1,1,1", "1,-1", "0x1,1", " 1,1", "1,1\n"):
        assert client.get("/api/v1/cases", {"after": cursor}).status_code == 422, cursor


def test_the_document_of_the_api_is_for_whoever_has_a_way_in_and_there_is_no_page_of_another_host(desk):
    document = _program(desk, "metrics").get("/api/v1/openapi.json").json()
    assert desk.client("admin").get("/api/v1/openapi.json").json() == document
    assert desk.client().get("/api/v1/openapi.json").status_code == 401
    assert desk.client("admin").get("/api/v1/docs").status_code == 404

    assert set(document["paths"]) == {
        "/api/v1/cases",
        "/api/v1/cases/{case_id}",
        "/api/v1/documents/{number}",
        "/api/v1/healthz",
        "/api/v1/results/documents/{number}",
        "/api/v1/results/drops/{drop}",
        "/api/v1/verdicts",
    }
    for path, operations in document["paths"].items():
        assert operations["get"]["description"], path
        assert ("401" in operations["get"]["responses"]) == (path != "/api/v1/healthz")


def test_answers_are_not_kept(desk):
    client = _program(desk)
    for route, address in _addresses(desk).items():
        assert client.get(address).headers["Cache-Control"] == "no-store", route


def test_lines_about_requests_name_a_key_by_its_prefix_and_nothing_else(desk, caplog):
    text, case = _key(), desk.cases()[0]
    with caplog.at_level("INFO"):
        client = desk.client(headers={"x-api-key": text})
        client.get("/api/v1/cases", {"text": case.document})
        client.get(f"/api/v1/documents/{case.row_id}", {"merchant": case.merchant_id})
        client.get(f"/api/v1/results/drops/{case.document}")

    from doc_assets.web.access_log import _log

    lines = [json.loads(each.message) for each in caplog.records if each.name == _log.name]
    assert [line["route"] for line in lines] == [
        "/api/v1/cases",
        "/api/v1/documents/<number>",
        "/api/v1/results/drops/<drop>",
    ]
    assert {line["key"] for line in lines} == {text.split("_")[1]}
    for word in (case.document, case.merchant_id, text.rpartition("_")[2]):
        assert word not in json.dumps(lines)


def test_roles_of_the_api_are_roles_of_the_desk():
    assert {role for access in API.values() for role in access.roles} == set(ROLES)
