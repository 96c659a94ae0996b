"""Connections of clients that send or read nothing: how long they may, and who goes when there are too many."""

import asyncio
import resource
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

import h11
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_LOOK_EVERY_S = 0.5
_OPEN_PER_REQUEST = 8
_SLOW_S = 3.0
_BUSY = {"error": "too many requests at a time"}
_COME_BACK = {"Retry-After": "1", "Connection": "close"}


class Phase(StrEnum):
    """What a connection is waiting for."""

    FIRST_HEAD = "first_head"
    NEXT_HEAD = "next_head"
    BODY = "body"
    READER = "reader"
    ANSWER = "answer"


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

    def of(self, phase: Phase) -> float:
        """For one phase; our own work has no limit here."""
        limits = {
            Phase.FIRST_HEAD: self.first_head_s,
            Phase.NEXT_HEAD: self.next_head_s,
            Phase.BODY: self.body_s,
            Phase.READER: self.reader_s,
        }
        return limits.get(phase, float("inf"))


class WatchedConnection(H11Protocol):
    """A connection that is closed when its client keeps it waiting, or when others need its place."""

    patience = Patience()
    max_open = 512

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Makes room for it if there is none."""
        super().connection_made(transport)
        self._phase, self._since = Phase.FIRST_HEAD, self.loop.time()
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
        self._since = self.loop.time()

    @property
    def is_idle(self) -> bool:
        """Whether no request of it is being answered."""
        return self._now() is not Phase.ANSWER

    @property
    def idle_since(self) -> float:
        """When its client began to keep it waiting."""
        return self._since

    @property
    def is_slow_reader(self) -> bool:
        """Whether its client has read next to nothing of an answer for some seconds."""
        return self._now() is self._phase is Phase.READER and self.loop.time() - self._since > _SLOW_S

    def leave(self) -> None:
        """Closes it at once."""
        self.connections.discard(self)
        self.transport.abort()

    @property
    def address(self) -> str:
        """Of the client."""
        return self.client[0] if self.client else "unknown"

    def _now(self) -> Phase:
        if self.transport.is_closing() or self.flow.write_paused:
            return Phase.READER
        if self.conn.their_state is h11.SEND_BODY:
            return Phase.BODY
        if self.cycle is None:
            return Phase.FIRST_HEAD
        return Phase.NEXT_HEAD if self.cycle.response_complete else Phase.ANSWER

    def _look(self) -> None:
        phase, now = self._now(), self.loop.time()
        if phase is not self._phase:
            self._phase, self._since = phase, now
        if now - self._since > self.patience.of(phase):
            self.transport.abort()
            return
        self._watching = self.loop.call_later(_LOOK_EVERY_S, self._look)

    def _make_room(self) -> None:
        """Closes the idlest connection of the client that has most of them."""
        mine = [one for one in self.connections if isinstance(one, WatchedConnection) and one is not self]
        idle = [one for one in mine if one.is_idle]
        leaving = _idlest(idle, Counter(one.address for one in [*mine, self])) or self
        leaving.leave()


def _idlest(of: list[WatchedConnection], held: Counter[str]) -> WatchedConnection | None:
    """The one that waits longest, of the client that holds most."""
    return max(of, key=lambda one: (held[one.address], -one.idle_since), default=None)


def watched(max_requests: int, patience: Patience) -> type[WatchedConnection]:
    """Connections for a server that answers so many requests at a time; many more may be open and idle."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    n_open = max_requests * _OPEN_PER_REQUEST
    if soft != resource.RLIM_INFINITY:
        n_open = max(max_requests, min(n_open, soft // 2))  # documents and the index are files too
    return type("Watched", (WatchedConnection,), {"patience": patience, "max_open": n_open})


class RequestLimit:
    """An application that answers so many requests at a time; one client address gets three quarters of them.

    A request whose body is still on its way is not counted, and a client that does not read its answer goes when others
    need the place.

    Args:
        app: answers.
        max_requests: further ones are told to come back.
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
