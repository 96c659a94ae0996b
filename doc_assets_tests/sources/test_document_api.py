"""The client of a document API against a real server that does everything wrong."""

import base64
import json
import time
from collections import Counter
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from doc_assets.errors import SettingsError, UnreadableDocumentError
from doc_assets.pipeline.sealing import SealingRules, seal_request
from doc_assets.sources.document_api import ApiOptions, DocumentApiClient, FailedRequestLog
from doc_assets.sources.key_lookup import KeyState
from doc_assets.sources.key_tables.table import KeyRow
from doc_assets.sources.open_sources import SourceRequest, SourceRules
from doc_assets.sources.sources import KeyFailedError, KeyProblem
from doc_assets.util.log_files import CLOSED_PATTERN
from doc_assets_tests.conftest import NOW
from doc_assets_tests.serving import serving

TIF = b"II*\0a document"
GOOD = {"server_filename": "dir\\N1_7.tif", "image_b64": base64.b64encode(TIF).decode()}


class _Handler(BaseHTTPRequestHandler):
    """Answers a key as ``script`` says: (status, headers, body), or what to do with the handler."""

    script: dict
    asked: Counter

    def do_GET(self):
        address = urlsplit(self.path)
        name = parse_qs(address.query).get("filename", [address.path])[0]
        self.asked[name] += 1
        answer = self.script[name]
        if isinstance(answer, list):
            answer = answer[min(self.asked[name], len(answer)) - 1]
        if callable(answer):
            answer(self)
            return
        status, headers, body = answer
        self.send_response(status)
        for header in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(*header)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Says nothing."""


def _json(fields, status=200, **headers):
    return status, {"X-Correlation-ID": "corr-1", "Retry-After": "0", **headers}, json.dumps(fields).encode()


@pytest.fixture
def api(tmp_path):
    """Starts such a server and gives a client of it, the count of requests and the log."""

    @contextmanager
    def running(script, **options):
        asked = Counter()
        handler = type("Handler", (_Handler,), {"script": script, "asked": asked})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        url = f"http://127.0.0.1:{server.server_port}/images"
        log = FailedRequestLog(tmp_path / "failed.log", 1 << 20, url)
        client = DocumentApiClient(ApiOptions(url, **options), log)
        with serving(server), closing(log), closing(client):
            yield client, asked, tmp_path / "failed.log"

    return running


def _failure(client, key):
    with pytest.raises(KeyFailedError) as caught:
        client.fetch(KeyRow(1, key), 1000)
    return caught.value.problem


def _lines(log):
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def test_a_document_and_what_is_said_about_it(api):
    with api({"N1": _json(GOOD)}, params={"수신일자": "reception_date"}) as (client, _, log):
        fetched = client.fetch(KeyRow(1, "N1", None, {"수신일자": "2024"}), 1000)

        assert (fetched.name, fetched.content, fetched.correlation_id) == ("N1_7.tif", TIF, "corr-1")
        assert fetched.origin.endswith("/images?filename=N1")
        assert not log.exists()


def test_all_documents_of_a_key_are_had(api):
    script = {
        "N1": _json(GOOD | {"other_filenames": ["N1_8.tif"]}),
        "N1_8.tif": _json(GOOD | {"server_filename": "N1_8.tif", "other_filenames": ["N1_7.tif"]}),
    }
    with api(script) as (client, asked, _):
        (other,) = client.fetch(KeyRow(1, "N1"), 1000).more
        fetched = other.fetch(1000)

        assert (fetched.name, fetched.more, other.row.key) == ("N1_8.tif", (), "N1")
        assert asked == {"N1": 1, "N1_8.tif": 1}


@pytest.mark.parametrize(
    ("status", "state", "tries"),
    [(404, KeyState.MISSING, 1), (409, KeyState.AMBIGUOUS, 1), (400, KeyState.FAILED, 1), (302, KeyState.FAILED, 1),
     (500, KeyState.FAILED, 3), (503, KeyState.FAILED, 3)],
)  # fmt: skip
def test_what_a_status_makes_of_a_key(api, status, state, tries):
    answer = _json({"error": "no\r\n\x1b[2Jway"}, status, Location="/images?filename=other")
    with api({"N1": answer, "other": _json(GOOD)}) as (client, asked, log):
        problem = _failure(client, "N1")

        assert (problem.state, problem.correlation_id) == (state, "corr-1")
        assert asked == {"N1": tries}
        (line,) = _lines(log)
        assert (line["key_table_line"], line["state"], line["status_code"]) == (1, state, status)
        assert line["correlation_id"] == "corr-1"
        assert "N1" not in json.dumps(line)
        assert problem.reason.isprintable()
        assert "way" in problem.reason


@pytest.mark.whole
def test_what_passes_is_had_by_a_later_try(api):
    def hang_up(handler):
        handler.close_connection = True
        handler.connection.close()

    busy = [_json({}, 429)] * 5  # more than there are tries: being busy is no failure
    broken = (200, {"Content-Encoding": "gzip", "Retry-After": "0"}, b"no gzip")
    with api({"N1": [*busy, _json({}, 502), _json(GOOD)], "N2": [hang_up, broken, _json(GOOD)]}) as (
        client,
        asked,
        log,
    ):
        assert client.fetch(KeyRow(1, "N1"), 1000).content == TIF
        assert client.fetch(KeyRow(2, "N2"), 1000).content == TIF
        assert asked == {"N1": 7, "N2": 3}
        assert not log.exists()


def test_a_server_that_does_not_answer_in_time_is_given_up(api):
    with api({"N1": lambda _: time.sleep(1)}, timeout_s=0.1, tries=2) as (client, asked, log):
        problem = _failure(client, "N1")

    assert (problem.state, asked["N1"]) == (KeyState.FAILED, 2)
    assert "does not answer" in problem.reason
    assert _lines(log)[0]["status_code"] is None


@pytest.mark.parametrize("status", [401, 403])
def test_a_server_that_does_not_let_us_in_stops_everything(api, status):
    with api({"N1": (status, {}, b"")}) as (client, asked, _):
        with pytest.raises(SettingsError, match="DOC_ASSETS_DOCUMENT_API_KEY"):
            client.fetch(KeyRow(1, "N1"), 1000)
        assert asked == {"N1": 1}


@pytest.mark.alike(5)
@pytest.mark.parametrize(
    "body",
    [
        b"no json", b"[" * 100_000, b"[]", b"{}", b'{"image_b64": 5}', b'{"image_b64": "!"}', b'{"image_b64": "\xea"}',
        b'{"image_b64": "\\ud800"}', b'{"success": false, "image_b64": "SUkq", "error": "\\ud800 no"}',
        b'{"error": {"a": ["b"]}}', b'{"image_b64": "SUkq", "other_filenames": "x"}',
        b'{"image_b64": "SUkq", "other_filenames": ["../x"]}', b'{"image_b64": "SUkq", "other_filenames": [5]}',
        json.dumps({"image_b64": "SUkq", "other_filenames": ["x"] * 2000}).encode(),
    ],
)  # fmt: skip
def test_a_wrong_answer_is_a_failed_key(api, body):
    with api({"N1": (200, {}, body)}) as (client, asked, log):
        assert _failure(client, "N1").state is KeyState.FAILED
        assert asked == {"N1": 1}
        assert len(_lines(log)) == 1


@pytest.mark.parametrize("name", [5, "", "a" * 5000, "x\0y.tif", "x\ny.tif", "\ud800.tif", "../../", None, ["x"]])
def test_a_hostile_name_is_replaced(api, name):
    with api({"N1": _json(GOOD | {"server_filename": name})}) as (client, _, _log):
        assert client.fetch(KeyRow(1, "N1"), 1000).name in {"N1.tif", "\\ud800.tif"}


def test_what_is_too_large_is_cut_off_while_it_streams_in(api):
    sent = []

    def endless(handler):
        handler.send_response(200)
        handler.end_headers()
        try:
            while len(sent) < 1000:
                handler.wfile.write(b" " * (1 << 16))
                sent.append(1 << 16)
        except OSError:
            pass

    script = {"N1": endless, "N2": _json({"image_b64": base64.b64encode(b"a" * 1001).decode()})}
    with api(script) as (client, _, log):
        for line, key in enumerate(script, start=1):
            with pytest.raises(UnreadableDocumentError, match="DOC_ASSETS_MAX_FILE_BYTES") as caught:
                client.fetch(KeyRow(line, key), 1000)
            assert caught.value.code == "E_FILE_TOO_LARGE"
        assert [line["key_table_line"] for line in _lines(log)] == [1, 2]
    assert sum(sent) < 60 << 20


def test_an_endless_error_is_an_error(api):
    with api({"N1": (404, {}, b"x" * (2 << 20))}) as (client, _, _log):
        assert _failure(client, "N1").state is KeyState.MISSING


@pytest.mark.parametrize(
    ("address", "is_had"),
    [("/file", True), ("http://127.0.0.1:1/file", False), ("http://evil.example/file", False),
     ("//evil.example", False), ("file:///etc/passwd", False), ("http://[", False),
     ("/moved", False), ("/gone", False)],
)  # fmt: skip
def test_a_file_by_address_comes_from_the_same_server_only(api, address, is_had):
    script = {
        "N1": _json({"image_url": address}),
        "/file": (200, {}, TIF),
        "/moved": (302, {"Location": "http://evil.example/"}, b""),
        "/gone": (404, {}, b""),
    }
    with api(script, payload="url") as (client, _, _log):
        if is_had:
            assert client.fetch(KeyRow(1, "N1"), 1000).content == TIF
        else:
            _failure(client, "N1")


def test_the_file_itself_as_the_answer(api):
    with api({"N1": (200, {}, TIF)}, payload="binary") as (client, _, _log):
        assert client.fetch(KeyRow(1, "N1"), 1000).content == TIF
        with pytest.raises(UnreadableDocumentError):
            client.fetch(KeyRow(1, "N1"), 5)


@pytest.mark.parametrize("url", ["ftp://host/images", "host", "", "http://", "http://host/images?x=1"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(SettingsError):
        DocumentApiClient(ApiOptions(url))


def test_a_file_by_address_is_not_asked_of_another_server(api):
    with api({"/file": (200, {}, TIF)}) as (other, asked_there, _):
        elsewhere = other.request_of("").replace("/images?filename=", "/file")
        with api({"N1": _json({"image_url": elsewhere})}, payload="url") as (client, _, _log):
            assert "another host" in _failure(client, "N1").reason
        assert not asked_there


def test_the_log_of_failed_requests_is_closed_at_its_size_and_maintenance_finds_it(tmp_path):
    log = FailedRequestLog(tmp_path / "new" / "failed_requests.log", 1000, "http://host/images")
    for number in range(40):
        log(KeyProblem(KeyRow(number, f"N{number}"), KeyState.FAILED, "it is away", ""), 500)
    log.close()

    closed = sorted((tmp_path / "new").glob(CLOSED_PATTERN))
    files = [*closed, tmp_path / "new" / "failed_requests.log"]
    lines = [json.loads(line) for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(closed) > 3
    assert max(path.stat().st_size for path in files) < 1300
    assert sorted(line["key_table_line"] for line in lines) == list(range(40))


def test_a_key_table_that_comes_later_tells_the_dates_of_what_was_given_before(api, archive, tmp_path):
    table = tmp_path / "keys.csv"

    def ingest(url, *rows):
        table.write_text("\n".join(("파일명,사업자등록번호,수신일자", *rows)), encoding="utf-8")
        asked = SourceRequest(key_table=table, api_url=url)
        rules = SourceRules(tmp_path / "index.sqlite", tmp_path / "failed.log")
        done = seal_request(archive, rules, asked, NOW, SealingRules())
        (document,) = archive.ledger.documents.arrivals_at(done.origins).values()
        return done, document.merchant_id, (str(document.document_date), document.date_source)

    with api({"N1": _json(GOOD)}) as (client, requests, _):
        url = client.request_of("N1").partition("?")[0]
        first = ingest(url, "N1,,")
        second = ingest(url, "N1,1208147521,2024. 3. 1.")
        third = ingest(url, "N1,1208147521,2024-13-45")

    assert requests["N1"] == 1
    assert first[1:] == (None, ("2026-11-21", "arrival"))
    assert second[1:] == third[1:] == ("1208147521", ("2024-03-01", "key_table"))
    assert [done.described for done, _, _ in (first, second)] == [[], ["N1_7.tif"]]
    assert [len(done.date_faults) for done, _, _ in (first, second, third)] == [0, 0, 1]
