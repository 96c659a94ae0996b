"""What the API takes and says, as pydantic types; their descriptions are the OpenAPI document's."""

from datetime import date, datetime
from typing import Any, Literal

from ninja import Schema
from pydantic import Field

from doc_assets.archive.ledger.cases import Case, CasePair
from doc_assets.archive.ledger.results import Finding, FoundDocument, Relation, ResultRecord
from doc_assets.archive.ledger.results import FindingKind as Kind
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.ledger.verdicts import CaseState, Photograph, Stage, Use, Verdict
from doc_assets.datatypes import DateSource

MAX_NUMBER = 10**15
NO_NUL = r"^[^\x00]*$"


class Health(Schema):
    """How the server is."""

    status: Literal["ok", "failing"]
    faults: list[str] = Field(description="What does not work, in words that name no place.")


class DocumentFacts(Schema):
    """An arrival of a document."""

    number: int = Field(description="Of the arrival, as in logs and in Dagster.")
    document_id: str = Field(description="What the document is called, whichever version of it.")
    file_name: str
    drop: str = Field(description="Key of the drop that it came with.")
    position: int = Field(description="Its place in the drop, from 0.")
    merchant_id: str | None = Field(description="Whose it is; null if unknown.")
    document_date: date = Field(description="The day it is from.")
    date_source: DateSource = Field(description="How that is known.")
    state: str = Field(description="Of reading it: pending, ok, partial, rejected or duplicate.")
    reason_code: str | None = Field(description="Why it was rejected or is partial; null otherwise.")
    is_current: bool = Field(description="Whether this version is in the archive.")
    n_pages: int | None
    n_photos: int | None
    fields: dict[str, str] = Field(
        description="Of the key table's row that names it, without DOC_ASSETS_REMOVE_COLUMNS_FROM_RESULTS."
    )


class FindingFacts(Schema):
    """What holds of a photo of a document, or of its file as a whole."""

    photo: int | None = Field(description="From 0 within the document; null for the file as a whole.")
    page: int | None = Field(description="From 1; null for the file.")
    kind: Kind
    counts: bool = Field(description="Whether it makes the document's risk.")
    probability: float = Field(description="That it shows the photograph of the others, in [0, 1].")
    first_use: str = Field(description="File name of the earliest document with this photo.")
    first_use_date: date
    found_in: str | None = Field(description="File name of the document that shows it best.")
    n_documents: int = Field(description="Other documents that show it.")
    n_merchants: int = Field(description="Their known merchants other than this one's.")


class FoundFacts(Schema):
    """A document that shows a photo of the query document, or is byte-identical with it."""

    document: str = Field(description="File name.")
    merchant_id: str | None
    document_date: date | None
    drop: str | None
    relation: Relation
    score: float
    probability: float | None = Field(description="Of its best pair, in [0, 1]; null if nothing was verified.")
    exact_duplicate: bool
    counts: bool = Field(description="Whether it makes the risk of the query document.")
    n_matched_photos: int


class Result(Schema):
    """What screening found of a document."""

    number: int = Field(description="Of the document's arrival.")
    document: str = Field(description="File name.")
    document_id: str
    drop: str
    merchant_id: str | None
    searched: bool = Field(description="Whether it was searched for at all.")
    flagged: bool = Field(description="Whether the risk reaches the threshold.")
    risk_score: float | None = Field(description="In [0, 1]; null if it could not be searched for.")
    doubt: float = Field(description="Highest probability among pairs below the threshold that would count, in [0, 1].")
    n_photos: int
    findings: list[FindingFacts] = Field(description="The counted ones first.")
    found: list[FoundFacts] = Field(description="The best first.")


class ResultPage(Schema):
    """Results of a drop, in the order of its documents."""

    results: list[Result]
    next: int | None = Field(description="For after; null on the last page.")


class DocumentAnswer(DocumentFacts):
    """A document and what is known of its photos."""

    case_id: int | None = Field(description="Its case; null if nothing of it ever counted.")
    result: Result | None = Field(description="Of its drop's screening; null before that, or if it was not read.")


class CaseFacts(Schema):
    """A document that a person must judge."""

    case_id: int
    number: int = Field(description="Of the document's arrival.")
    document: str = Field(description="File name.")
    drop: str
    merchant_id: str | None
    document_date: date
    state: CaseState
    priority: float = Field(description="Sum of its parts without its age; the queue's order adds that.")
    parts: dict[str, float] = Field(description="What makes the priority.")
    n_pairs: int
    opened_at: datetime
    changed_at: datetime
    is_held: bool = Field(description="Whether a person is at work on it.")


class CasePage(Schema):
    """Cases in the order of the queue."""

    cases: list[CaseFacts]
    next: str | None = Field(description="For after; null on the last page.")


class PairFacts(Schema):
    """Two photos that a case is about."""

    pair_key: str = Field(description="Names the two photos, whatever is screened again.")
    photo: int | None = Field(description="Of the case's document, from 0; null for the file as a whole.")
    other_number: int | None = Field(description="Arrival of the other document; null if it is gone.")
    other_photo: int | None = Field(description="Of that document, from 0; null for the file as a whole.")
    finding: Kind
    probability: float = Field(description="That both show the same photograph, in [0, 1].")
    similarity: float | None = Field(description="Cosine of the embeddings; null between identical files.")
    inliers: int | None = Field(description="Keypoint pairs that agree on one transform; null if none were compared.")
    mirrored: bool = Field(description="Whether the photo must be mirrored to look like the other.")


class VerdictFacts(Schema):
    """A row of what people said; a row that withdraws another says nothing itself."""

    verdict_id: int = Field(description="Grows with time.")
    pair_key: str
    case_id: int
    stage: Stage
    person: str
    at: datetime
    photograph: Photograph | None = Field(description="Is it the same photograph? Null in a row that withdraws.")
    use: Use | None = Field(description="May it be used so? Of the same photograph alone.")
    withdraws: int | None = Field(description="The row that this one undoes.")
    snapshot: dict[str, Any] = Field(description="What was known of the pair at that moment.")


class VerdictPage(Schema):
    """Verdicts in the order they were said."""

    verdicts: list[VerdictFacts]
    next: int = Field(description="For after, now or later: the last row of this page, or what was asked for.")
    more: bool = Field(description="Whether there are further ones now.")


class CaseAnswer(CaseFacts):
    """A case with its pairs, facts of all documents in it, and what was said."""

    documents: list[DocumentFacts]
    pairs: list[PairFacts] = Field(description="The gravest first.")
    verdicts: list[VerdictFacts] | None = Field(
        description="In the order they were said; null without the right to see them, and to those who may be asked "
        "for a second verdict, which must not know the first."
    )


def facts_of(document: Document, hidden: frozenset[str]) -> dict[str, Any]:
    """Fields of ``DocumentFacts``; ``hidden``: columns of key tables that leave nowhere."""
    return {
        "number": document.id,
        "document_id": document.document_id,
        "file_name": document.file_name,
        "drop": document.drop_key,
        "position": document.position,
        "merchant_id": document.merchant_id,
        "document_date": document.document_date,
        "date_source": document.date_source,
        "state": document.state,
        "reason_code": document.reason_code,
        "is_current": document.is_current,
        "n_pages": document.n_pages,
        "n_photos": document.n_photos,
        "fields": {name: value for name, value in document.fields.items() if name not in hidden},
    }


def result_of(document: Document, found: ResultRecord) -> Result:
    """The result about an arrival."""
    return Result(
        number=document.id,
        document=document.file_name,
        document_id=document.document_id,
        drop=document.drop_key,
        merchant_id=found.merchant_id,
        searched=found.searched,
        flagged=found.flagged,
        risk_score=found.risk_score,
        doubt=found.doubt,
        n_photos=found.n_photos,
        findings=[_finding(each) for each in found.findings],
        found=[_found(each) for each in found.top_docs],
    )


def case_fields(case: Case, now: datetime) -> dict[str, Any]:
    """Fields of ``CaseFacts``."""
    return {
        "case_id": case.case_id,
        "number": case.row_id,
        "document": case.document,
        "drop": case.drop_key,
        "merchant_id": case.merchant_id,
        "document_date": case.document_date,
        "state": case.state,
        "priority": round(sum(case.parts.values()), 3),
        "parts": case.parts,
        "n_pairs": case.n_pairs,
        "opened_at": case.opened_at,
        "changed_at": case.changed_at,
        "is_held": case.held_until is not None and case.held_until > now,
    }


def pair_of(pair: CasePair) -> PairFacts:
    """A pair of a case."""
    facts = pair.pair
    return PairFacts(
        pair_key=pair.pair_key,
        photo=_photo(pair.photo),
        other_number=pair.other_row,
        other_photo=_photo(pair.other_photo),
        finding=pair.finding,
        probability=pair.probability,
        similarity=facts.similarity if facts else None,
        inliers=facts.inliers if facts else None,
        mirrored=bool(facts and facts.mirrored),
    )


def verdict_of(said: Verdict) -> VerdictFacts:
    """A row of the verdicts."""
    return VerdictFacts(
        verdict_id=said.verdict_id,
        pair_key=said.pair_key,
        case_id=said.case_id,
        stage=said.stage,
        person=said.person,
        at=said.at,
        photograph=said.answer.photograph if said.answer else None,
        use=said.answer.use if said.answer else None,
        withdraws=said.withdraws,
        snapshot=said.snapshot,
    )


def _photo(number: int) -> int | None:
    return number if number >= 0 else None


def _finding(found: Finding) -> FindingFacts:
    return FindingFacts(
        photo=found.photo,
        page=found.page,
        kind=found.kind,
        counts=found.counts,
        probability=found.probability,
        first_use=found.first_use.document,
        first_use_date=found.first_use.document_date,
        found_in=found.found_in,
        n_documents=found.n_documents,
        n_merchants=found.n_merchants,
    )


def _found(found: FoundDocument) -> FoundFacts:
    return FoundFacts(
        document=found.document,
        merchant_id=found.merchant_id,
        document_date=found.document_date,
        drop=found.drop,
        relation=found.relation,
        score=found.score,
        probability=found.probability,
        exact_duplicate=found.exact_duplicate,
        counts=found.counts,
        n_matched_photos=found.n_matched_photos,
    )
