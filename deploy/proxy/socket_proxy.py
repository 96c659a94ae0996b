"""The Docker API, cut down to what starting and watching containers of runs needs.

Whoever can create any container is root on the host. So nothing that a client sends reaches the engine: a request is
parsed, compared with the lists below, and made anew from what was compared. The engine matches names in any case and
folds U+017F and U+212A to "s" and "k"; here a name is one of a list, letter by letter, or the request is refused. What
is on no list is refused.

Environment: ``STACK_PROJECT``, ``STACK_IMAGE`` and ``STACK_DATA_NETWORK`` say what a container of a run is made of,
``STACK_RUN_GPUS`` (``true``) whether it may have the GPUs. ``SOCKET_PROXY_LISTEN`` (``:2375``) and
``SOCKET_PROXY_ENGINE`` (``/var/run/docker.sock``) are where it listens and where the engine does.
"""

import http.client
import json
import os
import re
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NoReturn

MAX_BODY_BYTES = 200_000
MAX_ANSWER_BYTES = 16 << 20
MAX_SHOWN = 80
MANY = 20
CLIENT_TIMEOUT_S = 30
ENGINE_TIMEOUT_S = 180
"""Stopping a container takes up to the seconds that the request names."""

RUN_USER = "10001:10001"
VOLUMES = {
    "home": "/var/lib/doc-assets",
    "results": "/var/lib/doc-assets/results",
    "logs": "/var/log/doc-assets",
    "config-runs": "/etc/doc-assets:ro",
    "inbox": "/inbox:ro",
    "queries": "/queries:ro",
    "uploads": "/var/lib/doc-assets/uploads:ro",
    "archive": "/archive:ro",
    "source": "/app/doc_assets:ro",
}
"""Where runs mount which volume; databases, backups and other keys than their own are nothing of theirs."""

Check = Callable[[object], None]


class RefusedError(Exception):
    """A request that is not let through.

    Args:
        why: what was found and what is allowed.
        where: the names that lead to it in the body.
    """

    def __init__(self, why: str, *where: str) -> None:
        super().__init__(f"{'.'.join(where)} {why}" if where else why)
        self.why, self.where = why, where


def refuse(why: str) -> NoReturn:
    """Ends the request."""
    raise RefusedError(why)


# --- checks of values; each refuses what it does not know


def exactly(*allowed: object) -> Check:
    """One of these as JSON writes it: ``1`` is not ``true``."""
    texts = [json.dumps(one, sort_keys=True) for one in allowed]

    def check(given: object) -> None:
        if json.dumps(given, sort_keys=True) not in texts:
            refuse(f"is {shown(given)}; allowed is {' or '.join(texts[:MANY])}")

    return check


def matching(pattern: str) -> Check:
    """Text that a pattern describes as a whole."""
    compiled = re.compile(pattern, re.ASCII)

    def check(given: object) -> None:
        if not isinstance(given, str) or not compiled.fullmatch(given):
            refuse(f"is {shown(given)}; allowed is text like {pattern}")

    return check


def positive(given: object) -> None:
    """A whole number above zero: zero and less mean "without limit"."""
    if type(given) is not int or not 0 < given < 1 << 62:
        refuse(f"is {shown(given)}; allowed is a whole number above 0")


def each(check: Check) -> Check:
    """A list, every entry of which passes."""

    def check_all(given: object) -> None:
        if not isinstance(given, list):
            refuse(f"is {shown(given)}; allowed is a list")
        for entry in given:
            check(entry)

    return check_all


def entries(name: str, value: Check) -> Check:
    """An object with any number of names that the pattern describes."""
    check_name = matching(name)

    def check(given: object) -> None:
        if not isinstance(given, dict):
            refuse(f"is {shown(given)}; allowed is an object")
        for key, entry in given.items():
            check_name(key)
            _within(key, value, entry)

    return check


def entries_or_null(name: str, value: Check) -> Check:
    """``entries``, or nothing."""
    some = entries(name, value)

    def check(given: object) -> None:
        if given is not None:
            some(given)

    return check


def fields(checks: Mapping[str, Check], required: Iterable[str] = ()) -> Check:
    """An object with these names and no others."""

    def check(given: object) -> None:
        if not isinstance(given, dict):
            refuse(f"is {shown(given)}; allowed is an object")
        for key, value in given.items():
            if key not in checks:
                refuse(f"has {shown(key)}, which no run needs")
            _within(key, checks[key], value)
        for key in required:
            if key not in given:
                refuse(f"lacks {key}")

    return check


def mount_options(given: object) -> None:
    """Options of a file system in memory that holds no devices and no programs of another user."""
    options = given.split(",") if isinstance(given, str) else []
    listed = re.compile(r"size=[0-9]+[kmg]?|mode=[01]?[0-7]{3}|nosuid|nodev|noexec")
    if not {"nosuid", "nodev"} <= set(options) or not all(listed.fullmatch(option) for option in options):
        refuse(f"is {shown(given)}; allowed are size, mode, nosuid, nodev and noexec, and it needs nosuid and nodev")


def _within(key: str, check: Check, value: object) -> None:
    try:
        check(value)
    except RefusedError as error:
        raise RefusedError(error.why, key, *error.where) from None


def shown(value: object) -> str:
    """A value in a message: short, and without characters that do not print."""
    text = ascii(value) if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


# --- what a request may be


@dataclass(frozen=True)
class Request:
    """What the engine is asked; made here, never copied."""

    method: str
    target: str
    body: bytes


@dataclass(frozen=True)
class Rules:
    """Which requests pass."""

    container: Check
    own_image: str

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Rules":
        """Those of a stack.

        Raises:
            KeyError: if the environment does not name it.
        """
        project, image = environment["STACK_PROJECT"], environment["STACK_IMAGE"]
        gpus = environment.get("STACK_RUN_GPUS") == "true"
        return cls(_container(project, image, environment["STACK_DATA_NETWORK"], gpus=gpus), image)

    def request(self, method: str, target: str, headers: Mapping[str, list[str]], body: bytes) -> Request:
        """The request that may be sent to the engine.

        Raises:
            RefusedError: if none may.
        """
        found = re.fullmatch(r"(?:/v1\.(?:2[4-9]|[3-9][0-9]))?(/[!-~]*)", target)
        path = found[1] if found else ""
        if method == "POST" and path == "/containers/create":
            return Request(method, target, self._body(headers, body))
        if body:
            refuse(f"{method} {shown(target)} has a body")
        one = r"/containers/[0-9a-f]{64}"
        listed = {
            "GET": rf"/_ping|/version|{one}/json|/images/{re.escape(self.own_image)}/json",
            "HEAD": r"/_ping",
            "POST": rf"{one}/start|{one}/stop(\?t=[0-9]{{1,3}})?|{one}/wait",
        }
        if method not in listed or not re.fullmatch(listed[method], path, re.ASCII):
            refuse(f"{shown(method)} {shown(target)} is on no list")
        return Request(method, target, b"")

    def _body(self, headers: Mapping[str, list[str]], body: bytes) -> bytes:
        if headers.get("content-type") != ["application/json"]:
            refuse(f"Content-Type is {shown(headers.get('content-type'))}; allowed is application/json, once")
        if not body.isascii():
            refuse("the body holds characters beyond ASCII")
        if re.search(rb"(?<!\\)(?:\\\\)*\\u", body):
            refuse(r"the body holds an escape \u")
        try:
            given = json.loads(body.decode("ascii"), object_pairs_hook=_once, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            refuse(f"the body is no JSON: {ascii(str(error))[:200]}")
        if not isinstance(given, dict):
            refuse(f"the body is {shown(given)}; allowed is an object")
        self.container(given)
        kept = {name: value for name, value in given.items() if value is not None and name != "NetworkingConfig"}
        return json.dumps(kept).encode("ascii")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name.lower() for name, _ in pairs}) < len(pairs):
        refuse(f"the body holds an object that names something twice, among {shown(pairs[0][0])} and others")
    return dict(pairs)


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _container(project: str, image: str, network: str, *, gpus: bool) -> Check:
    """What a container of a run may be: the product's image, its user, its volumes, its network, and little else."""
    null, false, own = exactly(None), exactly(False, None), re.escape(network)
    binds = [f"{project}_{name}:{target}" for name, target in VOLUMES.items()]
    binds += [f"{bind}:rw" for bind in binds if not bind.endswith(":ro")]
    host = {
        "NetworkMode": exactly(network),
        "ReadonlyRootfs": exactly(True),
        "CapDrop": exactly(["ALL"]),
        "SecurityOpt": exactly(["no-new-privileges:true"], ["no-new-privileges"]),
        "Binds": each(exactly(*binds)),
        "Tmpfs": entries("/tmp", mount_options),
        "Ulimits": each(exactly({"Name": "core", "Soft": 0, "Hard": 0})),
        "LogConfig": fields(
            {"Type": exactly("local"), "Config": entries("max-size|max-file", matching("[0-9]+[kmg]?"))}
        ),
        **dict.fromkeys(("Memory", "MemorySwap", "NanoCpus", "CpuShares", "PidsLimit", "ShmSize"), positive),
    }
    if gpus:
        gpu = {
            "Driver": exactly("nvidia"),
            "Count": exactly(*range(-1, 65)),
            "DeviceIDs": exactly([], None),
            "Capabilities": exactly([["gpu"]]),
            "Options": exactly({}, None),
        }
        host["DeviceRequests"] = each(fields(gpu, ("Driver", "Capabilities")))
    no_address = exactly(None, {})
    unset = ("Hostname", "Domainname", "ExposedPorts", "Entrypoint", "WorkingDir", "MacAddress", "StopSignal")
    whole = {
        "Image": exactly(image),
        "User": exactly(RUN_USER),
        "Cmd": each(matching(r"[\x00-\x7f]*")),
        "Env": each(matching(r"(DAGSTER|DOC_ASSETS)_[A-Z0-9_]+=[ -~]*")),
        "Labels": entries(r"(dagster|doc_assets)/[A-Za-z0-9_.-]+", matching(r"[ -~]*")),
        "Volumes": entries("|".join(re.escape(target.removesuffix(":ro")) for target in VOLUMES.values()), no_address),
        "HostConfig": fields(host, ("NetworkMode", "ReadonlyRootfs", "CapDrop", "SecurityOpt")),
        # Docker's client for Python names the network here, without the name that the engine would read.
        "NetworkingConfig": entries_or_null(f"EndpointsConfig|{own}", entries_or_null(own, no_address)),
        **dict.fromkeys(("Tty", "OpenStdin", "StdinOnce", "AttachStdin", "AttachStdout", "AttachStderr"), false),
        "NetworkDisabled": false,
        **dict.fromkeys((*unset, "Healthcheck", "StopTimeout", "Runtime"), null),
    }
    return fields(whole, ("Image", "User", "HostConfig"))


# --- listening and asking


class EngineConnection(http.client.HTTPConnection):
    """A connection to the engine's socket."""

    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=ENGINE_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        """Opens it."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Handler(BaseHTTPRequestHandler):
    """One request of a client, which is answered and let go."""

    protocol_version = "HTTP/1.1"
    timeout = CLIENT_TIMEOUT_S
    rules: Rules
    engine: str

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def handle_expect_100(self) -> bool:
        """Nothing is promised before the whole request was looked at."""
        return True

    def _answer(self) -> None:
        try:
            line = re.fullmatch(r"([A-Z]+) ([!-~]+) HTTP/1\.[01]", self.requestline)  # self.path has been tidied
            if line is None:
                refuse("the first line is not METHOD TARGET HTTP/1.1")
            asked = self.rules.request(line[1], line[2], *self._content())
        except RefusedError as error:
            self.log_error("refused: %s", error)
            self._send(403, "application/json", json.dumps({"message": f"socket proxy: {error}"}).encode())
            return
        connection = EngineConnection(self.engine)
        try:
            headers = {"Content-Type": "application/json"} if asked.body else {}
            connection.request(asked.method, asked.target, asked.body or None, headers)
            answer = connection.getresponse()
            content = answer.read(MAX_ANSWER_BYTES)
            self._send(answer.status, answer.getheader("Content-Type") or "text/plain", content, answer)
        except (OSError, http.client.HTTPException) as error:
            self.log_error("the engine does not answer: %s", error)
            self._send(502, "application/json", b'{"message": "socket proxy: the engine does not answer"}')
        finally:
            connection.close()

    def _content(self) -> tuple[dict[str, list[str]], bytes]:
        headers: dict[str, list[str]] = {}
        for name, value in self.headers.items():
            headers.setdefault(name.lower(), []).append(value)
        if self.headers.defects or not all(re.fullmatch(r"[a-z0-9-]+", name) for name in headers):
            refuse("a header cannot be read")
        for name in ("transfer-encoding", "content-encoding", "upgrade", "expect", "trailer"):
            if name in headers:
                refuse(f"there is a header {name}")
        length = headers.get("content-length", ["0"])
        if len(length) != 1 or not re.fullmatch(r"[0-9]{1,9}", length[0], re.ASCII):
            refuse(f"Content-Length is {shown(length)}")
        if int(length[0]) > MAX_BODY_BYTES:
            refuse(f"the body has {length[0]} bytes; allowed are {MAX_BODY_BYTES}")
        body = self.rfile.read(int(length[0]))
        if len(body) != int(length[0]):
            refuse("the body ends early")
        return headers, body

    def _send(self, status: int, kind: str, content: bytes, answer: http.client.HTTPResponse | None = None) -> None:
        self.close_connection = True
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name in ("Api-Version", "Ostype"):
            if answer is not None and (value := answer.getheader(name)):
                self.send_header(name, value)
        if status not in {204, 304}:
            self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD" and status not in {204, 304}:
            self.wfile.write(content)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Only what is refused or fails is worth a line."""


class Server(ThreadingHTTPServer):
    """A thread for each connection."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """A client that went away is no news."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def main() -> int:
    """Serves until it is told to end."""
    host, _, port = os.environ.get("SOCKET_PROXY_LISTEN", ":2375").rpartition(":")
    try:
        Handler.rules = Rules.of(os.environ)
    except KeyError as error:
        sys.stderr.write(f"socket_proxy: the variable {error.args[0]} is missing; docker-compose.yaml sets it.\n")
        return 2
    Handler.engine = os.environ.get("SOCKET_PROXY_ENGINE", "/var/run/docker.sock")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with Server((host, int(port)), Handler) as server:
        sys.stderr.write(f"socket_proxy: listening on port {server.server_address[1]}\n")
        sys.stderr.flush()
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
