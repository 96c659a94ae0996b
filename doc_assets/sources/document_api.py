"""Documents by key from an HTTP document API (``/images?filename=KEY``): client, source, log of failed requests.

Only the configured address is asked: redirects are not followed, and a file that is named by address must lie on the
same host. No answer is trusted: its size, which is cut off at a limit while it streams in, its JSON, its names.
"""

import base64
import json
import logging
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote

from doc_assets.errors import SettingsError, UnreadableDocumentError
from doc_assets.faults import FaultCode
from doc_assets.sources.key_lookup import KeyState
from doc_assets.sources.key_tables.table import MAX_KEY_LENGTH, KeyRow, KeyTable
from doc_assets.sources.names import display_name, is_document_name
from doc_assets.sources.sources import Fetched, KeyFailedError, KeyProblem, SourceFile, unusable_rows
from doc_assets.util.log_files import SharedFileHandler
from doc_assets.util.visible import printable

if TYPE_CHECKING:
    import httpx

Payload = Literal["base64", "url", "binary"]

CORRELATION_HEADER: Final = "X-Correlation-ID"
OTHERS_FIELD: Final = "other_filenames"
"""Further documents of the same key, each to be asked for by this name."""

_OK, _TOO_MANY, _SERVER_ERRORS = 200, 429, 500
_DENIED = (401, 403)
_STATES = {
    404: (KeyState.MISSING, "has no such file"),
    409: (KeyState.AMBIGUOUS, "has different files of this name"),
}
_JSON_ROOM_BYTES = 1 << 20
"""What an answer may carry beside the file."""
_MAX_CORRELATION_CHARACTERS = 200
_MAX_WORDS = 300
_MAX_OTHERS = 1000
_FIRST_PAUSE_S = 0.5
_MAX_PAUSE_S = 30.0
_MAX_WAITS = 60
"""Pauses that a busy server may ask for before they count as tries."""


@dataclass(frozen=True, slots=True)
class ApiOptions:
    """How a document API is asked and how it answers.

    Attributes:
        url: address up to and with ``/images``.
        key: sent as ``X-API-Key``; empty for none.
        payload: whether files come as base64 in JSON, by address, or as the body itself.
        image_field, url_field, name_field: of the JSON answer.
        params: key table column -> further request parameter.
        timeout_s: of one request.
        tries: at most, with growing pauses; an answer that a key is unknown is final.
    """

    url: str
    key: str = field(default="", repr=False)
    payload: Payload = "base64"
    image_field: str = "image_b64"
    url_field: str = "image_url"
    name_field: str = "server_filename"
    params: dict[str, str] = field(default_factory=dict)
    timeout_s: float = 30.0
    tries: int = 3


class DocumentApiClient:
    """Asks a document API; usable from several threads.

    ``on_failure`` is told of every key that could not be had, with the status of the answer if there was one.

    Raises:
        SettingsError: if the address is none.
    """

    def __init__(
        self, options: ApiOptions, on_failure: Callable[[KeyProblem, int | None], None] = lambda *_: None
    ) -> None:
        import httpx

        self._options, self._on_failure = options, on_failure
        try:
            self._base = httpx.URL(options.url)
        except httpx.InvalidURL as error:
            raise SettingsError(f"The document API address {options.url!r} is none: {error}.") from error
        if self._base.scheme not in {"http", "https"} or not self._base.host or self._base.query:
            raise SettingsError(
                f"The document API address {options.url!r} must be http://host/images or https://host/images."
            )
        # Packed answers could unpack to any size before the limit is looked at.
        headers = {"Accept-Encoding": "identity"} | ({"X-API-Key": options.key} if options.key else {})
        self._client = httpx.Client(timeout=options.timeout_s, follow_redirects=False, headers=headers, trust_env=False)

    def close(self) -> None:
        """Closes its connections."""
        self._client.close()

    def request_of(self, name: str) -> str:
        """The address that is asked for a key or a file name, without further parameters."""
        return f"{self._options.url}?filename={quote(name)}"

    def fetch(self, row: KeyRow, max_bytes: int, name: str | None = None) -> Fetched:
        """The first document of a key, which names the others, or the one called ``name``.

        Raises:
            KeyFailedError: if it is unknown there, or no try succeeded; ``on_failure`` was told.
            UnreadableDocumentError: if it is larger than ``max_bytes``; ``on_failure`` was told.
            SettingsError: if the server refuses us.
        """
        request = _Request(row, name or row.key, max_bytes, is_first=name is None)
        try:
            return self._with_tries(request)
        except _AnswerError as error:
            problem = KeyProblem(row, error.state, str(error), request.correlation_id)
            self._on_failure(problem, error.status)
            raise KeyFailedError(problem) from error
        except UnreadableDocumentError as error:
            self._on_failure(KeyProblem(row, KeyState.FAILED, str(error), request.correlation_id), _OK)
            raise

    def _with_tries(self, request: "_Request") -> Fetched:
        tries = waits = 0
        while True:
            try:
                return self._once(request)
            except _PassingError as error:
                if error.status == _TOO_MANY and waits < _MAX_WAITS:  # the server is well and only asks us to slow down
                    waits += 1
                else:
                    tries += 1
                if tries >= self._options.tries:
                    raise _PassingError(f"{error} ({tries} tries)", error.status) from error
                backoff = _FIRST_PAUSE_S * 2 ** max(tries - 1, 0) * (1 + random.random())
                time.sleep(min(backoff if error.pause_s is None else error.pause_s, _MAX_PAUSE_S))

    def _once(self, request: "_Request") -> Fetched:
        options, row, max_bytes = self._options, request.row, request.max_bytes
        params = {"filename": request.name}
        params |= {name: row.fields[column] for column, name in options.params.items() if column in row.fields}
        is_json = options.payload != "binary"
        body = self._get(request, self._base, params, max_bytes * 4 // 3 + _JSON_ROOM_BYTES if is_json else max_bytes)
        name = request.name if is_document_name(request.name) else f"{request.name}.tif"
        origin = self.request_of(request.name)
        if not is_json:
            return Fetched(name, body, origin, request.correlation_id)
        wanted = options.url_field if options.payload == "url" else options.image_field
        fields = _json_fields(body, wanted)
        content = self._linked(request, fields[wanted]) if options.payload == "url" else _decoded(fields[wanted])
        if len(content) > max_bytes:
            raise _too_large(max_bytes)
        more = tuple(self._other(row, other) for other in _other_names(fields)) if request.is_first else ()
        name = _file_name(fields.get(options.name_field), name)
        return Fetched(name, content, origin, request.correlation_id, more)

    def _get(self, request: "_Request", url: "httpx.URL", params: dict[str, str] | None, limit: int) -> bytes:
        import httpx

        try:
            with self._client.stream("GET", url, params=params) as answer:
                given = answer.headers.get(CORRELATION_HEADER, "")[:_MAX_CORRELATION_CHARACTERS]
                request.correlation_id = display_name(given) or request.correlation_id
                if answer.status_code != _OK:
                    raise self._refusal(answer)
                body = _body(answer, limit)
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise _PassingError(f"the document API does not answer: {error or type(error).__name__}") from error
        if body is None:
            raise _too_large(limit)
        return body

    def _refusal(self, answer: "httpx.Response") -> Exception:
        """What an answer of another status means, with the server's own words if it answered with a little JSON."""
        status, fields = answer.status_code, _json_object(_body(answer, _JSON_ROOM_BYTES) or b"") or {}
        words = fields.get("error") or fields.get("detail")
        said = f": {_words(words)}" if words else ""
        reason = f"the document API answers {status}{said}"
        if status in _DENIED:
            return SettingsError(
                f"{self._options.url}: {reason}. Set DOC_ASSETS_DOCUMENT_API_KEY to a key that it accepts."
            )
        if status == _TOO_MANY or status >= _SERVER_ERRORS:
            pause = answer.headers.get("Retry-After", "")
            return _PassingError(reason, status, float(pause) if pause.isascii() and pause.isdecimal() else None)
        if status in _STATES:
            state, means = _STATES[status]
            return _AnswerError(f"the document API {means}{said}", status, state)
        return _AnswerError(reason, status)

    def _linked(self, request: "_Request", address: str) -> bytes:
        """The file at an address of the same server."""
        import httpx

        try:
            target = self._base.join(address)
        except (httpx.InvalidURL, ValueError) as error:
            raise _AnswerError(f"the answer names no address: {error}") from error
        if (target.scheme, target.host, target.port) != (self._base.scheme, self._base.host, self._base.port):
            raise _AnswerError(f"the answer names a file on another host: {display_name(target.host)}")
        return self._get(request, target, None, request.max_bytes)

    def _other(self, row: KeyRow, name: str) -> SourceFile:
        return SourceFile(
            f"{row.key}: {name}", self.request_of(name), None, row, lambda max_bytes: self.fetch(row, max_bytes, name)
        )


@dataclass(slots=True)
class _Request:
    """One document that is asked for, by a key or its file name; ``correlation_id`` is the last answer's."""

    row: KeyRow
    name: str
    max_bytes: int
    is_first: bool
    correlation_id: str = ""


class _AnswerError(Exception):
    """The answer, of this status if there was one, gives no document; asking again would not help."""

    def __init__(self, reason: str, status: int | None = _OK, state: KeyState = KeyState.FAILED) -> None:
        self.status, self.state = status, state
        super().__init__(reason)


class _PassingError(_AnswerError):
    """Another try may succeed, after the pause that the server asked for."""

    def __init__(self, reason: str, status: int | None = None, pause_s: float | None = None) -> None:
        self.pause_s = pause_s
        super().__init__(reason, status)


@dataclass(frozen=True, slots=True)
class ApiSource:
    """The documents that a key table names, asked of a document API at ``url``, but for keys that are ``known``."""

    table: KeyTable
    client: DocumentApiClient
    url: str
    known: Callable[[KeyRow], bool] = lambda _: False

    @property
    def name(self) -> str:
        """The table and the address."""
        return f"key table {self.table.path.name} over {self.url}"

    def files(self) -> Iterator[SourceFile | KeyProblem]:
        """One file per key, asked for when its bytes are wanted; the answer names the key's other files."""
        for row in self.table.rows():
            if not self.known(row):
                yield SourceFile(row.key, self.client.request_of(row.key), None, row, partial(self.client.fetch, row))
        yield from unusable_rows(self.table)


class FailedRequestLog:
    """One JSON line per failed request at ``url``, for people and for log collectors; usable from several threads.

    The line of the key table stands for the key, which may name a document; ``key_requests`` of the ledger has both.
    The file is closed under a dated name at ``max_bytes`` and at midnight UTC, as all logs are.
    """

    def __init__(self, path: Path, max_bytes: int, url: str) -> None:
        self._path, self._url = path, url
        self._handler = SharedFileHandler(path, max_bytes)
        self._handler.setFormatter(logging.Formatter("%(message)s"))
        self._logger = logging.Logger("failed_requests")  # of its own: nothing else writes here
        self._logger.addHandler(self._handler)

    def __call__(self, problem: KeyProblem, status: int | None) -> None:
        """Files a failure."""
        entry = {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "key_table_line": problem.row.line,
            "api_endpoint": self._url,
            "status_code": status,
            "state": problem.state,
            "correlation_id": problem.correlation_id,
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._logger.warning(json.dumps(entry, ensure_ascii=False))

    def close(self) -> None:
        """Closes the file."""
        self._handler.close()


# --- answers


def _body(answer: "httpx.Response", limit: int) -> bytes | None:
    """The bytes of an answer as they stream in; None if they are more than ``limit``."""
    content = bytearray()
    for part in answer.iter_bytes():
        content += part
        if len(content) > limit:
            return None
    return bytes(content)


def _words(value: object) -> str:
    """Text of a server for a log and a table: short, one line."""
    return printable(display_name(str(value)[:_MAX_WORDS]))


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def _json_fields(body: bytes, wanted: str) -> dict[str, Any]:
    """The fields of an answer that holds ``wanted``."""
    fields = _json_object(body)
    if fields is None:
        raise _AnswerError(f"the answer is no JSON object; it begins with {_words(body[:40])}")
    value = fields.get(wanted)
    if not isinstance(value, str) or not value or fields.get("success") is False:
        said = fields.get("error") or f"it has the fields {', '.join(sorted(fields)[:20])}"
        raise _AnswerError(f"the answer holds no {wanted}: {_words(said)}")
    return fields


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:  # binascii.Error is one; or characters beyond ASCII
        raise _AnswerError(f"the file is no base64: {_words(error)}") from error


def _file_name(given: object, otherwise: str) -> str:
    """The last part of a name that a server gave; ``otherwise`` if no file can be called so."""
    if not isinstance(given, str):
        return otherwise
    last = given[: 4 * MAX_KEY_LENGTH].replace("\\", "/").rpartition("/")[2]
    name = display_name(last)
    hides = not last.encode("utf-8", "backslashreplace").decode().isprintable()
    return name if not hides and 0 < len(name) <= MAX_KEY_LENGTH else otherwise


def _other_names(fields: dict[str, Any]) -> Iterator[str]:
    given = fields.get(OTHERS_FIELD) or []
    if not isinstance(given, list) or len(given) > _MAX_OTHERS:
        raise _AnswerError(f"{OTHERS_FIELD} is no list of at most {_MAX_OTHERS} names")
    for value in given:
        name = _file_name(value, "")
        if not name or name != display_name(value):
            raise _AnswerError(f"{OTHERS_FIELD} holds what is no file name: {_words(value)}")
        yield name


def _too_large(limit: int) -> UnreadableDocumentError:
    return UnreadableDocumentError(
        FaultCode.FILE_TOO_LARGE,
        f"The document API sends more than {limit} bytes; DOC_ASSETS_MAX_FILE_BYTES sets the limit.",
    )
