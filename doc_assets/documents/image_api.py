"""Documents by key from an HTTP document API (``/images?filename=KEY``).

Only the configured address is asked: redirects are not followed, and a file that is named by address must lie on the
same host. What is read is cut off at a limit while it streams in.
"""

import base64
import binascii
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote

from doc_assets.documents.faults import FaultCode
from doc_assets.documents.keys import KeyRow, KeyTable
from doc_assets.documents.names import display_name
from doc_assets.documents.resolving import KeyState
from doc_assets.documents.sources import Fetched, KeyFailedError, KeyProblem, SourceFile, unusable_rows
from doc_assets.errors import SettingsError, UnreadableDocumentError

if TYPE_CHECKING:
    import httpx

Payload = Literal["base64", "url", "binary"]

CORRELATION_HEADER: Final = "X-Correlation-ID"
_JSON_ROOM_BYTES = 1 << 20
"""What an answer may carry beside the file."""
_OK, _NOT_FOUND, _TOO_MANY = 200, 404, 429
_DENIED = (401, 403)
_FIRST_PAUSE_S = 0.5
_MAX_PAUSE_S = 30.0


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


class _PassingError(Exception):
    """Another try may succeed; ``pause_s`` is what the server asked for."""

    def __init__(self, reason: str, status: int | None = None, pause_s: float | None = None) -> None:
        self.status, self.pause_s = status, pause_s
        super().__init__(reason)


class ImageApiClient:
    """Asks a document API; usable from several threads.

    Args:
        options: how.
        on_failure: told of every key that could not be had, with the status of the answer if there was one.

    Raises:
        SettingsError: if the address is none.
    """

    def __init__(
        self, options: ApiOptions, on_failure: Callable[[KeyProblem, int | None], None] = lambda *_: None
    ) -> None:
        import httpx

        self._options, self._on_failure = options, on_failure
        self._base = httpx.URL(options.url)
        if self._base.scheme not in {"http", "https"} or not self._base.host:
            raise SettingsError(f"The document API address {options.url!r} is no http or https address.")
        headers = {"X-API-Key": options.key} if options.key else {}
        self._client = httpx.Client(timeout=options.timeout_s, follow_redirects=False, headers=headers, trust_env=False)

    def close(self) -> None:
        """Closes its connections."""
        self._client.close()

    def request_of(self, row: KeyRow) -> str:
        """The address that is asked for a key, without further parameters."""
        return f"{self._options.url}?filename={quote(row.key)}"

    def fetch(self, row: KeyRow, max_bytes: int) -> Fetched:
        """The document of a key.

        Raises:
            KeyFailedError: if it is unknown there, or no try succeeded; ``on_failure`` was told.
            UnreadableDocumentError: if it is larger than ``max_bytes``.
            SettingsError: if the server refuses us.
        """
        correlation: list[str] = []
        try:
            return self._with_tries(row, max_bytes, correlation)
        except _PassingError as error:
            problem = KeyProblem(row, KeyState.FAILED, str(error), "".join(correlation[-1:]))
            self._on_failure(problem, error.status)
            raise KeyFailedError(problem) from error
        except KeyFailedError as error:
            self._on_failure(error.problem, _NOT_FOUND if error.problem.state is KeyState.MISSING else None)
            raise

    def _with_tries(self, row: KeyRow, max_bytes: int, correlation: list[str]) -> Fetched:
        import httpx

        for attempt in range(1, self._options.tries + 1):
            try:
                return self._once(row, max_bytes, correlation)
            except (httpx.TransportError, _PassingError) as error:
                passing = error if isinstance(error, _PassingError) else _PassingError(_transport_reason(error))
                if attempt == self._options.tries:
                    raise _PassingError(f"{passing} ({attempt} tries)", passing.status) from error
                backoff = _FIRST_PAUSE_S * 2 ** (attempt - 1) * (1 + random.random())
                time.sleep(min(passing.pause_s if passing.pause_s is not None else backoff, _MAX_PAUSE_S))
        raise AssertionError("unreachable")

    def _once(self, row: KeyRow, max_bytes: int, correlation: list[str]) -> Fetched:
        params = {"filename": row.key}
        params |= {name: row.fields[column] for column, name in self._options.params.items() if column in row.fields}
        room = max_bytes if self._options.payload == "binary" else max_bytes * 4 // 3 + _JSON_ROOM_BYTES
        with self._client.stream("GET", self._base, params=params) as answer:
            correlation.append(display_name(answer.headers.get(CORRELATION_HEADER, "")[:200]))
            body = _body(answer, room if answer.status_code == _OK else _JSON_ROOM_BYTES)
            self._check(row, answer, body, correlation[-1])
        if self._options.payload == "binary":
            return Fetched(f"{row.key}.tif", body, self.request_of(row), correlation[-1])
        return self._unpacked(row, _json(row, body, correlation[-1]), max_bytes, correlation[-1])

    def _check(self, row: KeyRow, answer: "httpx.Response", body: bytes, correlation: str) -> None:
        status = answer.status_code
        if status == _OK:
            return
        said = _said(body)
        if status in _DENIED:
            raise SettingsError(
                f"The document API {self._options.url} answers {status}{said}. Set DOC_ASSETS_DOCUMENT_API_KEY to a "
                "key that it accepts."
            )
        if status == _NOT_FOUND:
            raise KeyFailedError(
                KeyProblem(row, KeyState.MISSING, f"the document API has no such file{said}", correlation)
            )
        if status == _TOO_MANY or status >= 500:  # noqa: PLR2004 - server errors
            raise _PassingError(f"the document API answers {status}{said}", status, _retry_after(answer))
        raise KeyFailedError(KeyProblem(row, KeyState.FAILED, f"the document API answers {status}{said}", correlation))

    def _unpacked(self, row: KeyRow, answer: dict[str, Any], max_bytes: int, correlation: str) -> Fetched:
        wanted = self._options.url_field if self._options.payload == "url" else self._options.image_field
        value = answer.get(wanted)
        if not isinstance(value, str) or not value or answer.get("success") is False:
            said = f": {answer['error']}" if answer.get("error") else f", fields {', '.join(sorted(answer)[:20])}"
            raise KeyFailedError(
                KeyProblem(row, KeyState.FAILED, display_name(f"the answer holds no {wanted}{said}"), correlation)
            )
        given = answer.get(self._options.name_field)
        name = display_name(str(given).replace("\\", "/").rpartition("/")[2]) if given else f"{row.key}.tif"
        content = self._download(row, value, max_bytes) if self._options.payload == "url" else _decoded(row, value)
        if len(content) > max_bytes:
            raise _too_large(max_bytes)
        return Fetched(name or f"{row.key}.tif", content, self.request_of(row), correlation)

    def _download(self, row: KeyRow, address: str, max_bytes: int) -> bytes:
        target = self._base.join(address)
        if (target.scheme, target.host, target.port) != (self._base.scheme, self._base.host, self._base.port):
            raise KeyFailedError(
                KeyProblem(row, KeyState.FAILED, f"the answer names a file on another host: {target.host}")
            )
        with self._client.stream("GET", target) as answer:
            body = _body(answer, max_bytes)
            self._check(row, answer, body if answer.status_code != _OK else b"", "")
        return body


@dataclass(slots=True)
class ApiSource:
    """The documents that a key table names, asked of a document API.

    Attributes:
        table: the keys.
        client: asks.
        known: keys that need not be asked again, normalised as in the table.
    """

    table: KeyTable
    client: ImageApiClient
    url: str
    known: Callable[[KeyRow], bool] = lambda _: False

    @property
    def name(self) -> str:
        """The table and the address."""
        return f"key table {self.table.path.name} over {self.url}"

    def files(self) -> Iterator[SourceFile | KeyProblem]:
        """One file a key; nothing is asked before its bytes are wanted."""
        for row in self.table.rows():
            if not self.known(row):
                yield SourceFile(row.key, self.client.request_of(row), None, row, self._fetch(row))
        yield from unusable_rows(self.table)

    def _fetch(self, row: KeyRow) -> Callable[[int], Fetched]:
        return lambda max_bytes: self.client.fetch(row, max_bytes)


class FailedRequestLog:
    """One JSON line a failed request, for people and for log collectors."""

    def __init__(self, path: Path, url: str) -> None:
        self._path, self._url = path, url
        self._lock = threading.Lock()

    def __call__(self, problem: KeyProblem, status: int | None) -> None:
        """Files a failure."""
        entry = {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "requested_name": problem.row.key,
            "api_endpoint": self._url,
            "status_code": status,
            "reason": problem.reason,
            "correlation_id": problem.correlation_id,
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock, self._path.open("a", encoding="utf-8") as log:
            log.write(json.dumps(entry, ensure_ascii=False) + "\n")


def _body(answer: "httpx.Response", limit: int) -> bytes:
    """The body, which may not be longer than ``limit`` bytes."""
    content = bytearray()
    for part in answer.iter_bytes():
        content += part
        if len(content) > limit:
            raise _too_large(limit)
    return bytes(content)


def _too_large(limit: int) -> UnreadableDocumentError:
    return UnreadableDocumentError(
        FaultCode.FILE_TOO_LARGE,
        f"The document API sends more than {limit} bytes; DOC_ASSETS_MAX_FILE_BYTES sets the limit.",
    )


def _json(row: KeyRow, body: bytes, correlation: str) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError as error:
        raise KeyFailedError(
            KeyProblem(row, KeyState.FAILED, f"the answer is no JSON: {error}", correlation)
        ) from error
    if not isinstance(answer, dict):
        raise KeyFailedError(KeyProblem(row, KeyState.FAILED, "the answer is no JSON object", correlation))
    return answer


def _decoded(row: KeyRow, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise KeyFailedError(KeyProblem(row, KeyState.FAILED, f"the file is no base64: {error}")) from error


def _said(body: bytes) -> str:
    """The server's own words, if it answered with JSON."""
    try:
        answer = json.loads(body)
    except ValueError:
        return ""
    words = answer.get("error") or answer.get("detail") if isinstance(answer, dict) else None
    return f": {display_name(str(words)[:300])}" if words else ""


def _retry_after(answer: "httpx.Response") -> float | None:
    value = answer.headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else None


def _transport_reason(error: Exception) -> str:
    return f"the document API does not answer: {error or type(error).__name__}"
