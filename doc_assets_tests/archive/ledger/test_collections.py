from dataclasses import replace
from datetime import timedelta

from doc_assets.archive.ledger.collections import Collection
from doc_assets.archive.ledger.documents import Stage
from doc_assets.archive.ledger.erasure import DocumentRemoval
from doc_assets_tests.archive.ledger.test_documents import _read, _seal
from doc_assets_tests.conftest import NOW

OLD = Collection("photos__gist-1__sift__v2", "gist", {}, "in_use", NOW)
NEW = Collection("photos__dino-2__sift__v2", "transformers", {"checkpoint": "d"}, "filling", NOW + timedelta(hours=1))


def test_one_collection_is_in_use_and_the_one_before_is_remembered(ledger):
    ledger.collections.record(OLD)
    ledger.collections.record(NEW)
    assert ledger.collections.last("in_use") == OLD

    later = NOW + timedelta(hours=2)
    ledger.collections.record(replace(NEW, state="in_use", since=later))

    assert ledger.collections.last("in_use") == replace(NEW, state="in_use", since=later)
    assert ledger.collections.last("previous") == replace(OLD, state="previous", since=later)
    assert ledger.collections.last("filling") is None


def test_two_collections_hold_the_same_document(ledger):
    _, (a, b) = _seal(ledger, "a", "b")
    _read(ledger, [a, b])
    ledger.documents.record_photos({a.id: 2, b.id: 3})

    ledger.collections.record_indexed([a.id, b.id], OLD.name)
    ledger.collections.record_indexed([a.id], NEW.name)
    ledger.collections.record_indexed([a.id], NEW.name)

    assert ledger.collections.holding(a.id) == sorted([OLD.name, NEW.name])
    assert [ledger.collections.photos(name) for name in (OLD.name, NEW.name)] == [5, 2]
    assert [ledger.collections.current_documents(name) for name in (OLD.name, NEW.name)] == [2, 1]


def test_a_newer_arrival_counts_once_it_is_indexed(ledger):
    _, (first,) = _seal(ledger, "a")
    _read(ledger, [first])
    ledger.documents.record_photos({first.id: 2})
    ledger.collections.record_indexed([first.id], OLD.name)
    _, (second,) = _seal(ledger, "a")
    _read(ledger, [second])
    ledger.documents.record_photos({second.id: 7})

    assert (ledger.collections.photos(OLD.name), ledger.collections.current_documents(OLD.name)) == (2, 0)
    ledger.collections.record_indexed([second.id], OLD.name)
    assert (ledger.collections.photos(OLD.name), ledger.collections.current_documents(OLD.name)) == (7, 1)


def test_removing_a_collection_leaves_the_other_one(ledger):
    drop, (a,) = _seal(ledger, "a")
    for collection, embedder in ((OLD, "gist-1"), (NEW, "dino-2")):
        ledger.collections.record(collection)
        ledger.collections.record_indexed([a.id], collection.name)
        ledger.documents.complete_stage(drop, Stage("photo_embeddings", embedder, "1"), NOW)

    ledger.collections.remove(NEW.name, ["dino-2", NEW.name])

    assert ledger.collections.all() == [OLD]
    assert ledger.collections.holding(a.id) == [OLD.name]
    assert ledger.documents.stale_drops([Stage("photo_embeddings", "gist-1", "1")]) == []
    assert ledger.documents.stale_drops([Stage("photo_embeddings", "dino-2", "1")]) == [drop]


def test_a_forgotten_document_is_held_by_no_collection(ledger):
    _, (a,) = _seal(ledger, "a")
    ledger.collections.record_indexed([a.id], OLD.name)

    DocumentRemoval(ledger.database).remove({"a"}, set(), [], [])

    assert ledger.collections.holding(a.id) == []
