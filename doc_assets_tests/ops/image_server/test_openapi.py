"""The OpenAPI document is true: requests drawn from it, and against it, get answers that it describes."""

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings

from doc_assets.ops.image_server.app import EXCERPT_COLUMNS
from doc_assets.ops.image_server.middleware import KEY_HEADER
from doc_assets.sources.api_responses import OTHERS_FIELD
from doc_assets.sources.key_tables.table import MAX_KEY_LENGTH
from doc_assets_tests.ops.image_server.conftest import KEY

pytestmark = pytest.mark.whole

_EXAMPLES = 60


@pytest.mark.parametrize(
    ("method", "path", "mode"),
    [
        ("GET", "/images", "positive"),
        ("GET", "/images", "negative"),
        ("POST", "/images", "positive"),
        ("POST", "/images", "negative"),
        ("GET", "/healthz", "positive"),
    ],
)
def test_answers_are_as_described(served, method, path, mode):
    described = served.client.get("/openapi.json").json()

    assert _statuses(served, described, method, path, mode)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_answers_with_a_document_are_as_described(served, method):
    (served.folder / "twice.tif").write_bytes(b"II*one")
    (served.folder / "2024" / "twice.tif").write_bytes(b"II*two")
    served.lookup.refresh()
    described = served.client.get("/openapi.json").json()
    name = {"type": "string", "enum": ["N20240101THA00001", "N20240101THA00100001_13.tif", "twice", "nothing"]}
    described["paths"]["/images"]["get"]["parameters"][0]["schema"] = name
    body = described["paths"]["/images"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    body["properties"]["filename"] = name

    assert _statuses(served, described, method, "/images", "positive") == {200, 404, 409}


def _statuses(served, described, method, path, mode):
    """Statuses of the answers to requests drawn from a description, each of them as described."""
    import schemathesis  # takes seconds

    schema = schemathesis.openapi.from_dict(described)
    schema.config.update(base_url=served.url)
    seen = set()

    @settings(
        max_examples=_EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=schema[path][method].as_strategy(generation_mode=schemathesis.GenerationMode(mode)))
    def ask(case):
        assume(all(map(_is_field_value, (case.headers or {}).values())))
        answer = case.call(headers={"X-API-Key": KEY})
        case.validate_response(answer)
        assert answer.status_code < 500
        seen.add(answer.status_code)

    ask()
    return seen


def _is_field_value(value):
    """Whether HTTP can carry it (RFC 9110, 5.5); what it cannot carry is answered by the server, and no API sees it."""
    return all(character == "\t" or (character >= " " and character != "\x7f") for character in str(value))


def test_the_document_tells_of_the_key_only_where_there_is_one(serving):
    with serving() as served:
        keyed = served.client.get("/openapi.json").json()
    with serving(key="") as served:
        open_to_all = served.client.get("/openapi.json").json()

    assert keyed["security"] == [{"key": []}]
    assert "security" not in open_to_all
    for method in ("get", "post"):
        assert set(keyed["paths"]["/images"][method]["responses"]) ^ set(
            open_to_all["paths"]["/images"][method]["responses"]
        ) == {"401", "403"}


def test_the_document_has_the_limits_and_names_of_the_code(served):
    described = served.client.get("/openapi.json").json()
    filename = described["paths"]["/images"]["get"]["parameters"][0]["schema"]
    document = described["components"]["schemas"]["Document"]["properties"]

    assert filename["maxLength"] == MAX_KEY_LENGTH
    assert document["matched_row_excerpt"]["required"] == list(EXCERPT_COLUMNS)
    assert OTHERS_FIELD in document
    assert described["components"]["securitySchemes"]["key"]["name"] == KEY_HEADER
