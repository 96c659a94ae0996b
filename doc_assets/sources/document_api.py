"""Documents by key from an HTTP document API (``/images?filename=KEY``): client, source, log of failed requests.

Only the configured address is asked: redirects are not followed, and a file that is named by address must lie on the
same host. What is read is cut off at a limit while it streams in.
"""

import json
import logging
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import quote

from doc_assets.errors import SettingsError, UnreadableDocumentError
from doc_assets.sources.api_responses import (
    JSON_ROOM_BYTES,
    OK,
    AnswerError,
    DeniedError,
    PassingError,
    checked_body,
    decoded,
    file_name,
    json_fields,
    other_names,
    too_large,
)
from doc_assets.sources.key_lookup import KeyState
from doc_assets.sources.key_tables.table import KeyRow, KeyTable
from doc_assets.sources.names import display_name, is_document_name
from doc_assets.sources.sources import Fetched, KeyFailedError, KeyProblem, SourceFile, unusable_rows
from doc_assets.util.log_files import SharedFileHandler

if TYPE_CHECKING:
    import httpx

Payload = Literal["base64", "url", "binary"]

CORRELATION_HEADER: Final = "X-Correlation-ID"
_MAX_CORRELATION_CHARACTERS = 200
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
        """The document of a key.

        Args:
            row: the key.
            max_bytes: most that is read.
            name: one of its documents by its file name; None for the first, which names the others.

        Raises:
            KeyFailedError: if it is unknown there, or no try succeeded; ``on_failure`` was told.
            UnreadableDocumentError: if it is larger than ``max_bytes``; ``on_failure`` was told.
            SettingsError: if the server refuses us.
        """
        request = _Request(row, name or row.key, max_bytes, is_first=name is None)
        try:
            return self._with_tries(request)
        except DeniedError as error:
            raise SettingsError(
                f"{self._options.url}: {error}. Set DOC_ASSETS_DOCUMENT_API_KEY to a key that it accepts."
            ) from error
        except AnswerError as error:
            problem = KeyProblem(row, error.state, str(error), request.correlation_id)
            self._on_failure(problem, error.status)
            raise KeyFailedError(problem) from error
        except UnreadableDocumentError as error:
            self._on_failure(KeyProblem(row, KeyState.FAILED, str(error), request.correlation_id), OK)
            raise

    def _with_tries(self, request: "_Request") -> Fetched:
        tries = waits = 0
        while True:
            try:
                return self._once(request)
            except PassingError as error:
                if error.is_throttling and waits < _MAX_WAITS:
                    waits += 1
                else:
                    tries += 1
                if tries >= self._options.tries:
                    raise PassingError(f"{error} ({tries} tries)", error.status) from error
                backoff = _FIRST_PAUSE_S * 2 ** max(tries - 1, 0) * (1 + random.random())
                time.sleep(min(backoff if error.pause_s is None else error.pause_s, _MAX_PAUSE_S))

    def _once(self, request: "_Request") -> Fetched:
        options, row, max_bytes = self._options, request.row, request.max_bytes
        params = {"filename": request.name}
        params |= {name: row.fields[column] for column, name in options.params.items() if column in row.fields}
        is_json = options.payload != "binary"
        body = self._get(request, self._base, params, max_bytes * 4 // 3 + JSON_ROOM_BYTES if is_json else max_bytes)
        name = request.name if is_document_name(request.name) else f"{request.name}.tif"
        origin = self.request_of(request.name)
        if not is_json:
            return Fetched(name, body, origin, request.correlation_id)
        wanted = options.url_field if options.payload == "url" else options.image_field
        fields = json_fields(body, wanted)
        content = self._linked(request, fields[wanted]) if options.payload == "url" else decoded(fields[wanted])
        if len(content) > max_bytes:
            raise too_large(max_bytes)
        more = tuple(self._other(row, other) for other in other_names(fields)) if request.is_first else ()
        name = file_name(fields.get(options.name_field), name)
        return Fetched(name, content, origin, request.correlation_id, more)

    def _get(self, request: "_Request", url: "httpx.URL", params: dict[str, str] | None, limit: int) -> bytes:
        import httpx

        try:
            with self._client.stream("GET", url, params=params) as answer:
                given = answer.headers.get(CORRELATION_HEADER, "")[:_MAX_CORRELATION_CHARACTERS]
                request.correlation_id = display_name(given) or request.correlation_id
                return checked_body(answer, limit)
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise PassingError(f"the document API does not answer: {error or type(error).__name__}") from error

    def _linked(self, request: "_Request", address: str) -> bytes:
        """The file at an address of the same server."""
        import httpx

        try:
            target = self._base.join(address)
        except (httpx.InvalidURL, ValueError) as error:
            raise AnswerError(f"the answer names no address: {error}", OK) from error
        if (target.scheme, target.host, target.port) != (self._base.scheme, self._base.host, self._base.port):
            raise AnswerError(f"the answer names a file on another host: {display_name(target.host)}", OK)
        return self._get(request, target, None, request.max_bytes)

    def _other(self, row: KeyRow, name: str) -> SourceFile:
        """A further document of a key."""
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


@dataclass(frozen=True, slots=True)
class ApiSource:
    """The documents that a key table names, asked of a document API.

    Attributes:
        table: the keys.
        client: asks.
        url: whom.
        known: keys that need not be asked again, normalised as in the table.
    """

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
    """One JSON line per failed request, for people and for log collectors; usable from several threads.

    The line of the key table stands for the key, which may name a document; ``key_requests`` of the ledger has both.

    Args:
        path: the file; closed under a dated name at its size limit and at midnight UTC, as all logs are.
        max_bytes: that limit.
        url: the API that was asked.
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
