"""The routes of the document API."""

import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from doc_assets.ops.image_server import answers
from doc_assets.ops.image_server.access_log import AccessLog
from doc_assets.ops.image_server.catalogue import Catalogue, Refusal, Trouble
from doc_assets.ops.image_server.door import HEALTH_PATH, Door, DoorRules
from doc_assets.ops.image_server.openapi import IMAGES_PATH, openapi_document
from doc_assets.ops.image_server.requests import DocumentRequest, WrongRequestError, read_request
from doc_assets.ops.image_server.saving import SaveFolder

_MAX_BODY_BYTES = 64 << 10
_READ_TOGETHER = 8
"""Documents that are looked up and read side by side; more wait."""
_STATUSES = {Trouble.UNKNOWN: 404, Trouble.AMBIGUOUS: 409, Trouble.UNUSABLE: 422, Trouble.AWAY: 503}


@dataclass(frozen=True, slots=True)
class ServedFolders:
    """What is served and how.

    Attributes:
        catalogue: finds documents.
        door: who may ask.
        access: log of requests.
        refresh_s: seconds between two refreshes of the index.
        save_folder: for copies that are asked for; None keeps none.
    """

    catalogue: Catalogue
    door: DoorRules
    access: AccessLog
    refresh_s: float
    save_folder: SaveFolder | None = None


def make_app(served: ServedFolders) -> Starlette:
    """The API as an ASGI application."""
    reading = CapacityLimiter(_READ_TOGETHER)

    async def images(request: Request) -> Response:
        try:
            asked = read_request(request.query_params, await _body(request))
        except WrongRequestError as error:
            return answers.error(400, str(error), error.echo)
        known_etags = "" if request.method == "POST" else request.headers.get("If-None-Match", "")
        return await to_thread.run_sync(partial(_answered, served, asked, known_etags), limiter=reading)

    async def healthz(_request: Request) -> Response:
        faults = await to_thread.run_sync(served.catalogue.faults)
        return JSONResponse({"status": "failing" if faults else "ok", "faults": faults}, 503 if faults else 200)

    async def openapi(_request: Request) -> Response:
        return JSONResponse(openapi_document(needs_key=bool(served.door.key)))

    app = Starlette(
        routes=[
            Route(IMAGES_PATH, images, methods=["GET", "POST"]),
            Route(HEALTH_PATH, healthz, methods=["GET"]),
            Route("/openapi.json", openapi, methods=["GET"]),
        ],
        middleware=[Middleware(Door, rules=served.door, log=served.access)],
        exception_handlers={HTTPException: _http_error, ClientDisconnect: _gone, Exception: _own_error},
        lifespan=_lifespan(served),
    )
    app.router.redirect_slashes = False
    return app


def _answered(served: ServedFolders, asked: DocumentRequest, known_etags: str) -> Response:
    found = served.catalogue.look_up(asked.filename)
    if isinstance(found, Refusal):
        headers = {"Retry-After": "5"} if found.trouble is Trouble.AWAY else None
        return answers.error(_STATUSES[found.trouble], found.reason, asked.echo, headers)
    saved = asked.save and served.save_folder is not None and served.save_folder.keep(found.name, found.content)
    return answers.document(found, asked.echo, known_etags, saved=saved)


async def _body(request: Request) -> bytes:
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > _MAX_BODY_BYTES:
            raise HTTPException(413, f"the body has more than {_MAX_BODY_BYTES} bytes", {"Connection": "close"})
    return bytes(content)


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # what it is registered for
    return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)


async def _gone(_request: Request, _error: Exception) -> Response:
    return Response(status_code=408)  # for the log; nobody reads it


async def _own_error(_request: Request, _error: Exception) -> Response:
    return JSONResponse({"error": "internal error"}, 500)  # the traceback stands in the server's log


def _lifespan(
    served: ServedFolders,
) -> Callable[[Starlette], contextlib.AbstractAsyncContextManager[None]]:
    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        stop = threading.Event()
        served.catalogue.keep_fresh(stop, served.refresh_s)
        try:
            yield
        finally:
            stop.set()
            served.access.close()

    return lifespan
