"""What every request passes before and after it is answered: identity, key, rate, headers, log."""

import hmac
import math
import re
import time
import uuid
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from limits import RateLimitItem
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from doc_assets.ops.image_server.access_log import AccessLog
from doc_assets.sources.document_api import CORRELATION_HEADER

KEY_HEADER: Final = "X-API-Key"
HEALTH_PATH: Final = "/healthz"
LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True, slots=True)
class DoorRules:
    """Who may come in.

    Attributes:
        key: that requests must carry; empty for none, then only requests to this machine by a name of its own count.
        rate: requests a client address may make.
    """

    key: str = field(repr=False)
    rate: RateLimitItem


class Door:
    """The middleware around the API."""

    def __init__(self, app: ASGIApp, rules: DoorRules, log: AccessLog) -> None:
        self._app, self._rules, self._access = app, rules, log
        self._key = rules.key.encode()
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status, n_bytes = time.monotonic(), 0, 0
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
            await (self._refusal(scope, headers) or self._app)(scope, receive, answer)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "OTHER"
            route = str(getattr(scope.get("route"), "path", "none"))
            self._access.write(method, route, status or 500, time.monotonic() - began, n_bytes, correlation_id)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        if scope["path"] == HEALTH_PATH:
            return None
        client = str((scope.get("client") or ("unknown", 0))[0])
        if not self._limiter.hit(self._rules.rate, client):
            reset_s, _ = self._limiter.get_window_stats(self._rules.rate, client)
            pause_s = max(1, math.ceil(reset_s - time.time()))
            return JSONResponse({"error": "too many requests"}, 429, {"Retry-After": str(pause_s)})
        if self._key:
            if hmac.compare_digest(headers.get(KEY_HEADER, "").encode("latin-1"), self._key):
                return None
            return Response(status_code=401, headers={"WWW-Authenticate": f'ApiKey header="{KEY_HEADER}"'})
        if _host_name(headers.get("host", "")) not in LOOPBACK_NAMES:
            # A web page elsewhere could reach us through the user's browser by a name that leads here.
            return JSONResponse({"error": "this server answers to localhost only"}, 403)
        return None


def _host_name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
