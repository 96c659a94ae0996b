"""Collections travel between stores of every kind."""

import numpy as np
import pytest

from doc_assets.archive.vectors.embedded import EmbeddedStore
from doc_assets.archive.vectors.server import ServerStore
from doc_assets.errors import BackupError
from doc_assets.ops.backup.manifest import CollectionPart
from doc_assets.ops.backup.vectors import count_points, load_collections, save_collections
from doc_assets_tests.archive.vectors.test_store_contract import DIM, bag, points

pytestmark = [
    pytest.mark.whole,
    pytest.mark.filterwarnings(
        "ignore:Payload indexes have no effect in the local Qdrant", "ignore:Local mode performs exact"
    ),
]
NAME = "photos__gist__sift__v2"


def _store(kind, folder):
    if kind == "embedded":
        return EmbeddedStore(folder)
    from qdrant_client import QdrantClient

    return ServerStore(QdrantClient(":memory:"), "memory")


@pytest.mark.parametrize("source", ["embedded", "server"])
@pytest.mark.parametrize("target", ["embedded", "server"])
def test_points_aliases_and_answers_are_the_same_in_the_other_store(tmp_path, source, target):
    made = points(60)
    made[3] = type(made[3])(made[3].point_id, made[3].vector, bag(), made[3].payload)
    with _store(source, tmp_path / "a") as first, _store(target, tmp_path / "b") as second:
        first.create(NAME, DIM)
        first.upsert(NAME, made)
        first.publish("photos", NAME)
        second.create("photos__other__v1", DIM)
        second.create("not_ours", DIM)

        parts = save_collections(first, tmp_path)
        load_collections(second, tmp_path, parts, first.aliases())

        assert {name: part.points for name, part in parts.items()} == {NAME: 60}
        assert count_points(tmp_path / parts[NAME].file) == 60
        assert second.collections() == ["not_ours", NAME]
        assert second.aliases() == {"photos": NAME}
        assert dict(second.scan(NAME)) == dict(first.scan(NAME))
        queries = np.stack([point.vector for point in made[:10]])
        for ask in (lambda s: s.search(NAME, queries, 5), lambda s: s.search_words(NAME, [made[0].words], 60)):
            found, again = ask(first), ask(second)
            assert [[hit.point_id for hit in hits] for hits in again] == [
                [hit.point_id for hit in hits] for hits in found
            ]


def test_a_damaged_or_short_export_is_noticed(tmp_path):
    with _store("embedded", tmp_path / "a") as store:
        store.create(NAME, DIM)
        store.upsert(NAME, points(20))
        part = save_collections(store, tmp_path)[NAME]
        more = CollectionPart(file=part.file, dim=part.dim, points=part.points + 1)
        with pytest.raises(BackupError, match="20 points after loading, 21"):
            load_collections(store, tmp_path, {NAME: more}, {})

    path = tmp_path / part.file
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(BackupError, match="no exported collection"):
        count_points(path)
