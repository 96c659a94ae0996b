"""Nothing is lost or doubled when parts of the stack die, and a probe turns red when what it stands for is away."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.tests.stack import Stack, wait_for
from doc_assets.lab.corpus import draw_corpus, plan_corpus

IN_PROGRESS = "SELECT count(*) FROM runs WHERE status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED')"
TWICE = (
    "SELECT count(*) FROM "
    "(SELECT file_name FROM documents WHERE is_current GROUP BY file_name HAVING count(*) > 1) AS twice"
)


@pytest.fixture(scope="module")
def drops(tmp_path_factory) -> Iterator[list[Path]]:
    """Documents that no other test drops, four for each test."""
    folder = tmp_path_factory.mktemp("faults")
    draw_corpus(folder, plan_corpus(16, [], seed=32), workers=2)
    files = sorted((folder / "archive").iterdir())
    return iter([files[start : start + 4] for start in range(0, len(files), 4)])


def _kill(stack: Stack, container: str) -> None:
    os.kill(int(stack.inspect(container)["State"]["Pid"]), signal.SIGKILL)  # `docker kill` would forbid the restart


def _kill_run(stack: Stack) -> None:
    _kill(stack, wait_for("a run that works", stack.working_run, 180))


def _kill_daemon_and_code_server(stack: Stack) -> None:
    wait_for("a run that works", stack.working_run, 180)
    for service in ("daemon", "user-code"):
        _kill(stack, stack.container(service))


def _postgres_away(seconds: float) -> Callable[[Stack], None]:
    def away(stack: Stack) -> None:
        wait_for("a run that works", stack.working_run, 180)
        stack.compose("stop", "--timeout", "5", "postgres")
        time.sleep(seconds)
        stack.compose("start", "postgres")
        wait_for("PostgreSQL", lambda: stack.health("postgres") == "healthy", 120)

    return away


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(_kill_run, id="run container killed"),
        pytest.param(_kill_daemon_and_code_server, id="daemon and code server killed"),
        pytest.param(_postgres_away(5), id="PostgreSQL away for 5 s"),
        pytest.param(_postgres_away(60), id="PostgreSQL away for 60 s"),
    ],
)
def test_a_drop_survives(ingested, drops, fault):
    files = next(drops)
    names = ", ".join(f"'{file.name}'" for file in files)
    ingested.drop(files)

    fault(ingested)

    held = "id IN (SELECT row_id FROM indexed_documents)"
    indexed = f"SELECT count(*) FROM documents WHERE state = 'ok' AND {held} AND file_name IN ({names})"
    wait_for("every document indexed", lambda: ingested.sql(indexed) == [[str(len(files))]], 600)
    wait_for("no run left in progress", lambda: ingested.sql(IN_PROGRESS, "dagster") == [["0"]], 300)
    assert ingested.sql(TWICE) == [["0"]]
    assert ingested.compose("exec", "-T", "user-code", "doc-assets", "check")


# --- probes


def _is_green(stack: Stack, service: str) -> bool:
    """Whether the probe says so within the time that the engine gives it."""
    check = stack.inspect(stack.container(service))["Config"]["Healthcheck"]
    assert check["Test"][0] == "CMD"
    command = ["docker", "exec", stack.container(service), *check["Test"][1:]]
    try:
        return stack.run(*command, check=False, timeout_s=check["Timeout"] / 1e9).returncode == 0
    except subprocess.TimeoutExpired:
        return False


@pytest.mark.parametrize(
    ("service", "dependency"),
    [
        ("webserver", "postgres"),
        ("webserver-view", "postgres"),
        ("daemon", "postgres"),
        ("proxy", "webserver"),
    ],
)
def test_a_probe_is_green_and_turns_red_when_its_dependency_stops(stack, service, dependency):
    assert _is_green(stack, service)

    with _stopped(stack, dependency):
        assert not _is_green(stack, service)

    wait_for(f"{service} green again", lambda: _is_green(stack, service), 120)


@contextmanager
def _stopped(stack: Stack, service: str) -> Iterator[None]:
    stack.compose("stop", "--timeout", "5", service)
    try:
        yield
    finally:
        stack.compose("start", service)
        wait_for(service, lambda: stack.health(service) == "healthy", 180)


def test_the_first_request_after_a_restart_of_postgresql_is_answered(stack):
    jobs = "{ runsOrError { __typename } }"
    stack.graphql(jobs)
    with _stopped(stack, "postgres"):
        pass

    assert stack.graphql(jobs) == {"runsOrError": {"__typename": "Runs"}}
    assert _is_green(stack, "webserver-view")


def test_the_code_servers_probe_turns_red_when_it_hangs(stack):
    assert _is_green(stack, "user-code")
    pids = [
        int(line.split()[0])
        for line in stack.run("docker", "top", stack.container("user-code"), "-eo", "pid,args").stdout.splitlines()[1:]
        if "code-server" in line or "api grpc" in line
    ]
    assert pids
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        assert not _is_green(stack, "user-code")
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_nothing_starts_with_a_template_password(tmp_path):
    """A stack of its own: with the first service the start ends, before a database is made."""
    tmp_path.chmod(0o755)
    fresh = Stack(tmp_path, STACK_PROJECT="doc-assets-refused")
    (fresh.secrets / "ledger_password").chmod(0o600)
    (fresh.secrets / "ledger_password").write_text("change-me-before-the-first-start", encoding="utf-8")
    (fresh.secrets / "ledger_password").chmod(0o444)
    try:
        fresh.compose("up", "--detach", "configure", "postgres", check=False)
        said = fresh.compose("logs", "--no-color", "configure")
        running = fresh.compose("ps", "--quiet", "postgres")
    finally:
        fresh.compose("down", "--volumes", check=False)

    assert "secrets/ledger_password is a template" in said
    assert not running.strip()
