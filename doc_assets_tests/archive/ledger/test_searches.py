from dataclasses import replace
from datetime import timedelta

import pytest

from doc_assets.archive.ledger.results import ChangedFinding, EarlierFields
from doc_assets.archive.ledger.search_settings import SearchSettings
from doc_assets.archive.ledger.searches import SearchRecord
from doc_assets_tests.archive.ledger.result_view import read_view
from doc_assets_tests.conftest import NOW
from doc_assets_tests.results import a_found, a_pair, a_reuse

SEARCH = SearchRecord("run-1", NOW, None, "photos__x__v1", 12, SearchSettings(top_k=5))


def _result(name, position, score):
    pairs = [
        a_pair(page=2, photo=1, similarity=score, probability=0.75),
        a_pair(query_photo=1, page=2, photo=1, similarity=score - 0.1, probability=0.6),
    ]
    best = a_found(*pairs, document="best.tif", score=score)
    same = a_found(document="가맹점.tif", score=0.25, exact_duplicate=True)
    return a_reuse(
        best,
        same,
        name=name,
        position=position,
        merchant_id="123-45",
        risk_score=0.25,
        flagged=False,
        legacy=EarlierFields("No", 1, {"a_q_0.jpg": "unknown"}),
        fields={"수신일자": "2024.01.02", "지역": "서울"},
    )  # fmt: skip


def test_results_come_back_in_the_order_of_the_queries(ledger):
    ledger.searches.start(SEARCH)
    ledger.searches.record("run-1", [_result("b.tif", 1, 0.5), _result("a.tif", 0, 0.7)])
    ledger.searches.finish("run-1", NOW)

    assert [result.query_document for result in ledger.searches.results("run-1")] == ["a.tif", "b.tif"]
    assert ledger.searches.get("run-1").finished_at == NOW
    assert ledger.searches.get("run-1").settings == SearchSettings(top_k=5)


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

    assert ledger.searches.resume(replace(SEARCH, settings=SearchSettings(top_k=6))) == set()
    ledger.searches.record("run-1", [_result("a.tif", 0, 0.5)])
    ledger.searches.finish("run-1", NOW)
    assert ledger.searches.resume(replace(SEARCH, settings=SearchSettings(top_k=6))) == set()
    assert ledger.searches.results("run-1") == []


RESULT = _result("a.tif", 0, 0.5)


def test_the_view_shows_the_earlier_systems_columns_in_true_types(ledger):
    ledger.searches.start(replace(SEARCH, requested_by="kim"))
    ledger.searches.record("run-1", [_result("b.tif", 1, 0.5), RESULT])
    ledger.searches.finish("run-1", NOW)

    first, second = read_view(ledger.database)

    assert first == {
        "run_identifier": "run-1",
        "requesting_username": "kim",
        "search_time_stamp": NOW,
        "query_document": "a.tif",
        "matched_query_document": "a.tif",
        "top_similar_docs": {"best.tif": 0.5, "가맹점.tif": 0.25},
        "threshold_match_count": 1,
        "sim_img_check": {
            "best.tif": {"explanatory_db_images": {"best.tif#2/1": 0.5}},
            "가맹점.tif": {"explanatory_db_images": {}},
        },
        "image_authenticity": {"a_q_0.jpg": "unknown"},
        "fraud_doc_probability": "No",
        "global_top_docs": ["가맹점.tif", "best.tif"],
        "사업자등록번호": "123-45",
        "수신일자": "2024.01.02",
        "업종명": None,
        "가맹점상호명": None,
        "구분": None,
        "risk_score": 0.25,
        "flagged": False,
        "finding": "reuse",
        "source_document": "best.tif",
        "source_merchant_id": "1234567890",
        "document_date": "2024-03-01",
        "date_source": "name",
        "source_date": "2023-03-01",
        "probability": 0.97,
        "doubt": 0.0,
    }
    assert second["query_document"] == "b.tif"


def test_searches_are_listed_in_the_order_they_began(ledger):
    for search_id, day in (("run-1", 1), ("run-2", 2)):
        ledger.searches.start(replace(SEARCH, search_id=search_id, started_at=NOW + timedelta(days=day)))
        ledger.searches.record(search_id, [RESULT])

    assert ledger.searches.ids() == ["run-1", "run-2"]
    assert ledger.searches.ids(NOW + timedelta(days=1, hours=1)) == ["run-2"]
    assert [row["global_top_docs"] for row in read_view(ledger.database)] == [None, None]


def test_a_result_comes_back_as_it_was(ledger):
    ledger.searches.start(SEARCH)
    ledger.searches.record("run-1", [RESULT])

    assert ledger.searches.results("run-1") == [RESULT]
    assert ledger.searches.of_documents(["run-1", "run-2"], ["a", "b"]) == {"run-1": [RESULT]}


def test_changed_findings_of_other_drops_are_kept_with_the_search(ledger):
    changed = ChangedFinding("b.tif", "bulk-000001", None, "reuse", 0.0, 0.9, flagged=True)
    ledger.searches.start(SEARCH)
    assert ledger.searches.changes("run-1") == []

    ledger.searches.note_changes("run-1", [changed])

    assert ledger.searches.changes("run-1") == [changed]
    assert ledger.searches.naming(["b.tif"]) == ["run-1"]


def test_a_search_without_any_match_has_empty_objects(ledger):
    ledger.searches.start(SEARCH)
    ledger.searches.record("run-1", [replace(RESULT, top_docs=(), findings=(), legacy=EarlierFields())])

    (row,) = read_view(ledger.database)

    assert (row["top_similar_docs"], row["sim_img_check"], row["image_authenticity"]) == ({}, {}, None)
