import pytest

from doc_assets.forgetting.redaction import is_about, redacted
from doc_assets.ledger.searches import ResultRecord
from doc_assets.verification.probability import PairModel

SETTINGS = {"flag_risk": 0.5, "similar_doc_flag_threshold": 0.8, "non_authentic_image_classes": []}


def _match(name, probability, *, counts=True, exact=False):
    pair = {"query_photo": 0, "probability": probability, "similarity": 0.9}
    return {"document": name, "score": 0.9, "counts": counts, "exact_duplicate": exact, "matches": [pair]}


def _result(*matches, risk=0.99):
    legacy = {"image_authenticity": {}, "threshold_match_count": len(matches), "fraud_doc_probability": "High"}
    name = matches[0]["document"] if matches else None
    return ResultRecord("q.tif", 0, None, "ok", None, 1, name, 0.9, risk, True, 0.1, list(matches), legacy)


def test_nobody_stands_accused_by_evidence_that_is_gone():
    found = redacted(_result(_match("a.tif", 0.98), _match("b.tif", 0.1)), {"a"}, SETTINGS, PairModel())

    assert [match["document"] for match in found.top_docs] == ["b.tif"]
    assert (found.risk_score, found.flagged, found.best_document) == (pytest.approx(0.1), False, "b.tif")
    assert found.legacy["threshold_match_count"] == 1


def test_evidence_that_is_left_counts_on():
    identical = redacted(_result(_match("a.tif", 0.9), _match("b.tif", 0.1, exact=True)), {"a"}, SETTINGS, PairModel())
    shown = redacted(_result(_match("a.tif", 0.9, counts=False), _match("b.tif", 0.9)), {"a"}, SETTINGS, PairModel())

    assert (identical.risk_score, identical.flagged) == (1.0, True)
    assert shown.risk_score == 0.99


def test_a_result_without_the_document_stays_as_it_is():
    result = _result(_match("a.tif", 0.9))

    assert redacted(result, {"b"}, SETTINGS, PairModel()) is result


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("a.tif", True),
        ("sub/a.TIF", True),
        ("a.tif (3)", True),
        ("/x/a.tif", True),
        ("aa.tif", False),
        ("b.tif", False),
    ],
)
def test_a_query_is_known_by_its_name_in_the_results(label, expected):
    from dataclasses import replace

    assert is_about(replace(_result(), query_document=label), {"a"}) is expected
