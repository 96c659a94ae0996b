"""``/api/v1``: cases, results, documents and verdicts as JSON, for programs with a key and for who is signed in."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_GET
from ninja import NinjaAPI, Path, Query, Schema
from ninja.errors import ValidationError
from ninja.responses import Status
from pydantic import Field
from typing_extensions import override

from doc_assets.archive.ledger.case_queue import CaseFilter
from doc_assets.archive.ledger.cases import Case
from doc_assets.archive.ledger.results import CountedKind, ResultRecord
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.ledger.searches import search_id_of
from doc_assets.archive.ledger.verdicts import UNDECIDED, CaseState
from doc_assets.web.access import ROLES
from doc_assets.web.api import schemas
from doc_assets.web.api.door import Caller, caller_of, note
from doc_assets.web.api.schemas import MAX_NUMBER, NO_NUL
from doc_assets.web.desk import the_desk
from doc_assets.web.entry import faults_now
from doc_assets.web.problems import PROBLEM_TYPE, problem

_SETTLED = timedelta(seconds=5)
"""Verdicts younger than this are not listed: of two that are written side by side the one with the lower number may
become visible last, and whoever goes on from the other would never see it."""
_MAX_PAGE = 200
_CURSOR = r"^-?[0-9]{1,15}(\.[0-9]{1,20})?(e[+-]?[0-9]{1,2})?,[0-9]{1,15}$"
_DROP_KEY = r"^[A-Za-z0-9._-]{1,64}$"
_PROBLEMS = {
    "400": "The request is none: too many parameters, say.",
    "401": "No key, or one that is wrong, expired or revoked; and nobody is signed in.",
    "403": "The key has not the scope, or the person not the role.",
    "404": "There is no such thing.",
    "422": "A parameter cannot be understood.",
    "429": "Too many requests from this address or with this key; Retry-After says how many seconds to wait.",
}
_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What to do, or what is wrong."},
    },
}

Number = Annotated[int, Path(ge=1, le=MAX_NUMBER)]
Limit = Annotated[int, Query(ge=1, le=_MAX_PAGE, description="How many at most.")]
DropKey = Annotated[str, Path(pattern=_DROP_KEY, description="Key of a drop.")]
Wanted = Literal["undecided", "open", "second", "disputed", "decided"]


class CaseQuery(Schema):
    """The filters of the queue; what is not given does not matter."""

    state: Wanted = Field("undecided", description="undecided: open, second and disputed ones.")
    mine: bool = Field(False, description="Only those that whoever asks holds; a key holds none.")
    drop: str | None = Field(None, pattern=_DROP_KEY, description="Key of their documents' drop.")
    merchant: str | None = Field(None, max_length=200, pattern=NO_NUL, description="Of their documents.")
    text: str | None = Field(None, max_length=200, pattern=NO_NUL, description="Part of the file name, in any case.")
    finding: CountedKind | None = Field(None, description="Of one of their pairs.")
    after: str | None = Field(None, pattern=_CURSOR, description="next of the page before.")
    limit: int = Field(50, ge=1, le=_MAX_PAGE, description="How many at most.")


class _Api(NinjaAPI):
    """The API with what the desk's middleware answers in its OpenAPI document."""

    @override
    def get_openapi_schema(self, **asked: Any) -> Any:
        document = super().get_openapi_schema(**asked)
        document["components"] |= {
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "bearer": {"type": "http", "scheme": "bearer", "description": "The same key."},
            },
            "responses": {status: _problem_response(status, says) for status, says in _PROBLEMS.items()},
        }
        document["components"]["schemas"]["Problem"] = _PROBLEM
        document["security"] = [{"key": []}, {"bearer": []}]
        for path, operations in document["paths"].items():
            for operation in operations.values():
                _add_problems(operation, path)
        return document


def _problem_response(status: str, says: str) -> dict[str, Any]:
    content = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    found: dict[str, Any] = {"description": says, "content": content}
    if status == "429":
        found["headers"] = {"Retry-After": {"schema": {"type": "string"}}}
    return found


def _add_problems(operation: dict[str, Any], path: str) -> None:
    """What an operation may answer instead of what was asked for."""
    if "security" in operation:  # open to everybody
        return
    wanted = {"401", "403", "429"}
    wanted |= {"400", "422"} if operation.get("parameters") else set()
    wanted |= {"404"} if "{" in path else set()
    operation["responses"] |= {status: {"$ref": f"#/components/responses/{status}"} for status in sorted(wanted)}


api = _Api(
    title="Review desk",
    version="1",
    description="Cases, results, documents and verdicts of a home; nothing of it changes anything.",
    docs_url=None,  # its page loads scripts of another host
    docs_decorator=require_GET,
    urls_namespace="api",
)


@api.exception_handler(ValidationError)
def _wrong_parameter(_request: HttpRequest, error: ValidationError) -> HttpResponse:
    """Names the parameter and what is wrong, without what was sent."""
    says = [f"{each['loc'][-1]}: {each['msg']}" for each in error.errors]
    return problem(422, "; ".join(says)[:1000])


@api.exception_handler(Http404)
def _not_there(_request: HttpRequest, _error: Http404) -> HttpResponse:
    return problem(404)


@api.get(
    "/healthz",
    response={200: schemas.Health, 503: schemas.Health},
    url_name="api_health",
    operation_id="health",
    openapi_extra={"security": []},
)
def health(request: HttpRequest) -> Status:
    """Whether ledger and accounts answer, and documents can be given by key where the desk does that."""
    faults = [*faults_now(), *the_desk().image_faults()]
    return Status(503 if faults else 200, schemas.Health(status="failing" if faults else "ok", faults=faults))


@api.get("/cases", response=schemas.CasePage, url_name="api_cases", operation_id="cases")
def list_cases(request: HttpRequest, asked: Query[CaseQuery]) -> schemas.CasePage:
    """Cases in the order of the queue."""
    desk, caller = the_desk(), caller_of(request)
    wanted = CaseFilter(
        states=_states(asked.state),
        holder=caller.name if asked.mine else None,
        drop_key=asked.drop,
        merchant_id=asked.merchant,
        text=asked.text,
        finding=asked.finding,
    )
    found = desk.archive.ledger.cases.page(wanted, asked.limit + 1, _rank_and_number(asked.after))
    shown, now = found[: asked.limit], desk.now()
    return schemas.CasePage(
        cases=[schemas.CaseFacts(**schemas.case_fields(each, now)) for each in shown],
        next=_cursor(shown[-1]) if len(found) > asked.limit else None,
    )


@api.get("/cases/{case_id}", response=schemas.CaseAnswer, url_name="api_case", operation_id="case")
def one_case(request: HttpRequest, case_id: Number) -> schemas.CaseAnswer:
    """A case with its pairs, the facts of all documents in it, and what was said of it."""
    desk, caller = the_desk(), caller_of(request)
    ledger = desk.archive.ledger
    case = ledger.cases.get(case_id)
    if case is None:
        raise Http404
    pairs = ledger.cases.pairs([case_id]).get(case_id, [])
    rows = {case.row_id} | {pair.other_row for pair in pairs if pair.other_row is not None}
    said = ledger.cases.verdicts({pair.pair_key for pair in pairs})
    note(request, "case.see", f"case {case_id}")
    return schemas.CaseAnswer(
        **schemas.case_fields(case, desk.now()),
        documents=[_facts(each) for each in ledger.documents.with_row_ids(rows)],
        pairs=[schemas.pair_of(pair) for pair in pairs],
        verdicts=[schemas.verdict_of(each) for each in said] if _may_see_verdicts(caller, case) else None,
    )


@api.get(
    "/results/drops/{drop}", response=schemas.ResultPage, url_name="api_results_of_drop", operation_id="resultsOfDrop"
)
def results_of_drop(
    request: HttpRequest,
    drop: DropKey,
    after: Annotated[int | None, Query(ge=0, le=MAX_NUMBER, description="next of the page before.")] = None,
    limit: Limit = 50,
) -> schemas.ResultPage:
    """What screening found of a drop's documents, in their order."""
    ledger = the_desk().archive.ledger
    try:
        n_documents = max((part.stop for part in ledger.documents.chunks(drop)), default=0)
    except KeyError as error:
        raise Http404 from error
    first = 0 if after is None else after + 1
    documents = ledger.documents.of_chunk(drop, range(first, min(first + limit, n_documents)))
    found = _results(documents)
    note(request, "results.export", f"drop {drop}", first=first, documents=len(documents))
    shown = [schemas.result_of(each, found[each.id]) for each in documents if each.id in found]
    return schemas.ResultPage(results=shown, next=first + limit - 1 if first + limit < n_documents else None)


@api.get(
    "/results/documents/{number}",
    response=schemas.Result,
    url_name="api_result_of_document",
    operation_id="resultOfDocument",
)
def result_of_document(request: HttpRequest, number: Number) -> schemas.Result:
    """What screening found of a document, by the number of its arrival."""
    document = _document(number)
    found = _results([document]).get(number)
    if found is None:
        raise Http404
    note(request, "results.export", f"document {number}")
    return schemas.result_of(document, found)


@api.get("/documents/{number}", response=schemas.DocumentAnswer, url_name="api_document", operation_id="document")
def one_document(request: HttpRequest, number: Number) -> schemas.DocumentAnswer:
    """A document by the number of its arrival: its facts, and the findings of its photos."""
    document = _document(number)
    found = _results([document]).get(number)
    case = the_desk().archive.ledger.cases.of_document(number)
    note(request, "document.see", f"document {number}")
    return schemas.DocumentAnswer(
        **schemas.facts_of(document, _hidden()),
        case_id=case.case_id if case else None,
        result=schemas.result_of(document, found) if found else None,
    )


@api.get("/verdicts", response=schemas.VerdictPage, url_name="api_verdicts", operation_id="verdicts")
def list_verdicts(
    request: HttpRequest,
    after: Annotated[int, Query(ge=0, le=MAX_NUMBER, description="next of the page before; 0 for all.")] = 0,
    limit: Limit = 100,
) -> schemas.VerdictPage:
    """Everything that people said, in its order, from a row on: for copies that are kept up to date."""
    desk = the_desk()
    said = desk.archive.ledger.cases.verdicts_after(after, limit + 1, desk.now() - _SETTLED)
    shown = said[:limit]
    note(request, "verdicts.export", "verdicts", after=after, verdicts=len(shown))
    return schemas.VerdictPage(
        verdicts=[schemas.verdict_of(each) for each in shown],
        next=shown[-1].verdict_id if shown else after,
        more=len(said) > limit,
    )


def _states(wanted: Wanted) -> tuple[CaseState, ...]:
    return UNDECIDED if wanted == "undecided" else (wanted,)


def _cursor(case: Case) -> str:
    return f"{case.rank!r},{case.case_id}"


def _rank_and_number(cursor: str | None) -> tuple[float, int] | None:
    if cursor is None:
        return None
    rank, _, number = cursor.partition(",")
    return float(rank), int(number)


def _may_see_verdicts(caller: Caller, case: Case) -> bool:
    """Whoever judges sees no verdict of a case that waits for a second one: that is given without knowing the first."""
    return caller.has("verdicts", frozenset(ROLES)) and not (case.state == "second" and caller.judges)


def _document(number: int) -> Document:
    for document in the_desk().archive.ledger.documents.with_row_ids([number]):
        return document
    raise Http404


def _results(documents: list[Document]) -> dict[int, ResultRecord]:
    """Results of the screening of their drops, by number of the arrival."""
    searches = {search_id_of(each.drop_key) for each in documents}
    by_search = the_desk().archive.ledger.searches.of_documents(
        sorted(searches), [each.document_id for each in documents]
    )
    found = {}
    for each in documents:
        of_id = [one for one in by_search.get(search_id_of(each.drop_key), []) if one.document_id == each.document_id]
        if of_id:  # a drop may hold two files of one document
            found[each.id] = next((one for one in of_id if one.query_document == each.file_name), of_id[0])
    return found


def _facts(document: Document) -> schemas.DocumentFacts:
    return schemas.DocumentFacts(**schemas.facts_of(document, _hidden()))


def _hidden() -> frozenset[str]:
    return frozenset(the_desk().runtime.settings.remove_columns_from_results)
