"""The middleware around the document API: key, rate limit, headers, and a log that names nobody."""

import hmac
import json
import logging
import re
import time
import uuid
from datetime import UTC, datetime
from typing import Final, Protocol
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from doc_assets.ops.rate_limit import RateLimit
from doc_assets.sources.document_api import CORRELATION_HEADER

KEY_HEADER: Final = "X-API-Key"
HEALTH_PATH: Final = "/healthz"
KEY_SHOWN: Final = "doc_assets.key"
"""In a request's scope: the prefix of its named key, for the log."""
LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


class Door(Protocol):
    """Who is let in.

    Attributes:
        refusals: HTTP statuses, among 401 and 403, with which it refuses requests.
    """

    refusals: frozenset[str]

    async def refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """The answer to a request that is not let in; None lets it in."""
        ...


class AccessPolicy:
    """One key, or none.

    Args:
        key: that requests must carry; empty for none, then only requests to this machine by a name of its own count.
        rate: requests a client address may make, as the ``limits`` package writes it, e.g. ``100/second``.

    Raises:
        SettingsError: if the rate is none.
    """

    def __init__(self, key: str, rate: str) -> None:
        self._key, self._limit = key.encode(), RateLimit(rate)
        self.refusals = frozenset({"401" if key else "403"})

    async def refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """The answer to a request that is not let in; None lets it in."""
        if (pause_s := self._limit.pause_s(client_address(scope))) is not None:
            return too_often(pause_s)
        if self._key:
            return None if is_key(headers.get(KEY_HEADER, ""), self._key) else key_missing()
        if _host_name(headers.get("host", "")) not in LOOPBACK_NAMES:
            # A web page elsewhere could reach us through the user's browser by a name that leads here.
            return refused("this server answers to localhost only")
        return None


def client_address(scope: Scope) -> str:
    """Of whoever is at the other end of the connection."""
    return str((scope.get("client") or ("unknown", 0))[0])


def is_key(shown: str, key: bytes) -> bool:
    """Whether a header holds this key, in a time that says nothing of it."""
    return hmac.compare_digest(shown.encode("latin-1"), key)


def too_often(pause_s: int) -> Response:
    """The answer to a client that asks too often."""
    return JSONResponse({"error": "too many requests"}, 429, {"Retry-After": str(pause_s)})


def key_missing() -> Response:
    """The answer to a request without a key, or with a wrong one."""
    return Response(status_code=401, headers={"WWW-Authenticate": f'ApiKey header="{KEY_HEADER}"'})


def refused(reason: str) -> Response:
    """The answer to a request that this server is not for."""
    return JSONResponse({"error": reason}, 403)


class AccessMiddleware:
    """Lets requests in as a door says, and logs them.

    The log has one JSON line per request without names, keys, addresses and query strings; a route is the pattern that
    took the request, not its address.
    """

    def __init__(self, app: ASGIApp, door: Door, log: logging.Handler) -> None:
        self._app, self._door = app, door
        log.setFormatter(logging.Formatter("%(message)s"))
        self._log = logging.Logger("image_api.access")  # of its own: nothing else writes here
        self._log.addHandler(log)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status, n_bytes = time.monotonic(), 500, 0
        headers = Headers(scope=scope)
        given = headers.get(CORRELATION_HEADER, "")
        correlation_id = given if _SANE_ID.fullmatch(given) else uuid.uuid4().hex

        async def answer(message: Message) -> None:
            nonlocal status, n_bytes
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update({**_HEADERS, CORRELATION_HEADER: correlation_id})
            n_bytes += len(message.get("body", b""))
            await send(message)

        try:
            is_open = scope["path"] == HEALTH_PATH
            refusal = None if is_open else await self._door.refusal(scope, headers)
            await (refusal or self._app)(scope, receive, answer)
        finally:
            line = {
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "method": scope["method"] if scope["method"] in _METHODS else "OTHER",
                "route": str(getattr(scope.get("route"), "path", "none")),
                "status": status,
                "ms": round((time.monotonic() - began) * 1000, 1),
                "bytes": n_bytes,
                "correlation_id": correlation_id,
                **({"key": scope[KEY_SHOWN]} if KEY_SHOWN in scope else {}),
            }
            self._log.info(json.dumps(line))


def _host_name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
