"""Listening and answering until the process is told to end."""

import ipaddress
import signal
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from doc_assets.errors import SettingsError
from doc_assets.ops.image_server.connections import Patience, RequestLimit, watched
from doc_assets.ops.image_server.middleware import LOOPBACK_NAMES

_MAX_HEAD_BYTES = 16 << 10
_KEEP_ALIVE_S = 15
_SHUTDOWN_S = 30


def listen(host: str, port: int, *, has_key: bool) -> socket.socket:
    """A socket that listens.

    Args:
        host: address; of another machine's reach only if requests need a key.
        port: 0 for any that is free.
        has_key: whether requests need a key.

    Raises:
        SettingsError: if it may not, or cannot, listen there.
    """
    if not has_key and not _is_loopback(host):
        raise SettingsError(
            f"Serving documents on {host} needs an API key, because other machines can reach it. Set "
            "DOC_ASSETS_IMAGE_API_KEY, or serve on 127.0.0.1."
        )
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError, UnicodeError) as error:
        raise SettingsError(f"Cannot listen on {host} port {port}: {error}. Name another --host or --port.") from error


def make_server(app: ASGIApp, max_requests: int, patience: Patience | None = None) -> uvicorn.Server:
    """A server that answers ``max_requests`` at a time; silent connections take nobody's place.

    Args:
        app: answers.
        max_requests: further ones are told to come back.
        patience: with clients that send or read nothing.
    """
    limited = RequestLimit(app, max_requests)
    config = uvicorn.Config(
        limited,
        http=watched(max_requests, patience or Patience()),
        h11_max_incomplete_event_size=_MAX_HEAD_BYTES,  # h11 refuses overlong heads
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_SHUTDOWN_S,
        server_header=False,
        proxy_headers=False,
        access_log=False,
        log_config=None,
        ws="none",
    )
    server = uvicorn.Server(config)
    limited.connections = server.server_state.connections
    return server


def serve(server: uvicorn.Server, listening: socket.socket, ready: Callable[[], None]) -> None:
    """Answers until SIGTERM or SIGINT; requests under way are finished first.

    Args:
        server: answers.
        listening: where.
        ready: told when a signal would end it in order; requests are kept waiting until it has returned.
    """

    def end(*_: object) -> None:
        # An exception raised here would be lost where Python ignores exceptions, and the signal with it. uvicorn sends
        # the signal again when it has finished.
        server.should_exit = True

    signal.signal(signal.SIGTERM, end)
    ready()
    server.run(sockets=[listening])


def address_of(listening: socket.socket) -> str:
    """``http://host:port``."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in LOOPBACK_NAMES
