"""Servers of the standard library in a thread of their own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import BaseServer

LOOKS_EVERY_S = 0.02
"""How soon such a server sees that it shall end; by default it looks twice a second, and every test would wait."""


@contextmanager
def serving(server: BaseServer) -> Iterator[None]:
    """Serves for as long as the block lasts, then closes the server."""
    thread = threading.Thread(target=server.serve_forever, args=(LOOKS_EVERY_S,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
