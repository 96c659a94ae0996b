"""What a document API answers, which is never trusted: its size, its JSON, the names and the words in it."""

import base64
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from doc_assets.errors import UnreadableDocumentError
from doc_assets.faults import FaultCode
from doc_assets.sources.key_lookup import KeyState
from doc_assets.sources.key_tables.table import MAX_KEY_LENGTH
from doc_assets.sources.names import display_name
from doc_assets.util.visible import printable

if TYPE_CHECKING:
    import httpx

OK: Final = 200
OTHERS_FIELD: Final = "other_filenames"
"""Further documents of the same key, each to be asked for by this name."""

JSON_ROOM_BYTES: Final = 1 << 20
"""What an answer may carry beside the file."""

_STATES = {404: KeyState.MISSING, 409: KeyState.AMBIGUOUS}
_TOO_MANY = 429
_DENIED = (401, 403)
_MAX_OTHERS = 1000
_MAX_WORDS = 300


class AnswerError(Exception):
    """The answer gives no document, and asking again would not help.

    Attributes:
        state: what that makes of the key.
        status: of the answer; None if there was none.
    """

    def __init__(self, reason: str, status: int | None = None, state: KeyState = KeyState.FAILED) -> None:
        self.status, self.state = status, state
        super().__init__(reason)


class PassingError(AnswerError):
    """Another try may succeed.

    Attributes:
        pause_s: what the server asked for.
    """

    def __init__(self, reason: str, status: int | None = None, pause_s: float | None = None) -> None:
        self.pause_s = pause_s
        super().__init__(reason, status)

    @property
    def is_throttling(self) -> bool:
        """Whether the server is well and only asks us to slow down."""
        return self.status == _TOO_MANY


class DeniedError(AnswerError):
    """The server does not let us in, whatever we ask for."""


def checked_body(answer: "httpx.Response", limit: int) -> bytes:
    """The body of a good answer, cut off while it streams in.

    Raises:
        UnreadableDocumentError: if it is longer than ``limit`` bytes.
        AnswerError: if the status is another than 200.
    """
    if answer.status_code != OK:
        raise _refusal(answer)
    content = bytearray()
    for part in answer.iter_bytes():
        content += part
        if len(content) > limit:
            raise too_large(limit)
    return bytes(content)


def _refusal(answer: "httpx.Response") -> AnswerError:
    status, said = answer.status_code, _said(answer)
    reason = f"the document API answers {status}{said}"
    if status in _DENIED:
        return DeniedError(reason, status)
    if status == _TOO_MANY or status >= 500:  # noqa: PLR2004 - server errors
        pause = answer.headers.get("Retry-After", "")
        return PassingError(reason, status, float(pause) if pause.isascii() and pause.isdecimal() else None)
    if status in _STATES:
        words = {KeyState.MISSING: "has no such file", KeyState.AMBIGUOUS: "has different files of this name"}
        return AnswerError(f"the document API {words[_STATES[status]]}{said}", status, _STATES[status])
    return AnswerError(reason, status)


def _said(answer: "httpx.Response") -> str:
    """The server's own words, if it answered with a little JSON."""
    content = bytearray()
    for part in answer.iter_bytes():
        content += part
        if len(content) > JSON_ROOM_BYTES:
            return ""
    try:
        fields = json.loads(bytes(content))
    except (ValueError, RecursionError):
        return ""
    words = fields.get("error") or fields.get("detail") if isinstance(fields, dict) else None
    return f": {_words(words)}" if words else ""


def _words(value: object) -> str:
    """Text of a server for a log and a table: short, one line."""
    return printable(display_name(str(value)[:_MAX_WORDS]))


def json_fields(body: bytes, wanted: str) -> dict[str, Any]:
    """The fields of an answer that holds ``wanted``.

    Raises:
        AnswerError: if it is no JSON object, lacks the field or says that it failed.
    """
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise AnswerError(f"the answer is no JSON: {_words(error)}", OK) from error
    if not isinstance(fields, dict):
        raise AnswerError("the answer is no JSON object", OK)
    value = fields.get(wanted)
    if not isinstance(value, str) or not value or fields.get("success") is False:
        said = fields.get("error") or f"it has the fields {', '.join(sorted(fields)[:20])}"
        raise AnswerError(f"the answer holds no {wanted}: {_words(said)}", OK)
    return fields


def decoded(text: str) -> bytes:
    """The bytes of base64 text.

    Raises:
        AnswerError: if it is none.
    """
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:  # binascii.Error is one; or characters beyond ASCII
        raise AnswerError(f"the file is no base64: {_words(error)}", OK) from error


def file_name(given: object, otherwise: str) -> str:
    """The last part of a name that a server gave; ``otherwise`` if no file can be called so."""
    if not isinstance(given, str):
        return otherwise
    last = given[: 4 * MAX_KEY_LENGTH].replace("\\", "/").rpartition("/")[2]
    name = display_name(last)
    hides = not last.encode("utf-8", "backslashreplace").decode().isprintable()
    return name if not hides and 0 < len(name) <= MAX_KEY_LENGTH else otherwise


def other_names(fields: dict[str, Any]) -> Iterator[str]:
    """Names of the key's further documents.

    Raises:
        AnswerError: if they are no list of names, or too many.
    """
    given = fields.get(OTHERS_FIELD) or []
    if not isinstance(given, list) or len(given) > _MAX_OTHERS:
        raise AnswerError(f"{OTHERS_FIELD} is no list of at most {_MAX_OTHERS} names", OK)
    for value in given:
        name = file_name(value, "")
        if not name or name != display_name(value):
            raise AnswerError(f"{OTHERS_FIELD} holds what is no file name: {_words(value)}", OK)
        yield name


def too_large(limit: int) -> UnreadableDocumentError:
    """What is raised about a file beyond the limit."""
    return UnreadableDocumentError(
        FaultCode.FILE_TOO_LARGE,
        f"The document API sends more than {limit} bytes; DOC_ASSETS_MAX_FILE_BYTES sets the limit.",
    )
