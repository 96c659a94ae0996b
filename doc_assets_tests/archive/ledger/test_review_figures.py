"""What the lead's report and learning read, on every database."""

from datetime import timedelta

import pytest

from doc_assets.archive.ledger.cases import CasePair, NewCase
from doc_assets.archive.ledger.intake import ArrivedFile
from doc_assets.archive.ledger.search_settings import SearchSettings
from doc_assets.archive.ledger.searches import SearchRecord, search_id_of
from doc_assets.archive.ledger.verdicts import Answer, SecondReview
from doc_assets_tests.conftest import NOW
from doc_assets_tests.results import a_pair, a_result

ALONE = SecondReview(fraud=False)
DAY = timedelta(days=1)


@pytest.fixture
def drop(ledger):
    """Three documents, of which the first two were screened and the first has a case about the third."""
    files = [ArrivedFile(f"/in/{n}.tif", f"{n}.tif", n, 1, 1, f"m{n}", {"지점": n}) for n in "abc"]
    key = ledger.intake.seal(files, source="inbox", now=NOW, chunk_documents=10)
    a, _, c = (document.id for document in ledger.documents.of_chunk(key, range(10)))
    search = search_id_of(key)
    ledger.searches.start(SearchRecord(search, NOW, None, "c", 1, SearchSettings()))
    ledger.searches.record(search, [
        a_result(name="a.tif", position=0, risk_score=0.9, flagged=True),
        a_result(name="b.tif", position=1, risk_score=None, flagged=False),
    ])  # fmt: skip
    pair = CasePair("k", 0, c, 1, "reuse", 0.9, a_pair(probability=0.9))
    ledger.cases.file([a], [NewCase(a, key, "ma", {}, (pair,))], NOW, age_per_day=0.0, rule=ALONE)
    return key


def test_arrivals_and_risks_are_those_of_the_time_asked_for(ledger, drop):
    figures = ledger.review_figures

    assert [(each.position, each.source, each.fields) for each in figures.arrivals(NOW, NOW + DAY)] == [
        (0, "inbox", {"지점": "a"}),
        (1, "inbox", {"지점": "b"}),
        (2, "inbox", {"지점": "c"}),
    ]
    assert figures.arrivals(NOW - DAY, NOW) == []
    risks = sorted(figures.risks([drop, "other"]), key=lambda each: each.position)
    assert [(each.drop_key, each.position, each.risk_score, each.flagged) for each in risks] == [
        (drop, 0, 0.9, True),
        (drop, 1, None, False),
    ]


def test_of_a_pair_that_was_spoken_of_everything_said_before_the_end_is_told(ledger, drop):
    (case,) = [each for each in ledger.cases.pairs([1]) if drop]
    for days, person in ((0, "kim"), (2, "lee")):
        said = {"k": Answer("different")}
        seen = {"k": {"finding": "reuse"}}
        ledger.cases.decide(case, person, said, NOW + days * DAY, rule=ALONE, snapshots=seen, is_lead=days > 0)
    figures = ledger.review_figures

    def said(start, end, stages=("first", "lead")):
        return [each.stage for each in figures.verdicts(NOW + start * DAY, NOW + end * DAY, stages)]

    assert said(1, 3) == ["first", "lead"]  # the first verdict is older, and of the same pair
    assert said(0, 1) == ["first"]
    assert said(-1, 0) == []
    assert said(0, 3, ("second",)) == []


def test_a_case_waited_until_it_was_judged(ledger, drop):
    figures = ledger.review_figures
    assert [each.state for each in figures.open_cases(NOW + DAY)] == ["open"]
    assert figures.open_cases(NOW) == []

    ledger.cases.decide(1, "kim", {"k": Answer("different")}, NOW + 2 * DAY, rule=ALONE, snapshots={})

    assert [each.state for each in figures.open_cases(NOW + DAY)] == [None]
    assert figures.open_cases(NOW + 3 * DAY) == []


def test_judged_pairs_come_with_both_merchants(ledger, drop):
    assert ledger.review_figures.judged_pairs() == []

    ledger.cases.decide(1, "kim", {"k": Answer("different")}, NOW, rule=ALONE, snapshots={})

    (pair,) = ledger.review_figures.judged_pairs()
    assert (pair.pair_key, pair.drop_key, pair.merchant_id, pair.other_merchant_id) == ("k", drop, "ma", "mc")
    assert (pair.probability, pair.pair.probability) == (0.9, 0.9)
