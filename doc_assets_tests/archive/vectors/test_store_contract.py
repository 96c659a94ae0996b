"""What every vector store owes; the same tests on the embedded engine and on every server at hand."""

import os
import uuid
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doc_assets.archive.vectors.base import Exclusion, collection_name
from doc_assets.archive.vectors.embedded import EmbeddedStore
from doc_assets.archive.vectors.server import ServerStore
from doc_assets.datatypes import Box, DocumentDate, IndexedPhoto, PhotoKey, PhotoPayload, SparseVector, point_id
from doc_assets.errors import IndexSchemaError

DIM = 16
STORES = ["embedded", "client in memory"]
if os.environ.get("QDRANT_URL"):
    STORES.append("server")


@pytest.fixture(params=STORES)
def store(request, tmp_path):
    if request.param == "embedded":
        opened = EmbeddedStore(tmp_path / "qdrant")
    elif request.param == "server":
        opened = ServerStore.connect(
            os.environ["QDRANT_URL"],
            api_key=os.environ.get("QDRANT_API_KEY"),
            grpc_port=int(os.environ.get("QDRANT_GRPC_PORT", "6334")),
            timeout_s=30,
        )
    else:
        from qdrant_client import QdrantClient

        opened = ServerStore(QdrantClient(":memory:"), "memory")
    with opened:
        yield opened


@pytest.fixture
def collection(store):
    name = f"photos__test-{uuid.uuid4().hex[:8]}__v1"
    store.create(name, DIM)
    yield name
    store.drop(name)


def bag(*words):
    """A bag of these words, all of one weight."""
    indices = np.array(sorted(set(words)), np.uint32)
    return SparseVector(indices, np.full(len(indices), max(1, len(indices)) ** -0.5, np.float32))


def points(n, *, photos_a_document=2, seed=0, merchant=None, dim=DIM):
    """``n`` points of unit vectors, ``photos_a_document`` to a document."""
    vectors = np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    made = []
    for i, vector in enumerate(vectors):
        document, photo = f"문서-{i // photos_a_document}", i % photos_a_document
        known = DocumentDate(date(2024, 1, 1 + i % 28), "name") if i % 3 else None  # points of old have no date
        payload = PhotoPayload(document, f"{document}.tif", "ab", "drop", 0, photo, Box(1, 2, 3, 4), merchant, known)
        made.append(IndexedPhoto(point_id(PhotoKey(document, 0, photo), "e"), vector, bag(i, i + 1, 900), payload))
    return made


pytestmark = pytest.mark.filterwarnings(
    "ignore:Payload indexes have no effect in the local Qdrant", "ignore:Local mode performs exact"
)


def test_each_photo_finds_itself_first_with_its_payload(store, collection):
    made = points(50)
    store.upsert(collection, made)

    found = store.search(collection, np.stack([point.vector for point in made]), 3)

    for point, hits in zip(made, found, strict=True):
        assert len(hits) == 3
        assert hits[0].point_id == point.point_id
        assert hits[0].payload == point.payload
        assert hits[0].similarity == pytest.approx(1.0, abs=1e-4)
        assert [hit.similarity for hit in hits] == sorted((hit.similarity for hit in hits), reverse=True)


def test_similarities_are_cosines_and_agree_with_an_exact_answer(store, collection):
    made = points(200)
    store.upsert(collection, made)
    queries = np.stack([point.vector for point in points(5, seed=1)])

    found = store.search(collection, queries, 10, exact=True)

    exact = queries @ np.stack([point.vector for point in made]).T
    for hits, similarities in zip(found, exact, strict=True):
        assert [hit.similarity for hit in hits] == pytest.approx(sorted(similarities, reverse=True)[:10], abs=1e-4)


def test_a_second_upsert_changes_nothing(store, collection):
    made = points(30)
    store.upsert(collection, made)
    before = dict(store.scan(collection))

    store.upsert(collection, made)

    assert store.count(collection) == 30
    assert dict(store.scan(collection)) == before


def test_an_excluded_document_does_not_take_places(store, collection):
    made = points(40, photos_a_document=20)
    store.upsert(collection, made)

    (hits,) = store.search(collection, made[0].vector[None], 15, Exclusion(document_ids=("문서-0",)))

    assert len(hits) == 15
    assert {hit.payload.document_id for hit in hits} == {"문서-1"}


def test_merchants_can_be_excluded(store, collection):
    store.upsert(collection, points(10, merchant="123-45"))

    (hits,) = store.search(collection, points(1)[0].vector[None], 5, Exclusion(merchant_ids=("123-45",)))

    assert hits == []


def test_replacing_a_document_leaves_nothing_of_its_old_photos(store, collection):
    made = points(12, photos_a_document=4)
    store.upsert(collection, made)
    kept = made[:1]

    removed = store.replace_documents(collection, ["문서-0"], kept)

    assert removed == 3
    assert store.count(collection) == 9
    left = [payload for _, payload in store.scan(collection, ["문서-0"])]
    assert left == [kept[0].payload]


def test_a_document_without_photos_any_more_vanishes(store, collection):
    store.upsert(collection, points(4))

    assert store.replace_documents(collection, ["문서-0"], []) == 2
    assert store.replace_documents(collection, ["문서-0", "no such"], []) == 0
    assert store.count(collection) == 2


@pytest.mark.parametrize("bad", ["nan", "length", "zero"])
def test_vectors_that_cannot_be_compared_are_refused(store, collection, bad):
    (point,) = points(1)
    vector = {"nan": np.full(DIM, np.nan), "length": point.vector * 2, "zero": np.zeros(DIM)}[bad]
    broken = IndexedPhoto(point.point_id, vector.astype(np.float32), point.words, point.payload)

    with pytest.raises(ValueError, match="unit length"):
        store.upsert(collection, [broken])
    assert store.count(collection) == 0


def test_another_vector_length_is_refused_everywhere(store, collection):
    (point,) = points(1)
    short = IndexedPhoto(point.point_id, np.eye(1, DIM - 1, dtype=np.float32)[0], point.words, point.payload)

    with pytest.raises(IndexSchemaError, match="16-d"):
        store.upsert(collection, [short])
    with pytest.raises(IndexSchemaError, match="16-d"):
        store.search(collection, short.vector[None], 1)
    with pytest.raises(IndexSchemaError, match="16-d"):
        store.create(collection, DIM - 1)


def test_a_collection_that_is_not_there_is_an_error(store):
    calls = [store.dim, store.count, lambda name: store.publish("alias", name), lambda name: list(store.scan(name))]
    for call in calls:
        with pytest.raises(IndexSchemaError, match="no collection"):
            call("photos__none__v1")


def test_an_alias_is_moved_in_one_step(store, collection):
    alias, other = f"alias-{uuid.uuid4().hex[:6]}", f"{collection}2"
    store.create(other, DIM)
    assert store.resolve(alias) is None

    store.publish(alias, collection)
    assert store.resolve(alias) == collection
    store.publish(alias, other)
    assert store.resolve(alias) == other

    store.drop(other)
    assert other not in store.collections()


def test_making_a_collection_again_keeps_its_points(store, collection):
    store.upsert(collection, points(3))

    store.create(collection, DIM)
    store.finish(collection)

    assert store.count(collection) == 3
    assert store.dim(collection) == DIM


@pytest.mark.whole
def test_scanning_passes_many_points(store, collection):
    store.upsert(collection, points(4500))

    assert len({point for point, _ in store.scan(collection)}) == 4500


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(8)), repeats=st.lists(st.integers(0, 7), max_size=6))
def test_order_and_repetition_of_writes_do_not_matter(store, collection, order, repeats):
    made = points(8)
    for i in [*order, *repeats]:
        store.upsert(collection, [made[i]])

    assert {point for point, _ in store.scan(collection)} == {str(point.point_id) for point in made}


def test_shared_words_rank_photos_and_rare_words_count_more(store, collection):
    made = points(40)
    store.upsert(collection, made)
    store.finish(collection)

    found = store.search_words(collection, [bag(7, 8, 900), bag(), bag(5000)], 3)

    assert [hit.point_id for hit in found[0]][:1] == [made[7].point_id]
    assert {hit.point_id for hit in found[0][1:]} == {made[6].point_id, made[8].point_id}
    assert found[0][0].similarity > found[0][1].similarity > 0
    assert found[1:] == [[], []]
    assert found[0][0].payload == made[7].payload


def test_words_respect_exclusions(store, collection):
    made = points(6)
    store.upsert(collection, made)

    (found,) = store.search_words(collection, [bag(0, 1)], 6, Exclusion(document_ids=("문서-0",)))

    assert [hit.payload.document_id for hit in found] == []
    (found,) = store.search_words(collection, [bag(0, 1, 2)], 6, Exclusion(document_ids=("문서-0",)))
    assert [hit.point_id for hit in found] == [made[2].point_id]


def test_a_photo_without_words_is_found_by_its_vector_alone(store, collection):
    (plain,) = [replace(point, words=bag()) for point in points(1)]
    store.upsert(collection, [plain])

    assert store.search(collection, plain.vector[None], 1)[0][0].point_id == plain.point_id
    assert store.search_words(collection, [bag(0, 1)], 1) == [[]]


def test_vectors_come_back_by_id(store, collection):
    made = points(3)
    store.upsert(collection, made)

    found = store.vectors(collection, [made[2].point_id, made[0].point_id, uuid.uuid4()])

    assert set(found) == {made[0].point_id, made[2].point_id}
    np.testing.assert_allclose(found[made[2].point_id], made[2].vector, atol=1e-6)


def test_a_collection_is_named_after_all_that_fills_it():
    assert collection_name("gist-ab12", "sift-cd34") == "photos__gist-ab12__sift-cd34__v2"


def test_a_rewritten_collection_holds_the_same_points_behind_the_same_alias(store, collection):
    some = points(30)
    store.upsert(collection, some)
    alias = f"alias-{collection}"
    store.publish(alias, collection)
    store.delete(collection, [str(point.point_id) for point in some[:10]])

    store.rewrite(collection)

    found = {point.point_id: point for point in store.points(collection)}
    assert found.keys() == {point.point_id for point in some[10:]}
    for point in some[10:]:
        assert found[point.point_id].payload == point.payload
        np.testing.assert_allclose(found[point.point_id].vector, point.vector, atol=1e-6)
        np.testing.assert_array_equal(found[point.point_id].words.indices, point.words.indices)
        np.testing.assert_allclose(found[point.point_id].words.values, point.words.values, atol=1e-6)
    assert store.resolve(alias) == collection
    assert not [name for name in store.collections() if name.startswith(f"{collection}__")]


def test_a_rewrite_that_was_killed_half_way_is_ended(store, collection, monkeypatch):
    some = points(30)
    store.upsert(collection, some)
    whole = type(store).drop

    def killed(self, name):
        whole(self, name)
        if name == collection:
            raise KeyboardInterrupt

    monkeypatch.setattr(type(store), "drop", killed)
    with pytest.raises(KeyboardInterrupt):
        store.rewrite(collection)
    monkeypatch.undo()

    if isinstance(store, EmbeddedStore):
        root = store._root
        store.close()
        store.__init__(root)
    else:
        store.rewrite(collection)

    assert {point.point_id for point in store.points(collection)} == {point.point_id for point in some}
