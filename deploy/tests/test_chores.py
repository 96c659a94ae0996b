"""What an operator does now and then, word by word as docs/operations.md says it."""

import os
import pty
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from deploy.tests.stack import Stack, wait_for
from deploy.tests.test_update import stop_or_continue

pytestmark = pytest.mark.more

LOGIN_SERVICE = """
from http.server import BaseHTTPRequestHandler, HTTPServer

class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        who = self.headers.get("Cookie", "")
        if self.path == "/oauth2/auth":
            code = 202 if who else 401
        else:
            code = 200
        self.send_response(code)
        self.send_header("X-Auth-Request-User", who.partition("=")[2])
        self.end_headers()
        self.wfile.write(b"login page of " + self.headers["Host"].encode() if code == 200 else b"")

HTTPServer(("", 4180), Answers).serve_forever()
"""
"""Answers as oauth2-proxy does: /oauth2/auth says yes or no, everything else below /oauth2/ is its own."""


@pytest.fixture
def forward(stack: Stack):
    """The stack with PROXY_AUTH=forward and a login service beside it."""
    login = ["docker", "run", "--detach", "--name", f"{stack.name}-auth", "--network", f"{stack.name}_web"]
    login += ["--network-alias", "auth", "--user", "65534", "python:3.11-slim-bookworm"]
    stack.run(*login, "python3", "-c", LOGIN_SERVICE)
    stack.environment |= {"PROXY_AUTH": "forward", "PROXY_OPERATORS": "operator"}
    try:
        stack.compose("up", "--detach", "--wait", "--no-deps", "proxy")
        yield stack
    finally:
        del stack.environment["PROXY_AUTH"], stack.environment["PROXY_OPERATORS"]
        stack.run("docker", "rm", "--force", f"{stack.name}-auth")
        stack.compose("up", "--detach", "--wait", "--no-deps", "proxy")


def test_another_service_may_decide_who_gets_in(forward):
    with forward.client(None) as client:
        wait_for("the login service", lambda: client.get("/oauth2/sign_in").status_code == 200, 30)
        stranger = client.get("/dagster/")
        asked = client.post("/dagster/graphql", json={"query": "{ version }"})
        login = client.get(stranger.headers["location"])
        as_operator = {"Cookie": "user=operator"}
        page = client.get("/dagster/", headers=as_operator, follow_redirects=True)
        answer = client.post("/dagster/graphql", json={"query": "{ version }"}, headers=as_operator)
        form = client.post("/dagster/graphql", data={"query": "{ version }"}, headers=as_operator)
        as_viewer = {"Cookie": "user=viewer"}
        seen = [
            client.get(path, headers=as_viewer, follow_redirects=True).status_code
            for path in ("/view/", "/reports/", "/dagster/")
        ]
        with_password = client.get("/dagster/", auth=("operator", forward.secret("operator_password")))

    assert (stranger.status_code, stranger.headers["location"]) == (302, "/oauth2/start?rd=/dagster/")
    assert asked.status_code == 302
    assert login.text == f"login page of localhost:{forward.port}"
    assert "initialization-data" in page.text
    assert answer.json()["data"]["version"]
    assert form.status_code == 403
    assert seen == [200, 200, 403]
    assert with_password.status_code == 302


def test_a_login_service_that_is_away_lets_nobody_in(forward):
    forward.run("docker", "stop", "--time", "1", f"{forward.name}-auth")

    with forward.client(None) as client:
        assert client.get("/dagster/", headers={"Cookie": "user=operator"}).status_code >= 500
    forward.run("docker", "start", f"{forward.name}-auth")


def test_one_more_user_is_one_more_line(stack):
    line = f"printf 'anna:%s\\n' \"$(openssl passwd -6)\" >>{stack.secrets}/operators"
    child, terminal = pty.fork()
    if child == 0:
        os.execvp("sh", ["sh", "-c", line])
    for _ in range(2):  # the password, and again
        _read_until(terminal, b"assword: ")
        os.write(terminal, b"long enough for a test\n")
    assert os.waitpid(child, 0)[1] == 0
    os.close(terminal)

    with stack.client(None) as client:
        assert client.get("/dagster/server_info", auth=("anna", "long enough for a test")).status_code == 200
        assert client.get("/dagster/server_info", auth=("anna", "wrong")).status_code == 401


def _read_until(terminal: int, end: bytes) -> None:
    said = b""
    while not said.endswith(end):
        said += os.read(terminal, 100)


def test_a_run_is_stopped_and_not_tried_again(ingested, corpus):
    program = ("exec", "-T", "daemon", "python", "stack/stop_run.py")
    folder = ingested.offer("many", (corpus / "incoming").iterdir())
    config = {"ops": {"match_query_documents": {"config": {"folder": folder}}}}
    run_id = ingested.launch("search_documents_job", config)
    status = f"SELECT status FROM runs WHERE run_id = '{run_id}'"
    wait_for("its work", lambda: ingested.sql(status, "dagster") == [["STARTED"]], 240)
    (container,) = ingested.containers(f"label=dagster/run_id={run_id}")

    stop_or_continue(ingested, container, signal.SIGSTOP)  # it would end by itself in a while
    with ThreadPoolExecutor() as aside:
        stopping = aside.submit(ingested.compose, *program, run_id)
        wait_for("the wish", lambda: ingested.sql(status, "dagster") == [["CANCELING"]], 60)
        stop_or_continue(ingested, container, signal.SIGCONT)
        stopping.result()

    assert wait_for("the run's end", lambda: ingested.ended(run_id), 240) == "CANCELED"
    assert not ingested.inspect(container)["State"]["Running"]
    again = f"SELECT count(*) FROM run_tags WHERE key = 'dagster/parent_run_id' AND value = '{run_id}'"
    assert ingested.sql(again, "dagster") == [["0"]]
    assert ingested.compose_done(*program, run_id).returncode == 1


def test_old_containers_of_runs_are_pruned_and_no_others(ingested):
    finished = ingested.run_containers()
    other = ingested.run("docker", "run", "--detach", "debian:bookworm-slim", "true").stdout.strip()
    line = ["docker", "container", "prune", "--force", "--filter", f"label=doc_assets/stack={ingested.name}"]

    ingested.run(*line, "--filter", "until=168h")
    assert ingested.run_containers() == finished
    time.sleep(2)
    ingested.run(*line, "--filter", "until=1s")

    assert finished
    assert ingested.run_containers() == []
    ingested.run("docker", "rm", other)  # it is still there
