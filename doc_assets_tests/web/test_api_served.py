"""The API and the document API of the desk over real HTTP, as a program meets them."""

import contextlib
import json
import signal
import subprocess
import threading

import httpx
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings

from doc_assets.ops.image_server.serving import address_of, listen, make_server
from doc_assets.util.log_files import SharedFileHandler
from doc_assets_tests.ops.image_server.conftest import archive_folder
from doc_assets_tests.ops.image_server.test_responses import FIRST, SECOND
from doc_assets_tests.ops.image_server.test_silent_clients import held
from doc_assets_tests.program import PROGRAM
from doc_assets_tests.web.home import copy_of

__all__ = ["archive_folder"]
pytestmark = pytest.mark.whole
_EXAMPLES = 40
ONE_KEY = "a key of the settings"
DOCUMENT = "/images?filename=N20240101THA00001"


class Served:
    """A running desk and clients of it; keys by name, ``log`` after the desk has ended."""

    def __init__(self, url, desk, log):
        from doc_assets.web.access import SCOPES
        from doc_assets.web.keys.store import add_key

        self.url, self.desk, self._log = url, desk, log
        made = {"all": SCOPES, "images": ["images"], "cases": ["cases"]}
        self.keys = {name: add_key(name, scopes, 1, desk.desk.now())[1] for name, scopes in made.items()}

    def get(self, path, key="all", **headers):
        """An answer to somebody with this key."""
        shown = {"X-API-Key": self.keys.get(key, key)} if key is not None else {}
        return httpx.get(self.url + path, headers={**shown, **headers}, trust_env=False, timeout=60)

    def lines(self):
        """Of the access log for documents."""
        return [json.loads(line) for line in self._log.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def serving(make_desk, archive_folder, tmp_path):
    """Starts a desk with archive folders on a free port."""

    @contextlib.contextmanager
    def running(folder=archive_folder, proxy_secret="", **changed):
        from django.core.asgi import get_asgi_application
        from django.test import override_settings
        from pydantic import SecretStr

        from doc_assets.web.images import with_documents
        from doc_assets.web.server import _SmallBodies

        given = {"image_api_key": SecretStr(ONE_KEY), "image_api_rate": "100000/second", **changed}
        desk = make_desk(search_roots=[str(folder)], **given)
        log = tmp_path / "access.log"
        with contextlib.ExitStack() as stack:
            stack.enter_context(override_settings(ALLOWED_HOSTS=["127.0.0.1"]))
            handler = SharedFileHandler(log, 1 << 20)
            stack.callback(handler.close)
            pages = _SmallBodies(get_asgi_application(), 1 << 20)
            app = with_documents(pages, desk.desk, proxy_secret, handler, stack)
            listening = stack.enter_context(listen("127.0.0.1", 0, has_key=True))
            server = make_server(app, 64)
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
            thread.start()
            try:
                yield Served(address_of(listening), desk, log)
            finally:
                server.should_exit = True
                thread.join()

    return running


@pytest.fixture
def served(serving):
    """A desk whose archive folders are open."""
    with serving() as running:
        _wait_for(running)
        yield running


def _wait_for(served):
    for _ in range(200):
        if not served.desk.desk.image_faults():
            return
        threading.Event().wait(0.05)
    raise AssertionError(served.desk.desk.image_faults())


# --- what is described is true


def _asked(served, described, path, method, mode, key):
    """Statuses of the answers to requests drawn from a description, each of them as described."""
    import schemathesis  # takes seconds

    schema = schemathesis.openapi.from_dict(described)
    schema.config.update(base_url=served.url)
    seen = set()

    @settings(
        max_examples=_EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=schema[path][method].as_strategy(generation_mode=schemathesis.GenerationMode(mode)))
    def ask(case):
        assume(all(str(value).isprintable() for value in (case.headers or {}).values()))
        answer = case.call(headers={"X-API-Key": served.keys[key]})
        case.validate_response(answer)
        assert answer.status_code < 500
        seen.add(answer.status_code)

    ask()
    return seen


@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_the_api_answers_as_it_is_described(served, mode):
    described = served.get("/api/v1/openapi.json").json()
    for path, operations in described["paths"].items():
        if mode == "negative" and not operations["get"].get("parameters"):
            continue
        seen = _asked(served, described, path, "GET", mode, "all")
        assert seen <= {200, 400, 404, 422}, path


def test_what_is_there_is_found_as_it_is_described(served):
    described, case = served.get("/api/v1/openapi.json").json(), served.desk.cases()[0]
    known = {"case_id": case.case_id, "number": case.row_id, "drop": case.drop_key}
    for path, operations in described["paths"].items():
        for each in operations["get"].get("parameters", []):
            if each["in"] == "path":
                each["schema"] = {"enum": [known[each["name"]]]}
        if "{" in path:
            assert 200 in _asked(served, described, path, "GET", "positive", "all"), path


@pytest.mark.parametrize("mode", ["positive", "negative"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_documents_by_key_are_answered_as_they_are_described(served, method, mode):
    described = served.get("/openapi.json").json()
    assert {"401", "403"} <= described["paths"]["/images"]["get"]["responses"].keys()

    assert _asked(served, described, "/images", method, mode, "images")


# --- documents by key


def test_documents_are_given_by_a_named_key_and_by_that_of_the_settings(served):
    for key in ("all", "images", ONE_KEY):
        answer = served.get(DOCUMENT, key)
        assert answer.status_code == 200
        assert list(answer.json()) == [
            "server_filename",
            "saved_to_folder",
            "echo_request",
            "matched_row_excerpt",
            "other_filenames",
            "image_b64",
        ]
        assert (answer.json()["server_filename"], answer.json()["other_filenames"]) == (FIRST, [SECOND])
    bearer = served.get(DOCUMENT, None, Authorization=f"Bearer {served.keys['images']}")
    assert bearer.status_code == 200


def test_without_a_key_that_is_good_for_it_no_document_is_given(served):
    for key in (None, "", "wrong", ONE_KEY[:-1], served.keys["images"][:-1] + "x"):
        for path in (DOCUMENT, "/openapi.json"):
            answer = served.get(path, key)
            assert (answer.status_code, answer.content) == (401, b"")
            assert answer.headers["WWW-Authenticate"] == 'ApiKey header="X-API-Key"'
    assert served.get(DOCUMENT, "cases").status_code == 403
    assert served.get("/api/v1/cases", "images").status_code == 403
    assert served.get("/api/v1/cases", ONE_KEY).status_code == 401  # for documents alone
    assert served.get(f"{DOCUMENT}&key={served.keys['images']}", None).status_code == 401


def test_a_revoked_key_gives_no_document_any_more(served):
    from doc_assets.web.keys.store import revoke_key

    assert served.get(DOCUMENT, "images").status_code == 200
    revoke_key("images", served.desk.desk.now())
    assert served.get(DOCUMENT, "images").status_code == 401


def test_one_limit_counts_documents_and_the_api_together(serving):
    with serving(image_api_rate="3/hour") as served:
        _wait_for(served)
        found = [served.get(path, "all").status_code for path in (DOCUMENT, "/api/v1/cases", DOCUMENT, DOCUMENT)]
        assert found == [200, 200, 200, 429]
        assert served.get("/api/v1/cases", "cases").status_code == 429
        assert served.get("/healthz", None).status_code == 200


def test_the_desk_does_not_wait_for_an_archive_folder_that_is_away(serving, tmp_path):
    with serving(folder=tmp_path / "away", image_api_refresh_s=1) as served:
        assert served.get("/healthz", None).status_code == 200
        assert served.get("/api/v1/healthz", None).status_code == 503
        assert served.get(DOCUMENT, "images").status_code == 503
        (tmp_path / "away").mkdir()
        (tmp_path / "away" / FIRST).write_bytes(b"II*\0")
        _wait_for(served)
        assert served.get(DOCUMENT, "images").status_code == 200
        assert served.get("/api/v1/healthz", None).json() == {"status": "ok", "faults": []}


def test_with_a_proxy_in_front_no_document_is_given_around_it(serving):
    with serving(proxy_secret="between us") as served:
        _wait_for(served)
        assert served.get(DOCUMENT, "images").status_code == 403
        assert served.get(DOCUMENT, "images", **{"X-Desk-Proxy": "guess"}).status_code == 403
        assert served.get(DOCUMENT, "images", **{"X-Desk-Proxy": "between us"}).status_code == 200


def test_lines_about_documents_name_a_key_by_its_prefix_and_nothing_else(serving):
    with serving() as served:
        _wait_for(served)
        served.get(DOCUMENT, "images")
        served.get(DOCUMENT, ONE_KEY)

    named, one = sorted(served.lines(), key=lambda line: "key" not in line)
    assert (named["route"], named["status"], named["key"]) == ("/images", 200, served.keys["images"].split("_")[1])
    assert "key" not in one
    text = json.dumps([named, one])
    assert not [word for word in ("N2024", ONE_KEY, served.keys["images"].rpartition("_")[2]) if word in text]


# --- silent clients of the command


@pytest.fixture(scope="module")
def command(desk_home, tmp_path_factory):
    """The address of ``doc-assets serve`` with a key of all scopes."""
    folder = tmp_path_factory.mktemp("silent")
    copy_of(desk_home, folder / "home")
    (folder / "archive").mkdir()
    (folder / "archive" / FIRST).write_bytes(b"II*\0")
    environment = {
        "PATH": "/usr/bin",
        "DOC_ASSETS_HOME": str(folder / "home"),
        "DOC_ASSETS_LOG_DIR": str(folder / "log"),
        "DOC_ASSETS_SEARCH_ROOTS": json.dumps([str(folder / "archive")]),
        "DOC_ASSETS_IMAGE_API_RATE": "100000/second",
    }
    scopes = [word for scope in ("cases", "images") for word in ("--scope", scope)]
    made = subprocess.run(
        [PROGRAM, "keys", "add", "program", *scopes],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    with subprocess.Popen(
        [PROGRAM, "serve", "--port", "0"], stdout=subprocess.PIPE, text=True, cwd=folder, env=environment
    ) as process:
        yield process.stdout.readline().split(": ")[1].split("/enter")[0], made.stdout.strip()
        process.send_signal(signal.SIGTERM)


@pytest.mark.parametrize(
    "sent",
    ["", "GET /api/v1/cases", "GET {path} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\n", "POST", "chunked"],
)
@pytest.mark.parametrize("path", ["/api/v1/cases", DOCUMENT])
def test_64_silent_connections_do_not_stop_an_answer(command, path, sent):
    url, key = command
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\n"
    sent = (
        {
            "POST": head + "Content-Length: 60\r\n\r\n{",
            "chunked": head + "Transfer-Encoding: chunked\r\n\r\n5\r\nab",
        }.get(sent, sent)
        .replace("{path}", path)
        .replace("{key}", key)
    )

    with held(url, sent.encode(), 64):
        for asked in (path, "/healthz"):
            assert httpx.get(url + asked, headers={"X-API-Key": key}, trust_env=False, timeout=60).status_code == 200
