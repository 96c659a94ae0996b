"""Who may do what through the proxy, and what the daemon may ask the engine."""

import json

import pytest

from deploy.tests.stack import NAME

MUTATION = {"query": 'mutation { deletePipelineRun(runId: "x") { __typename } }'}
QUERY = {"query": "{ version }"}


@pytest.mark.parametrize(
    "path", ["/dagster/", "/dagster/graphql", "/view/", "/view/graphql", "/reports/", "/dagster/server_info"]
)
def test_nobody_gets_in_without_a_password(stack, path):
    with stack.client(None) as client:
        answer = client.post(path, json=QUERY) if path.endswith("graphql") else client.get(path)

    assert answer.status_code == 401


def test_the_ui_and_its_queries_work_for_operators(stack):
    with stack.client() as client:
        page = client.get("/dagster/", follow_redirects=True)
        own = client.post(
            "/dagster/graphql",
            json=QUERY,
            headers={"Origin": f"https://localhost:{stack.port}", "Sec-Fetch-Site": "same-origin"},
        )
        program = client.post("/dagster/graphql", json=QUERY)

    assert "initialization-data" in page.text
    for answer in (own, program):
        assert answer.json()["data"]["version"]


@pytest.mark.parametrize("prefix", ["/dagster", "/view"])
def test_graphql_by_get_by_form_and_from_another_site_is_refused(stack, prefix):
    json_type = {"Content-Type": "application/json"}
    body = json.dumps(MUTATION)
    with stack.client() as client:
        path = f"{prefix}/graphql"
        refused = [
            client.get(path, params=MUTATION),
            client.get(f"{prefix}/%67raphql", params=MUTATION),
            client.get(f"https://localhost:{stack.port}{prefix}//graphql", params=MUTATION),
            client.put(path, content=body, headers=json_type),
            client.post(path, data=MUTATION),
            client.post(path, content=body, headers={"Content-Type": "text/plain"}),
            client.post(path, content=body, headers={**json_type, "Origin": "https://evil.example"}),
            client.post(path, content=body, headers={**json_type, "Origin": "null"}),
            client.post(path, content=body, headers={**json_type, "Origin": f"http://localhost:{stack.port}"}),
            client.post(
                path, content=body, headers={**json_type, "Origin": f"https://localhost:{stack.port}.evil.example"}
            ),
            client.post(path, content=body, headers={**json_type, "Sec-Fetch-Site": "cross-site"}),
            client.get(
                path, headers={"Upgrade": "websocket", "Connection": "Upgrade", "Origin": "https://evil.example"}
            ),
            client.get(path, headers={"Upgrade": "websocket", "Connection": "Upgrade"}),
            client.post(f"{prefix}/report_asset_materialization/documents"),
            client.post(f"{prefix}/server_info"),
        ]

    assert [answer.status_code for answer in refused] == [403] * len(refused)


def test_viewers_see_everything_and_change_nothing(stack):
    with stack.client("viewer") as client:
        page = client.get("/view/", follow_redirects=True)
        read = client.post("/view/graphql", json=QUERY)
        written = client.post("/view/graphql", json=MUTATION)
        full = [client.get("/dagster/"), client.post("/dagster/graphql", json=QUERY)]

    assert "initialization-data" in page.text
    assert read.json()["data"]["version"]
    assert written.json()["data"]["deletePipelineRun"]["__typename"] == "UnauthorizedError"
    assert [answer.status_code for answer in full] == [401, 401]


def test_pages_carry_the_headers_that_dagster_does_not_send(stack):
    with stack.client() as client:
        headers = client.get("/dagster/", follow_redirects=True).headers

    assert headers["strict-transport-security"].startswith("max-age=")
    assert headers["x-frame-options"] == "DENY"
    policies = headers.get_list("content-security-policy")
    assert any("frame-ancestors 'none'" in policy and "img-src 'self' data:" in policy for policy in policies)
    assert "nginx/" not in headers["server"]


# --- the Docker socket

ASK = """
import json, sys, urllib.request, urllib.error
method, path, body = json.load(sys.stdin)
request = urllib.request.Request("http://socket-proxy:2375" + path, body.encode() if body is not None else None,
                                 {"Content-Type": "application/json"}, method=method)
try:
    print(urllib.request.urlopen(request, timeout=10).status)
except urllib.error.HTTPError as error:
    print(error.code)
except urllib.error.URLError as error:  # a body that is too long is refused while it is still being sent
    print(403 if isinstance(error.reason, (BrokenPipeError, ConnectionResetError)) else error)
"""


def ask(stack, method: str, path: str, body: object = None) -> int:
    """Status that the daemon gets from the engine behind the socket proxy."""
    text = body if isinstance(body, str) or body is None else json.dumps(body)
    asked = json.dumps([method, path, text])
    return int(stack.compose("exec", "-T", "daemon", "python", "-c", ASK, given=asked))


def allowed_body(stack) -> dict:
    name = stack.config()["name"]
    return {
        "Image": "doc-assets:local",
        "User": "10001:10001",
        "Cmd": ["true"],
        "Labels": {"doc_assets/probe": ""},
        "HostConfig": {
            "NetworkMode": f"{name}_data",
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges:true"],
            "Binds": [f"{name}_home:/var/lib/doc-assets:rw"],
        },
    }


def test_the_daemon_may_create_what_a_run_needs(stack):
    try:
        assert ask(stack, "POST", "/v1.41/containers/create", allowed_body(stack)) == 201
    finally:
        for container in stack.containers("label=doc_assets/probe"):
            stack.run("docker", "rm", container)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Privileged", True),
        ("CapAdd", ["SYS_ADMIN"]),
        ("CapDrop", []),
        ("Binds", ["/:/host"]),
        ("Binds", ["/var/run/docker.sock:/var/run/docker.sock"]),
        ("Binds", [f"{NAME}_pgdata:/pgdata"]),
        ("Binds", [f"{NAME}_config-migrate:/keys:ro"]),
        ("Binds", [f"{NAME}_config:/etc/doc-assets"]),
        ("Binds", [f"{NAME}_backups:/backups:ro"]),
        ("Mounts", [{"Type": "bind", "Source": "/", "Target": "/host"}]),
        ("NetworkMode", "host"),
        ("NetworkMode", "doc-assets-test_edge"),
        ("PidMode", "host"),
        ("IpcMode", "host"),
        ("Devices", [{"PathOnHost": "/dev/sda"}]),
        ("VolumesFrom", ["postgres"]),
        ("SecurityOpt", ["seccomp=unconfined"]),
        ("ReadonlyRootfs", False),
    ],
)
def test_the_daemon_may_not_create_a_container_that_owns_the_machine(stack, key, value):
    body = allowed_body(stack)
    body["HostConfig"][key] = value

    assert ask(stack, "POST", "/v1.41/containers/create", body) == 403


@pytest.mark.parametrize(
    "change", [{"Image": "debian:bookworm-slim"}, {"User": "0:0"}, {"User": ""}, {"Entrypoint": ["sh"]}]
)
def test_the_daemon_may_not_choose_another_image_user_or_program(stack, change):
    assert ask(stack, "POST", "/v1.41/containers/create", {**allowed_body(stack), **change}) == 403


def test_a_body_that_hides_what_it_asks_for_is_refused(stack):
    body = json.dumps(allowed_body(stack))
    hidden = [
        body.replace('"CapDrop"', '"Privil\\u0065ged": true, "CapDrop"'),
        body.replace('"CapDrop"', '"privileged" : true, "CapDrop"'),
        body[:-1] + ', "HostConfig": {"Privileged": false}}',
        body[:-1] + ', "user": "0"}',
        body[:-1] + ', "Labels": {"x": "' + "a" * 300_000 + '"}, "x": 1}',
    ]

    assert [ask(stack, "POST", "/containers/create", one) for one in hidden] == [403] * len(hidden)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/containers/json"),
        ("GET", "/info"),
        ("GET", "/secrets"),
        ("POST", "/images/create?fromImage=debian"),
        ("POST", "/volumes/create"),
        ("POST", "/build"),
        ("POST", "/containers/postgres/exec"),
        ("DELETE", "/containers/postgres"),
        ("POST", "/containers/postgres/update"),
        ("GET", "/containers/postgres/archive?path=/"),
        ("GET", "/v1.41/../containers/json"),
        ("GET", "/images/../containers/json"),
    ],
)
def test_the_rest_of_the_engine_is_closed(stack, method, path):
    assert ask(stack, method, path, {} if method == "POST" else None) == 403


@pytest.mark.parametrize("service", ["user-code", "webserver"])
def test_others_do_not_reach_the_socket_proxy_nor_the_internet(stack, service):
    program = (
        "import socket\n"
        "for host in ('socket-proxy', '1.1.1.1'):\n"
        "    try:\n"
        "        socket.create_connection((host, 2375 if host != '1.1.1.1' else 53), 3)\n"
        "        print(host)\n"
        "    except OSError:\n"
        "        pass\n"
    )

    assert stack.compose("exec", "-T", service, "python", "-c", program).strip() == ""
