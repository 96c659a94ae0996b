"""The desk as a service: who may reach it, and answering until the process is told to end."""

import contextlib
import secrets
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from pathlib import Path

from asgiref.sync import sync_to_async
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from doc_assets.errors import SettingsError
from doc_assets.ops.image_server.middleware import LOOPBACK_NAMES
from doc_assets.ops.image_server.serving import Patience, address_of, is_loopback, listen, make_server, serve
from doc_assets.runtime import Runtime
from doc_assets.settings import Settings
from doc_assets.web.desk import Desk, use
from doc_assets.web.search_runs import SearchRuns
from doc_assets.web.searching import watching
from doc_assets.web.site import MAX_FORM_BYTES, Door, configure, migrate

_CONNECTIONS = 64
_SECRET_BYTES = 50
_BODY_S = 120.0
"""For the body of a request: the largest upload by a line of 5 Mbit/s."""
UPLOAD_PATH = "/search/start"
_TOO_LARGE = "파일 용량 초과 또는 권한 없음. The files are too large, or your role does not search.\n"


def serve_desk(
    runtime: Runtime,
    host: str,
    port: int,
    ready: Callable[[str, str | None], None],
    runs: SearchRuns | None = None,
) -> None:
    """Serves the desk until the process is told to end.

    Args:
        runtime: of the home.
        host: address to listen on; another than this machine's own needs a secret and a proxy in front.
        port: 0 for any that is free.
        ready: gets the address when requests are answered, and on this machine the path of a one-time link.
        runs: where searches are carried out; they end with the desk if only this process knows them.

    Raises:
        SettingsError: if it may not or cannot listen.
    """
    settings = runtime.settings
    is_local = is_loopback(host)
    door = door_of(settings, host)
    configure(settings, door)
    migrate()
    from django.core.asgi import get_asgi_application

    from doc_assets.web.access_log import log_requests
    from doc_assets.web.entry import one_time_token
    from doc_assets.web.images import with_documents

    # has_key: who may listen where was decided by the door.
    with (
        Desk(runtime, runs) as desk,
        listen(host, port, has_key=True) as listening,
        watching(desk.searches),
        contextlib.ExitStack() as stack,
    ):
        use(desk)
        log = log_requests(settings)
        link = f"/enter/{one_time_token()}" if is_local and not door.proxy_secret else None
        pages = _SmallBodies(get_asgi_application(), settings.desk_upload_max_bytes)
        app = with_documents(pages, desk, door.proxy_secret, log, stack)
        server = make_server(app, _CONNECTIONS, Patience(body_s=_BODY_S))
        serve(server, listening, lambda: ready(address_of(listening), link))


def door_of(settings: Settings, host: str) -> Door:
    """How the desk is reached at this address.

    Raises:
        SettingsError: if other machines could reach it without a secret, or not by TLS.
    """
    proxy = settings.desk_proxy_secret.get_secret_value() if settings.desk_proxy_secret else ""
    secret = settings.desk_secret.get_secret_value() if settings.desk_secret else ""
    if not is_loopback(host) and not (secret and proxy):
        raise SettingsError(
            f"The review desk on {host} can be reached by other machines: it needs DOC_ASSETS_DESK_SECRET, and a "
            "proxy with TLS in front that sends DOC_ASSETS_DESK_PROXY_SECRET as X-Desk-Proxy. Set both, or serve on "
            "127.0.0.1."
        )
    if not is_loopback(host) and not settings.desk_hosts:
        raise SettingsError(
            "DOC_ASSETS_DESK_HOSTS names nobody: list the names by which browsers reach the review desk as a JSON list."
        )
    if settings.desk_forward_sign_in and not proxy:
        raise SettingsError(
            "DOC_ASSETS_DESK_FORWARD_SIGN_IN believes what a proxy says of people, and DOC_ASSETS_DESK_PROXY_SECRET, "
            "by which the proxy is known, is empty. Set both or neither."
        )
    hosts = (*settings.desk_hosts, *(LOOPBACK_NAMES - {"::1"}), "[::1]") if is_loopback(host) else settings.desk_hosts
    return Door(
        secret or _kept_secret(settings.desk_key), tuple(hosts), bool(proxy), proxy, settings.desk_forward_sign_in
    )


def _kept_secret(path: Path) -> str:
    """The secret of this home, made at the first start: sessions outlive a restart."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(_SECRET_BYTES), encoding="ascii")
    return path.read_text(encoding="ascii").strip()


class _SmallBodies:
    """Refuses bodies that are larger than any of the desk's forms before anything of them is kept.

    One route takes files, of somebody who signed in and may search: that is asked before the body is read.

    Args:
        app: answers the others.
        max_upload: bytes of all files that the one route takes.
    """

    def __init__(self, app: ASGIApp, max_upload: int) -> None:
        self._app, self._max_upload = app, max_upload + MAX_FORM_BYTES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if scope["type"] == "http" and (status := await self._refusal(scope)):
            says = _TOO_LARGE if scope["path"] == UPLOAD_PATH else None
            await PlainTextResponse(says, status)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _refusal(self, scope: Scope) -> int | None:
        """The status with which a request is refused; None if it may come in."""
        headers = Headers(scope=scope)
        if "transfer-encoding" in headers:
            return 411
        length = int(headers.get("content-length", "0"))
        if length <= MAX_FORM_BYTES:
            return None
        if (scope["method"], scope["path"]) != ("POST", UPLOAD_PATH) or length > self._max_upload:
            return 413
        return None if await sync_to_async(_may_send)(headers.get("cookie", "")) else 403


def _may_send(cookies: str) -> bool:
    from doc_assets.web.receiving import may_send

    parsed: SimpleCookie = SimpleCookie()
    try:
        parsed.load(cookies)
    except CookieError:
        return False
    return may_send({name: each.value for name, each in parsed.items()})


def open_accounts(settings: Settings) -> None:
    """Lets this process work on the accounts of a home, their tables up to date."""
    secret = settings.desk_secret.get_secret_value() if settings.desk_secret else _kept_secret(settings.desk_key)
    configure(settings, Door(secret, (), is_secure=False))
    migrate()
