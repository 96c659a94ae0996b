"""Signing in, sessions, forms, headers: what a stranger or another site may try."""

import re
from datetime import timedelta

import pytest

from doc_assets.errors import InputError, SettingsError
from doc_assets.settings import Settings
from doc_assets_tests.web.conftest import PASSWORD, text_of

LOGIN = "/accounts/login/"


def _sign_in(client, name="reviewer", password=PASSWORD, **more):
    return client.post(LOGIN, {"login": name, "password": password, **more})


# --- the one-time link


def test_the_link_of_this_machine_opens_once(desk):
    from doc_assets.web.entry import one_time_token

    token, client = one_time_token(), desk.client()
    assert client.get(f"/enter/{token}").headers["Location"] == "/"
    assert client.get("/").status_code == 200
    assert client.get("/audit").status_code == 200  # a lead, too

    again = desk.client()
    assert again.get(f"/enter/{token}").status_code == 403
    assert again.get("/").status_code == 302
    assert desk.actions()[0] == ("local", "person.enter", "one-time link")


def test_the_link_opens_for_this_machine_alone_and_stays_good_then(desk):
    from doc_assets.web.entry import one_time_token

    token = one_time_token()

    assert desk.client(REMOTE_ADDR="192.0.2.7").get(f"/enter/{token}").status_code == 403
    assert desk.client(REMOTE_ADDR="::1").get(f"/enter/{token}").status_code == 302


def test_an_earlier_link_and_a_guessed_one_open_nothing(desk):
    from doc_assets.web.entry import one_time_token

    first, second = one_time_token(), one_time_token()

    for wrong in (first, second[:-1], second + "x", "가", " "):
        assert desk.client().get(f"/enter/{wrong}").status_code == 403


def test_nobody_can_sign_in_with_the_name_of_this_machine(desk):
    from doc_assets.web.accounts import local_person

    local_person()
    for password in ("", "!", "local"):
        assert _sign_in(desk.client(), "local", password).status_code == 200


# --- signing in


def test_signing_in_leads_to_the_page_that_was_wanted(desk):
    client = desk.client()

    response = _sign_in(client, next="/help")

    assert (response.status_code, response.headers["Location"]) == (302, "/help")
    assert client.get("/").status_code == 200


@pytest.mark.alike(1)
@pytest.mark.parametrize("evil", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"])
def test_no_form_leads_to_another_site(desk, evil):
    response = _sign_in(desk.client(), next=evil)
    assert (response.status_code, response.headers["Location"]) == (302, "/")

    for how in ("get", "post"):
        response = getattr(desk.client(), how)("/language", {"next": evil, "language": "en"}, headers={"referer": evil})
        assert "evil" not in response.headers["Location"]


def test_every_failure_says_the_same(desk):
    from doc_assets.web import accounts

    accounts.set_active("second", is_active=False)
    told = set()
    for name, password in [
        ("reviewer", "wrong"),
        ("not there", "wrong"),
        ("second", PASSWORD),
        ("viewer", PASSWORD[:-1]),
    ]:
        response = _sign_in(desk.client(), name, password)
        assert response.status_code == 200
        told.add(text_of(response).replace(name, ""))

    assert len(told) == 1


@pytest.mark.whole
def test_guessing_is_slowed_down_for_a_name_and_for_an_address(desk):
    client = desk.client()
    for _ in range(5):
        _sign_in(client, password="wrong")

    response = _sign_in(desk.client())  # the right one, from anywhere
    assert response.status_code == 200
    assert "Too many failed" in text_of(response)
    assert _sign_in(desk.client(), "viewer").status_code == 302

    for number in range(20):
        _sign_in(client, f"name{number}", "wrong")
    assert _sign_in(client, "lead").status_code == 200
    assert _sign_in(desk.client(REMOTE_ADDR="192.0.2.9"), "lead").status_code == 302


def test_a_session_gets_another_key_when_somebody_signs_in(desk):
    client = desk.client()
    session = client.session
    session["planted"] = "1"
    session.save()
    client.cookies["session"] = session.session_key

    _sign_in(client)

    assert client.cookies["session"].value != session.session_key
    assert not desk.client().session.exists(session.session_key)
    intruder = desk.client()
    intruder.cookies["session"] = session.session_key
    assert intruder.get("/").status_code == 302


def test_signing_out_ends_the_session_and_wants_a_form(desk):
    client = desk.client("reviewer")
    key = client.cookies["session"].value
    client.get("/accounts/logout/")
    assert client.get("/").status_code == 200

    client.post("/accounts/logout/")

    again = desk.client()
    again.cookies["session"] = key
    assert again.get("/").status_code == 302


def test_a_session_ends_after_twelve_hours_however_busy(desk):
    from doc_assets.web.middleware import SINCE

    client = desk.client("reviewer")
    client.get("/")
    for hours, status in [(11.9, 200), (12.1, 302)]:
        session = client.session
        session[SINCE] -= hours * 3600 if status == 200 else 0.2 * 3600
        session.save()
        assert client.get("/").status_code == status, hours


def test_an_idle_session_ends_after_half_an_hour(desk):
    from django.contrib.sessions.models import Session
    from django.utils import timezone

    client = desk.client("reviewer")
    client.get("/")
    (row,) = Session.objects.all()
    assert timedelta(minutes=29) < row.expire_date - timezone.now() <= timedelta(minutes=30)

    row.expire_date = timezone.now() - timedelta(seconds=1)
    row.save()
    assert client.get("/").status_code == 302


def test_the_use_of_a_session_is_noted_once_a_minute(desk):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from doc_assets.web.middleware import SEEN

    client = desk.client("reviewer")
    client.get("/")
    for seconds, is_noted in [(30, False), (31, True)]:
        session = client.session
        session[SEEN] -= seconds
        session.save()
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/").status_code == 200
        writes = [each["sql"] for each in queries if each["sql"].startswith(("UPDATE", "INSERT"))]
        assert bool(writes) == is_noted, writes


def test_cookies_are_kept_from_scripts_and_other_sites(desk):
    client = desk.client()
    client.get(LOGIN)
    _sign_in(client)
    client.post("/language", {"language": "ko"})

    for name in ("session", "csrf", "django_language"):
        cookie = client.cookies[name]
        assert (cookie["httponly"], cookie["samesite"]) == (True, "Strict"), name


def test_behind_tls_cookies_are_bound_to_it():
    from doc_assets.web.site import Door, _values

    values = _values(Settings(), Door("x", ("desk.example",), is_secure=True, proxy_secret="y"))

    assert values["SESSION_COOKIE_NAME"] == "__Host-session"
    assert values["CSRF_COOKIE_NAME"] == "__Host-csrf"
    assert values["SESSION_COOKIE_SECURE"]
    assert values["CSRF_COOKIE_SECURE"]
    assert values["SECURE_HSTS_SECONDS"] >= 31_536_000
    assert values["ALLAUTH_TRUSTED_PROXY_COUNT"] == 1


def test_with_a_proxy_in_front_nobody_comes_around_it(desk, settings_of_django):
    settings_of_django("DESK_PROXY_SECRET", "between us")

    assert desk.client().get("/healthz").status_code == 403
    assert desk.client(headers={"X-Desk-Proxy": "guess"}).get("/healthz").status_code == 403
    assert desk.client(headers={"X-Desk-Proxy": "between us"}).get("/healthz").status_code == 200


def test_whom_the_proxy_names_is_signed_in_if_the_desk_knows_the_name(desk, settings_of_django):
    settings_of_django("DESK_PROXY_SECRET", "between us")
    settings_of_django("DESK_FORWARD_SIGN_IN", True)

    def by_proxy(client, name):
        return client.get("/", headers={"X-Desk-Proxy": "between us", "X-Desk-User": name})

    client = desk.client()
    assert by_proxy(client, "reviewer").status_code == 200
    first = client.cookies["session"].value
    assert by_proxy(client, "reviewer").status_code == 200
    assert client.cookies["session"].value == first
    assert "reviewer" in text_of(by_proxy(client, "reviewer"))
    assert by_proxy(client, "lead").status_code == 200  # another person at the same browser
    assert client.cookies["session"].value != first
    assert [(person, action) for person, action, _ in desk.actions()] == [
        ("reviewer", "person.sign_in"),
        ("lead", "person.sign_in"),
    ]
    for stranger in ("root", "김철수", "admin'--"):
        answer = by_proxy(desk.client(), stranger)
        assert answer.status_code == 403
        assert "not known here" in text_of(answer)
    assert by_proxy(desk.client(), "").status_code == 302


def test_a_disabled_person_is_not_signed_in_by_the_proxy_either(desk, settings_of_django):
    from doc_assets.web import accounts

    settings_of_django("DESK_PROXY_SECRET", "between us")
    settings_of_django("DESK_FORWARD_SIGN_IN", True)
    accounts.set_active("reviewer", is_active=False)
    headers = {"X-Desk-Proxy": "between us", "X-Desk-User": "reviewer"}

    assert desk.client().get("/", headers=headers).status_code == 403


def test_without_that_setting_a_name_from_outside_is_nothing(desk):
    from doc_assets.web.server import door_of

    client = desk.client()

    assert client.get("/", headers={"X-Desk-User": "lead"}).status_code == 302
    with pytest.raises(SettingsError, match="DESK_PROXY_SECRET"):
        door_of(Settings(desk_forward_sign_in=True), "127.0.0.1")


@pytest.fixture
def settings_of_django(django):
    from django.test import override_settings

    entered = []

    def change(name, value):
        entered.append(override_settings(**{name: value}))
        entered[-1].enable()

    yield change
    for each in reversed(entered):
        each.disable()


def test_passwords_are_kept_as_argon2_and_weak_ones_are_refused(desk):
    from django.contrib.auth.models import User

    from doc_assets.web import accounts

    assert User.objects.get(username="reviewer").password.startswith("argon2$argon2id$")
    for weak in ("short", "password123456", "newcomer12345"):
        with pytest.raises(InputError):
            accounts.add_person("newcomer", ["viewer"], weak)
    for name in ("REVIEWER", "<script>", "a\nb", "", "x" * 200):
        with pytest.raises(InputError):
            accounts.add_person(name, ["viewer"], PASSWORD)


def test_a_second_factor_is_asked_for_and_a_code_counts_once(desk):
    from allauth.mfa.totp.internal import auth
    from django.contrib.auth.models import User

    secret = auth.generate_totp_secret()
    auth.TOTP.activate(User.objects.get(username="lead"), secret)
    client = desk.client()

    assert _sign_in(client, "lead").headers["Location"] == "/accounts/2fa/authenticate/"
    assert client.get("/").status_code == 302
    code = auth.format_hotp_value(auth.hotp_value(secret, next(auth.yield_hotp_counters_from_time())))
    assert client.post("/accounts/2fa/authenticate/", {"code": code}).status_code == 302
    assert client.get("/").status_code == 200

    other = desk.client()
    _sign_in(other, "lead")
    assert other.post("/accounts/2fa/authenticate/", {"code": code}).status_code == 200
    assert other.get("/").status_code == 302


def test_every_way_in_and_out_and_every_change_of_it_is_in_the_audit(desk):
    from allauth.mfa.totp.internal import auth

    client = desk.client()
    _sign_in(client, password="wrong")
    _sign_in(client)
    old = {"oldpassword": PASSWORD, "password1": "another horse battery", "password2": "another horse battery"}
    assert client.post("/accounts/password/change/", old).status_code == 302
    client.post("/accounts/reauthenticate/", {"password": "another horse battery"})
    client.get("/accounts/2fa/totp/activate/")
    secret = client.session[auth.SECRET_SESSION_KEY]
    code = auth.format_hotp_value(auth.hotp_value(secret, next(auth.yield_hotp_counters_from_time())))
    assert client.post("/accounts/2fa/totp/activate/", {"code": code}).status_code == 302
    client.post("/accounts/logout/")

    entries = list(reversed(desk.ledger.audit.page(100)))
    assert [entry.person for entry in entries] == ["", *["reviewer"] * 5]  # who typed a wrong password is not known
    assert [entry.action.removeprefix("person.") for entry in entries] == [
        "sign_in_failed",
        "sign_in",
        "change_password",
        "second_factor",
        "second_factor",
        "sign_out",
    ]
    assert {entry.detail["type"] for entry in entries[3:5]} == {"totp", "recovery_codes"}
    assert "another horse" not in str(entries)
    assert secret not in str(entries)


# --- forms and headers


def test_a_form_of_another_site_does_nothing_and_says_so_kindly(desk):
    case = desk.cases()[0]
    client = desk.client("reviewer", enforce_csrf_checks=True)
    for path in ("verdict", "undo", "comment", "release"):
        response = client.post(f"/cases/{case.case_id}/{path}", {"comment": "x", "photograph": "different"})
        assert response.status_code == 403
        assert "too old" in text_of(response)
    for path in ("/next", "/language", "/accounts/logout/", LOGIN):
        assert client.post(path).status_code == 403

    page = client.get(f"/cases/{case.case_id}").content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[1]
    values = {"comment": "note", "csrfmiddlewaretoken": token}
    evil = client.post(f"/cases/{case.case_id}/comment", values, headers={"origin": "https://evil.example"})
    assert evil.status_code == 403
    assert client.post(f"/cases/{case.case_id}/comment", values).status_code == 302
    assert [each.text for each in desk.ledger.cases.comments(case.case_id)] == ["note"]


PAGES = [
    "/",
    "/help",
    "/audit",
    "/nowhere",
    LOGIN,
    "/accounts/2fa/",
    "/accounts/sessions/",
    "/accounts/password/change/",
]


@pytest.mark.parametrize("name", ["lead", None])
def test_every_page_says_what_it_may_load_and_that_nobody_frames_it(desk, name):
    case, client = desk.cases()[0], desk.client(name)
    for path in [
        *PAGES,
        f"/cases/{case.case_id}",
        f"/photos/{case.row_id}/0/320.jpg",
        "/static/desk/desk.js",
        "/healthz",
    ]:
        headers = client.get(path).headers
        policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == "'none'", path
        assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'", path
        assert (policy["frame-ancestors"], policy["base-uri"]) == ("'none'", "'none'"), path
        assert headers["X-Frame-Options"] == "DENY", path
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["Referrer-Policy"] == "same-origin", path
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin", path


def test_no_page_has_a_script_a_style_or_a_handler_in_it(desk):
    case, client = desk.cases()[0], desk.client("lead")
    for path in [*PAGES, f"/cases/{case.case_id}"]:
        page = client.get(path).content.decode()
        scripts = re.findall(r"<script(?![^>]*(?:\bsrc=|application/json))[^>]*>", page)
        assert (scripts, re.findall(r"<style|\sstyle=|\son\w+=", page)) == ([], []), path
        assert not re.search(r'(?:src|href|action)="(?:https?:)?//', page), path


def test_pages_with_data_are_not_kept_by_the_browser(desk):
    case, client = desk.cases()[0], desk.client("lead")
    for path in ("/", f"/cases/{case.case_id}", "/audit", "/accounts/sessions/"):
        assert "no-store" in client.get(path).headers["Cache-Control"], path
    assert "private" in client.get(f"/photos/{case.row_id}/0/320.jpg").headers["Cache-Control"]


def test_an_unknown_host_is_refused(desk):
    assert desk.client(headers={"host": "evil.example"}).get(LOGIN).status_code == 400


def test_no_page_takes_files(desk):
    from django.core.files.uploadedfile import SimpleUploadedFile

    client = desk.client("reviewer")
    case = desk.cases()[0]
    big = SimpleUploadedFile("x.tif", b"0" * (1 << 20))
    response = client.post(f"/cases/{case.case_id}/comment", {"comment": "with a file", "file": big})
    assert response.status_code == 302
    assert response.wsgi_request.FILES == {}


def test_a_form_that_is_too_large_is_refused(desk):
    case = desk.cases()[0]
    response = desk.client("reviewer").post(f"/cases/{case.case_id}/comment", {"comment": "x" * 100_000})
    assert response.status_code == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-length": "10"}, 200),
        ({"content-length": str(1 << 20)}, 413),
        ({"transfer-encoding": "chunked"}, 411),
        ({}, 200),
    ],
)
def test_a_large_body_is_refused_before_it_is_read(headers, status):
    import asyncio

    from starlette.responses import Response

    from doc_assets.web.server import _SmallBodies

    told = []

    async def receive():
        raise AssertionError("the body was read")

    async def send(message):
        told.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
    }
    asyncio.run(_SmallBodies(Response("fine"), 1 << 20)(scope, receive, send))

    assert told[0]["status"] == status


def test_what_failed_is_told_to_nobody_and_stands_in_the_log(desk, monkeypatch, caplog):
    def fails(*_args):
        raise RuntimeError("a secret of the machine")

    monkeypatch.setattr("doc_assets.archive.ledger.cases.CaseLedger.counts", fails)
    client = desk.client("reviewer", raise_request_exception=False)

    response = client.get("/")

    assert response.status_code == 500
    assert "secret" not in response.content.decode()
    assert "a secret of the machine" in caplog.text


def test_lines_about_requests_name_nobody_and_nothing(desk, tmp_path):
    import logging

    from doc_assets.web import access_log

    settings = Settings(log_dir=tmp_path / "log")
    levels = {name: logging.getLogger(name).level for name in ("django", "django.request", "uvicorn")}
    access_log.log_requests(settings)
    try:
        case, client = desk.cases()[0], desk.client("reviewer")
        client.get(f"/cases/{case.case_id}?text={case.document}")
        client.get("/nowhere/secret-name")
        client.get("/enter/secret-token")
    finally:
        for name, level in levels.items():
            logger = logging.getLogger(name)
            logger.setLevel(level)
            logger.propagate = True
            for handler in list(logger.handlers):
                logger.removeHandler(handler)
                handler.close()
        for handler in list(access_log._log.handlers):
            access_log._log.removeHandler(handler)
            handler.close()

    lines = (settings.log_dir / access_log.ACCESS_LOG_NAME).read_text()
    assert '"route": "/cases/<number:case_id>", "status": 200' in lines
    assert '"route": "none", "status": 404' in lines
    assert '"route": "/enter/<str:token>", "status": 403' in lines
    for word in (case.document, "secret", "reviewer"):
        assert word not in lines
    assert sorted(path.name for path in settings.log_dir.iterdir()) == [access_log.ACCESS_LOG_NAME]
