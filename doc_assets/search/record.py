"""A search's answer to one query document as the ledger and the reports hold it: pages from 1, photos from 0."""

from collections.abc import Sequence, Set
from dataclasses import asdict
from typing import Any, Literal

from doc_assets.documents.faults import DocumentState
from doc_assets.ledger.searches import ResultRecord
from doc_assets.search.faults import SearchFault
from doc_assets.search.query import QueryDocument
from doc_assets.search.ranking import DocumentMatch, PhotoMatch
from doc_assets.search.request import SearchRequest
from doc_assets.search.risk import (
    came_along,
    fraud_doc_probability,
    own_photos,
    risk_score,
    same_merchant,
    threshold_match_count,
)
from doc_assets.verification.changes import changes_of
from doc_assets.verification.geometry import Alignment, Polygon
from doc_assets.verification.probability import PairModel

MAX_LINES = 24
"""Keypoint pairs kept of a matched pair, for its picture."""

Relation = Literal["archive", "same_drop", "same_batch"]


def result_record(
    label: str,
    position: int,
    query: QueryDocument,
    ranking: Sequence[DocumentMatch],
    request: SearchRequest,
    model: PairModel,
    elapsed_s: float,
    own_drop: str | None = None,
    *,
    searched: bool = True,
    faults: Sequence[SearchFault] = (),
) -> ResultRecord:
    """The answer to one query document.

    Args:
        label: names it within the search.
        position: its place within the search.
        query: the document.
        ranking: everything found for it, best first.
        request: what was asked for.
        model: judges pairs.
        elapsed_s: seconds spent on it.
        own_drop: the drop it came with, if it is in the archive itself.
        searched: whether it was searched for at all; without it there is no risk.
        faults: what could not be looked for or compared.
    """
    reported = ranking[: max(request.top_doc, sum(match.exact_duplicate for match in ranking))]
    best = reported[0] if reported else None
    error = query.error
    if error is None and not query.photos and query.state == DocumentState.OK:
        error = "No photo was found on its pages."
    risk = None
    if searched and query.state.is_readable:
        risk = risk_score(ranking, query.merchant_id, model, request.rule, own_drop)
        if risk < request.flag_risk and any(fault.stage == "retrieval" for fault in faults):
            risk = None  # what was not looked for is not known to be harmless
    own = own_photos(ranking, query.merchant_id, request.rule, own_drop)
    scores = [match.score for match in reported]
    classes = {f"{query.document_id}_q_{photo.crop.photo_index}.jpg": "unknown" for photo in query.photos}
    return ResultRecord(
        query_document=label,
        position=position,
        merchant_id=query.merchant_id,
        state=query.state,
        error=error,
        n_photos=len(query.photos),
        best_document=best.file_name if best else None,
        best_score=best.score if best else None,
        risk_score=None if risk is None else round(risk, 6),
        flagged=risk is not None and risk >= request.flag_risk,
        elapsed_s=round(elapsed_s, 3),
        top_docs=[_top_doc(match, query, request, own_drop, own) for match in reported],
        legacy={
            "fraud_doc_probability": fraud_doc_probability(
                scores, classes.values(), request.similar_doc_flag_threshold, request.non_authentic_image_classes
            ),
            "threshold_match_count": threshold_match_count(scores),
            "image_authenticity": classes,
        },
        fields=query.fields,
        faults=[fault.entry() for fault in faults],
    )


def _top_doc(
    match: DocumentMatch, query: QueryDocument, request: SearchRequest, own_drop: str | None, own: Set[int]
) -> dict[str, Any]:
    relation: Relation = "archive"
    if match.same_batch:
        relation = "same_batch"
    elif own_drop is not None and match.drop == own_drop:
        relation = "same_drop"
    is_same = same_merchant(query.merchant_id, match.merchant_id)
    matched = {pair.query_photo for pair in match.matches if request.rule.holds(pair)}
    return {
        "document": match.file_name,
        "merchant_id": match.merchant_id,
        "same_merchant": is_same,
        "counts": not is_same and not (came_along(match, own_drop) and own and matched <= own),
        "drop": None if match.same_batch else match.drop,
        "relation": relation,
        "score": round(match.score, 6),
        "n_matched_photos": match.n_matched_photos(request.rule),
        "exact_duplicate": match.exact_duplicate,
        "same_batch": match.same_batch,
        "matches": [pair_entry(pair, query, is_matched=request.rule.holds(pair)) for pair in match.matches],
    }


def pair_entry(pair: PhotoMatch, query: QueryDocument, *, is_matched: bool) -> dict[str, Any]:
    """A photo pair as it stands in ``matches`` of a result."""
    crop = query.photos[pair.query_photo].crop
    entry: dict[str, Any] = {
        "query_page": crop.page_index + 1,
        "query_photo": crop.photo_index,
        "query_box": crop.box.as_list(),
        "page": pair.payload.page_index + 1,
        "photo": pair.payload.photo_index,
        "box": pair.payload.box.as_list(),
        "matched": is_matched,
        "similarity": round(pair.similarity, 6),
        "quarter_turns": pair.view.quarter_turns,
        "mirrored": pair.view.mirrored,
        "probability": None if pair.probability is None else round(pair.probability, 6),
        "inliers": None if not pair.looked_at else pair.alignment.inliers if pair.alignment else 0,
    }
    if pair.alignment is not None:
        entry["overlap"] = _overlap(pair.alignment)
    if pair.alignment is not None and is_matched:
        changes = asdict(changes_of(pair.alignment, crop.box, pair.payload.box))
        entry["changes"] = {name: round(value, 3) for name, value in changes.items()}
        entry["transform"] = [[round(float(value), 8) for value in row] for row in pair.alignment.transform]
        entry["lines"] = [[round(float(at), 4) for at in line] for line in pair.alignment.lines[:MAX_LINES]]
    return entry


def _overlap(alignment: Alignment) -> dict[str, Any]:
    return {
        "query_share": round(alignment.query_share, 4),
        "share": round(alignment.archive_share, 4),
        "query_area": _rounded(alignment.query_area),
        "area": _rounded(alignment.archive_area),
        "agreement": round(alignment.appearance.agreement, 4),
    }


def _rounded(area: Polygon) -> list[list[float]]:
    return [[round(x, 4), round(y, 4)] for x, y in area]
