"""Requests: what is asked for, read from the query string and the JSON body."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request

from doc_assets.errors import InputError
from doc_assets.sources.key_tables.table import MAX_KEY_LENGTH

FILENAME: Final = "filename"
SAVE: Final = "save_to_folder"
TRUE_WORDS: Final = ("1", "true", "yes", "y", "on")
_MAX_BODY_BYTES = 64 << 10
_CONTROLS = frozenset(map(chr, [*range(32), 127]))


class WrongRequestError(InputError):
    """A request names no document.

    Attributes:
        echo: its parameters, as far as they could be read.
    """

    def __init__(self, reason: str, echo: Mapping[str, Any]) -> None:
        self.echo = dict(echo)
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class DocumentRequest:
    """What is asked for.

    Attributes:
        filename: a key, or the name of a file.
        save: whether the server shall keep a copy.
        echo: all parameters, in their own spelling.
    """

    filename: str
    save: bool
    echo: dict[str, Any]


async def read_request(request: Request) -> DocumentRequest:
    """What a request asks for; the body's parameters count before those of the query string.

    Raises:
        WrongRequestError: if the body is no JSON object, or ``filename`` can be no file's name.
        HTTPException: if the body is too large.
    """
    query, body = request.query_params, await _body(request)
    echo: dict[str, Any] = {**query, **(_json_object(body, query) if body.strip() else {})}
    name, save = echo.get(FILENAME), echo.get(SAVE, False)
    if not isinstance(name, str) or not name.strip(" "):
        raise WrongRequestError(f"{FILENAME} is missing", echo)
    if len(name) > MAX_KEY_LENGTH or not _CONTROLS.isdisjoint(name):
        raise WrongRequestError(
            f"{FILENAME} has {len(name)} characters or holds control characters; names have at most {MAX_KEY_LENGTH}",
            echo,
        )
    if not isinstance(save, str | bool):
        raise WrongRequestError(f"{SAVE} is neither text nor true or false", echo)
    return DocumentRequest(name, str(save).strip().lower() in TRUE_WORDS, echo)


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
        raise WrongRequestError("the body is no JSON", query) from error
    if not isinstance(given, dict):
        raise WrongRequestError("the body is no JSON object", query)
    return given
