"""The stack under test: its own project name, settings, secrets, port and folders, so that no other is touched."""

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import httpx

PROJECT_DIR = Path(__file__).resolve().parents[2]
NAME = os.environ.get("STACK_TEST_NAME", "doc-assets-test")
TAG = os.environ.get("STACK_TEST_TAG", "local")
"""Of the images; both let two people test on one engine."""
IMAGES = {
    "STACK_IMAGE": f"doc-assets:{TAG}",
    "STACK_POSTGRES_IMAGE": f"doc-assets-postgres:{TAG}",
    "STACK_PROXY_IMAGE": f"doc-assets-proxy:{TAG}",
    "STACK_SOCKET_PROXY_IMAGE": f"doc-assets-socket-proxy:{TAG}",
}
T = TypeVar("T")
LAUNCH = """mutation Launch($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
STATUS = "query Status($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"


class Stack:
    """Runs ``docker compose`` on the files of the project, and talks to the proxy as a user would."""

    def __init__(self, folder: Path, files: tuple[str, ...] = ("docker-compose.yaml",), **settings: str) -> None:
        self.folder, self.files, self.name = folder, files, settings.get("STACK_PROJECT", NAME)
        self.port = _port_of(folder / "stack.env") or free_port()
        self.secrets = folder / "secrets"
        self.inbox, self.queries = folder / "inbox", folder / "queries"
        self.archive = folder / "archive"
        self.env_file = folder / "stack.env"
        self._write_settings(settings)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("DOC_ASSETS_", "STACK_"))},
            "STACK_ENV_FILE": str(self.env_file),
            "STACK_SECRETS": str(self.secrets),
            "COMPOSE_ENV_FILES": str(self.env_file),
            "PWD": str(PROJECT_DIR),
        }
        folder.chmod(0o755)
        self.run("deploy/init", "localhost")

    def _write_settings(self, settings: dict[str, str]) -> None:
        chosen = {
            "STACK_PROJECT": NAME,
            **({} if TAG == "local" else IMAGES),
            "STACK_INBOX": str(self.inbox),
            "STACK_QUERIES": str(self.queries),
            "STACK_BACKUPS": str(self.folder / "backups"),
            "STACK_ARCHIVE": str(self.archive),
            "STACK_BIND": "127.0.0.1",
            "STACK_PORT": str(self.port),
            "STACK_RUN_CPUS": "2",
            "STACK_PROBE_INTERVAL": "5s",
            "DOC_ASSETS_INTAKE_INTERVAL_S": "5",
            "DOC_ASSETS_INTAKE_SETTLE_S": "2",
            "DOC_ASSETS_DROP_MAX_AGE_S": "5",
            "DOC_ASSETS_SELF_TEST_PHOTOS": "3",
            **settings,
        }
        lines = (PROJECT_DIR / ".env.example").read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if line.split("=")[0] not in chosen]
        text = "\n".join([*kept, *(f"{name}={value}" for name, value in chosen.items())])
        self.env_file.write_text(text + "\n", encoding="utf-8")

    def run(
        self, *command: str, check: bool = True, timeout_s: float = 900, given: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """A program in the project's folder, its output captured."""
        done = subprocess.run(
            command,
            cwd=PROJECT_DIR,
            env=self.environment,
            capture_output=True,
            input=given,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(
                f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-5000:]}"
            )
        return done

    def compose(self, *command: str, check: bool = True, timeout_s: float = 900, given: str | None = None) -> str:
        """``docker compose`` on this stack; returns its standard output."""
        return self.compose_done(*command, check=check, timeout_s=timeout_s, given=given).stdout

    def compose_done(
        self, *command: str, check: bool = False, timeout_s: float = 900, given: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """The same with exit code and standard error."""
        files = [argument for file in self.files for argument in ("--file", file)]
        base = ["docker", "compose", "--project-directory", ".", *files, "--env-file", str(self.env_file)]
        return self.run(*base, *command, check=check, timeout_s=timeout_s, given=given)

    def config(self) -> dict[str, Any]:
        """The compose file as compose understands it."""
        found: dict[str, Any] = json.loads(self.compose("config", "--format", "json"))
        return found

    def up(self) -> None:
        """Starts everything and waits until it is healthy."""
        try:
            self.compose("up", "--detach", "--wait", "--wait-timeout", "600")
        except AssertionError as error:
            raise AssertionError(
                f"{error}\n{self.compose('logs', '--no-color', '--tail', '30', check=False)}"
            ) from error

    def down(self) -> None:
        """Removes containers of services and runs, networks and volumes."""
        for container in self.containers(f"label=dagster/run_id,network={self.name}_data"):
            self.run("docker", "rm", "--force", "--volumes", container)
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "20", check=False)

    def containers(self, filters: str, *, everything: bool = True) -> list[str]:
        """Ids of containers by docker's filters, comma separated."""
        arguments = [argument for one in filters.split(",") for argument in ("--filter", one)]
        return self.run(
            "docker", "ps", "--quiet", "--no-trunc", *(["--all"] if everything else []), *arguments
        ).stdout.split()

    def run_containers(self) -> list[str]:
        """Ids of the containers of Dagster's runs, finished ones too."""
        return self.containers(f"label=dagster/run_id,network={self.name}_data")

    def working_run(self) -> str | None:
        """Container of an ingesting run that has begun to work, and whose row says so."""
        started = self.sql(
            "SELECT run_id FROM runs WHERE status = 'STARTED' AND pipeline_name = 'ingest_drop_job'", "dagster"
        )
        found = self.containers(f"label=dagster/run_id={started[0][0]},status=running") if started else []
        return found[0] if found else None

    def inspect(self, container: str) -> dict[str, Any]:
        """What the engine knows about a container."""
        found: dict[str, Any] = json.loads(self.run("docker", "inspect", container).stdout)[0]
        return found

    def container(self, service: str) -> str:
        """Id of a service's container."""
        return self.compose("ps", "--all", "--quiet", "--no-trunc", service).strip()

    def health(self, service: str) -> str:
        """``healthy``, ``unhealthy`` or ``starting``."""
        return str(self.inspect(self.container(service))["State"]["Health"]["Status"])

    def secret(self, name: str) -> str:
        """What stands in a secret file."""
        return (self.secrets / name).read_text(encoding="utf-8").strip()

    def passwords(self) -> list[str]:
        """Every password and key that must show nowhere."""
        names = [
            path.name for path in self.secrets.iterdir() if path.name.endswith(("password", "api_key", "secret_key"))
        ]
        found = [self.secret(name) for name in names]
        return [secret for secret in found if secret]

    def client(self, user: str | None = "operator") -> httpx.Client:
        """An HTTPS client that trusts the stack's certificate, logged in or not."""
        return httpx.Client(
            base_url=f"https://localhost:{self.port}",
            verify=_trusting(self.secrets / "tls_certificate"),
            auth=(user, self.secret(f"{user}_password")) if user else None,
            timeout=60,
        )

    def graphql(self, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        """The data of a GraphQL answer, through the proxy."""
        with self.client() as client:
            answer = client.post("/dagster/graphql", json={"query": query, "variables": variables or {}})
        answer.raise_for_status()
        body: dict[str, Any] = answer.json()
        assert "errors" not in body, body
        data: dict[str, Any] = body["data"]
        return data

    def launch(self, job: str, config: dict[str, Any] | None = None) -> str:
        """Starts a job as the UI does; returns the run's id."""
        selector = {"repositoryLocationName": "doc_assets", "repositoryName": "__repository__", "jobName": job}
        params = {"selector": selector, "runConfigData": config or {}}
        launched = self.graphql(LAUNCH, {"params": params})["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return str(launched["run"]["runId"])

    def ended(self, run_id: str) -> str | None:
        """How a run ended; None while it works."""
        status = str(self.graphql(STATUS, {"id": run_id})["runOrError"]["status"])
        return status if status in {"SUCCESS", "FAILURE", "CANCELED"} else None

    def sql(self, statement: str, database: str = "doc_assets") -> list[list[str]]:
        """Rows of a query, every value as text."""
        command = ["psql", "-U", "postgres", "-d", database, "-qtA", "-F", "\t", "-c", statement]
        return [line.split("\t") for line in self.compose("exec", "-T", "postgres", *command).splitlines() if line]

    def offer(self, name: str, files: Iterable[Path]) -> str:
        """Puts documents to search for into a folder; returns where containers see it."""
        folder = self.queries / name
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
        for file in files:
            shutil.copyfile(file, folder / file.name)
            (folder / file.name).chmod(0o644)
        return f"/queries/{name}"

    def drop(self, files: list[Path]) -> None:
        """Puts files into the inbox."""
        for file in files:
            copy = self.inbox / f".{file.name}.part"
            shutil.copyfile(file, copy)
            copy.chmod(0o644)
            copy.rename(self.inbox / file.name)


def wait_for(what: str, ask: Callable[[], T | None], timeout_s: float = 240) -> T:
    """What ``ask`` returns as soon as it is true."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        found = ask()
        if found:
            return found
        time.sleep(1)
    raise AssertionError(f"{what}: not within {timeout_s:.0f} s, last answer {found!r}")


def _port_of(env_file: Path) -> int | None:
    """The port of a stack that an earlier session left running."""
    lines = env_file.read_text(encoding="utf-8").splitlines() if env_file.exists() else []
    return next((int(line.split("=")[1]) for line in lines if line.startswith("STACK_PORT=")), None)


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _trusting(certificate: Path) -> Any:
    import ssl

    return ssl.create_default_context(cafile=str(certificate))
