"""Who gets in, and what is written about it."""

import json
import signal
import subprocess

import httpx
import pytest

from doc_assets.errors import SettingsError
from doc_assets.ops.image_server.serving import listen
from doc_assets_tests.ops.image_server.conftest import KEY
from doc_assets_tests.program import PROGRAM


@pytest.mark.alike(6)
@pytest.mark.parametrize("key", ["", "wrong", KEY[:-1], KEY + "x", "키".encode()])
@pytest.mark.parametrize("path", ["/images?filename=N20240101THA00001", "/openapi.json", "/nothing"])
def test_without_the_key_nothing_is_said(served, key, path):
    answer = httpx.get(served.url + path, headers={"X-API-Key": key}, trust_env=False)

    assert (answer.status_code, answer.content) == (401, b"")


def test_other_machines_are_served_with_a_key_only():
    for host in ("0.0.0.0", "::", "192.0.2.7", "example.invalid"):
        with pytest.raises(SettingsError, match="DOC_ASSETS_IMAGE_API_KEY"):
            listen(host, 0, has_key=False)
    listen("0.0.0.0", 0, has_key=True).close()
    with listen("127.0.0.1", 0, has_key=False) as taken, pytest.raises(SettingsError, match="--port"):
        listen("127.0.0.1", taken.getsockname()[1], has_key=False)


def test_without_a_key_a_web_page_of_another_name_is_refused(serving):
    with serving(key="") as served:
        assert served.get("N20240101THA00001").status_code == 200
        for host in ("evil.example", "127.0.0.1.evil.example", "[", ""):
            assert served.client.get("/images?filename=x", headers={"Host": host}).status_code in {400, 403}


def test_a_client_that_asks_too_often_is_told_when_to_come_back(serving):
    with serving(rate="3/hour") as served:
        answers = [served.get("nothing") for _ in range(4)]

        assert [answer.status_code for answer in answers] == [404, 404, 404, 429]
        assert 3500 < int(answers[-1].headers["Retry-After"]) <= 3600
        assert served.client.get("/healthz").status_code == 200


def test_every_answer_has_its_headers_and_an_id(served):
    sane = served.client.get("/images?filename=x", headers={"X-Correlation-ID": "run-7.a_b"})
    odd = served.client.get("/nothing", headers={"X-Correlation-ID": "x" * 65})
    refused = httpx.put(served.url + "/images", trust_env=False)

    assert sane.headers["X-Correlation-ID"] == "run-7.a_b"
    assert len(odd.headers["X-Correlation-ID"]) == 32
    for answer in (sane, odd, refused):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "server" not in answer.headers


def test_the_log_holds_no_name_no_key_and_no_address(serving):
    with serving() as served:
        served.get("N20240101THA00001", comany_registration="123-45")
        served.client.put("/secret-path", headers={"X-Correlation-ID": "abc"})

    text = served.log.read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    lines.sort(key=lambda line: line["method"])  # a request is filed when its answer has been sent
    assert [(line["method"], line["route"], line["status"]) for line in lines] == [
        ("GET", "/images", 200),
        ("PUT", "none", 404),
    ]
    assert set(lines[0]) == {"time", "method", "route", "status", "ms", "bytes", "correlation_id"}
    assert lines[0]["bytes"] > 100
    assert lines[1]["correlation_id"] == "abc"
    assert not [word for word in ("N2024", "123-45", KEY, "secret", "127.0.0.1") if word in text]


def test_an_overlong_request_is_refused(served):
    assert served.client.get("/images?filename=" + "a" * 40_000).status_code == 400


@pytest.mark.whole
def test_the_command_serves_until_it_is_told_to_end(archive_folder, tmp_path):
    arguments = ["serve-images", "--search-root", str(archive_folder), "--port", "0"]
    with subprocess.Popen([PROGRAM, *arguments], stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        line = process.stdout.readline()
        url = line.split(" on ")[1].split("/images")[0]
        answer = httpx.get(f"{url}/images?filename=N20240102THA00001", trust_env=False, timeout=60)
        process.send_signal(signal.SIGTERM)

    assert answer.json()["server_filename"] == "N20240102THA00100001_1.TIF"
    assert process.returncode == 0
    assert '"status": 200' in (tmp_path / "log" / "image_api_access.log").read_text(encoding="utf-8")


@pytest.mark.whole
@pytest.mark.parametrize(
    ("arguments", "environment", "says"),
    [
        (["--host", "0.0.0.0"], {}, "DOC_ASSETS_IMAGE_API_KEY"),
        ([], {"DOC_ASSETS_IMAGE_API_RATE": "often"}, "often"),
    ],
)
def test_a_wrong_setting_ends_the_command(archive_folder, tmp_path, monkeypatch, arguments, environment, says):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    done = subprocess.run(
        [PROGRAM, "serve-images", "--search-root", str(archive_folder), "--port", "0", *arguments],
        capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path,
    )  # fmt: skip

    assert done.returncode == 2
    assert says in done.stderr
