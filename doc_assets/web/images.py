"""The document API as a part of the desk's server: ``/images`` by named keys, or by the one key of the settings.

The application is that of ``serve-images``; who is let in, the rate and the access log are the desk's.
"""

import asyncio
import contextlib
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Final

from django.db import close_old_connections
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from doc_assets.errors import DocAssetsError
from doc_assets.ops.image_server.app import DOCUMENT_PATHS, make_app
from doc_assets.ops.image_server.lookup import DocumentLookup, FoundDocument, Refusal
from doc_assets.ops.image_server.middleware import (
    KEY_SHOWN,
    client_address,
    is_key,
    key_missing,
    refused,
    too_often,
)
from doc_assets.runtime import Runtime
from doc_assets.web.api.door import visitor
from doc_assets.web.desk import Desk
from doc_assets.web.keys.store import Key, shown_key, valid_key
from doc_assets.web.middleware import PROXY_HEADER

_log = logging.getLogger(__name__)
_LOOKED_UP_TOGETHER = 2
_NOT_OPEN: Final = "the archive folders could not be opened yet"


class LateLookup:
    """A look-up that is opened while the server runs: the desk does not wait for an archive folder that is away.

    Args:
        runtime: of the home; its rules name the archive folders.
        stack: closes the index.
    """

    def __init__(self, runtime: Runtime, stack: contextlib.ExitStack) -> None:
        self._runtime, self._stack = runtime, stack
        self._lookup: DocumentLookup | None = None

    def look_up(self, name: str) -> FoundDocument | Refusal:
        """The first document of a key, or the document of a file name."""
        if self._lookup is None:
            return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, _NOT_OPEN)
        return self._lookup.look_up(name)

    def faults(self) -> list[str]:
        """What keeps documents from being given, now; empty if all is well."""
        return [_NOT_OPEN] if self._lookup is None else self._lookup.faults()

    def keep_fresh(self, stop: threading.Event, interval_s: float) -> None:
        """Starts a thread that opens the index, tries again until it can be, and then has it refreshed."""

        def open_and_refresh() -> None:
            while not self._open() and not stop.wait(interval_s):
                pass
            if self._lookup is not None and not stop.is_set():
                self._lookup.keep_fresh(stop, interval_s)

        threading.Thread(target=open_and_refresh, name="open-file-index", daemon=True).start()

    def _open(self) -> bool:
        settings = self._runtime.settings
        try:
            self._lookup = DocumentLookup(self._runtime.source_rules, (), settings.max_file_bytes, self._stack)
        except (DocAssetsError, OSError) as error:
            _log.warning("Documents cannot be given by key yet: %s", error)
        return self._lookup is not None


class KeyDoor:
    """Lets in who shows a named key with the scope ``images``, or the key of the settings.

    Args:
        desk: whose requests are counted with these.
        proxy_secret: that a proxy in front shows; empty without one.
        stack: ends its threads.
    """

    refusals = frozenset({"401", "403"})

    def __init__(self, desk: Desk, proxy_secret: str, stack: contextlib.ExitStack) -> None:
        self._desk, self._proxy_secret = desk, proxy_secret.encode()
        # Django binds a connection to its thread: few threads, few connections to the accounts.
        self._threads = stack.enter_context(ThreadPoolExecutor(_LOOKED_UP_TOGETHER, "keys"))
        one = desk.runtime.settings.image_api_key
        self._one_key = one.get_secret_value().encode() if one else b""

    async def refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """The answer to a request that is not let in; None lets it in."""
        if self._proxy_secret and not is_key(headers.get(PROXY_HEADER, ""), self._proxy_secret):
            return refused("this address is answered through its proxy alone")
        address = visitor(headers, client_address(scope), is_proxied=bool(self._proxy_secret))
        if (pause_s := self._desk.limit.pause_s(f"address {address}")) is not None:
            return too_often(pause_s)
        shown = shown_key(headers)
        if shown is None:
            return key_missing()
        if self._one_key and is_key(shown, self._one_key):
            return None
        key = await asyncio.get_running_loop().run_in_executor(self._threads, self._named, shown)
        return self._refusal_of(key, scope)

    def _refusal_of(self, key: Key | None, scope: Scope) -> Response | None:
        if key is None:
            return key_missing()
        scope[KEY_SHOWN] = key.prefix
        if (pause_s := self._desk.limit.pause_s(f"key {key.prefix}")) is not None:
            return too_often(pause_s)
        return None if "images" in key.scopes else refused("the key needs the scope 'images'")

    def _named(self, shown: str) -> Key | None:
        """In a thread whose connection to the accounts Django does not close by itself."""
        close_old_connections()
        try:
            return valid_key(shown, self._desk.now())
        finally:
            close_old_connections()


class Front:
    """Hands requests for documents to their application and all others to the pages.

    Args:
        documents: answers ``DOCUMENT_PATHS``.
        pages: answers all others.
    """

    def __init__(self, documents: ASGIApp, pages: ASGIApp) -> None:
        self._documents, self._pages = documents, pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        is_document = scope["type"] == "http" and scope["path"] in DOCUMENT_PATHS
        await (self._documents if is_document else self._pages)(scope, receive, send)


def with_documents(
    pages: ASGIApp, desk: Desk, proxy_secret: str, log: logging.Handler, stack: contextlib.ExitStack
) -> ASGIApp:
    """The pages with the document API before them, if the settings name archive folders; closed with ``stack``."""
    settings = desk.runtime.settings
    if not settings.search_roots:
        return pages
    lookup, stop = LateLookup(desk.runtime, stack), threading.Event()
    stack.callback(stop.set)
    lookup.keep_fresh(stop, settings.image_api_refresh_s)
    desk.image_faults = lookup.faults
    documents = make_app(lookup, KeyDoor(desk, proxy_secret, stack), log, settings.image_api_refresh_s, None)
    return Front(documents, pages)
