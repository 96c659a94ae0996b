import os

import pytest

from doc_assets.errors import ServiceError, SettingsError
from doc_assets.ops.alerts import Webhook
from doc_assets.ops.doctor.check import Level
from doc_assets.ops.doctor.home import check_webhook
from doc_assets_tests.program import in_process


def test_an_alert_is_posted_as_json_with_its_token(receiver):
    Webhook(f"{receiver.origin}/hook?team=1", [receiver.origin], "s3cret").post({"text": "가맹점"})

    assert receiver.posted == [("/hook?team=1", {"text": "가맹점"})]
    assert receiver.headers[0]["Authorization"] == "Bearer s3cret"
    assert receiver.headers[0]["Content-Type"] == "application/json"


def test_what_is_not_taken_is_an_error_that_names_the_origin_only(receiver):
    receiver.statuses = [403]

    with pytest.raises(ServiceError) as error:
        Webhook(f"{receiver.origin}/services/hidden-key", [receiver.origin], "s3cret").post({})

    assert "it answered 403" in str(error.value)
    assert receiver.origin in str(error.value)
    assert not {"hidden-key", "s3cret"} & set(str(error.value).replace("/", " ").split())


def test_a_redirect_is_not_followed(receiver):
    receiver.statuses, receiver.location = [307], f"{receiver.origin}/elsewhere"

    with pytest.raises(ServiceError, match="307"):
        Webhook(f"{receiver.origin}/hook", [receiver.origin]).post({})

    assert {path for path, _ in receiver.posted} == {"/hook"}


def test_a_proxy_of_the_environment_is_not_used(receiver, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")

    Webhook(receiver.origin, [receiver.origin]).post({"n": 1})

    assert receiver.alerts == [{"n": 1}]


@pytest.mark.parametrize(
    "url",
    [
        "https://alerts.example.org.evil.example/hook",
        "http://alerts.example.org/hook",
        "https://alerts.example.org:8443/hook",
        "https://alerts.example.org@evil.example/hook",
        "https://user:pass@alerts.example.org/hook",
        "https://alerts.example.org\\@evil.example/",
        "https://alerts.example.org:port/",
        "file:///etc/passwd",
        "//alerts.example.org/hook",
        "alerts.example.org",
    ],
)
def test_only_allowed_origins_are_spoken_to(url):
    with pytest.raises(SettingsError):
        Webhook(url, ["https://alerts.example.org"])


def test_the_standard_port_and_capital_letters_change_no_origin():
    assert Webhook("https://Alerts.Example.org:443/x", ["https://alerts.example.org"]).origin == (
        "https://alerts.example.org"
    )
    assert Webhook("http://[::1]:8080/x", ["http://[::1]:8080/"]).address == ("::1", 8080)


def test_nothing_of_the_address_but_its_origin_shows(receiver):
    shown = repr(Webhook("https://chat.example/services/hidden-key", ["https://chat.example"], "s3cret"))

    assert "hidden-key" not in shown
    assert "s3cret" not in shown


def test_doctor_says_off_reachable_away_and_not_allowed(settings, receiver):
    def with_url(url, allowed):
        return settings.model_copy(update={"alert_webhook_url": url, "alert_webhook_allowed": allowed})

    off = check_webhook(settings)
    there = check_webhook(with_url(receiver.origin, [receiver.origin]))
    away = check_webhook(with_url("http://127.0.0.1:9", ["http://127.0.0.1:9"]))
    foreign = check_webhook(with_url(receiver.origin, []))

    assert [found.level for found in (off, there, away, foreign)] == [Level.GREEN, Level.GREEN, Level.RED, Level.RED]
    assert "off" in off.says
    assert "cannot be reached" in away.says
    assert "ALLOWED" in foreign.says
    assert receiver.posted == []


@pytest.mark.whole
def test_the_command_sends_a_test_and_says_when_nobody_takes_it(receiver, monkeypatch, tmp_path):
    def send():
        return in_process(["send-test-alert"], tmp_path, os.environ)

    off = send()
    monkeypatch.setenv("DOC_ASSETS_ALERT_WEBHOOK_URL", f"{receiver.origin}/hook")
    monkeypatch.setenv("DOC_ASSETS_ALERT_WEBHOOK_ALLOWED", f'["{receiver.origin}"]')
    taken = send()
    receiver.statuses = [500]
    refused = send()

    assert (off.returncode, taken.returncode, refused.returncode) == (2, 0, 1)
    assert "Alerts are off" in off.stderr
    assert [alert["kind"] for alert in receiver.alerts] == ["test"] * 2
    assert "it answered 500" in refused.stderr
