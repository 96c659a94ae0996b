from dataclasses import replace

import pytest

from doc_assets.errors import ReindexError
from doc_assets.pipeline.self_test import Recall
from doc_assets.pipeline.switching import Bounds, Candidate, go_back, switch
from doc_assets_tests.conftest import NOW
from doc_assets_tests.pipeline.pipeline import SPEC

EVERYTHING = Recall({"jpeg": 4}, {"jpeg": 4})
BOUNDS = Bounds(graph_recall=0.9, planted_recall=0.8)


@pytest.fixture
def new(filled):
    """The embedder in use, as if it filled another collection with the same photos."""
    return Candidate(SPEC, filled.embedder, replace(filled.versions, features_id="other"))


def _copy(filled, new):
    """Fills the other collection with the points of the one in use."""
    with filled.store() as store:
        points = list(store.points(filled.collection))
        store.create(new.versions.collection, filled.embedder.dim)
        store.upsert(new.versions.collection, points)
    ledger = filled.archive.ledger
    ledger.collections.record_indexed([document.id for document in ledger.documents.current()], new.versions.collection)


def _switch(filled, new, recall=EVERYTHING, bounds=BOUNDS):
    with filled.store() as store:
        return switch(filled.archive, store, "photos", new, None, lambda *_: recall, bounds, NOW)


def _alias(filled):
    with filled.store() as store:
        return store.resolve("photos")


@pytest.mark.parametrize(
    ("recall", "bounds", "says"),
    [
        (EVERYTHING, replace(BOUNDS, graph_recall=1.01), "search graph"),
        (Recall({"jpeg": 3}, {"jpeg": 4}), BOUNDS, "3 of 4 planted copies"),
    ],
)
def test_a_collection_that_finds_too_little_is_not_put_in_use(filled, new, recall, bounds, says):
    _copy(filled, new)

    with pytest.raises(ReindexError, match=says):
        _switch(filled, new, recall, bounds)

    assert _alias(filled) == filled.collection
    assert filled.archive.ledger.collections.last("in_use").name == filled.collection


def test_an_incomplete_collection_is_not_put_in_use(filled, new):
    with pytest.raises(ReindexError, match="current documents are not in it"):
        _switch(filled, new)
    assert _alias(filled) == filled.collection

    _copy(filled, new)
    with filled.store() as store:
        one = next(iter(store.scan(new.versions.collection)))[0]
        store.delete(new.versions.collection, [one])
    with pytest.raises(ReindexError, match="the ledger counts"):
        _switch(filled, new)
    assert _alias(filled) == filled.collection


def test_a_complete_one_is_put_in_use(filled, new):
    _copy(filled, new)

    done = _switch(filled, new)

    assert (done.collection, done.before) == (new.versions.collection, filled.collection)
    assert _alias(filled) == new.versions.collection
    assert filled.archive.ledger.collections.last("previous").name == filled.collection


def test_nobody_goes_back_to_what_is_made_differently_today_or_gone(filled, new):
    with filled.store() as store:
        with pytest.raises(ReindexError, match="now makes vectors for"):
            go_back(filled.archive, store, "photos", new, "photos__gist-old__other__v2", NOW)
        with pytest.raises(ReindexError, match="holds no"):
            go_back(filled.archive, store, "photos", new, new.versions.collection, NOW)
    assert _alias(filled) == filled.collection
