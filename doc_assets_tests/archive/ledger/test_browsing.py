import pytest

from doc_assets.archive.ledger.intake import ArrivedFile
from doc_assets.archive.ledger.queries import DocumentFilter
from doc_assets.archive.ledger.rows import ReadOutcome
from doc_assets.archive.ledger.search_settings import SearchSettings
from doc_assets.archive.ledger.searches import SearchRecord
from doc_assets_tests.conftest import NOW
from doc_assets_tests.results import a_found, a_pair, a_result


@pytest.fixture
def filled(ledger):
    """Two drops; ``a`` arrived twice."""
    for names in (["a", "b", "50%_c"], ["a"]):
        files = [ArrivedFile(f"/in/{name}.tif", f"{name}.tif", name, 1, 1, f"m-{name}") for name in names]
        drop = ledger.intake.seal(files, source="/in", now=NOW, chunk_documents=2)
        rows = ledger.documents.of_chunk(drop, range(3))
        states = {"b": "rejected"}
        ledger.documents.record_read(
            [
                ReadOutcome(row.id, f"{drop}{row.document_id}", states.get(row.document_id, "ok"), None, None, 1)
                for row in rows
            ]
        )
    return ledger


def result(query, *matches):
    top = [a_found(a_pair(), document=name, score=0.5) for name in matches]
    return a_result(*top, name=query, risk_score=0.9, flagged=True)


def record(ledger, search_id, *results):
    ledger.searches.start(SearchRecord(search_id, NOW, NOW, "photos__a", 3, SearchSettings()))
    ledger.searches.record(search_id, results)


def names_of(page):
    return [document.file_name for document in page[1]]


def test_arrivals_are_listed_in_order_by_filter_and_in_pages(filled):
    browse = filled.queries.page
    drops = filled.intake.drop_keys()

    assert names_of(browse(DocumentFilter(), 10)) == ["a.tif", "b.tif", "50%_c.tif", "a.tif"]
    assert browse(DocumentFilter(), 2, 1)[0] == 4
    assert names_of(browse(DocumentFilter(), 2, 1)) == ["b.tif", "50%_c.tif"]
    assert names_of(browse(DocumentFilter(state="rejected"), 10)) == ["b.tif"]
    assert names_of(browse(DocumentFilter(drop_key=drops[1]), 10)) == ["a.tif"]
    assert names_of(browse(DocumentFilter(merchant_id="m-a", current_only=True), 10)) == ["a.tif"]
    assert browse(DocumentFilter(merchant_id="' OR 1=1"), 10) == (0, [])


def test_a_document_has_all_its_arrivals_and_their_drops(filled):
    arrivals = filled.documents.arrivals(["a"])
    drops = filled.queries.drops([document.drop_key for document in arrivals])

    assert [document.is_current for document in arrivals] == [False, True]
    assert [drops[document.drop_key].n_files for document in arrivals] == [3, 1]


def test_results_that_name_a_document_as_query_or_match_are_found(filled):
    record(filled, "s1", result("a.tif", "b.tif", "50%_c.tif"), result("deep/er/a.tif"), result("xa.tif", "other.tif"))
    record(filled, "drop:1", result("b.tif", "a.tif"), result('q"uote.tif', 'q".tif'))

    assert {mention.query_document for mention in filled.queries.as_query(["a.tif"], 10)} == {"a.tif", "deep/er/a.tif"}
    (mention,) = filled.queries.as_match("50%_c.tif", 10)
    assert (mention.search_id, mention.query_document, mention.rank) == ("s1", "a.tif", 2)
    (mention,) = filled.queries.as_match("a.tif", 10)
    assert (mention.search_id, mention.rank, mention.flagged) == ("drop:1", 1, True)
    assert [mention.query_document for mention in filled.queries.as_match('q".tif', 10)] == ['q"uote.tif']
    assert filled.queries.as_match("%", 10) == filled.queries.as_query(["%"], 10) == []


def test_signs_of_patterns_in_a_name_stand_for_themselves(filled):
    record(filled, "s1", result("x/50%_c.tif"), result("x/50ab_c.tif"))

    assert [mention.query_document for mention in filled.queries.as_query(["50%_c.tif"], 10)] == ["x/50%_c.tif"]
