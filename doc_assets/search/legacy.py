"""The earlier system's fields of a result, for programs that read them; they follow from what counts."""

from collections.abc import Iterable, Sequence

from doc_assets.archive.ledger.results import EarlierFields, FraudProbability, ResultRecord

_SIMILAR_BY_SCORE = 0.8
"""From this score on a document was similar to the earlier system; here only where pairs were not verified."""


def legacy_fields(result: ResultRecord, flag_threshold: float, non_authentic: Sequence[str]) -> EarlierFields:
    """``fraud_doc_probability``, ``threshold_match_count`` and ``image_authenticity`` of a labelled result.

    A document speaks for fraud if it counts: a verified match of another merchant's earlier photo, or an identical
    file. Where pairs were not verified it must be similar too, from the score ``flag_threshold`` on. Photos speak for
    fraud by their ``non_authentic`` classes.
    """
    classes = result.legacy.image_authenticity or {}
    return EarlierFields(
        fraud_doc_probability(_similar(result, flag_threshold) > 0, classes.values(), non_authentic),
        _similar(result, _SIMILAR_BY_SCORE),
        classes,
    )


def _similar(result: ResultRecord, threshold: float) -> int:
    return sum(
        found.counts and (found.probability is not None or found.score >= threshold) for found in result.top_docs
    )


def fraud_doc_probability(has_similar: bool, classes: Iterable[str], non_authentic: Sequence[str]) -> FraudProbability:
    """The rule of the earlier system: a similar document and an altered photo, one of them, or none.

    ``classes`` has one class per query photo; "unknown" speaks for nothing.
    """
    altered = any(found in non_authentic for found in classes if found != "unknown")
    if has_similar and altered:
        return "Very_High"
    return "High" if has_similar or altered else "No"
