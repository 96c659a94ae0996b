"""A server ends at SIGTERM whenever it comes, its house in order."""

import signal
import urllib.request
from threading import Thread

import pytest

from doc_assets.ops.image_server.serving import address_of, listen, make_server, serve


async def _app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"here"})
        signal.raise_signal(signal.SIGTERM)


@pytest.fixture
def listening():
    before = signal.getsignal(signal.SIGTERM)
    with listen("127.0.0.1", 0, has_key=False) as found:
        yield found
    signal.signal(signal.SIGTERM, before)


def test_a_signal_before_the_first_request_is_not_lost(listening):
    serve(make_server(_app, 4), listening, lambda: signal.raise_signal(signal.SIGTERM))


def test_a_request_under_way_is_answered_first(listening):
    answers = []

    def ask():
        with urllib.request.urlopen(address_of(listening), timeout=20) as answer:
            answers.append(answer.read())

    asking = Thread(target=ask)
    serve(make_server(_app, 4), listening, asking.start)
    asking.join(20)

    assert answers == [b"here"]
