import pytest

from doc_assets.search.legacy import fraud_doc_probability, legacy_fields
from doc_assets_tests.results import a_found, a_pair, a_result


@pytest.mark.parametrize(
    ("similar", "classes", "answer"),
    [
        (True, ["moire"], "Very_High"),
        (True, ["unknown", "real"], "High"),
        (False, ["printed"], "High"),
        (False, ["unknown"], "No"),
        (False, [], "No"),
    ],
)
def test_the_earlier_systems_rule(similar, classes, answer):
    assert fraud_doc_probability(similar, classes, ["moire", "printed", "unknown"]) == answer


def test_a_verified_match_that_counts_is_similar_whatever_its_score_and_an_own_photo_is_not():
    cropped = a_result(a_found(a_pair(similarity=0.4), score=0.4))
    own = a_result(a_found(a_pair(), score=1.0, counts=False))

    assert legacy_fields(cropped, 0.8, []).fraud_doc_probability == "High"
    assert legacy_fields(cropped, 0.8, []).threshold_match_count == 1
    assert legacy_fields(own, 0.8, []).fraud_doc_probability == "No"


def test_where_nothing_was_verified_a_document_must_be_similar_too():
    pair = a_pair(probability=None, inliers=None)

    assert legacy_fields(a_result(a_found(pair, score=0.75)), 0.8, []).fraud_doc_probability == "No"
    assert legacy_fields(a_result(a_found(pair, score=0.85)), 0.8, []).fraud_doc_probability == "High"
