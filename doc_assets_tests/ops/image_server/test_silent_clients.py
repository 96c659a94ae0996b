"""Clients that send or read nothing keep nobody else out; real sockets before a real server."""

import contextlib
import resource
import signal
import socket
import subprocess
import time

import httpx
import pytest

from doc_assets.ops.image_server.serving import Patience
from doc_assets_tests.ops.image_server.conftest import KEY
from doc_assets_tests.program import PROGRAM

pytestmark = pytest.mark.whole

HEAD = f"GET /images?filename=N20240102THA00001 HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\n"
POST = f"POST /images HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\nContent-Length: 60\r\n\r\n"
SILENT = {
    "nothing": b"",
    "half a line": b"GET /images?file",
    "half a head": HEAD.encode(),
    "half a body": POST.encode() + b'{"filen',
    "half a body without a key": POST.replace(KEY, "x").encode() + b'{"filen',
    "an answer and then nothing": HEAD.encode() + b"\r\n",
    "a part of a chunked body": POST.replace("Content-Length: 60", "Transfer-Encoding: chunked").encode() + b"5\r\nab",
}
QUICK = Patience(first_head_s=1, next_head_s=1, body_s=1, reader_s=1)


@contextlib.contextmanager
def held(url, sent, n, source="127.0.0.1"):
    """So many connections that have sent this and wait."""
    host, port = url.removeprefix("http://").split(":")
    with contextlib.ExitStack() as stack:
        opened = []
        for _ in range(n):
            client = socket.create_connection((host, int(port)), 20, source_address=(source, 0))
            stack.enter_context(client)
            with contextlib.suppress(OSError):  # it may have been closed for another one already
                client.sendall(sent)
            opened.append(client)
        yield opened


def is_closed_within(client, seconds):
    """Whether the server ends a connection in this time."""
    client.settimeout(0.1)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if client.recv(65536) == b"":
                return True
        except TimeoutError:
            continue
        except OSError:
            return True
    return False


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """The address of ``doc-assets serve-images`` with its own settings."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "archive").mkdir()
    (folder / "archive" / "N20240102THA00100001_1.tif").write_bytes(b"II*\0")
    (folder / "archive" / "N20240104THA00100001_1.tif").write_bytes(b"II*\0" + bytes(6 << 20))
    arguments = ["serve-images", "--search-root", str(folder / "archive"), "--port", "0"]
    environment = {"DOC_ASSETS_IMAGE_API_KEY": KEY, "DOC_ASSETS_IMAGE_API_RATE": "100000/second", "PATH": "/usr/bin"}
    with subprocess.Popen(
        [PROGRAM, *arguments], stdout=subprocess.PIPE, text=True, cwd=folder, env=environment
    ) as process:
        yield process.stdout.readline().split(" on ")[1].split("/images")[0]
        process.send_signal(signal.SIGTERM)


def ask(url, source="127.0.0.1"):
    """The status that another client gets."""
    transport = httpx.HTTPTransport(local_address=source)
    with httpx.Client(transport=transport, trust_env=False, timeout=90) as client:
        return client.get(f"{url}/images?filename=N20240102THA00001", headers={"X-API-Key": KEY}).status_code


@pytest.mark.parametrize("n", [64, 530])
@pytest.mark.parametrize("sent", SILENT.values(), ids=SILENT)
def test_silent_connections_hold_nobody_out(command, sent, n):
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < n + 100:
        pytest.skip(f"this machine lets a process open fewer than {n + 100} files")

    with held(command, sent, n) as opened:
        if sent.endswith(b"\r\n\r\n") and sent.startswith(b"GET"):  # silent once they have their answers
            for client in opened:
                client.settimeout(60)
                with contextlib.suppress(OSError):
                    client.recv(1)
        assert [ask(command) for _ in range(3)] == [200] * 3
        assert ask(command, "127.0.0.2") == 200
        assert httpx.get(f"{command}/healthz", trust_env=False, timeout=90).status_code == 200


def test_clients_that_do_not_read_their_answer_hold_others_out_for_seconds_only(command):
    large = (HEAD.replace("20240102", "20240104") + "\r\n").encode()
    with held(command, large, 64):
        assert ask(command, "127.0.0.2") in {
            200,
            503,
        }  # a quarter of the places is for others, if they were all reached
        time.sleep(4)
        assert [ask(command), ask(command, "127.0.0.2")] == [200, 200]


@pytest.mark.parametrize("sent", SILENT.values(), ids=SILENT)
def test_a_silent_connection_is_closed(serving, sent):
    with serving(patience=QUICK) as served, held(served.url, sent, 1) as (client,):
        assert is_closed_within(client, 5)


def test_bytes_that_trickle_in_buy_no_time(serving):
    with serving(patience=QUICK) as served:
        for start in (b"GET /images?filename=", POST.replace("60", "6000").encode()):
            began, ended = time.monotonic(), False
            with held(served.url, start, 1) as (client,):
                while not ended and time.monotonic() - began < 8:
                    try:
                        client.sendall(b"a")
                    except OSError:
                        break
                    ended = is_closed_within(client, 0.2)
            assert time.monotonic() - began < 5


def test_an_answer_that_is_not_read_is_given_up_and_a_slow_reader_gets_all(serving, archive_folder):
    large = archive_folder / "2024" / "N20240103THA00100001_1.tif"
    large.write_bytes(b"II*\0" + bytes(6 << 20))
    asked = HEAD.replace("20240102", "20240103") + "Connection: close\r\n\r\n"
    with serving(max_bytes=8 << 20, patience=QUICK) as served, held(served.url, asked.encode(), 1) as (client,):
        time.sleep(3)
        client.settimeout(5)
        got = 0
        with contextlib.suppress(OSError):
            while part := client.recv(1 << 20):
                got += len(part)
        assert got < 8 << 20
    patient = serving(max_bytes=8 << 20, patience=Patience(reader_s=20))
    with patient as served, held(served.url, asked.encode(), 1) as (client,):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        began, answer = time.monotonic(), b""
        while part := client.recv(1 << 18):
            answer += part
            time.sleep(0.05)
        head, _, body = answer.partition(b"\r\n\r\n")
        assert time.monotonic() - began > 1
        assert len(body) == int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]) > 8 << 20


def test_an_ordinary_client_keeps_its_connection_between_requests(serving):
    with serving() as served, httpx.Client(trust_env=False, headers={"X-API-Key": KEY}) as client:
        with held(served.url, b"", 20, "127.0.0.3"):
            statuses = []
            for _ in range(3):
                statuses.append(client.get(f"{served.url}/images?filename=N20240102THA00001").status_code)
                time.sleep(1)
        assert statuses == [200] * 3
