"""The door between Dagster's daemon and Docker's engine: nothing makes the engine do more than a run needs."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack
from itertools import product

import pytest

from doc_assets_tests.cases.docker_engine import CONTAINER, powers, stand_in
from doc_assets_tests.shared import PROJECT, SHARED

PROGRAM = PROJECT / "deploy" / "proxy" / "socket_proxy.py"
CREATE = "/v1.41/containers/create"
CASE = SHARED / "cases" / "doors" / "create.json"


def allowed():
    return {
        "Image": "doc-assets:local",
        "User": "10001:10001",
        "Cmd": ["dagster", "api", "execute_run", '{"a": "\\u00e9"}'],
        "Env": ["DAGSTER_PG_URL=postgresql://dagster@postgres/dagster"],
        "Labels": {"dagster/run_id": "1", "doc_assets/stack": "doc-assets"},
        "HostConfig": {
            "NetworkMode": "doc-assets_data",
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges:true"],
            "Binds": ["doc-assets_home:/var/lib/doc-assets", "doc-assets_inbox:/inbox:ro"],
        },
    }


class Proxy:
    """The running program, and the engine behind it."""

    def __init__(self, port, engine):
        self.port, self.engine = port, engine

    def raw(self, request):
        """Status of an answer to bytes; 0 if there is none."""
        with socket.create_connection(("127.0.0.1", self.port), 20) as client:
            client.sendall(request)
            client.shutdown(socket.SHUT_WR)
            answer = b""
            while part := client.recv(65536):
                answer += part
        return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/") else 0

    def create(self, body, path=CREATE, kind="application/json"):
        """Status of a create request."""
        content = body.encode() if isinstance(body, str) else body
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n"
        return self.raw(head.encode() + content)

    def ask(self, method, path, headers=""):
        """Status of a request without a body."""
        return self.raw(f"{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode("latin-1"))


@pytest.fixture(scope="module")
def proxies(tmp_path_factory):
    """Starts the program before a stand-in for the engine."""
    with ExitStack() as stack:

        def start(**environment):
            path = tmp_path_factory.mktemp("engine") / "docker.sock"
            engine = stack.enter_context(stand_in(path))
            settings = {"STACK_PROJECT": "doc-assets", "STACK_IMAGE": "doc-assets:local"}
            settings |= {"STACK_DATA_NETWORK": "doc-assets_data", "SOCKET_PROXY_ENGINE": str(path)}
            settings |= {"SOCKET_PROXY_LISTEN": "127.0.0.1:0", "PATH": os.environ["PATH"], **environment}
            process = subprocess.Popen(
                [sys.executable, "-I", "-u", str(PROGRAM)], env=settings, stderr=subprocess.PIPE, text=True
            )
            stack.callback(process.stderr.close)
            port = re.search(r"port (\d+)", process.stderr.readline())[1]
            draining = threading.Thread(target=process.stderr.read)  # a full pipe would stop it
            draining.start()
            for end in (draining.join, process.wait, process.terminate):
                stack.callback(end)
            return Proxy(int(port), engine)

        yield start


@pytest.fixture(scope="module")
def proxy(proxies):
    return proxies()


@pytest.fixture(autouse=True)
def nothing_asked_before(request):
    if "proxy" in request.fixturenames:
        request.getfixturevalue("proxy").engine.asked.clear()


def test_what_a_run_needs_reaches_the_engine_as_it_was_sent(proxy):
    assert proxy.create(json.dumps(allowed())) == 201

    ((method, path, body),) = proxy.engine.asked
    assert (method, path, json.loads(body)) == ("POST", CREATE, allowed())
    assert powers(body) == []


@pytest.mark.skipif(not CASE.is_file(), reason=f"no {CASE}")
def test_the_case_that_passed_once(proxy):
    body = CASE.read_bytes()

    assert {"User", "Binds", "Mounts"} <= set(powers(body))
    assert proxy.create(body) == 403
    assert proxy.engine.asked == []


# --- bodies

MORE_OF_HOST = {
    "Privileged": [True],
    "Binds": [["/:/host:rw"], ["/var/run/docker.sock:/d.sock"], ["doc-assets_pgdata:/p"], ["other_home:/var/lib/x"]],
    "Mounts": [
        [{"Type": "bind", "Source": "/", "Target": "/host"}],
        [{"Type": "volume", "Source": "doc-assets_pgdata"}],
    ],
    "CapAdd": [["SYS_ADMIN"], ["ALL"]],
    "CapDrop": [[], ["NET_RAW"], None],
    "Devices": [[{"PathOnHost": "/dev/sda", "PathInContainer": "/dev/sda", "CgroupPermissions": "rwm"}]],
    "DeviceCgroupRules": [["a *:* rwm"]],
    "DeviceRequests": [
        [{"Driver": "nvidia", "Count": -1, "Capabilities": [["gpu"]]}],
        [{"Driver": "cdi", "DeviceIDs": ["x/y=all"]}],
    ],
    "NetworkMode": ["host", "bridge", "container:postgres", "doc-assets_control", "default", ""],
    "PidMode": ["host", "container:1"],
    "IpcMode": ["host", "shareable", "container:1"],
    "UTSMode": ["host"],
    "UsernsMode": ["host"],
    "CgroupnsMode": ["host"],
    "CgroupParent": ["/"],
    "Cgroup": ["container:1"],
    "Runtime": ["nvidia", "runc-evil"],
    "SecurityOpt": [["seccomp=unconfined"], ["apparmor=unconfined"], [], ["no-new-privileges:true", "label=disable"]],
    "ReadonlyRootfs": [False, None],
    "VolumesFrom": [["postgres"]],
    "GroupAdd": [["0"], ["docker"]],
    "Links": [["postgres:db"]],
    "Sysctls": [{"kernel.shm_rmid_forced": "1"}],
    "PortBindings": [{"80/tcp": [{"HostPort": "80"}]}],
    "PublishAllPorts": [True],
    "MaskedPaths": [["/x"]],
    "ReadonlyPaths": [["/x"]],
    "VolumeDriver": ["evil"],
    "RestartPolicy": [{"Name": "always"}],
    "ExtraHosts": [["postgres:10.0.0.1"]],
    "Dns": [["10.0.0.1"]],
    "StorageOpt": [{"size": "1"}],
    "OomKillDisable": [True],
    "OomScoreAdj": [-1000],
    "Annotations": [{"run.oci.handler": "x"}],
    "ContainerIDFile": ["/x"],
    "Isolation": ["process"],
    "Init": [True],
    "AutoRemove": [True],
    "CpusetCpus": ["0"],
}
MORE_OF_CONFIG = {
    "User": ["0:0", "", "root", "10001:0"],
    "Image": ["debian:bookworm-slim", "doc-assets:other", ""],
    "Entrypoint": [["sh", "-c"]],
    "Healthcheck": [{"Test": ["CMD-SHELL", "id"]}],
    "Runtime": ["nvidia"],
    "WorkingDir": ["/etc"],
    "ExposedPorts": [{"80/tcp": {}}],
    "MacAddress": ["02:42:ac:11:00:02"],
    "StopSignal": ["SIGKILL"],
    "Shell": [["sh"]],
    "OnBuild": [["x"]],
    "Hostname": ["postgres"],
    "Domainname": ["x"],
}


def spellings(name):
    """A name as Go still reads it."""
    folded = name.translate(str.maketrans({"s": "\u017f", "S": "\u017f", "k": "\u212a", "K": "\u212a"}))
    return list(
        dict.fromkeys([name, name.lower(), name.upper(), name.swapcase(), folded, folded.upper(), folded.lower()])
    )


def escaped(name):
    """A name of JSON with one letter written as an escape."""
    return f'"\\u{ord(name[0]):04x}{name[1:]}"'


def attacks():
    """Bodies as text, with a name each; Go reads more in each of them than a run needs."""
    honest, host = allowed(), allowed()["HostConfig"]
    outer = json.dumps(honest)[1:-1]
    rest, inner = json.dumps({**honest, "HostConfig": 0})[1:-1].removesuffix("0"), json.dumps(host)[1:-1]
    for key, values in MORE_OF_HOST.items():
        for value, name in [*product(values, spellings(key)), (values[0], None)]:
            pair = f"{_written(name) if name else escaped(key)}: {json.dumps(value)}"
            yield f"HostConfig {pair}", f"{{{rest}{{{inner}, {pair}}}}}"
            yield f"HostConfig first {pair}", f"{{{rest}{{{pair}, {_without(host, key)}}}}}"
        for name in spellings("HostConfig"):  # a second one, which replaces the first
            yield f"second {name} {key}", f"{{{outer}, {_written(name)}: {json.dumps({**host, key: values[0]})}}}"
    for key, values in MORE_OF_CONFIG.items():
        for value, name in [*product(values, spellings(key)), (values[0], None)]:
            pair = f"{_written(name) if name else escaped(key)}: {json.dumps(value)}"
            yield pair, f"{{{outer}, {pair}}}"
            yield f"first {pair}", f"{{{pair}, {_without(honest, key)}}}"


def _written(name):
    return json.dumps(name, ensure_ascii=False)


def _without(body, key):
    return json.dumps({name: value for name, value in body.items() if name != key})[1:-1]


ATTACKS = list(attacks())


def test_the_stand_in_sees_what_each_of_the_bodies_asks_for():
    assert len(ATTACKS) > 200
    assert powers(json.dumps(allowed())) == []
    assert [name for name, body in ATTACKS if not powers(body)] == []


def test_no_body_that_asks_for_more_reaches_the_engine(proxy):
    passed = {name for name, body in ATTACKS if proxy.create(body) != 403}

    assert passed == set()
    assert proxy.engine.asked == []


def odd_bodies():
    """What two readers of JSON may understand differently, and what is no JSON."""
    good = json.dumps(allowed())
    yield from (
        "",
        " ",
        "null",
        "[]",
        '"x"',
        "1",
        "true",
        f"[{good}]",
        f"{good}{good}",
        f"{good} x",
        good[:-1],
        "{" * 50_000,
    )
    yield from (good.encode("utf-16"), good.encode("utf-32"), b"\xef\xbb\xbf" + good.encode(), good.encode() + b"\0")
    yield from (good.replace(":", "=", 1), good.replace('"', "'"), "// x\n" + good, good.replace("{", "{,", 1))
    yield from (
        good[:-1] + ",}",
        good.replace("true", "True"),
        good.replace("true", "1"),
        good.replace("true", '"true"'),
    )
    yield from (good.replace("true", x) for x in ("1.0", "NaN", "Infinity", "-0", "null", "[true]", "0x1"))
    yield good.replace('"Cmd"', '"Cmd\\u0000"')
    yield good.replace("doc-assets:local", "doc-assets:loca\\u006c")
    yield good.replace("doc-assets:local", "doc-assets:local\\u0000x")
    yield good.replace('"true"', '"\\ud800"').replace('["ALL"]', '["ALL", "\\u017f"]')
    yield from (good.replace('"doc-assets_home:/var/lib/doc-assets"', json.dumps(bind)) for bind in BINDS)
    yield from (json.dumps({**allowed(), "Env": [env]}) for env in ENVIRONMENT)
    yield from (json.dumps({**allowed(), "Labels": labels}) for labels in LABELS)
    yield from (json.dumps({**allowed(), "NetworkingConfig": config}) for config in NETWORKS)
    yield from (_with_host(**{name: value}) for name, values in HOST_VALUES.items() for value in values)
    yield json.dumps({**allowed(), "HostConfig": [allowed()["HostConfig"]]})
    yield json.dumps({**allowed(), "HostConfig": None})
    yield json.dumps({**allowed(), "Cmd": "x" * 300_000})
    yield json.dumps({**allowed(), "Cmd": {"0": "sh"}})
    yield json.dumps({**allowed(), "Volumes": {"/host": {}}})
    yield json.dumps({**allowed(), "": 1})
    yield json.dumps({**allowed(), "Tty": True})
    for name in allowed():
        yield json.dumps(
            {key: value for key, value in allowed().items() if key != name} | {name + " ": allowed()[name]}
        )
    for name in allowed()["HostConfig"]:
        yield _with_host(**{name.lower(): allowed()["HostConfig"][name]})
        if name != "Binds":
            kept = {key: value for key, value in allowed()["HostConfig"].items() if key != name}
            yield json.dumps({**allowed(), "HostConfig": kept})


def _with_host(**more):
    return json.dumps({**allowed(), "HostConfig": {**allowed()["HostConfig"], **more}})


BINDS = [
    "doc-assets_home:/etc",
    "doc-assets_home:/var/lib/doc-assets:rw,rshared",
    "doc-assets_home:/var/lib/doc-assets:shared",
    "doc-assets_home/../../../..:/var/lib/doc-assets",
    "./doc-assets_home:/var/lib/doc-assets",
    "/doc-assets_home:/var/lib/doc-assets",
    "doc-assets_home:/var/lib/doc-assets/../../..",
    "doc-assets_home:/var/lib/doc-assets:",
    "doc-assets_home",
    "doc-assets_inbox:/inbox",
    "doc-assets_inbox:/inbox:rw",
    "doc-assets_archive:/archive:ro,rw",
    "doc-assets_config:/etc/doc-assets",
    "doc-assets_config:/etc/doc-assets:ro",
    "doc-assets_config-runs:/etc/doc-assets",
    "doc-assets_config-migrate:/etc/doc-assets:ro",
    "doc-assets_backups:/backups:ro",
    "doc-assets_pgdata:/var/lib/doc-assets",
    "doc-assets_image-api:/var/lib/doc-assets",
    "DOC-ASSETS_home:/var/lib/doc-assets",
    "C:\\:/x",
    "",
    "doc-assets_home:/var/lib/doc-assets\n",
    None,
    7,
    ["/:/host"],
    {"Source": "/"},
]
ENVIRONMENT = ["NVIDIA_VISIBLE_DEVICES=all", "LD_PRELOAD=/inbox/x.so", "PATH=/inbox", "DAGSTER_X=a\nB=c", "x", 1, None]
LABELS = [
    {"com.docker.compose.project": "doc-assets"},
    {"traefik.enable": "true"},
    {"dagster/x": 1},
    [],
    {"doc_assets/": ""},
]
NETWORKS = [
    {"EndpointsConfig": {"bridge": None}},
    {"EndpointsConfig": {"doc-assets_data": {"IPAMConfig": {"IPv4Address": "10.0.0.1"}}}},
    {"EndpointsConfig": {"doc-assets_data": {}, "doc-assets_control": {}}},
    {"EndpointsConfig": {"doc-assets_data": {"Aliases": ["postgres"]}}},
    {"endpointsconfig": {"bridge": {}}},
    {"bridge": None},
    [],
    {"doc-assets_data": {"bridge": {}}},
    {"doc-assets_data": {"DriverOpts": {"x": "y"}}},
]
HOST_VALUES = {
    "Tmpfs": [
        {"/etc": "size=1m,nosuid,nodev"},
        {"/tmp": "size=1m"},
        {"/tmp": "nosuid,nodev,exec"},
        {"/tmp": "dev,nosuid,nodev"},
        [],
    ],
    "Ulimits": [
        [{"Name": "nofile", "Soft": 1, "Hard": 1}],
        [{"Name": "core", "Soft": -1, "Hard": -1}],
        [{"name": "core"}],
    ],
    "LogConfig": [
        {"Type": "syslog"},
        {"Type": "local", "Config": {"syslog-address": "udp://x"}},
        {"Type": "fluentd"},
        "none",
    ],
    "Memory": [-1, 0, 1.5, "1g", True, 10**30, None],
    "PidsLimit": [-1, 0, False],
    "ShmSize": [-1],
    "MemorySwap": [-1],
    "Binds": [None, "/:/host", {}],
    "NetworkMode": ["DOC-ASSETS_DATA", "doc-assets_data ", ["doc-assets_data"], None],
    "Unknown": [None, False, 0, ""],
}


def test_a_body_that_could_be_read_in_two_ways_is_refused(proxy):
    odd = list(odd_bodies())
    passed = [body[:300] for body in odd if proxy.create(body) != 403]

    assert passed == []
    assert len(odd) > 100
    assert proxy.engine.asked == []


# --- lines, headers and paths


@pytest.mark.parametrize(
    "head",
    [
        "Transfer-Encoding: chunked",
        "transfer-encoding:\tCHUNKED",
        "Transfer-Encoding: identity",
        "Content-Length: {n}\r\nContent-Length: {n}",
        "Content-Length: {n}\r\nContent-Length: 0",
        "Content-Length: +{n}",
        "Content-Length: {n}, {n}",
        "Content-Length: 0x10",
        "Content-Length: -1",
        "Content-Length: 99999999999",
        "Content-Length: {more}",
        "Content-Length: {n}\r\nContent-Encoding: gzip",
        "Content-Length: {n}\r\nUpgrade: tcp\r\nConnection: Upgrade",
        "Content-Length: {n}\r\nExpect: 100-continue",
        "Content-Length: {n}\r\nContent-Type: text/plain",
        "Content-Length: {n}\r\nX : y",
        "Content-Length: {n}\r\n X: folded",
        "Content-Length: {n}\r\nContent_Length: 3",
        "Content-Length:",
        "",
    ],
)
def test_a_body_whose_length_or_coding_is_doubtful_is_refused(proxy, head):
    body = json.dumps(allowed())
    head = head.format(n=len(body), more=len(body) + 10)
    request = f"POST {CREATE} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{head}\r\n\r\n{body}"

    assert proxy.raw(request.encode()) == 403
    assert proxy.engine.asked == []


def test_a_chunked_body_is_refused(proxy):
    body = json.dumps(allowed()).encode()
    head = f"POST {CREATE} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"

    assert proxy.raw(head.encode() + f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n") == 403
    assert proxy.engine.asked == []


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/JSON",
        "application/json; charset=utf-16",
        "application/json, x",
        "",
        "application/jsonx",
    ],
)
def test_a_body_of_another_type_is_refused(proxy, kind):
    assert proxy.create(json.dumps(allowed()), kind=kind) == 403
    assert proxy.engine.asked == []


@pytest.mark.parametrize(
    "path",
    [
        "/v1.41/containers/create?name=postgres",
        "/containers/create?platform=linux/arm64",
        "/containers/create?",
        "/containers/create#x",
        "/containers/create/",
        "/containers//create",
        "//containers/create",
        "/containers%2fcreate",
        "/containers/%63reate",
        "/Containers/Create",
        "/containers/create;x",
        "/./containers/create",
        "/v1.41//containers/create",
        "/v1.41/v1.41/containers/create",
        "/v1.18/containers/create",
        "/v1.23/containers/create",
        "/v2/containers/create",
        "/v1/containers/create",
        "/v1.41.1/containers/create",
        "/v01.41/containers/create",
        "http://docker/containers/create",
        "/containers/create\u00e9",
        "/containers/\u017ftart",
        "*",
        "containers/create",
    ],
)
def test_create_has_one_address(proxy, path):
    assert proxy.create(json.dumps(allowed()), path) == 403
    assert proxy.engine.asked == []


CLOSED = [
    ("GET", "/containers/json"),
    ("GET", "/info"),
    ("GET", "/secrets"),
    ("GET", "/events"),
    ("GET", "/system/df"),
    ("GET", "/images/json"),
    ("GET", "/volumes"),
    ("GET", "/networks"),
    ("GET", "/containers/postgres/json"),
    ("GET", "/images/debian/json"),
    ("GET", f"/containers/{CONTAINER}/json?size=1"),
    ("GET", f"/containers/{CONTAINER}/logs"),
    ("GET", f"/containers/{CONTAINER}/archive?path=/"),
    ("GET", f"/containers/{CONTAINER}/export"),
    ("GET", f"/containers/{CONTAINER[:12]}/json"),
    ("GET", f"/containers/{CONTAINER.upper()}/json"),
    ("GET", f"/containers/{CONTAINER}/start"),
    ("GET", "/containers/create"),
    ("GET", "/v1.41/../containers/json"),
    ("GET", "/images/../containers/json"),
    ("GET", "/_ping/../info"),
    ("GET", "/_ping?x"),
    ("GET", "/_ping%2f..%2finfo"),
    ("GET", "/version/"),
    ("GET", "//version"),
    ("GET", "/v1.41"),
    ("GET", ""),
    ("GET", "/"),
    ("GET", "/session"),
    ("POST", "/images/create?fromImage=debian"),
    ("POST", "/volumes/create"),
    ("POST", "/build"),
    ("POST", "/commit"),
    ("POST", "/containers/prune"),
    ("POST", f"/containers/{CONTAINER}/exec"),
    ("POST", f"/containers/{CONTAINER}/update"),
    ("POST", f"/containers/{CONTAINER}/kill"),
    ("POST", f"/containers/{CONTAINER}/attach"),
    ("POST", f"/containers/{CONTAINER}/rename?name=x"),
    ("POST", f"/containers/{CONTAINER}/restart"),
    ("POST", f"/containers/{CONTAINER}/start?detachKeys=x"),
    ("POST", f"/containers/{CONTAINER}/stop?t=5&signal=9"),
    ("POST", f"/containers/{CONTAINER}/stop?signal=SIGKILL"),
    ("POST", f"/containers/{CONTAINER}/stop?t=-1"),
    ("POST", f"/containers/{CONTAINER}%2fstart"),
    ("POST", "/containers/postgres/start"),
    ("POST", "/_ping"),
    ("POST", "/plugins/pull"),
    ("POST", "/swarm/init"),
    ("POST", "/session"),
    ("POST", "/grpc"),
    ("POST", "/auth"),
    ("POST", "/exec/1/start"),
    ("POST", "/networks/create"),
    ("PUT", f"/containers/{CONTAINER}/archive"),
    ("DELETE", f"/containers/{CONTAINER}"),
    ("DELETE", "/volumes/doc-assets_home"),
    ("OPTIONS", "/_ping"),
    ("PATCH", CREATE),
    ("PUT", CREATE),
    ("CONNECT", "docker:2375"),
    ("TRACE", "/_ping"),
    ("get", "/_ping"),
    ("G\u00cbT", "/_ping"),
    ("HEAD", "/info"),
]


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_the_rest_of_the_engine_is_closed(proxy, method, path):
    assert proxy.ask(method, path) in {0, 400, 403}
    assert proxy.engine.asked == []


def test_a_body_where_none_belongs_is_refused(proxy):
    """Before version 1.24 a start could bring a HostConfig."""
    body = json.dumps({"Privileged": True})
    for path in (
        f"/v1.24/containers/{CONTAINER}/start",
        f"/containers/{CONTAINER}/start",
        f"/containers/{CONTAINER}/wait",
    ):
        assert proxy.create(body, path) == 403
    assert proxy.ask("POST", f"/v1.23/containers/{CONTAINER}/start") == 403
    assert proxy.engine.asked == []


def test_a_second_request_behind_the_first_is_not_answered(proxy):
    first = f"GET /_ping HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\nPOST {CREATE} HTTP/1.1\r\nHost: x\r\n\r\n"

    assert proxy.raw(first.encode()) == 200
    assert [path for _, path, _ in proxy.engine.asked] == ["/_ping"]


# --- what Dagster does


def context(**settings):
    """What the code server says about containers of runs, as compose would fill it in."""
    text = (PROJECT / "docker-compose.yaml").read_text(encoding="utf-8")
    block = re.search(r"DAGSTER_CONTAINER_CONTEXT: \|\n(.*?)\n    volumes:", text, re.DOTALL).group(1)
    filled = re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: settings.get(found[1], found[2]), block)
    return json.loads(filled)["docker"]


def env_file(name):
    """Variables of a file beside the compose files."""
    lines = (PROJECT / "deploy" / "compose" / name).read_text(encoding="utf-8").splitlines()
    pairs = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {key: value.strip("'\"").replace('\\"', '"') for key, value in pairs.items()}


WAYS = [
    ({}, {}),
    (env_file("gpu.env"), {"STACK_IMAGE": "doc-assets:gpu", "STACK_RUN_GPUS": "true"}),
    (
        {"STACK_RUN_MORE_VOLUMES": ', "doc-assets_source:/app/doc_assets:ro"'},
        {"STACK_IMAGE": "doc-assets:dev"},
    ),
    (
        {"STACK_PROJECT": "other", "STACK_RUN_MEMORY": "16g", "STACK_RUN_CPUS": "12"},
        {"STACK_PROJECT": "other", "STACK_DATA_NETWORK": "other_data"},
    ),
]


@pytest.mark.alike(1)
@pytest.mark.parametrize(("settings", "environment"), WAYS)
def test_dagsters_launcher_starts_watches_and_stops_a_run_through_it(proxies, monkeypatch, settings, environment):
    import dagster as dg
    from dagster_docker import DockerRunLauncher

    proxy = proxies(**environment)
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{proxy.port}")
    monkeypatch.setenv(
        "DAGSTER_PG_URL", "postgresql+psycopg2://dagster@postgres:5432/dagster?passfile=/etc/doc-assets/pgpass"
    )
    image, given = environment.get("STACK_IMAGE", "doc-assets:local"), context(**settings)

    @dg.job
    def ingest_drop_job():
        pass

    with dg.DagsterInstance.ephemeral() as instance:
        launcher = DockerRunLauncher(
            env_vars=given["env_vars"], networks=given["networks"], container_kwargs=given["container_kwargs"]
        )
        launcher.register_instance(instance)
        run = instance.create_run_for_job(ingest_drop_job)
        launcher._launch_container_with_command(
            run, image, ["dagster", "api", "execute_run", json.dumps({"name": "드롭"})]
        )
        run = instance.get_run_by_id(run.run_id)
        assert launcher.check_run_worker_health(run).status.name == "RUNNING"
        assert launcher.terminate(run.run_id)

    asked = {(method, path.removeprefix("/v1.41")) for method, path, _ in proxy.engine.asked}
    body = next(body for _, path, body in proxy.engine.asked if path.endswith("/create"))
    assert {("POST", "/containers/create"), ("POST", f"/containers/{CONTAINER}/start")} <= asked
    assert ("POST", f"/containers/{CONTAINER}/stop?t=60") in asked
    project = settings.get("STACK_PROJECT", "doc-assets")
    more = {"DeviceRequests"} if "STACK_RUN_GPUS" in environment else {"Binds"} if "dev" in image else set()
    assert set(powers(body, project, image)) == more
    sent = json.loads(body)
    assert sent["HostConfig"]["Binds"] == given["container_kwargs"]["volumes"]
    assert sent["HostConfig"]["PidsLimit"] == given["container_kwargs"]["pids_limit"]
    assert sent["Labels"]["dagster/run_id"]


def test_cards_are_given_where_the_stack_has_some_and_nothing_else_then(proxies):
    proxy = proxies(STACK_RUN_GPUS="true")
    gpu = {"Driver": "nvidia", "Count": -1, "DeviceIDs": [], "Capabilities": [["gpu"]], "Options": {}}
    odd = [
        {"Driver": "cdi"},
        {"DeviceIDs": ["0"]},
        {"Capabilities": [["gpu", "sys_admin"]]},
        {"Options": {"a": "b"}},
        {"X": 1},
    ]

    assert proxy.create(_with_host(DeviceRequests=[gpu])) == 201
    assert {proxy.create(_with_host(DeviceRequests=[{**gpu, **change}])) for change in odd} == {403}
    assert proxy.create(_with_host(Devices=[{"PathOnHost": "/dev/sda"}])) == 403


def test_an_engine_that_is_away_is_said(tmp_path, proxies):
    assert proxies(SOCKET_PROXY_ENGINE=str(tmp_path / "nothing")).ask("GET", "/_ping") == 502
