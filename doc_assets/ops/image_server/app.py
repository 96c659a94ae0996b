"""The document API as an application: requests, responses, and its service as the settings of a home say."""

import base64
import contextlib
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from doc_assets.errors import InputError
from doc_assets.ops.image_server.lookup import DocumentLookup, FoundDocument, Lookup, Refusal
from doc_assets.ops.image_server.middleware import HEALTH_PATH, AccessMiddleware, AccessPolicy, Door
from doc_assets.ops.image_server.serving import address_of, listen, make_server, serve
from doc_assets.ops.logs import ACCESS_LOG_NAME
from doc_assets.settings import Settings
from doc_assets.sources.document_api import OTHERS_FIELD
from doc_assets.sources.key_tables.table import KEY_COLUMN, MAX_KEY_LENGTH, MERCHANT_COLUMN, KeyRow
from doc_assets.sources.open_sources import SourceRules
from doc_assets.util.files import sha256_of
from doc_assets.util.log_files import SharedFileHandler

EXCERPT_COLUMNS: Final = (KEY_COLUMN, MERCHANT_COLUMN, "수신일자", "업종명")
_IMAGES_PATH: Final = "/images"
_OPENAPI_PATH: Final = "/openapi.json"
DOCUMENT_PATHS: Final = frozenset({_IMAGES_PATH, _OPENAPI_PATH})
"""What another server hands on to this application."""
_FILENAME: Final = "filename"
_SAVE: Final = "save_to_folder"
_TRUE_WORDS: Final = ("1", "true", "yes", "y", "on")
_MAX_BODY_BYTES = 64 << 10
_CONTROLS = frozenset(map(chr, [*range(32), 127]))
_READ_TOGETHER = 8
"""Documents that are looked up and read side by side; more wait."""
_BLOCK_BYTES = 3 << 18
"""Whole triples, so that the parts' base64 joins to that of the file."""


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


def make_app(lookup: Lookup, door: Door, log: logging.Handler, refresh_s: float, save_folder: Path | None) -> Starlette:
    """The API as an ASGI application.

    ``log`` takes a line per request and is closed with it, the index is refreshed every ``refresh_s`` seconds, copies
    that are asked for go into ``save_folder``; None keeps none.
    """
    reading, described = CapacityLimiter(_READ_TOGETHER), _openapi_document(door.refusals)

    async def images(request: Request) -> Response:
        try:
            asked = await _read_request(request)
        except _WrongRequestError as error:
            return _without_document(400, str(error), error.echo)
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
            Route(_OPENAPI_PATH, openapi, methods=["GET"]),
        ],
        middleware=[Middleware(AccessMiddleware, door=door, log=log)],
        exception_handlers={HTTPException: _http_error, ClientDisconnect: _gone, Exception: _own_error},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app


def _openapi_document(refusals: frozenset[str]) -> dict[str, Any]:
    """The OpenAPI document without what a server never answers; a test asks the running server whether it is true."""
    document: dict[str, Any] = json.loads(Path(__file__).with_name("openapi.json").read_text(encoding="utf-8"))
    for operation in document["paths"][_IMAGES_PATH].values():
        for status in {"401", "403"} - refusals:
            del operation["responses"][status]
    if "401" not in refusals:
        del document["security"], document["components"]["securitySchemes"]
    return document


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # what it is registered for
    return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)


async def _gone(_request: Request, _error: Exception) -> Response:
    return Response(status_code=408)  # for the log; nobody reads it


async def _own_error(_request: Request, _error: Exception) -> Response:
    return JSONResponse({"error": "internal error"}, 500)  # the traceback is in the server's log


# --- requests


class _WrongRequestError(InputError):
    """A request that names no document, with its parameters as far as they could be read."""

    def __init__(self, reason: str, echo: Mapping[str, Any]) -> None:
        self.echo = dict(echo)
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class _DocumentRequest:
    """What is asked for: a key or the name of a file, whether to keep a copy, and all parameters as they came."""

    filename: str
    save: bool
    echo: dict[str, Any]


async def _read_request(request: Request) -> _DocumentRequest:
    """What a request asks for; the body's parameters count before those of the query string.

    Raises:
        _WrongRequestError: if the body is no JSON object, or ``filename`` can be no file's name.
        HTTPException: if the body is too large.
    """
    query, body = request.query_params, await _body(request)
    echo: dict[str, Any] = {**query, **(_json_object(body, query) if body.strip() else {})}
    name, save = echo.get(_FILENAME), echo.get(_SAVE, False)
    if not isinstance(name, str) or not name.strip(" "):
        raise _WrongRequestError(f"{_FILENAME} is missing", echo)
    if len(name) > MAX_KEY_LENGTH or not _CONTROLS.isdisjoint(name):
        says = f"has {len(name)} characters or holds control characters; names have at most {MAX_KEY_LENGTH}"
        raise _WrongRequestError(f"{_FILENAME} {says}", echo)
    if not isinstance(save, str | bool):
        raise _WrongRequestError(f"{_SAVE} is neither text nor true or false", echo)
    return _DocumentRequest(name, str(save).strip().lower() in _TRUE_WORDS, echo)


async def _body(request: Request) -> bytes:
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > _MAX_BODY_BYTES:
            raise HTTPException(413, f"the body has more than {_MAX_BODY_BYTES} bytes", {"Connection": "close"})
    return bytes(content)


def _json_object(body: bytes, query: Mapping[str, str]) -> dict[str, Any]:
    try:
        given = json.loads(body)
        # What it holds is sent back, and JSON can hold what it cannot say: infinities, half a surrogate pair.
        json.dumps(given, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise _WrongRequestError("the body is no JSON", query) from error
    if not isinstance(given, dict):
        raise _WrongRequestError("the body is no JSON object", query)
    return given


# --- responses


def _respond(lookup: Lookup, save_folder: Path | None, asked: _DocumentRequest, known_etags: str) -> Response:
    found = lookup.look_up(asked.filename)
    if isinstance(found, Refusal):
        headers = {"Retry-After": "5"} if found.status is HTTPStatus.SERVICE_UNAVAILABLE else None
        return _without_document(found.status, found.reason, asked.echo, headers)
    saved = asked.save and save_folder is not None and found.keep_copy(save_folder)
    return _with_document(found, asked.echo, known_etags, saved=saved)


def _without_document(
    status: int, reason: str, echo: dict[str, Any], headers: dict[str, str] | None = None
) -> Response:
    return JSONResponse({"error": reason, "echo_request": echo}, status, headers)


def _with_document(found: FoundDocument, echo: dict[str, Any], known_etags: str, *, saved: bool) -> Response:
    """The response with a document, or that the client has it: ``known_etags`` is its If-None-Match."""
    fields = {
        "server_filename": found.name,
        "saved_to_folder": saved,
        "echo_request": echo,
        "matched_row_excerpt": _excerpt(found.row),
        OTHERS_FIELD: list(found.others),
    }
    head = json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace")
    etag = f'"{sha256_of(found.content)}.{sha256_of(head)[:16]}"'
    if etag in (known.strip().removeprefix("W/") for known in known_etags.split(",")):
        return Response(status_code=304, headers={"ETag": etag})
    start, end = head.removesuffix(b"}") + b', "image_b64": "', b'"}'
    length = len(start) + (len(found.content) + 2) // 3 * 4 + len(end)

    def parts() -> Iterator[bytes]:
        yield start
        for position in range(0, len(found.content), _BLOCK_BYTES):
            yield base64.b64encode(found.content[position : position + _BLOCK_BYTES])
        yield end

    headers = {"ETag": etag, "Content-Length": str(length)}
    return StreamingResponse(parts(), headers=headers, media_type="application/json")


def _excerpt(row: KeyRow | None) -> dict[str, str | None]:
    """The row's columns that the API's answers have always had."""
    values: dict[str, str | None] = {}
    if row is not None:
        values = {**row.fields, KEY_COLUMN: row.key}
        values.setdefault(MERCHANT_COLUMN, row.merchant_id)
    return {column: values.get(column) for column in EXCERPT_COLUMNS}
