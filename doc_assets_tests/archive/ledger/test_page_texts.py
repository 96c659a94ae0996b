import pytest

from doc_assets.archive.ledger.erasure import DocumentRemoval
from doc_assets.datatypes import PageText


@pytest.fixture
def texts(ledger):
    return ledger.page_texts


def page(index, text, zone="top=0.15"):
    return PageText(index, zone, text, 0.5, 3)


def test_what_was_read_comes_back_for_that_content_and_engine_alone(texts):
    read = [page(0, "가맹점 실사 사진\n'; DROP TABLE page_texts; --"), page(1, ""), page(1, "끝", "bottom=0.15")]

    texts.remember("a", "engine-1", read)

    assert sorted(texts.known("a", "engine-1"), key=lambda one: one.text) == sorted(read, key=lambda one: one.text)
    assert texts.known("a", "engine-2") == texts.known("b", "engine-1") == []


def test_reading_again_replaces(texts):
    texts.remember("a", "engine-1", [page(0, "old"), page(1, "kept")])

    texts.remember("a", "engine-1", [page(0, "new")])
    texts.remember("a", "engine-1", [])

    assert [one.text for one in texts.known("a", "engine-1")] == ["new", "kept"]


def test_forgetting_removes_every_engine_of_a_content(ledger, texts):
    for sha256 in ("a", "b"):
        for engine in ("engine-1", "engine-2"):
            texts.remember(sha256, engine, [page(0, sha256)])

    DocumentRemoval(ledger.database).remove([], ["a", *(f"unknown-{i}" for i in range(1000))], [], [])

    assert texts.known("a", "engine-1") == texts.known("a", "engine-2") == []
    assert [one.text for one in texts.known("b", "engine-2")] == ["b"]
