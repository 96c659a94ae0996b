"""The document API as an application, and its service as the settings of a home say."""

import contextlib
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from doc_assets.ops.image_server import responses
from doc_assets.ops.image_server.lookup import DocumentLookup, Problem, Refusal
from doc_assets.ops.image_server.middleware import HEALTH_PATH, AccessMiddleware, AccessPolicy
from doc_assets.ops.image_server.requests import DocumentRequest, WrongRequestError, read_request
from doc_assets.ops.image_server.serving import address_of, listen, make_server, serve
from doc_assets.ops.logs import ACCESS_LOG_NAME
from doc_assets.settings import Settings
from doc_assets.sources.open_sources import SourceRules
from doc_assets.util.log_files import SharedFileHandler

_IMAGES_PATH: Final = "/images"
_READ_TOGETHER = 8
"""Documents that are looked up and read side by side; more wait."""
_STATUSES = {Problem.UNKNOWN: 404, Problem.AMBIGUOUS: 409, Problem.UNUSABLE: 422, Problem.AWAY: 503}


def serve_images(
    settings: Settings,
    rules: SourceRules,
    host: str,
    port: int,
    roots: tuple[str, ...],
    save_folder: Path | None,
    ready: Callable[[str], None],
) -> None:
    """Serves the documents of archive folders until the process is told to end.

    Args:
        settings: of the home.
        rules: how documents are found; their key table tells about documents.
        host: address to listen on; another than this machine's own needs the settings' API key.
        port: 0 for any that is free.
        roots: archive folders; those of the rules if empty.
        save_folder: for copies that clients ask for; None keeps none.
        ready: gets the address when requests are answered.

    Raises:
        SettingsError: if it may not or cannot listen, or no archive folder is known.
        FolderUnreachableError: if an archive folder cannot be listed.
    """
    key = settings.image_api_key.get_secret_value() if settings.image_api_key else ""
    policy = AccessPolicy(key, settings.image_api_rate)
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(listen(host, port, has_key=bool(key)))
        lookup = DocumentLookup(rules, roots, settings.max_file_bytes, stack)
        log = SharedFileHandler(settings.log_dir / ACCESS_LOG_NAME, settings.log_max_bytes)
        app = make_app(lookup, policy, log, settings.image_api_refresh_s, save_folder)
        server = make_server(app, settings.image_api_connections)
        serve(server, listening, lambda: ready(address_of(listening)))


def make_app(
    lookup: DocumentLookup, policy: AccessPolicy, log: logging.Handler, refresh_s: float, save_folder: Path | None
) -> Starlette:
    """The API as an ASGI application.

    Args:
        lookup: finds documents.
        policy: who is let in.
        log: takes a line per request; closed with the application.
        refresh_s: seconds between two refreshes of the index.
        save_folder: for copies that are asked for; None keeps none.
    """
    reading, described = CapacityLimiter(_READ_TOGETHER), _openapi_document(needs_key=bool(policy.key))

    async def images(request: Request) -> Response:
        try:
            asked = await read_request(request)
        except WrongRequestError as error:
            return responses.error(400, str(error), error.echo)
        known_etags = "" if request.method == "POST" else request.headers.get("If-None-Match", "")
        return await to_thread.run_sync(partial(_respond, lookup, save_folder, asked, known_etags), limiter=reading)

    async def healthz(_request: Request) -> Response:
        faults = await to_thread.run_sync(lookup.faults)
        return JSONResponse({"status": "failing" if faults else "ok", "faults": faults}, 503 if faults else 200)

    async def openapi(_request: Request) -> Response:
        return JSONResponse(described)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        stop = threading.Event()
        lookup.keep_fresh(stop, refresh_s)
        try:
            yield
        finally:
            stop.set()
            log.close()

    app = Starlette(
        routes=[
            Route(_IMAGES_PATH, images, methods=["GET", "POST"]),
            Route(HEALTH_PATH, healthz, methods=["GET"]),
            Route("/openapi.json", openapi, methods=["GET"]),
        ],
        middleware=[Middleware(AccessMiddleware, policy=policy, log=log)],
        exception_handlers={HTTPException: _http_error, ClientDisconnect: _gone, Exception: _own_error},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app


def _openapi_document(*, needs_key: bool) -> dict[str, Any]:
    """The OpenAPI document without what a server never answers; a test asks the running server whether it is true."""
    document: dict[str, Any] = json.loads(Path(__file__).with_name("openapi.json").read_text(encoding="utf-8"))
    for operation in document["paths"][_IMAGES_PATH].values():
        del operation["responses"]["403" if needs_key else "401"]
    if not needs_key:
        del document["security"], document["components"]["securitySchemes"]
    return document


def _respond(lookup: DocumentLookup, save_folder: Path | None, asked: DocumentRequest, known_etags: str) -> Response:
    found = lookup.look_up(asked.filename)
    if isinstance(found, Refusal):
        headers = {"Retry-After": "5"} if found.problem is Problem.AWAY else None
        return responses.error(_STATUSES[found.problem], found.reason, asked.echo, headers)
    saved = asked.save and save_folder is not None and found.keep_copy(save_folder)
    return responses.document(found, asked.echo, known_etags, saved=saved)


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # what it is registered for
    return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)


async def _gone(_request: Request, _error: Exception) -> Response:
    return Response(status_code=408)  # for the log; nobody reads it


async def _own_error(_request: Request, _error: Exception) -> Response:
    return JSONResponse({"error": "internal error"}, 500)  # the traceback is in the server's log
