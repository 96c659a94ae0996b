"""The stack's proxy, the real program with the real files: links, passwords, roles, and who changed what."""

import json
import os
import re
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from doc_assets_tests.cases.web_proxy import DESK_SECRET, IS_HERE, KEY, PASSWORDS, web_proxy

pytestmark = [
    pytest.mark.skipif(not IS_HERE, reason="no nginx with Lua here (libnginx-mod-http-lua)"),
    pytest.mark.whole,
]

QUERY = {"query": "{ version }"}
MUTATION = {"query": "mutation Stop($runId: String!) { terminateRun(runId: $runId) { __typename } }"}
MUTATION["variables"] = {"runId": "0123-abc"}


@pytest.fixture
def basic(tmp_path):
    with web_proxy(tmp_path) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def shared_basic(tmp_path_factory):
    """One for tests that try no wrong password."""
    with web_proxy(tmp_path_factory.mktemp("basic")) as proxy:
        yield proxy


def _forward(folder, **environment):
    return web_proxy(folder, "forward", **environment)


@pytest.fixture(scope="module")
def forward(tmp_path_factory):
    lists = {"PROXY_OPERATORS": "anna,root@example.org", "PROXY_OPERATOR_GROUPS": "doc-operators"}
    with _forward(tmp_path_factory.mktemp("forward"), **lists) as proxy:
        yield proxy


def as_user(name, groups="", kind="oauth2"):
    """A session at the login service."""
    return {"Cookie": f"user={name}/{groups}; kind={kind}"}


# --- reports


@pytest.fixture(scope="module")
def reports(shared_basic):
    results = shared_basic.folder / "results"
    key = shared_basic.folder / "secrets" / "tls_key"
    outside = shared_basic.folder / "outside"
    outside.mkdir()
    (outside / "secret.html").write_text("PRIVATE", encoding="utf-8")
    (results / "drops" / "d1").mkdir(parents=True)
    (results / "drops" / "d1" / "report.html").write_text("<p>report</p>", encoding="utf-8")
    (results / "key.html").symlink_to(key)
    (results / "drops" / "key.pem").symlink_to(os.path.relpath(key, results / "drops"))
    (results / "chain").symlink_to("key.html")
    (results / "folder").symlink_to(outside)
    (results / "secrets").symlink_to(key.parent)
    (results / "root").symlink_to("/")
    (results / "inner").symlink_to("drops")  # no link at all is followed, whoever it leads to
    (results / "index.html").symlink_to(key)
    (results / "dangling").symlink_to("/nowhere")
    (results / "loop").symlink_to("loop")
    os.mkfifo(results / "pipe")
    with socket.socket(socket.AF_UNIX) as one:
        here = os.open(results, os.O_RDONLY)
        one.bind(f"/proc/self/fd/{here}/socket")
        os.close(here)
    return shared_basic


LINKS = [
    "key.html", "drops/key.pem", "chain", "folder/secret.html", "folder/", "folder", "secrets/tls_key", "secrets/",
    "secrets", "root/", "root/etc/passwd", "root/proc/self/environ", "inner/d1/report.html",
    "inner/", "dangling", "loop", "loop/",
    "pipe", "socket", "index.html", "", "drops/../key.html", "drops/%2e%2e/key.html", "./key.html", "%6bey.html",
    "..%2fsecrets/tls_key", "%2e%2e/secrets/tls_key", "../secrets/tls_key", "drops/d1/../../../secrets/tls_key",
    "drops/../../secrets/tls_key", "//key.html", "key.html/", "key.html/.", "root%2fetc%2fpasswd",
]  # fmt: skip


@pytest.mark.parametrize("user", ["viewer", "operator"])
def test_reports_are_shown_and_nothing_that_a_link_leads_to(reports, user):
    with reports.client(user) as client:
        shown = client.get("/reports/drops/d1/report.html")
        listed = client.get("/reports/drops/d1/")
        answers = {path: client.get(httpx.URL(f"https://localhost:{reports.port}/reports/{path}")) for path in LINKS}
        written = [
            client.request(method, "/reports/x.html").status_code for method in ("PUT", "POST", "DELETE", "PATCH")
        ]

    assert (shown.status_code, shown.text) == (200, "<p>report</p>")
    assert "report.html" in listed.text
    text = "\n".join(answer.text for answer in answers.values())
    assert "PRIVATE" not in text
    assert "PRIVATE KEY" not in text
    assert "root:" not in text
    # what leads out of /reports/ is an address of the desk
    assert {answer.text for answer in answers.values() if answer.status_code == 200} <= {"{}"}
    assert written == [403] * 4


def test_raw_paths_do_not_lead_out_of_the_reports(reports):
    """As bytes, because clients tidy paths."""
    trust = ssl.create_default_context(cafile=str(reports.folder / "secrets" / "tls_certificate"))
    login = httpx.BasicAuth("viewer", PASSWORDS["viewer"])._auth_header
    for path in LINKS:
        plain = socket.create_connection(("127.0.0.1", reports.port))
        with trust.wrap_socket(plain, server_hostname="localhost") as client:
            head = f"GET /reports/{path} HTTP/1.1\r\nHost: x\r\nAuthorization: {login}\r\nConnection: close\r\n\r\n"
            client.sendall(head.encode())
            answer = b""
            while part := client.recv(65536):
                answer += part
        # what leads out of /reports/ is an address of the desk, which asks who it is itself
        assert not answer.startswith(b"HTTP/1.1 200") or answer.endswith(b"\r\n\r\n{}"), path
        assert b"PRIVATE" not in answer
        assert b"PRIVATE KEY" not in answer


# --- passwords


def tries(proxy, n, source="127.0.0.1", user="operator", password="wrong", workers=1, **options):
    """Statuses of tries with a password."""
    trust = ssl.create_default_context(cafile=str(proxy.folder / "secrets" / "tls_certificate"))
    transport = httpx.HTTPTransport(verify=trust, local_address=source)
    client = httpx.Client(transport=transport, auth=(user, password), timeout=60, **options)
    with client, ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda _: client.get(f"https://localhost:{proxy.port}/dagster/").status_code, range(n)))


def test_ten_failed_logins_of_an_address_and_the_next_is_told_to_wait(basic):
    began = time.monotonic()
    wrong = tries(basic, 40)
    with basic.client("operator") as client:
        right = client.get("/dagster/")

    assert wrong == [401] * 10 + [429] * 30
    assert right.status_code == 429  # or a guess could still be told from a hit
    assert 250 < int(right.headers["Retry-After"]) <= 300
    assert time.monotonic() - began < 30
    assert tries(basic, 1, "127.0.0.2", password=PASSWORDS["operator"]) == [200]


def test_tries_side_by_side_and_under_other_names_count_too(basic):
    wrong = tries(basic, 40, workers=20) + tries(basic, 10, user="viewer") + tries(basic, 10, user="nobody")

    assert wrong.count(401) == 10
    assert set(wrong) == {401, 429}


@pytest.mark.alike(3)
@pytest.mark.parametrize(
    "path",
    [
        "/dagster/",
        "/view/",
        "/dagster/graphql",
        "/reports/",
        "/grafana/",
        "/dagster/server_info",
        "/images",
        "/x/../view",
    ],
)
def test_no_address_is_a_way_around(basic, path):
    with basic.client("operator", "wrong") as client:
        for _ in range(30):
            client.post(path, json=QUERY) if "graphql" in path else client.get(path)
            client.put(path)
    statuses = tries(basic, 3)

    if path == "/images":  # it has a key of its own and asks for no password
        assert statuses == [401] * 3
    else:
        assert statuses == [429] * 3


@pytest.mark.whole
def test_right_passwords_and_requests_without_one_are_not_counted(basic):
    with basic.client() as stranger:
        assert {stranger.get("/dagster/").status_code for _ in range(30)} == {401}

    assert set(tries(basic, 200, password=PASSWORDS["operator"], workers=20)) == {200}
    assert tries(basic, 9) == [401] * 9
    assert set(tries(basic, 20, password=PASSWORDS["operator"])) == {200}


def test_who_is_logged_in_stays_in_while_somebody_guesses_from_the_same_address(basic):
    with basic.client("operator") as operator, basic.client("viewer") as viewer:
        first = [operator.get("/dagster/").status_code, viewer.get("/view/").status_code]
        cookie = operator.get("/dagster/", headers={"Cookie": ""}).headers["Set-Cookie"]
        tries(basic, 20)
        still = [operator.get("/dagster/").status_code, viewer.get("/view/").status_code]
        # the mark is of one name and password: it lets nobody guess another's
        viewer.auth = ("operator", PASSWORDS["operator"])
        other = viewer.get("/dagster/").status_code
        forged = {
            viewer.get("/dagster/", headers={"Cookie": f"doc_assets_door={mark}"}).status_code
            for mark in ("", "9999999999.x", "x")
        }

    assert first == still == [200, 200]
    assert other == 429
    assert forged == {429}
    assert {"Secure", "HttpOnly", "SameSite=Strict"} <= set(cookie.split("; "))


def test_many_addresses_together_are_slowed_down_too(basic):
    statuses = [status for n in range(12) for status in tries(basic, 10, f"127.0.1.{n + 1}")]

    assert statuses.count(401) == 100
    assert tries(basic, 1, "127.0.2.1", password=PASSWORDS["operator"]) == [429]


def test_keys_of_the_document_api_cannot_be_guessed_either(basic):
    with basic.client() as client:

        def ask(key):
            return client.get("/images?filename=x", headers={"X-API-Key": key}).status_code

        with ThreadPoolExecutor(20) as pool:
            assert set(pool.map(ask, [KEY] * 60)) == {200}
        wrong = [ask(str(n)) for n in range(30)]
        assert wrong == [401] * 10 + [429] * 20
        assert ask(KEY) == 429
    assert tries(basic, 1, password=PASSWORDS["operator"]) == [200]  # another door


@pytest.mark.whole
def test_silent_connections_are_closed_and_keep_nobody_out(shared_basic):
    silent = [socket.create_connection(("127.0.0.1", shared_basic.port)) for _ in range(300)]
    try:
        with shared_basic.client("operator") as client:
            assert client.get("/dagster/").status_code == 200
        silent[0].settimeout(15)
        assert silent[0].recv(1) == b""
    finally:
        for one in silent:
            one.close()


# --- roles

SEEN = ["/view/", "/reports/", "/grafana/d/1"]
CHANGED = ["/dagster/", "/dagster/server_info", "/dagster/runs", "/dagster/locations"]


def allowed(proxy, cookies, **headers):
    """Which addresses answer somebody, and the two ways to ask GraphQL."""
    with proxy.client(headers={**cookies, **headers}) as client:
        found = {path for path in SEEN + CHANGED if client.get(path).status_code == 200}
        found |= {
            path for path in ("/dagster/graphql", "/view/graphql") if client.post(path, json=QUERY).status_code == 200
        }
    return found


VIEWER = {*SEEN, "/view/graphql"}
OPERATOR = {*VIEWER, *CHANGED, "/dagster/graphql"}


@pytest.mark.alike(8)
@pytest.mark.parametrize(
    ("name", "groups", "wanted"),
    [
        ("anna", "", OPERATOR),
        ("root@example.org", "x", OPERATOR),
        ("bert", "doc-operators", OPERATOR),
        ("bert", "staff, doc-operators ,x", OPERATOR),
        ("bert", "", VIEWER),
        ("bert", "doc-viewers", VIEWER),
        ("bert", "doc-operators2,doc-operator,xdoc-operators,Doc-Operators", VIEWER),
        ("bert", "anna", VIEWER),
        ("annaX", "", VIEWER),
        ("ANNA", "", VIEWER),
        ("anna,bert", "", VIEWER),
        ("doc-operators", "", VIEWER),
        ("", "doc-operators", set()),
        ("", "", set()),
    ],
)
@pytest.mark.parametrize("kind", ["oauth2", "authelia"])
def test_operators_are_those_who_are_listed(forward, name, groups, wanted, kind):
    assert allowed(forward, as_user(name, groups, kind)) == wanted


def test_with_no_list_nobody_is_an_operator(tmp_path):
    with _forward(tmp_path) as proxy:
        assert allowed(proxy, as_user("anna", "doc-operators,admin")) == VIEWER
        with proxy.client(headers=as_user("anna")) as client:
            assert client.post("/dagster/graphql", json=MUTATION).status_code == 403
        assert proxy.upstream.paths().count("POST /dagster/graphql") == 0


def test_viewers_may_be_listed_too(tmp_path):
    lists = {"PROXY_OPERATORS": "anna", "PROXY_VIEWERS": "bert", "PROXY_VIEWER_GROUPS": "audit controlling"}
    with _forward(tmp_path, **lists) as proxy:
        assert allowed(proxy, as_user("anna")) == OPERATOR
        assert allowed(proxy, as_user("bert")) == VIEWER
        assert allowed(proxy, as_user("carl", "controlling")) == VIEWER
        assert allowed(proxy, as_user("carl", "sales")) == set()


CLAIMS = ["X-Auth-Request-User", "X-Auth-Request-Groups", "X-Forwarded-User", "X-Forwarded-Groups", "Remote-User"]
CLAIMS += [
    "Remote-Groups",
    "X-Remote-User",
    "X-WebAuth-User",
    "X-Forwarded-Email",
    "X_Auth_Request_User",
    "x-auth-request-user",
]


def test_what_a_client_says_about_itself_counts_nowhere(forward):
    claims = dict.fromkeys(CLAIMS, "anna") | {"X-Auth-Request-Groups": "doc-operators"}
    forward.upstream.asked.clear()
    nobody = allowed(forward, {}, **claims)
    viewer = allowed(forward, as_user("bert"), **claims)
    login = httpx.BasicAuth("anna", "x")._auth_header
    claimed = allowed(forward, as_user("bert"), Authorization=login)

    assert nobody == set()
    assert viewer == claimed == VIEWER
    for _, path, headers, _ in forward.upstream.asked:
        named = {
            value for name, value in headers.items() if name.lower().replace("_", "-") in {c.lower() for c in CLAIMS}
        }
        assert named <= {"bert"}, path


def test_upstreams_hear_who_it_is_from_the_proxy_alone(forward, shared_basic):
    with forward.client(headers=as_user("anna")) as client:
        client.get("/dagster/who")
    with shared_basic.client("operator", headers={"X-Forwarded-User": "root"}) as client:
        client.get("/dagster/who")

    for proxy, name in ((forward, "anna"), (shared_basic, "operator")):
        headers = next(headers for _, path, headers, _ in proxy.upstream.asked if path == "/dagster/who")
        assert headers["X-Forwarded-User"] == name


def test_strangers_are_sent_to_the_login_and_a_dead_login_lets_nobody_in(forward, tmp_path):
    with forward.client() as client:
        answer = client.get("/dagster/runs?x=1")
        assert (answer.status_code, answer.headers["location"]) == (302, "/oauth2/start?rd=/dagster/runs?x=1")
        assert client.get("/oauth2/sign_in").status_code == 200
        assert client.post("/dagster/graphql", json=MUTATION).status_code == 302
    with _forward(tmp_path, PROXY_OPERATORS="anna") as proxy:
        proxy.upstream.server_close()
        with proxy.client(headers=as_user("anna")) as client:
            assert client.get("/dagster/").status_code >= 500


def test_logins_through_the_other_service_are_slowed_down_too(tmp_path):
    with _forward(tmp_path) as proxy:
        with proxy.client() as client:
            forms = [client.post("/oauth2/sign_in", data={"password": str(n)}).status_code for n in range(60)]
        guesses = tries(proxy, 30)

    assert forms.count(429) > 15
    assert guesses == [302] * 10 + [429] * 20


# --- the review desk, which knows its people itself


def _asked_of_the_desk(proxy, path):
    return next(headers for _, asked, headers, _ in reversed(proxy.upstream.asked) if asked == path)


def test_the_desk_is_reached_without_a_password_and_is_shown_the_proxys_secret(shared_basic):
    forged = {"X-Desk-Proxy": "guess", "X-Desk-User": "root", "X-Forwarded-User": "root", "X-Forwarded-For": "1.2.3.4"}
    login = {"Authorization": httpx.BasicAuth("root", "x")._auth_header}
    with shared_basic.client(headers={**forged, **login}) as client:
        assert client.get("/cases/1").status_code == 200
        assert client.post("/cases/1/verdict", data={"photograph": "same"}).status_code == 200

    headers = _asked_of_the_desk(shared_basic, "/cases/1")
    assert headers["X-Desk-Proxy"] == DESK_SECRET
    assert "X-Desk-User" not in headers
    assert "Authorization" not in headers
    assert headers["X-Forwarded-For"] == "127.0.0.1"
    assert headers["X-Forwarded-Proto"] == "https"


def test_what_people_look_for_is_not_in_the_log_of_the_proxy(shared_basic):
    with shared_basic.client() as client:
        client.get("/?text=kim-restaurant")
        client.get("/api/v1/cases?text=kim-restaurant", headers={"Authorization": "Bearer da_x_y"})

    time.sleep(0.2)
    assert "kim" not in (shared_basic.folder / "stdout").read_text(encoding="utf-8")
    assert _asked_of_the_desk(shared_basic, "/api/v1/cases?text=kim-restaurant")["Authorization"] == "Bearer da_x_y"


def test_with_a_login_service_the_desk_hears_who_it_is_from_the_proxy_alone(forward):
    with forward.client(headers={"X-Desk-User": "root"}) as client:
        stranger = client.get("/cases/2")
        program = client.get("/api/v1/cases", headers={"X-Desk-User": "root"})
    with forward.client(headers={**as_user("bert"), "X-Desk-User": "root"}) as client:
        known = client.get("/cases/3")
    with forward.client(headers=as_user("", "doc-operators")) as client:
        nameless = client.get("/cases/4")

    assert (stranger.status_code, stranger.headers["location"]) == (302, "/oauth2/start?rd=/cases/2")
    assert (program.status_code, known.status_code, nameless.status_code) == (200, 200, 403)
    assert _asked_of_the_desk(forward, "/cases/3")["X-Desk-User"] == "bert"
    assert "X-Desk-User" not in _asked_of_the_desk(forward, "/api/v1/cases")


# --- who changed what


def test_every_change_says_who_what_and_when(forward, shared_basic):
    for proxy, name, headers in ((forward, "bert", as_user("bert", "doc-operators")), (shared_basic, "operator", {})):
        before = len(proxy.changes())
        with proxy.client("operator" if proxy is shared_basic else None, headers=headers) as client:
            assert client.post("/dagster/graphql", json=MUTATION).status_code == 200
            client.get("/dagster/runs")
            client.post("/dagster/graphql", json=QUERY)
            client.post("/view/graphql", json=QUERY)
            client.post("/grafana/api/ds/query", json={"queries": []})
        (line,) = proxy.changes()[before:]

        assert (line["change_by"], line["what"], line["status"]) == (name, "terminateRun runId=0123-abc", 200)
        assert (line["method"], line["path"], line["address"]) == ("POST", "/dagster/graphql", "127.0.0.1")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", line["time"])


CHANGES = {
    "mutation { launchRun(executionParams: {}) { __typename } }": "launchRun",
    "mutation M { a: launchRun { x } b : deletePipelineRun(runId: \"x\") { y } }": "launchRun,deletePipelineRun",
    "query Q { runs { id } } mutation M { terminateRuns { x { y } z } }": "terminateRuns",
    "mutation($p: P = {a: {b: 1}}) @x(y: \"{\") { startSensor(s: {n: \"} mutation {\"}) { id } }": "startSensor",
    "# mutation { no }\nmutation\n{\n  wipeAssets # { x\n (a: 1) @include(if: true) { x } }": "wipeAssets",
    "mutation { ...F } fragment F on Mutation { stopRunningSchedule { x } }": "F",
    "{ x(text: \"mutation\") }": "mutation",
    "mutation {" + " ".join(f"f{n}: run{n} {{ x }}" for n in range(50)) + "}": ",".join(f"run{n}" for n in range(20)),
}  # fmt: skip


@pytest.mark.parametrize(("query", "what"), CHANGES.items())
def test_a_change_is_named_however_it_is_written(shared_basic, query, what):
    before = len(shared_basic.changes())
    escaped = json.dumps({"query": query}).replace("mutation", "\\u006dutation")
    padded = json.dumps({"operationName": "M", "query": query, "variables": {"x": "y" * 300_000}})
    with shared_basic.client("operator", headers={"Content-Type": "application/json"}) as client:
        for body in (json.dumps({"query": query}), escaped, padded):
            assert client.post("/dagster/graphql", content=body).status_code == 200
    assert [line["what"] for line in shared_basic.changes()[before:]] == [what] * 3
    assert shared_basic.upstream.asked[-1][3].decode() == padded


def test_variables_that_name_a_run_or_job_are_told_and_others_are_not(shared_basic):
    query = "mutation { launchPipelineExecution { x } }"
    variables = {
        "executionParams": {
            "selector": {"pipelineName": "search_documents_job"},
            "runConfigData": {"folder": "/queries/kim"},
        }
    }
    with shared_basic.client("operator") as client:
        client.post("/dagster/graphql", json={"query": query, "variables": variables})
        client.post("/dagster/graphql", json={"query": query, "variables": json.dumps({"runIds": ["a", 'b\n{"x']})})

    first, second = (line["what"] for line in shared_basic.changes()[-2:])
    assert first == "launchPipelineExecution pipelineName=search_documents_job"
    assert second.startswith('launchPipelineExecution runIds=["a","b')
    assert "kim" not in (shared_basic.folder / "stdout").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "body",
    [
        "", "null", "[]", "{", '"x"', "{}", '{"query": 1}', json.dumps([MUTATION]), json.dumps(MUTATION) + "x",
        json.dumps(MUTATION).encode("utf-16"), json.dumps(MUTATION).encode("utf-32"), "query=mutation",
        '{"Query": "mutation { x }"}',
    ],
)  # fmt: skip
def test_a_request_that_cannot_be_read_changes_nothing(shared_basic, body):
    shared_basic.upstream.asked.clear()
    with shared_basic.client("operator", headers={"Content-Type": "application/json"}) as client:
        assert client.post("/dagster/graphql", content=body).status_code == 400

    assert shared_basic.upstream.asked == []


def test_refused_changes_stand_in_the_log_too(forward):
    before = len(forward.changes())
    with forward.client(headers=as_user("bert")) as client:
        client.post("/dagster/graphql", json=MUTATION)
        client.put("/dagster/")
        client.post("/dagster/report_asset_materialization/documents")
        client.get("/dagster/")

    lines = [(line["change_by"], line["method"], line["path"], line["status"]) for line in forward.changes()[before:]]
    assert lines[0] == ("bert", "POST", "/dagster/graphql", 403)
    assert {line[1:] for line in lines[1:3]} == {
        ("PUT", "/dagster/", 403),
        ("POST", "/dagster/report_asset_materialization/documents", 403),
    }
    assert lines[3] == ("bert", "GET", "/dagster/", 403)
