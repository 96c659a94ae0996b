"""Results of searches without the documents that are forgotten."""

import math
import re
from collections.abc import Collection
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from doc_assets.documents.names import document_id
from doc_assets.ledger.searches import ResultRecord
from doc_assets.search.risk import fraud_doc_probability, threshold_match_count
from doc_assets.verification.probability import PairModel

_NUMBERED = re.compile(r" \(\d+\)$")  # files of one name in one drop


def is_about(result: ResultRecord, forgotten: Collection[str]) -> bool:
    """Whether the query document is one of the forgotten ones."""
    name = PurePosixPath(result.query_document).name
    return any(found in forgotten for found in (document_id(name), document_id(_NUMBERED.sub("", name))))


def redacted(
    result: ResultRecord, forgotten: Collection[str], settings: dict[str, Any], model: PairModel
) -> ResultRecord:
    """The result without forgotten documents among its matches; the same one if there are none.

    Its risk is reckoned again from the matches left: nothing may stand accused by evidence that is gone. Pairs beyond
    those reported no longer count; screening again counts them.

    Args:
        result: of a query document that stays.
        forgotten: ids of the forgotten documents.
        settings: of its search.
        model: judges pairs of a search that did not verify.
    """
    left = [match for match in result.top_docs if document_id(match["document"]) not in forgotten]
    faults = [fault for fault in result.faults if document_id(fault["document"] or "") not in forgotten]
    if len(left) == len(result.top_docs):
        return result if len(faults) == len(result.faults) else replace(result, faults=faults)
    gone = [match for match in result.top_docs if match not in left]
    risk = result.risk_score
    if risk is not None and any(match["counts"] for match in gone):
        risk = round(_risk(left, model), 6)
    scores = [match["score"] for match in left]
    legacy = dict(result.legacy)
    if legacy:
        legacy["threshold_match_count"] = threshold_match_count(scores)
        legacy["fraud_doc_probability"] = fraud_doc_probability(
            scores,
            legacy["image_authenticity"].values(),
            settings["similar_doc_flag_threshold"],
            settings["non_authentic_image_classes"],
        )
    return replace(
        result,
        top_docs=left,
        best_document=left[0]["document"] if left else None,
        best_score=left[0]["score"] if left else None,
        risk_score=risk,
        flagged=risk is not None and risk >= settings["flag_risk"],
        legacy=legacy,
        faults=faults,
    )


def _risk(matches: list[dict[str, Any]], model: PairModel) -> float:
    """As ``search.risk`` reckons it, from what is reported."""
    best: dict[int, float] = {}
    for match in matches:
        if not match["counts"]:
            continue
        if match["exact_duplicate"]:
            return 1.0
        for pair in match["matches"]:
            known = pair["probability"]
            probability = model.probability(pair["similarity"], None) if known is None else known
            best[pair["query_photo"]] = max(best.get(pair["query_photo"], 0.0), probability)
    return 1 - math.prod(1 - probability for probability in best.values())
