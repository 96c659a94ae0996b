"""Everything of a case, for what leaves the desk: the printed page and the package."""

import platform
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import metadata
from typing import Any

from django.http import Http404, HttpRequest

from doc_assets.archive.ledger.cases import Case, CasePair, Comment
from doc_assets.archive.ledger.database import SCHEMA_REVISION
from doc_assets.archive.ledger.results import ResultRecord
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.ledger.searches import search_id_of
from doc_assets.archive.ledger.verdicts import Verdict, in_force
from doc_assets.archive.vectors.base import embedder_of
from doc_assets.reports.redaction import what_it_is
from doc_assets.web.access import JUDGES
from doc_assets.web.desk import the_desk


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A case with all that is known of it.

    Attributes:
        case: itself.
        document: its document, without the columns that are left out.
        pairs: what it is about, the gravest first.
        others: documents on the other side, by number.
        said: every verdict on its pairs, the oldest first; empty for whoever may not know them yet.
        comments: in the same way.
        is_blind: whether verdicts and comments are hidden, because this person may be the second to judge.
        result: of the search that found it; None if it was replaced.
        embedder: id of the one that it was found with; None as well.
    """

    case: Case
    document: Document
    pairs: list[CasePair]
    others: dict[int, Document]
    said: list[Verdict]
    comments: list[Comment]
    is_blind: bool
    result: ResultRecord | None
    embedder: str | None

    def other(self, pair: CasePair) -> Document | None:
        """The document on the other side of a pair; None if it is gone."""
        return self.others.get(pair.other_row or -1)


def case_file(request: HttpRequest, case_id: int) -> CaseFile:
    """A case as this person may take it out.

    Raises:
        Http404: if there is no such case.
    """
    ledger = the_desk().archive.ledger
    left_out = the_desk().runtime.settings.remove_columns_from_results
    case = ledger.cases.get(case_id)
    if case is None:
        raise Http404
    pairs = ledger.cases.pairs([case_id]).get(case_id, [])
    rows = {pair.other_row for pair in pairs if pair.other_row is not None}
    found = {each.id: without_columns(each, left_out) for each in ledger.documents.with_row_ids({case.row_id, *rows})}
    said = ledger.cases.verdicts({pair.pair_key for pair in pairs})
    is_blind = is_blind_to(request, case, said)
    search_id = search_id_of(case.drop_key)
    result = next(iter(ledger.searches.of_documents([search_id], [case.document_id]).get(search_id, [])), None)
    return CaseFile(
        replace(case, merchant_id=found[case.row_id].merchant_id, fields=found[case.row_id].fields),
        found[case.row_id],
        pairs,
        found,
        [] if is_blind else said,
        [] if is_blind else ledger.cases.comments(case_id),
        is_blind,
        _shown(result, left_out) if result is not None else None,
        embedder_of(ledger.searches.get(search_id).collection) if result is not None else None,
    )


def is_blind_to(request: HttpRequest, case: Case, said: list[Verdict]) -> bool:
    """Whether a person must not know what was said of a case: it waits for a second one, who may be this person."""
    if case.state != "second" or not JUDGES & set(request.roles):
        return False
    return request.user.get_username() not in {each.person for each in in_force(said) if each.stage == "first"}


def without_columns(document: Document, left_out: Collection[str]) -> Document:
    """A document without what must not be seen of it."""
    return replace(
        document,
        merchant_id=None if "merchant_id" in left_out else document.merchant_id,
        fields={name: value for name, value in document.fields.items() if name not in left_out},
    )


def _shown(result: ResultRecord, left_out: Collection[str]) -> ResultRecord:
    """A result whose words name no merchant if these are left out."""
    shown = result.shown_without(left_out)
    if "merchant_id" not in left_out:
        return shown
    return replace(
        shown,
        merchant_id=None,
        findings=tuple(replace(each, first_use=replace(each.first_use, merchant_id=None)) for each in shown.findings),
        top_docs=tuple(replace(found, merchant_id=None, common_name=None) for found in shown.top_docs),
    )


def provenance(file: CaseFile) -> dict[str, Any]:
    """With which program, tables and models a case was made and is exported."""
    desk = the_desk()
    return {
        "program": {"doc_assets": metadata.version("doc_assets"), "python": platform.python_version()},
        "ledger": {"schema": SCHEMA_REVISION},
        "models": {
            "embedder": file.embedder or desk.runtime.embedder_spec().name,
            "photo_pairs": _pair_model_digest(str(desk.runtime.settings.probability_model or "")),
            "faces": what_it_is(desk.redactor),
        },
    }


@lru_cache(maxsize=2)
def _pair_model_digest(_path: str) -> str:
    return the_desk().runtime.pair_model(None).sha256
