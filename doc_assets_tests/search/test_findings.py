from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doc_assets.archive.ledger.results import COUNTED, Overlap
from doc_assets.archive.ledger.search_settings import Thresholds
from doc_assets.reports.wording import reasons
from doc_assets.search.findings import WHOLE, DocumentFacts, Link, PhotoGraph, facts_of, found_facts, judged, links_of
from doc_assets.search.verify.probability import PairModel
from doc_assets_tests.results import DAY, EARLIER, a_found, a_pair, a_result

MODEL = PairModel()
LATER = DAY + timedelta(days=30)
LEFT, RIGHT = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)


DEFAULTS = Thresholds()


def _judge(result, *links, documents=(), thresholds=DEFAULTS):
    facts = {each.document_id: each for each in documents}
    for found in result.top_docs:
        facts.setdefault(found.document_id, found_facts(found))
    facts[result.document_id] = facts_of(result)
    graph = PhotoGraph([*links_of(result, thresholds, MODEL), *links], facts)
    return judged(result, facts_of(result), graph, thresholds, MODEL)


def _document(name, day, merchant):
    return DocumentFacts(name, f"{name}.tif", merchant, day, "name")


def _kinds(result):
    return [finding.kind for finding in result.findings]


@pytest.mark.parametrize(
    ("own_merchant", "day", "merchant", "kind"),
    [
        ("m1", EARLIER, "m2", "reuse"),
        ("m1", EARLIER, "m1", "own_photo_again"),
        ("m1", EARLIER, None, "merchant_unknown"),
        (None, EARLIER, "m2", "merchant_unknown"),
        (None, EARLIER, None, "merchant_unknown"),
        ("m1", DAY, "m2", "same_day"),
        ("m1", DAY, None, "merchant_unknown"),
        (None, DAY, "m2", "merchant_unknown"),
        ("m1", DAY, "m1", "first_use"),
        ("m1", LATER, "m2", "first_use"),
        ("m1", LATER, None, "first_use"),
        (None, LATER, "m2", "first_use"),
        ("m1", LATER, "m1", "first_use"),
    ],
)
def test_date_and_merchant_decide(own_merchant, day, merchant, kind):
    found = a_found(a_pair(), merchant_id=merchant, document_date=day)

    result = _judge(a_result(found, merchant_id=own_merchant))

    (finding,) = result.findings
    assert (finding.kind, finding.counts) == (kind, kind in COUNTED)
    assert result.risk_score == (pytest.approx(0.97) if kind in COUNTED else 0)
    assert result.flagged == result.top_docs[0].counts == (kind in COUNTED)
    assert finding.first_use.document == ("q.tif" if kind == "first_use" else "earlier.tif")
    assert result.legacy.fraud_doc_probability == ("High" if kind in COUNTED else "No")


def test_a_second_visit_is_not_accused_because_of_the_thief():
    own = a_found(a_pair(), document="own.tif", merchant_id="m1", document_date=EARLIER)
    thief = a_found(a_pair(), document="thief.tif", merchant_id="m2", document_date=EARLIER + timedelta(days=9))

    result = _judge(a_result(own, thief))

    assert (_kinds(result), result.risk_score, result.flagged) == (["own_photo_again"], 0, False)
    assert [found.counts for found in result.top_docs] == [False, False]


def test_a_second_visit_is_not_accused_if_only_the_thief_was_retrieved():
    """The archive knows whose photo the thief's is."""
    thief = a_found(a_pair(photo=3), document="thief.tif", merchant_id="m2", document_date=EARLIER + timedelta(days=9))
    known = Link(("thief", 3), ("own", 0), 0.9)

    result = _judge(a_result(thief), known, documents=[_document("own", EARLIER, "m1")])

    assert (_kinds(result), result.flagged) == (["own_photo_again"], False)
    assert result.findings[0].first_use.document == "own.tif"


def test_a_second_visit_of_the_thief_is_a_reuse_still():
    own = a_found(a_pair(photo=3), document="mine.tif", merchant_id="m1", document_date=EARLIER + timedelta(days=9))
    victim = Link(("mine", 3), ("victim", 0), 0.8)

    result = _judge(a_result(own), victim, documents=[_document("victim", EARLIER, "m2")])

    (finding,) = result.findings
    assert (finding.kind, finding.first_use.document) == ("reuse", "victim.tif")
    assert finding.probability == pytest.approx(0.8)  # the weakest link on the way
    assert (finding.n_documents, finding.n_merchants) == (2, 1)
    assert result.flagged
    assert reasons(result)[0].counts


def test_a_collage_does_not_make_one_photograph_of_two():
    """Photo 0 of b was first; a collage of it and of an older photograph of another merchant came later."""
    left = a_pair(overlap=Overlap(1, 0.5, _corners(WHOLE), _corners(LEFT), 0.9))
    collage = a_found(left, document="collage.tif", merchant_id="thief", document_date=LATER)
    other_half = Link(("collage", 1), ("old", 0), 0.9, RIGHT, WHOLE)

    result = _judge(a_result(collage), other_half, documents=[_document("old", EARLIER, "m2")])

    assert _kinds(result) == ["first_use"]


def test_a_collage_with_an_own_photo_hides_no_stolen_one():
    own = a_pair(overlap=Overlap(0.5, 1, _corners(LEFT), _corners(WHOLE), 0.9))
    stolen = a_pair(overlap=Overlap(0.5, 1, _corners(RIGHT), _corners(WHOLE), 0.9))
    result = a_result(
        a_found(own, document="own.tif", merchant_id="m1", document_date=EARLIER - timedelta(days=99)),
        a_found(stolen, document="victim.tif", merchant_id="m2", document_date=EARLIER),
    )

    (finding,) = _judge(result).findings

    assert (finding.kind, finding.first_use.document, finding.found_in) == ("reuse", "victim.tif", "victim.tif")


def _corners(frame):
    left, top, right, bottom = frame
    return ((left, top), (right, top), (right, bottom), (left, bottom))


def test_an_identical_file_of_another_merchant_is_certain_and_that_of_a_thief_harms_nobody():
    before = a_found(exact_duplicate=True, document_date=EARLIER)
    after = a_found(exact_duplicate=True, document_date=LATER)

    thief, victim = _judge(a_result(before)), _judge(a_result(after))

    assert (thief.risk_score, thief.flagged, thief.findings[0].photo) == (1.0, True, None)
    assert (victim.risk_score, victim.flagged) == (0, False)
    assert set(_kinds(victim)) == {"first_use"}


def test_a_later_copy_is_counted_by_documents_and_merchants():
    result = _judge(
        a_result(
            a_found(a_pair(), document="a.tif", merchant_id="m2", document_date=LATER),
            a_found(a_pair(), document="b.tif", merchant_id="m3", document_date=LATER),
            a_found(a_pair(), document="c.tif", merchant_id="m3", document_date=LATER),
        )
    )

    (finding,) = result.findings
    assert (finding.n_documents, finding.n_merchants) == (3, 2)
    (reason,) = reasons(result)
    assert "3 other documents of 2 other merchants" in reason.text.en


def test_doubts_do_not_add_up():
    """24 photos, each with a stranger that looks a little alike."""
    pairs = [a_pair(query_photo=number, probability=0.45) for number in range(24)]

    result = _judge(a_result(*(a_found(pair, document=f"d{pair.query_photo}.tif") for pair in pairs), n_photos=24))

    assert (result.risk_score, result.flagged, result.findings) == (0, False, ())
    assert result.doubt == 0.45
    assert [reason.code for reason in reasons(result)] == ["doubt"]


def test_counted_photos_add_up_and_each_once():
    two = a_found(a_pair(probability=0.6), a_pair(query_photo=1, probability=0.7))
    again = a_found(a_pair(probability=0.55), document="again.tif", document_date=EARLIER + timedelta(days=1))

    result = _judge(a_result(two, again))

    assert result.risk_score == pytest.approx(1 - 0.4 * 0.3)


def test_thresholds_change_labels_and_not_facts():
    found = a_found(a_pair(probability=0.6))
    result = a_result(found)

    strict = _judge(result, thresholds=Thresholds(match_probability=0.7))
    high = _judge(result, thresholds=Thresholds(flag_risk=0.9))

    assert (strict.flagged, strict.doubt, strict.top_docs[0].matches[0].matched) == (False, 0.6, False)
    assert (high.flagged, high.risk_score) == (False, pytest.approx(0.6))
    assert not any(reason.counts for reason in reasons(high))
    assert _judge(strict) == _judge(high) == _judge(result)


MERCHANTS = st.sampled_from(["m1", "m2", "m3", None])
DAYS = st.integers(0, 4).map(lambda days: EARLIER + timedelta(days=days))
FOUND = st.builds(
    lambda number, merchant, day, probabilities, exact: a_found(
        *(a_pair(query_photo=q, probability=p) for q, p in probabilities.items()),
        document=f"d{number}.tif",
        merchant_id=merchant,
        document_date=day,
        exact_duplicate=exact,
    ),
    st.integers(0, 6),
    MERCHANTS,
    DAYS,
    st.dictionaries(st.integers(0, 2), st.floats(0, 1), max_size=3),
    st.booleans(),
)
RESULTS = st.builds(
    lambda merchant, day, found: a_result(
        *{each.document: each for each in found}.values(), merchant_id=merchant, document_date=day, n_photos=3
    ),
    MERCHANTS,
    DAYS,
    st.lists(FOUND, max_size=6),
)


@given(RESULTS, st.floats(0.1, 1), st.floats(0, 1))
def test_a_document_is_flagged_if_and_only_if_a_counted_reason_stands_there(result, match_probability, flag_risk):
    judged_result = _judge(result, thresholds=Thresholds(match_probability=match_probability, flag_risk=flag_risk))

    assert judged_result.flagged == any(reason.counts for reason in reasons(judged_result))
    assert (judged_result.risk_score > 0) == any(
        finding.counts and finding.probability > 0 for finding in judged_result.findings
    )
    assert judged_result.flagged <= any(found.counts for found in judged_result.top_docs)
    assert (judged_result.legacy.fraud_doc_probability == "High") == any(
        found.counts for found in judged_result.top_docs
    )
    for finding in judged_result.findings:
        named = judged_result.found(finding.found_in)
        assert named is None or named.speaks
    assert _judge(judged_result, thresholds=Thresholds(match_probability=match_probability, flag_risk=flag_risk)) == (
        judged_result
    )


@given(RESULTS)
def test_nobody_is_accused_of_what_came_later_or_of_its_own(result):
    judged_result = _judge(result)

    for found in judged_result.top_docs:
        if found.counts:
            assert found.document_date <= judged_result.document_date
            assert found.merchant_id is None or found.merchant_id != judged_result.merchant_id


def test_a_photograph_and_its_copy_are_never_both_first_or_both_stolen():
    """Of two documents that show one photo, with dates that differ, exactly one is accused."""
    for days in (-3, 3):
        other = a_found(a_pair(), document="b.tif", merchant_id="m2", document_date=DAY + timedelta(days=days))
        mirror = a_result(
            a_found(a_pair().reversed(), document="q.tif", merchant_id="m1", document_date=DAY),
            name="b.tif",
            merchant_id="m2",
            document_date=other.document_date,
        )

        assert [_judge(a_result(other)).flagged, _judge(mirror).flagged] == [days < 0, days > 0]


def test_a_pair_seen_from_the_other_side_twice_is_the_same():
    pair = a_pair(
        mirrored=True,
        quarter_turns=1,
        overlap=Overlap(0.5, 1, _corners(LEFT), _corners(WHOLE), 0.9),
        transform=((0.0, 1.2, 0.1), (-0.9, 0.1, 0.8), (0.05, 0.02, 1.0)),
        lines=((0.1, 0.2, 0.3, 0.4),),
    )

    back = pair.reversed().reversed()

    assert replace(back, transform=None) == replace(pair, transform=None)
    for row, expected in zip(back.transform, pair.transform, strict=True):
        assert row == pytest.approx(expected, abs=1e-5)
    assert replace(pair, mirrored=False).reversed().quarter_turns == 3


def test_the_pair_that_is_shown_is_the_one_with_the_first_use():
    first = a_found(a_pair(probability=0.8), document="first.tif", document_date=EARLIER)
    copy = a_found(
        a_pair(probability=0.99), document="copy.tif", merchant_id="m9", document_date=DAY - timedelta(days=1)
    )

    (finding,) = _judge(a_result(first, copy)).findings

    assert (finding.first_use.document, finding.found_in) == ("first.tif", "first.tif")
    assert finding.probability == pytest.approx(0.99)
