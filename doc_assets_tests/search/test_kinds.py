"""Photos that are alike without showing one photograph: what is said of them, and that it never counts."""

from datetime import timedelta

import pytest

from doc_assets.archive.ledger.json_codec import as_json, from_json
from doc_assets.archive.ledger.results import ALIKE, PhotoPair
from doc_assets.archive.ledger.search_settings import Thresholds
from doc_assets.datatypes import Likeness, LikenessTraits, Look
from doc_assets.reports.wording import KINDS, reasons
from doc_assets.search.findings import PhotoGraph, facts_of, found_facts, judged, links_of
from doc_assets.search.kinds import kind_of
from doc_assets.search.verify.probability import PairModel
from doc_assets_tests.results import DAY, a_found, a_pair, a_result

MODEL = PairModel()
DEFAULTS = Thresholds()
TRAITS = LikenessTraits(0.9, 0.2, 0.4, 0.5, 0.1, 0.6, 0.5, 0.5, 0.6, 0.2)


def _alike(same, shot, thing, **changed):
    likeness = Likeness(same, shot, thing, TRAITS)
    return a_pair(matched=False, probability=same, likeness=likeness, **changed)


def _judge(result, thresholds=DEFAULTS):
    facts = {found.document_id: found_facts(found) for found in result.top_docs}
    facts[result.document_id] = facts_of(result)
    return judged(result, facts_of(result), PhotoGraph(links_of(result, thresholds, MODEL), facts), thresholds, MODEL)


@pytest.mark.parametrize(
    ("same", "shot", "thing", "inliers", "kind"),
    [
        (0.6, 0.3, 0.1, 44, "same_photograph"),
        (0.3, 0.6, 0.1, 44, "cannot_tell"),
        (0.05, 0.9, 0.05, 44, "other_shot"),
        (0.05, 0.05, 0.9, 44, "shared_thing"),
        (0.05, 0.9, 0.05, 12, None),
    ],
)
def test_what_is_most_probable_is_said(same, shot, thing, inliers, kind):
    assert kind_of(_alike(same, shot, thing, inliers=inliers), DEFAULTS) == kind


def test_a_pair_of_an_earlier_version_is_the_same_photograph_or_nothing():
    assert kind_of(a_pair(), DEFAULTS) == "same_photograph"
    assert kind_of(a_pair(probability=0.3), DEFAULTS) is None
    assert kind_of(a_pair(probability=None, similarity=0.8), DEFAULTS) == "same_photograph"


@pytest.mark.parametrize(
    ("probabilities", "kind"),
    [((0.05, 0.9, 0.05), "other_shot"), ((0.05, 0.05, 0.9), "shared_thing"), ((0.4, 0.5, 0.1), "cannot_tell")],
)
def test_it_is_shown_and_not_counted(probabilities, kind):
    result = _judge(a_result(a_found(_alike(*probabilities))))

    (finding,) = result.findings
    assert (finding.kind, finding.counts, finding.found_in) == (kind, False, "earlier.tif")
    assert (result.risk_score, result.flagged) == (0, False)
    assert not result.top_docs[0].counts
    assert result.legacy.fraud_doc_probability == "No"
    (reason,) = [each for each in reasons(result) if each.code in ALIKE]
    assert KINDS[kind].en in reason.text.en
    assert "not counted" in reason.text.en
    assert "위험도에 넣지 않음" in reason.text.ko
    assert "cropped" not in reason.text.en


def test_a_reuse_is_said_before_a_likeness():
    reused = a_found(a_pair(), document="stolen.tif", merchant_id="m2")
    scene = a_found(_alike(0.05, 0.9, 0.05, query_photo=1), document="scene.tif", merchant_id="m3")

    result = _judge(a_result(scene, reused))

    assert [finding.kind for finding in result.findings] == ["reuse", "other_shot"]
    assert result.flagged
    assert [found.document for found in result.top_docs] == ["stolen.tif", "scene.tif"]


def test_other_shots_count_if_the_operator_wants_it():
    found = a_found(_alike(0.05, 0.9, 0.05), merchant_id="m2", document_date=DAY - timedelta(days=9))

    result = _judge(a_result(found), Thresholds(count_other_shots=True))

    assert [finding.kind for finding in result.findings] == ["reuse"]
    assert result.flagged
    assert result.risk_score == pytest.approx(0.95)
    (reason,) = reasons(result)
    assert "another shot of the same scene" in reason.text.en


def test_a_likeness_survives_the_ledger():
    pair = _alike(0.05, 0.9, 0.05, kind="other_shot")

    assert from_json(PhotoPair, as_json(pair)) == pair
    assert pair.reversed().likeness == pair.likeness


CODE, LOGO = Look("code", 0.8, {"code": 0.4}), Look("graphics", 0.9, {"code": 0.0})


def test_a_picture_of_the_form_is_shown_and_never_counts():
    pair = a_pair(matched=False, looks=(CODE, LOGO))
    result = _judge(a_result(a_found(pair, merchant_id="m2")))

    (finding,) = result.findings
    assert (finding.kind, finding.counts) == ("form_picture", False)
    assert (result.risk_score, result.doubt, result.flagged) == (0, 0, False)
    (reason,) = reasons(result)
    assert (reason.code, reason.counts) == ("form_picture", False)
    assert "picture of the form" in reason.text.en
    assert from_json(PhotoPair, as_json(pair)) == pair
    assert pair.reversed().looks == (LOGO, CODE)
