"""Responses with and without a document."""

import base64
import json
from collections.abc import Iterator
from typing import Any, Final

from starlette.responses import JSONResponse, Response, StreamingResponse

from doc_assets.ops.image_server.lookup import FoundDocument
from doc_assets.sources.document_api import OTHERS_FIELD
from doc_assets.sources.key_tables.table import KEY_COLUMN, MERCHANT_COLUMN, KeyRow
from doc_assets.util.files import sha256_of

EXCERPT_COLUMNS: Final = (KEY_COLUMN, MERCHANT_COLUMN, "수신일자", "업종명")
_BLOCK_BYTES = 3 << 18
"""Whole triples, so that the parts' base64 joins to that of the file."""


def error(status: int, reason: str, echo: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    """A response without a document."""
    return JSONResponse({"error": reason, "echo_request": echo}, status, headers)


def document(found: FoundDocument, echo: dict[str, Any], known_etags: str, *, saved: bool) -> Response:
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
