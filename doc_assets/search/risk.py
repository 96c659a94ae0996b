"""How much a document's matches speak for a re-used photo; pure arithmetic on small values.

``risk_score`` is the probability that at least one photo of the document already served another merchant, taken from
the probability of each photo's best pair as if photos were independent:

    risk = 1 - product over query photos q of (1 - max over documents d of another merchant of p(q, d))

A byte-identical document of another merchant makes it 1. Documents of the same merchant are shown and never counted;
an unknown merchant counts as another one. A photo that an earlier document of the same merchant shows is its own: a
document of another merchant that came along with this one re-uses it, and counts for that one only.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Literal

from doc_assets.search.ranking import DocumentMatch, MatchRule, PhotoMatch
from doc_assets.verification.probability import PairModel

FraudProbability = Literal["Very_High", "High", "No"]
_COUNTED_FROM = 0.8  # of ``threshold_match_count``, whatever the flag threshold


def same_merchant(own: str | None, other: str | None) -> bool:
    """Whether both are known and the same."""
    return own is not None and own == other


def own_photos(
    ranking: Iterable[DocumentMatch], own_merchant: str | None, rule: MatchRule, own_drop: str | None
) -> frozenset[int]:
    """Query photos that an earlier document of the same merchant shows."""
    return frozenset(
        match.query_photo
        for document in ranking
        if same_merchant(own_merchant, document.merchant_id) and not came_along(document, own_drop)
        for match in document.matches
        if rule.holds(match)
    )


def came_along(document: DocumentMatch, own_drop: str | None) -> bool:
    """Whether a document was searched together with the query, or came with its drop."""
    return document.same_batch or (own_drop is not None and document.drop == own_drop)


def risk_score(
    ranking: Sequence[DocumentMatch],
    own_merchant: str | None,
    model: PairModel,
    rule: MatchRule,
    own_drop: str | None = None,
) -> float:
    """In [0, 1]; see the module.

    Args:
        ranking: the documents found for one query document.
        own_merchant: whose document that is; None if unknown.
        model: judges pairs of a search that does not verify, by similarity alone.
        rule: which pairs are matched.
        own_drop: the drop it came with, if it is in the archive itself.
    """
    own = own_photos(ranking, own_merchant, rule, own_drop)
    best: dict[int, float] = {}
    for document in ranking:
        if same_merchant(own_merchant, document.merchant_id):
            continue
        excused = own if came_along(document, own_drop) else frozenset()
        if document.exact_duplicate and not excused:
            return 1.0
        for match in document.matches:
            if match.query_photo not in excused:
                best[match.query_photo] = max(best.get(match.query_photo, 0.0), _probability(match, model))
    return 1 - math.prod(1 - probability for probability in best.values())


def _probability(match: PhotoMatch, model: PairModel) -> float:
    return model.probability(match.similarity, None) if match.probability is None else match.probability


def fraud_doc_probability(
    scores: Sequence[float], classes: Iterable[str], flag_threshold: float, non_authentic: Sequence[str]
) -> FraudProbability:
    """The rule of the earlier system, for programs that read it.

    Args:
        scores: of the reported documents.
        classes: authenticity class of every query photo; "unknown" speaks for nothing.
        flag_threshold: a document at least this similar speaks for fraud.
        non_authentic: classes that speak for fraud.
    """
    similar = any(score >= flag_threshold for score in scores)
    altered = any(found in non_authentic for found in classes if found != "unknown")
    if similar and altered:
        return "Very_High"
    return "High" if similar or altered else "No"


def threshold_match_count(scores: Iterable[float]) -> int:
    """How many reported documents score 0.8 or more, as the earlier system counted."""
    return sum(score >= _COUNTED_FROM for score in scores)
