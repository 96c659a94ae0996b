import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from doc_assets_tests.serving import LOOKS_EVERY_S


class Receiver:
    """A real HTTP server that notes what is posted to it and answers as it is told."""

    def __init__(self) -> None:
        self.posted, self.headers, self.statuses, self.location = [], [], [], None
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.posted.append((self.path, json.loads(body)))
                receiver.headers.append(dict(self.headers))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
                if receiver.location:
                    self.send_header("Location", receiver.location)
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(LOOKS_EVERY_S,))
        self._thread.start()

    @property
    def alerts(self):
        """Bodies of what was posted."""
        return [body for _, body in self.posted]

    def close(self) -> None:
        """Takes no more connections."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def receiver():
    running = Receiver()
    yield running
    running.close()
