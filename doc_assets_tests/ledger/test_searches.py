from dataclasses import replace

import pytest

from doc_assets.ledger.searches import ResultRecord, SearchRecord
from doc_assets_tests.conftest import NOW

SEARCH = SearchRecord("run-1", NOW, None, "photos__x__v1", 12, {"top_k": 5})


def _result(name, position, score):
    return ResultRecord(
        query_document=name,
        position=position,
        merchant_id="123-45",
        state="ok",
        error=None,
        n_photos=2,
        best_document="best.tif",
        best_score=score,
        risk_score=0.25,
        flagged=False,
        elapsed_s=0.5,
        top_docs=[{"document": "best.tif"}],
        legacy={"threshold_match_count": 1},
    )


def test_results_come_back_in_the_order_of_the_queries(ledger):
    ledger.searches.start(SEARCH)
    ledger.searches.record("run-1", [_result("b.tif", 1, 0.5), _result("a.tif", 0, 0.7)])
    ledger.searches.finish("run-1", NOW)

    assert [result.query_document for result in ledger.searches.results("run-1")] == ["a.tif", "b.tif"]
    assert ledger.searches.get("run-1").finished_at == NOW
    assert ledger.searches.get("run-1").settings == {"top_k": 5}


def test_a_repeated_run_replaces_its_results(ledger):
    for score in (0.5, 0.9):
        ledger.searches.start(SEARCH)
        ledger.searches.record("run-1", [_result("a.tif", 0, score)])

    (result,) = ledger.searches.results("run-1")
    assert result.best_score == 0.9


def test_an_unknown_search_is_an_error(ledger):
    with pytest.raises(KeyError):
        ledger.searches.get("run-9")


def test_a_search_begun_again_under_its_id_starts_empty(ledger):
    ledger.searches.start(SEARCH)
    ledger.searches.record("run-1", [_result("a.tif", 0, 0.5)])

    ledger.searches.start(SEARCH)

    assert ledger.searches.results("run-1") == []


def test_an_unfinished_search_is_resumed_and_a_finished_or_different_one_is_not(ledger):
    assert ledger.searches.resume(SEARCH) == set()
    ledger.searches.record("run-1", [_result("a.tif", 0, 0.5)])
    assert ledger.searches.resume(SEARCH) == {"a.tif"}

    assert ledger.searches.resume(replace(SEARCH, settings={"top_k": 6})) == set()
    ledger.searches.record("run-1", [_result("a.tif", 0, 0.5)])
    ledger.searches.finish("run-1", NOW)
    assert ledger.searches.resume(replace(SEARCH, settings={"top_k": 6})) == set()
    assert ledger.searches.results("run-1") == []
