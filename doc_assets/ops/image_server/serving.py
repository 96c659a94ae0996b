"""Listening and answering until the process is told to end.

Clients that send or read nothing are given up after a while, and go first when there are too many.
"""

import asyncio
import ipaddress
import resource
import signal
import socket
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass

import h11
import uvicorn
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from doc_assets.errors import SettingsError
from doc_assets.ops.image_server.middleware import LOOPBACK_NAMES

_MAX_HEAD_BYTES = 16 << 10
_KEEP_ALIVE_S = 15
_SHUTDOWN_S = 30
_LOOK_EVERY_S = 0.5
_OPEN_PER_REQUEST = 8
_SLOW_S = 3.0
_BUSY = {"error": "too many requests at a time"}
_COME_BACK = {"Retry-After": "1", "Connection": "close"}
_ANSWER, _READER = "answer", "reader_s"
"""Phases of a connection: our own work, which has no limit here, and an answer that its client reads."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that a client may keep a connection waiting; bytes that trickle in do not start them anew.

    Attributes:
        first_head_s: from the connection to the end of the first request's head.
        next_head_s: the same from an answer to the next request.
        body_s: from the head to the end of the body.
        reader_s: in which a client must read a part of the answer (48 KiB).
    """

    first_head_s: float = 10
    next_head_s: float = 15
    body_s: float = 30
    reader_s: float = 30


class WatchedConnection(H11Protocol):
    """A connection that is closed when its client keeps it waiting, or when others need its place.

    Attributes:
        idle_since: when its client began to keep it waiting, by the clock of its loop.
    """

    patience = Patience()
    max_open = 512

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Makes room for it if there is none."""
        super().connection_made(transport)
        self._phase, self.idle_since = "first_head_s", self.loop.time()
        self._watching = self.loop.call_later(_LOOK_EVERY_S, self._look)
        if len(self.connections) > self.max_open:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends the watch."""
        self._watching.cancel()
        super().connection_lost(exc)

    def resume_writing(self) -> None:
        """The client has read a part."""
        super().resume_writing()
        self.idle_since = self.loop.time()

    @property
    def address(self) -> str:
        """Of the client."""
        return self.client[0] if self.client else "unknown"

    @property
    def phase(self) -> str:
        """What it waits for now: a field of ``Patience``, or our answer."""
        if self.transport.is_closing() or self.flow.write_paused:
            return _READER
        if self.conn.their_state is h11.SEND_BODY:
            return "body_s"
        if self.cycle is None:
            return "first_head_s"
        return "next_head_s" if self.cycle.response_complete else _ANSWER

    @property
    def is_slow_reader(self) -> bool:
        """Whether its client has read next to nothing of an answer for some seconds."""
        return self.phase == self._phase == _READER and self.loop.time() - self.idle_since > _SLOW_S

    def leave(self) -> None:
        """Closes it at once."""
        self.connections.discard(self)
        self.transport.abort()

    def _look(self) -> None:
        phase, now = self.phase, self.loop.time()
        if phase != self._phase:
            self._phase, self.idle_since = phase, now
        if now - self.idle_since > getattr(self.patience, phase, float("inf")):
            self.transport.abort()
            return
        self._watching = self.loop.call_later(_LOOK_EVERY_S, self._look)

    def _make_room(self) -> None:
        """Closes the idlest connection of the client that has most of them."""
        mine = [one for one in self.connections if isinstance(one, WatchedConnection) and one is not self]
        idle = [one for one in mine if one.phase != _ANSWER]
        leaving = _idlest(idle, Counter(one.address for one in [*mine, self])) or self
        leaving.leave()


def _idlest(of: list[WatchedConnection], held: Counter[str]) -> WatchedConnection | None:
    """The one that waits longest, of the client that holds most."""
    return max(of, key=lambda one: (held[one.address], -one.idle_since), default=None)


def _watched(max_requests: int, patience: Patience) -> type[WatchedConnection]:
    """Connections for a server that answers so many requests at a time; many more may be open and idle."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    n_open = max_requests * _OPEN_PER_REQUEST
    if soft != resource.RLIM_INFINITY:
        n_open = max(max_requests, min(n_open, soft // 2))  # documents and the index are files too
    return type("Watched", (WatchedConnection,), {"patience": patience, "max_open": n_open})


class RequestLimit:
    """An application that answers so many requests at a time; one client address gets three quarters of them.

    A request whose body is still on its way is not counted, and a client that does not read its answer goes when others
    need the place. Further requests are told to come back.
    """

    def __init__(self, app: ASGIApp, max_requests: int) -> None:
        self._app, self._max_requests = app, max_requests
        self._max_of_one = max_requests - max_requests // 4
        self._now: Counter[str] = Counter()
        self.connections: Collection[object] = ()
        """Those of the server."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        client = str((scope.get("client") or ("unknown", 0))[0])
        if not self._has_place(client):
            await JSONResponse(_BUSY, 503, _COME_BACK)(scope, receive, send)
            return
        is_counted, is_whole = True, False
        self._now[client] += 1

        async def uncounted_receive() -> Message:
            nonlocal is_counted, is_whole
            if is_whole:  # what is asked for now is whether the client has gone
                return await receive()
            self._now[client] -= 1
            is_counted = False
            message = await receive()
            is_whole = not message.get("more_body", False)
            if not self._has_place(client):
                raise HTTPException(503, _BUSY["error"], _COME_BACK)
            self._now[client] += 1
            is_counted = True
            return message

        try:
            await self._app(scope, uncounted_receive, send)
        finally:
            self._now[client] -= is_counted
            self._now += Counter()  # keeps only what is positive

    def _has_place(self, client: str) -> bool:
        if self._now.total() < self._max_requests and self._now[client] < self._max_of_one:
            return True
        slow = [one for one in self.connections if isinstance(one, WatchedConnection) and one.is_slow_reader]
        if self._now[client] >= self._max_of_one:
            slow = [one for one in slow if one.address == client]
        leaving = _idlest(slow, self._now)
        if leaving is not None:
            leaving.leave()
        return leaving is not None


def listen(host: str, port: int, *, has_key: bool) -> socket.socket:
    """A socket that listens, within reach of other machines only if requests need a key; port 0 for any that is free.

    Raises:
        SettingsError: if it may not, or cannot, listen there.
    """
    if not has_key and not is_loopback(host):
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
    """A server that answers ``max_requests`` at a time; silent connections take nobody's place."""
    limited = RequestLimit(app, max_requests)
    config = uvicorn.Config(
        limited,
        http=_watched(max_requests, patience or Patience()),
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

    ``ready`` is told when a signal would end it in order; requests are kept waiting until it has returned.
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


def is_loopback(host: str) -> bool:
    """Whether an address or name is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in LOOPBACK_NAMES
