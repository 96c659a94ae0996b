from dataclasses import replace

import pytest

from doc_assets.datatypes import Box, PhotoPayload, View
from doc_assets.search.ranking import DocumentMatch, MatchRule, PhotoMatch
from doc_assets.search.risk import fraud_doc_probability, risk_score, threshold_match_count
from doc_assets.verification.probability import PairModel

MODEL = PairModel()
RULE = MatchRule()


def _match(query_photo, probability, merchant=None, document="d"):
    payload = PhotoPayload(document, f"{document}.tif", "", "drop", 0, 0, Box(0, 0, 1, 1), merchant)
    return PhotoMatch(query_photo, payload, 0.4, View(0, False), probability=probability)


def _document(*matches, merchant=None, exact=False, document="d"):
    return DocumentMatch(document, f"{document}.tif", merchant, "drop", 0.5, exact, False, tuple(matches))


def test_risk_is_the_probability_that_any_photo_served_before():
    ranking = [_document(_match(0, 0.5), _match(1, 0.2)), _document(_match(0, 0.1), document="e")]

    assert risk_score(ranking, None, MODEL, RULE) == pytest.approx(1 - 0.5 * 0.8)  # each photo's best pair counts once


def test_the_same_merchants_documents_never_count_and_unknown_ones_do():
    own = _document(_match(0, 0.99, "m1"), merchant="m1")
    own_file = _document(merchant="m1", exact=True)
    foreign = _document(_match(0, 0.3, "m2"), merchant="m2")
    unknown = _document(_match(0, 0.3))

    assert risk_score([own, own_file], "m1", MODEL, RULE) == 0
    assert risk_score([own, foreign], "m1", MODEL, RULE) == pytest.approx(0.3)
    assert risk_score([own], None, MODEL, RULE) == pytest.approx(0.99)
    assert risk_score([unknown], "m1", MODEL, RULE) == pytest.approx(0.3)


def test_a_merchant_is_not_blamed_for_those_who_reuse_its_earlier_photo():
    earlier = _document(_match(0, 0.99, "m1"), merchant="m1")
    thief = replace(_document(_match(0, 0.99, "m2"), _match(1, 0.4, "m2"), merchant="m2", document="t"), drop="today")
    identical = replace(_document(_match(0, 0.99, "m2"), merchant="m2", exact=True, document="t"), drop="today")

    assert risk_score([earlier, thief], "m1", MODEL, RULE, "today") == pytest.approx(0.4)
    assert risk_score([earlier, identical], "m1", MODEL, RULE, "today") == 0
    assert risk_score([earlier, replace(thief, same_batch=True)], "m1", MODEL, RULE) == pytest.approx(0.4)
    assert risk_score([thief], "m1", MODEL, RULE, "today") > 0.9
    assert risk_score([earlier, thief], "m1", MODEL, RULE, "tomorrow") > 0.9  # the archive knew the other one before
    assert risk_score([replace(earlier, drop="today"), thief], "m1", MODEL, RULE, "today") > 0.9


def test_an_identical_file_of_another_merchant_is_certain():
    assert risk_score([_document(exact=True)], "m1", MODEL, RULE) == 1
    assert risk_score([], "m1", MODEL, RULE) == 0


def test_an_unverified_pair_is_judged_by_its_similarity():
    low, high = (
        risk_score([_document(PhotoMatch(0, _match(0, 0).payload, s, View(0, False)))], None, MODEL, RULE)
        for s in (0.3, 0.95)
    )

    assert low < 0.05
    assert high > 0.8


@pytest.mark.parametrize(
    ("scores", "classes", "answer"),
    [
        ([0.8, 0.1], ["moire"], "Very_High"),
        ([0.8], ["original"], "High"),
        ([0.79], ["moire"], "High"),
        ([0.79], ["original"], "No"),
        ([], [], "No"),
        ([0.1], ["unknown"], "No"),
    ],
)
def test_the_earlier_systems_rule(scores, classes, answer):
    assert fraud_doc_probability(scores, classes, 0.8, ["moire", "printed", "unknown"]) == answer


def test_its_count_keeps_its_own_threshold():
    assert threshold_match_count([0.81, 0.8, 0.79, 1.0]) == 3
