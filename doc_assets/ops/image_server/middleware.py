"""The middleware around the document API: key, rate limit, headers, and a log that names nobody."""

import hmac
import json
import logging
import math
import re
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

import limits
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from doc_assets.errors import SettingsError
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
class AccessPolicy:
    """Who is let in.

    Attributes:
        key: that requests must carry; empty for none, then only requests to this machine by a name of its own count.
        rate: requests a client address may make, as the ``limits`` package writes it, e.g. ``100/second``.

    Raises:
        SettingsError: if the rate is none.
    """

    key: str = field(repr=False)
    rate: str

    def __post_init__(self) -> None:
        try:
            limits.parse(self.rate)
        except ValueError as error:
            raise SettingsError(
                f"DOC_ASSETS_IMAGE_API_RATE={self.rate!r} is no rate; write a number and a time, e.g. 100/second or "
                "2000/minute."
            ) from error


class AccessMiddleware:
    """Lets requests in as a policy says, and logs them.

    The log has one JSON line per request without names, keys, addresses and query strings; a route is the pattern that
    took the request, not its address.
    """

    def __init__(self, app: ASGIApp, policy: AccessPolicy, log: logging.Handler) -> None:
        self._app, self._key = app, policy.key.encode()
        self._rate, self._limiter = limits.parse(policy.rate), MovingWindowRateLimiter(MemoryStorage())
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
            await (self._refusal(scope, headers) or self._app)(scope, receive, answer)
        finally:
            line = {
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "method": scope["method"] if scope["method"] in _METHODS else "OTHER",
                "route": str(getattr(scope.get("route"), "path", "none")),
                "status": status,
                "ms": round((time.monotonic() - began) * 1000, 1),
                "bytes": n_bytes,
                "correlation_id": correlation_id,
            }
            self._log.info(json.dumps(line))

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        if scope["path"] == HEALTH_PATH:
            return None
        client = str((scope.get("client") or ("unknown", 0))[0])
        if not self._limiter.hit(self._rate, client):
            reset_s, _ = self._limiter.get_window_stats(self._rate, client)
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
