"""Why a document was, or was not, flagged because of another one: what their screenings know, as one answer.

Pure rules on the labels of stored results. The document asked about comes first; what its own screening does not say is
looked for in the other one's, which may have come later.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from doc_assets.archive.ledger.results import FoundDocument, PhotoPair, ResultRecord
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.ledger.search_settings import SearchRequest
from doc_assets.search.findings import same_merchant

StandingCode = Literal[
    "same_document",
    "not_current",
    "not_screened",
    "not_searched",
    "flagged",
    "below_flag",
    "same_merchant",
    "first_use",
    "own_photo_again",
    "later",
    "form_picture",
    "cannot_tell",
    "other_shot",
    "shared_thing",
    "below_match",
    "not_compared",
    "left_out",
    "not_found",
]
"""``same_document``: both are one document; ``not_current``: one of them is not in the archive; ``not_screened``: there
is no result about it; ``not_searched``: there is one without a search. ``flagged``, ``below_flag``: the other document
counts, and the risk reaches the threshold or does not. Of photos that match: ``same_merchant`` has both documents,
``first_use`` is here, ``own_photo_again`` was first used by this merchant, ``later`` is the other document than this
one. Of photos that do not: what they are instead, or ``below_match``. ``not_compared``: the comparison failed;
``left_out``: documents of its own merchant were not searched; ``not_found``: the screening names neither for the
other."""


@dataclass(frozen=True, slots=True)
class Screened:
    """A result of a screened drop, and how that screening was asked for."""

    result: ResultRecord
    asked: SearchRequest


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a document beside another one.

    Attributes:
        code: why it was, or was not, flagged because of it.
        pairs: their photo pairs that the screening knows, seen from the first document, the best first.
        is_identical: whether the files are the same byte for byte.
        probability: of the best pair, in [0, 1]; None if none was verified.
        threshold: that decided, where one did: of a match, or of a flag.
        risk: of the first document; None if it was not searched for.
        detail: of a fault, in words; empty otherwise.
    """

    code: StandingCode
    pairs: tuple[PhotoPair, ...] = ()
    is_identical: bool = False
    probability: float | None = None
    threshold: float | None = None
    risk: float | None = None
    detail: str = ""


def standing_of(own: Document, other: Document, of_own: Screened | None, of_other: Screened | None) -> Standing:
    """Why ``own`` was, or was not, flagged because of ``other``.

    ``of_own`` and ``of_other`` are their newest results; None for a document that was not screened.
    """
    if own.document_id == other.document_id:
        return Standing("same_document")
    if not (own.is_current and other.is_current):
        return Standing("not_current")
    if of_own is None:
        return Standing("not_screened")
    found = _named(of_own.result, other)
    if found is not None:
        return _judged(own, other, of_own, found)
    seen_there = _named(of_other.result, own) if of_other is not None else None
    if of_other is not None and seen_there is not None and of_own.result.searched:
        return _seen_from_there(own, other, of_other, seen_there)
    return _not_named(own, other, of_own)


def _not_named(own: Document, other: Document, screened: Screened) -> Standing:
    """Why a screening does not name a document."""
    result = screened.result
    fault = next((each for each in result.faults if each.document == other.file_name), None)
    if not result.searched:
        return Standing("not_searched", detail=result.error or "")
    if fault is not None:
        return Standing("not_compared", detail=fault.in_words())
    if screened.asked.exclude_own_merchant and same_merchant(own.merchant_id, other.merchant_id):
        return Standing("left_out")
    return Standing("not_found", risk=result.risk_score)


def _named(result: ResultRecord, document: Document) -> FoundDocument | None:
    return next((each for each in result.top_docs if each.document_id == document.document_id), None)


def _judged(own: Document, other: Document, screened: Screened, found: FoundDocument) -> Standing:
    result, asked = screened.result, screened.asked
    pairs = _best_first(found.matches)
    known = Standing("flagged", pairs, found.exact_duplicate, found.probability, risk=result.risk_score)
    if found.counts:
        if result.flagged:
            return known
        return _with(known, "below_flag", asked.flag_risk)
    if not (found.exact_duplicate or any(pair.matched for pair in pairs)):
        return _alike(known, asked)
    return _with(known, _why_uncounted(own, other, result, found))


def _why_uncounted(own: Document, other: Document, result: ResultRecord, found: FoundDocument) -> StandingCode:
    """Why two documents that show one photograph do not count for the first of them."""
    if same_merchant(own.merchant_id, other.merchant_id):
        return "same_merchant"
    photos = {pair.query_photo for pair in found.matches if pair.matched} | {None}
    kinds = {finding.kind for finding in result.findings if finding.photo in photos}
    if "first_use" in kinds:
        return "first_use"
    if "own_photo_again" in kinds:
        return "own_photo_again"
    return "first_use" if own.document_date < other.document_date else "later"


def _seen_from_there(own: Document, other: Document, screened: Screened, found: FoundDocument) -> Standing:
    """What the other document's screening says of a document whose own one came before it."""
    pairs = _best_first([pair.reversed() for pair in found.matches])
    known = Standing("first_use", pairs, found.exact_duplicate, found.probability)
    if not (found.exact_duplicate or any(pair.matched for pair in pairs)):
        return _alike(known, screened.asked)
    if same_merchant(own.merchant_id, other.merchant_id):
        return _with(known, "same_merchant")
    return known if own.document_date <= other.document_date else _with(known, "later")


def _alike(known: Standing, asked: SearchRequest) -> Standing:
    """What photos that do not match are instead; ``known`` has their pairs."""
    told: tuple[StandingCode, ...] = ("form_picture", "cannot_tell", "other_shot", "shared_thing")
    kinds = {pair.kind for pair in known.pairs}
    code: StandingCode = next((each for each in told if each in kinds), "below_match")
    return _with(known, code, asked.match_probability)


def _with(known: Standing, code: StandingCode, threshold: float | None = None) -> Standing:
    return replace(known, code=code, threshold=threshold)


def _best_first(pairs: Sequence[PhotoPair]) -> tuple[PhotoPair, ...]:
    """Matched ones before others, those with a reason before those without one."""
    order = sorted(pairs, key=lambda pair: (not pair.matched, pair.kind is None, -(pair.probability or 0.0)))
    return tuple(order)
