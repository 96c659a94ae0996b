"""Several homes and one engine: each has its own collections and alias, and nothing of another's is touched."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from doc_assets.archive.adoption import adopt_collections
from doc_assets.archive.home import home_identity
from doc_assets.archive.ledger.documents import Stage
from doc_assets.archive.ledger.intake import ArrivedFile
from doc_assets.archive.ledger.rows import ReadOutcome
from doc_assets.archive.vectors.embedded import EmbeddedStore
from doc_assets.archive.vectors.server import ServerStore
from doc_assets.errors import IndexSchemaError
from doc_assets.settings import Settings
from doc_assets_tests.archive.vectors.test_store_contract import DIM, points
from doc_assets_tests.conftest import NOW

pytestmark = pytest.mark.filterwarnings(
    "ignore:Payload indexes have no effect in the local Qdrant", "ignore:Local mode performs exact"
)
NAME = "photos__e__f__v2"
A, B = "a" * 16, "b" * 16


@pytest.fixture
def client():
    from qdrant_client import QdrantClient

    return QdrantClient(":memory:")


def _store(client, home):
    return ServerStore(client, "memory", home)


def _filled(store, n=6):
    store.create(NAME, DIM)
    store.upsert(NAME, points(n))
    store.publish("photos", NAME)
    return store


def test_two_homes_with_one_server_share_neither_collection_nor_alias(client):
    first, second = _filled(_store(client, A), 6), _filled(_store(client, B), 4)

    assert (first.count(NAME), second.count(NAME)) == (6, 4)
    assert first.collections() == second.collections() == [NAME]
    assert first.aliases() == second.aliases() == {"photos": NAME}
    second.drop(NAME)
    second.create(NAME, DIM)

    assert (first.count(NAME), second.count(NAME)) == (6, 0)
    assert first.resolve("photos") == NAME
    assert second.resolve("photos") is None
    assert _store(client, "c" * 16).collections() == []
    assert len(first.search(NAME, points(1)[0].vector[None], 10)[0]) == 6
    first.rewrite(NAME)
    assert (first.count(NAME), first.resolve("photos"), second.count(NAME)) == (6, "photos" and NAME, 0)
    assert sorted(found.name for found in client.get_collections().collections) == [
        f"{NAME}__home-{A}",
        f"{NAME}__home-{B}",
    ]


def test_a_server_says_what_it_holds_of_others(client):
    mine, _ = _filled(_store(client, A)), _filled(_store(client, B))
    client.create_collection("somebody else's", vectors_config={})

    assert mine.others() == [f"{NAME}__home-{B}"]


@pytest.fixture
def knowing(ledger):
    """A ledger that knows the documents of ``points(6)``, all indexed in ``NAME``."""
    files = [ArrivedFile(f"/{name}.tif", f"{name}.tif", name, 1, 1) for name in ("문서-0", "문서-1", "문서-2")]
    drop = ledger.intake.seal(files, source="test", now=NOW, chunk_documents=10)
    rows = ledger.documents.of_chunk(drop, range(3))
    ledger.documents.record_read([ReadOutcome(row.id, "ab", "ok", None, None, 1) for row in rows])
    ledger.documents.record_photos({row.id: 2 for row in rows})
    ledger.collections.record_indexed([row.id for row in rows], NAME)
    ledger.documents.complete_stage(drop, Stage("indexed_photos", NAME, "v"), NOW)
    return ledger


def _url(ledger):
    return ledger.database.url.render_as_string(hide_password=False)


def _earlier(client, n=6, made=None):
    """A collection as it was made before homes had ids."""
    store = _store(client, "")
    store.create(NAME, DIM)
    store.upsert(NAME, made or points(n))
    store.publish("photos", NAME)
    return store


def test_a_collection_of_today_is_adopted_by_the_home_whose_documents_it_holds(client, knowing):
    _earlier(client)
    mine = _store(client, A)
    assert mine.collections() == []

    adopt_collections(mine, _url(knowing), "photos")

    for store in (mine, _store(client, A)):  # and it stays adopted
        assert (store.collections(), store.resolve("photos"), store.count(NAME)) == ([NAME], NAME, 6)
    mine.upsert(NAME, points(8))
    mine.delete(NAME, [str(points(8)[7].point_id)])
    assert _store(client, A).count(NAME) == 7
    assert len(mine.search(NAME, points(1)[0].vector[None], 10)[0]) == 7
    assert len(mine.search_words(NAME, [points(1)[0].words], 10)[0]) > 0
    assert set(mine.vectors(NAME, [points(1)[0].point_id])) == {points(1)[0].point_id}

    other = _store(client, B)
    adopt_collections(other, _url(knowing), "photos")  # it knows the same documents, but was second
    assert other.collections() == []
    assert other.refused == {}

    mine.rewrite(NAME)  # from then on it has the home's name
    assert (mine.count(NAME), mine.resolve("photos")) == (7, NAME)
    assert [found.name for found in client.get_collections().collections] == [f"{NAME}__home-{A}"]


def test_a_collection_that_two_homes_filled_is_nobodys(client, knowing):
    mixed = [*points(6), replace(points(1)[0], point_id=points(9)[8].point_id)]
    mixed[-1] = replace(mixed[-1], payload=replace(mixed[-1].payload, document_id="another home's"))
    _earlier(client, made=mixed)
    mine = _store(client, A)

    adopt_collections(mine, _url(knowing), "photos")

    assert mine.collections() == []
    with pytest.raises(IndexSchemaError, match=r"another home fills it too.*rebuild-index"):
        mine.count(NAME)
    mine.drop(NAME)
    mine.create(NAME, DIM)
    assert mine.count(NAME) == 0
    assert client.count(NAME).count == 7


def test_a_home_whose_ledger_filled_no_such_collection_adopts_none(client, ledger):
    _earlier(client)
    mine = _store(client, A)

    adopt_collections(mine, _url(ledger), "photos")

    assert (mine.collections(), mine.resolve("photos"), mine.refused) == ([], None, {})


def test_an_embedded_collection_of_today_is_adopted_and_a_strangers_is_refused(tmp_path, knowing):
    with EmbeddedStore(tmp_path / "qdrant") as earlier:
        _filled(earlier)
    described = tmp_path / "qdrant" / NAME / "vectors.json"
    described.write_text(json.dumps({"image": DIM}))  # as it was

    with EmbeddedStore(tmp_path / "qdrant", home=A) as mine:
        assert mine.collections() == []
        adopt_collections(mine, _url(knowing), "photos")
        assert (mine.collections(), mine.count(NAME)) == ([NAME], 6)
        stranger = replace(points(9)[8], payload=replace(points(9)[8].payload, document_id="another home's"))
        mine.upsert(NAME, [stranger])
    with EmbeddedStore(tmp_path / "qdrant", home=B) as other:
        adopt_collections(other, _url(knowing), "photos")
        for call in (
            other.count,
            other.drop,
            lambda name: other.create(name, DIM),
            lambda name: list(other.scan(name)),
        ):
            with pytest.raises(IndexSchemaError, match="Move that folder away"):
                call(NAME)
        assert np.isclose(len(other.unclaimed()), 1)
    with EmbeddedStore(tmp_path / "qdrant", home=A) as mine:
        assert mine.count(NAME) == 7


def test_a_home_keeps_its_identity_when_it_is_moved_and_a_copy_gets_its_own(tmp_path, monkeypatch):
    first = Settings(home=tmp_path / "first")
    mine = home_identity(first.home)
    assert home_identity(first.home) == mine
    assert len(mine) == 16

    shutil.copytree(first.home, tmp_path / "copy")
    copied = home_identity(tmp_path / "copy")
    assert copied != mine
    assert home_identity(tmp_path / "copy") == copied
    assert home_identity(first.home) == mine

    first.home.rename(tmp_path / "moved")
    assert home_identity(tmp_path / "moved") == mine
    (tmp_path / "link").symlink_to(tmp_path / "moved")
    assert home_identity(tmp_path / "link") == mine
    assert home_identity(tmp_path / "moved") == mine
    assert home_identity(tmp_path / "new", make=False) == ""
    assert not (tmp_path / "new").exists()
