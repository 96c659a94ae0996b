"""The OpenAPI document; a test asks the running server whether it is true."""

from typing import Any, Final

from doc_assets.ops.image_server.answers import EXCERPT_COLUMNS
from doc_assets.ops.image_server.door import HEALTH_PATH, KEY_HEADER
from doc_assets.ops.image_server.requests import FILENAME, SAVE
from doc_assets.sources.api_responses import OTHERS_FIELD
from doc_assets.sources.document_api import CORRELATION_HEADER
from doc_assets.sources.key_tables.table import MAX_KEY_LENGTH

IMAGES_PATH: Final = "/images"

_ECHOED: Final = {"comany_registration": "사업자등록번호", "reception_date": "수신일자", "comapany_name": "업종명"}
"""Spelt as clients send them."""

_Schema = dict[str, Any]
_TEXT: Final[_Schema] = {"type": "string"}
_NAME: Final[_Schema] = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_KEY_LENGTH,
    "pattern": r"^[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$",
    "description": "Key of a document, or the name of its file.",
}
_SAVE: Final[_Schema] = {
    "description": "Asks for a copy in the server's folder for copies: 1, true, yes, y or on. It may have none."
}


def openapi_document(*, needs_key: bool) -> _Schema:
    """The document of a server; ``needs_key`` says whether requests must carry an API key."""
    error = _object({"error": _TEXT, "echo_request": {"type": "object"}}, ["error", "echo_request"])
    plain_error = _object({"error": _TEXT}, ["error"])
    answers = {
        "200": _answer("The first document of the key.", _ref("Document"), {"ETag": _TEXT}),
        "304": _answer("The asker has this document (If-None-Match)."),
        "400": _answer("The name is missing or can be no file's; or the body is no JSON object.", _ref("Error")),
        "404": _answer("No file has this name.", _ref("Error")),
        "409": _answer("Different files have this name.", _ref("Error")),
        "413": _answer("The body is too large.", _ref("PlainError")),
        "422": _answer("The file is larger than this server gives.", _ref("Error")),
        "429": _answer("Too many requests.", _ref("PlainError"), {"Retry-After": _TEXT}),
        "503": _answer("The archive cannot be read at present.", _ref("Error"), {"Retry-After": _TEXT}),
    }
    if needs_key:
        answers["401"] = _answer("The API key is missing or wrong.", None, {"WWW-Authenticate": _TEXT})
    else:
        answers["403"] = _answer("The request was made to another name than localhost.", _ref("PlainError"))
    document: _Schema = {
        "openapi": "3.1.0",
        "info": {"title": "Document API", "version": "1", "description": "Documents of an archive by key."},
        "paths": {
            IMAGES_PATH: {"get": _get(answers), "post": _post(answers)},
            HEALTH_PATH: {"get": _health()},
        },
        "components": {"schemas": {"Document": _document(), "Error": error, "PlainError": plain_error}},
    }
    if needs_key:
        document["components"]["securitySchemes"] = {"key": {"type": "apiKey", "in": "header", "name": KEY_HEADER}}
        document["security"] = [{"key": []}]
    return document


def _get(answers: _Schema) -> _Schema:
    parameters = [
        {"name": FILENAME, "in": "query", "required": True, "schema": _NAME},
        {"name": SAVE, "in": "query", "schema": _SAVE | _TEXT},
        *({"name": name, "in": "query", "schema": _echoed(means)} for name, means in _ECHOED.items()),
        {"name": "If-None-Match", "in": "header", "schema": _TEXT},
        {"name": CORRELATION_HEADER, "in": "header", "schema": _TEXT},
    ]
    return {"operationId": "getDocument", "parameters": parameters, "responses": answers}


def _post(answers: _Schema) -> _Schema:
    fields = {FILENAME: _NAME, SAVE: _SAVE | {"type": ["string", "boolean"]}}
    fields |= {name: {"description": f"{means}; only echoed"} for name, means in _ECHOED.items()}
    body = {"required": True, "content": {"application/json": {"schema": _object(fields, [FILENAME])}}}
    return {"operationId": "postDocument", "requestBody": body, "responses": answers}


def _health() -> _Schema:
    state = _object(
        {"status": {"enum": ["ok", "failing"]}, "faults": {"type": "array", "items": _TEXT}}, ["status", "faults"]
    )
    answers = {"200": _answer("All is well.", state), "503": _answer("An archive folder is gone.", state)}
    return {"operationId": "health", "security": [], "responses": answers}


def _document() -> _Schema:
    excerpt = _object({column: {"type": ["string", "null"]} for column in EXCERPT_COLUMNS}, list(EXCERPT_COLUMNS))
    fields: _Schema = {
        "server_filename": _TEXT,
        "image_b64": {"type": "string", "contentEncoding": "base64"},
        "saved_to_folder": {"type": "boolean"},
        "echo_request": {"type": "object"},
        "matched_row_excerpt": excerpt,
        OTHERS_FIELD: {"type": "array", "items": _TEXT, "description": "Further documents of the key, by name."},
    }
    return _object(fields, list(fields))


def _echoed(means: str) -> _Schema:
    return _TEXT | {"description": f"{means}; only echoed"}


def _object(properties: _Schema, required: list[str]) -> _Schema:
    return {"type": "object", "properties": properties, "required": required}


def _answer(description: str, schema: _Schema | None = None, headers: dict[str, _Schema] | None = None) -> _Schema:
    answer: _Schema = {"description": description}
    if schema is not None:
        answer["content"] = {"application/json": {"schema": schema}}
    if headers:
        answer["headers"] = {name: {"schema": shape} for name, shape in headers.items()}
    return answer


def _ref(name: str) -> _Schema:
    return {"$ref": f"#/components/schemas/{name}"}
