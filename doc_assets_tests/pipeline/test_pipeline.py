import shutil
from dataclasses import replace

import numpy as np
import pytest

from doc_assets.archive.consistency import check_archive
from doc_assets.archive.payloads import read_payloads
from doc_assets.archive.photo_lookup import FeatureLookup, PixelLookup
from doc_assets.archive.shards import read_embeddings, read_photos
from doc_assets.errors import SetupError
from doc_assets.photos.base import make_extractor
from doc_assets.photos.cutting import PhotoCutter, decode_jpeg
from doc_assets.pipeline.cutting import cut_drop
from doc_assets.pipeline.describing import STORED_FEATURES, describe_drop
from doc_assets.pipeline.embedding import embed_drop
from doc_assets.pipeline.indexing import index_drop
from doc_assets.pipeline.rebuild import discard_results, stale_drops
from doc_assets.sources.staging import staged_path
from doc_assets_tests.conftest import NOW
from doc_assets_tests.pipeline.pipeline import Pipeline


@pytest.fixture
def pipeline(archive, reader, cutter, embedder, describer, tmp_path):
    return Pipeline(archive, reader, cutter, embedder, describer, tmp_path / "qdrant")


@pytest.fixture
def folder(corpus, tmp_path):
    """A folder with the corpus' archive documents."""
    return shutil.copytree(corpus / "archive", tmp_path / "in")


def _faults(pipeline):
    with pipeline.store() as store:
        return check_archive(pipeline.archive, store, "photos", pipeline.versions).faults


def _shards(pipeline, drop):
    photos, vectors = [], []
    for chunk in pipeline.archive.chunks(drop):
        photos += list(read_payloads(pipeline.archive.photo_shard(chunk)))
        shard = pipeline.archive.embedding_shard(chunk, pipeline.embedder.embedder_id)
        vectors += [row.payload for row in read_embeddings(shard)]
    return photos, vectors


def test_a_folder_becomes_an_archive_in_which_everything_agrees(pipeline, folder, plans):
    (drop,) = pipeline.ingest(folder)

    expected = {plan.name: len(plan.pictures) for plan in plans if plan.folder == "archive"}
    counted = {d.file_name: d.n_photos for d in pipeline.archive.ledger.documents.current()}
    photos, vectors = _shards(pipeline, drop)
    assert counted == expected
    assert len(photos) == len(vectors) == len(pipeline.points()) == sum(expected.values())
    assert _faults(pipeline) == []


def test_a_second_run_does_no_work_and_changes_nothing(pipeline, folder):
    (drop,) = pipeline.ingest(folder)
    points = pipeline.points()

    read, cut, embedded, indexed, published = pipeline.run(drop)

    assert (cut.chunks_made, embedded.made_now, indexed.removed) == (0, 0, 0)
    assert published.published
    assert pipeline.points() == points
    assert pipeline.ingest(folder) == []
    assert read.n_documents == 8


def test_the_same_bytes_under_the_same_name_are_no_work(filled, folder, tmp_path):
    points = filled.points()
    again = tmp_path / "again"
    again.mkdir()
    name = sorted(folder.iterdir())[0].name
    shutil.copy(folder / name, again / name)

    (drop,) = filled.ingest(again)

    assert filled.archive.ledger.documents.states_of_drop(drop) == {"duplicate": 1}
    assert filled.points() == points
    assert _faults(filled) == []


def test_new_bytes_under_the_same_name_replace_the_old_everywhere(filled, drop, folder, corpus, tmp_path):
    first, second = sorted(folder.iterdir())[:2]
    newer = tmp_path / "newer"
    newer.mkdir()
    shutil.copy(second, newer / first.name)
    before = {d.file_name: d for d in filled.archive.ledger.documents.current()}

    (new_drop,) = filled.ingest(newer)

    after = {d.file_name: d for d in filled.archive.ledger.documents.current()}
    assert after[first.name].drop_key == new_drop
    assert after[first.name].sha256 == before[second.name].sha256 != before[first.name].sha256
    for payloads in (*_shards(filled, drop), filled.points().values()):
        old = [p for p in payloads if p.file_name == first.name and p.sha256 == before[first.name].sha256]
        assert old == []
    assert _faults(filled) == []

    filled.run(drop)  # an old drop that runs again must not bring the old version back

    assert {d.file_name: d.drop_key for d in filled.archive.ledger.documents.current()}[first.name] == new_drop
    assert _faults(filled) == []


def test_an_unreadable_new_version_leaves_the_old_one_in_place(filled, folder, tmp_path):
    points = filled.points()
    broken = tmp_path / "broken"
    broken.mkdir()
    name = sorted(folder.iterdir())[0].name
    (broken / name).write_bytes(b"II*\0 this is no picture")

    (drop,) = filled.ingest(broken)

    assert filled.archive.ledger.documents.states_of_drop(drop) == {"rejected": 1}
    assert filled.points() == points
    assert _faults(filled) == []


def test_one_bad_file_does_not_stop_the_others_and_is_listed_with_its_reason(pipeline, folder):
    (folder / "text.tif").write_text("not a picture at all", encoding="utf-8")
    (folder / "empty.tif").touch()
    (folder / "=cmd|calc!A1.tif").write_bytes(b"GIF89a no photo")

    (drop,) = pipeline.ingest(folder)

    ledger = pipeline.archive.ledger.documents
    assert ledger.states_of_drop(drop) == {"ok": 8, "rejected": 3}
    reasons = {d.file_name: d.reason_code for d in ledger.of_drop(drop, ["rejected"], 10)}
    assert reasons == {"text.tif": "E_NOT_TIFF", "empty.tif": "E_EMPTY", "=cmd|calc!A1.tif": "E_NOT_TIFF"}
    assert _faults(pipeline) == []


def test_another_extractor_makes_a_drop_stale_until_it_is_cut_again(filled, drop):
    ledger = filled.archive.ledger
    assert stale_drops(ledger, filled.versions) == []
    filled.cutter = PhotoCutter(make_extractor("template", {"boxes": [[0.1, 0.1, 0.9, 0.4]], "normalized": True}))
    assert stale_drops(ledger, filled.versions) == [drop]

    with pytest.raises(SetupError, match="Materialize photos"):
        embed_drop(filled.archive, filled.embedder, filled.cutter.version, drop, NOW)
    with pytest.raises(SetupError, match="Materialize photos"):
        describe_drop(filled.archive, filled.describer, 1, filled.cutter.version, drop, NOW)
    filled.run(drop)

    assert stale_drops(ledger, filled.versions) == []
    assert len(filled.points()) == ledger.documents.counts().photos
    assert _faults(filled) == []


def test_indexing_before_embedding_or_describing_is_refused(filled, drop):
    discard_results(filled.archive.ledger, filled.archive.bulk, [drop])
    cut_drop(filled.archive, filled.reader, filled.cutter, drop, NOW)

    with filled.store() as store, pytest.raises(SetupError, match="Materialize photo_embeddings"):
        index_drop(filled.archive, store, filled.versions, filled.embedder.dim, drop, NOW)
    embed_drop(filled.archive, filled.embedder, filled.cutter.version, drop, NOW)
    with filled.store() as store, pytest.raises(SetupError, match="Materialize local_features"):
        index_drop(filled.archive, store, filled.versions, filled.embedder.dim, drop, NOW)


def test_features_of_single_photos_are_found_again(filled, drop):
    payloads = list(filled.points().values())
    lookup = FeatureLookup(filled.archive, filled.describer.features_id)
    photos = {
        photo.payload.key: decode_jpeg(photo.jpeg)
        for chunk in filled.archive.chunks(drop)
        for photo in read_photos(filled.archive.photo_shard(chunk))
    }

    found = lookup(payloads)

    assert set(found) == set(photos)
    pixels = PixelLookup(filled.archive)(payloads)
    assert set(pixels) == set(photos)
    for key, photo in photos.items():
        np.testing.assert_array_equal(pixels[key], photo)
    for key, features in found.items():
        fresh = filled.describer.extractor.extract(photos[key])
        kept = len(features.points)
        assert kept == min(STORED_FEATURES, len(fresh.points))
        np.testing.assert_array_equal(features.descriptors, fresh.descriptors[:kept])
        np.testing.assert_allclose(features.points, fresh.points[:kept], atol=0.25)
    older = replace(payloads[0], sha256="0" * 64)
    assert lookup([older]) == {}
    assert PixelLookup(filled.archive)([older]) == {}
    filled.archive.feature_shard(filled.archive.chunks(drop)[0], filled.describer.features_id).unlink()
    with pytest.raises(SetupError, match="Materialize local_features"):
        FeatureLookup(filled.archive, filled.describer.features_id)(payloads)


def test_a_rebuild_makes_the_same_points_again(filled, drop):
    points = filled.points()

    discard_results(filled.archive.ledger, filled.archive.bulk, [drop])
    _, cut, embedded, _, _ = filled.run(drop)

    assert cut.chunks_made == 3
    assert embedded.made_now == len(points)
    assert filled.points() == points


def test_an_unknown_drop_is_named(pipeline):
    with pytest.raises(SetupError, match="20200101-0000-0001"):
        pipeline.run("20200101-0000-0001")


def test_the_check_finds_what_was_taken_away(filled, drop):
    documents = list(filled.archive.ledger.documents.current())
    staged_path(filled.archive.bulk, documents[0].sha256).unlink()
    staged_path(filled.archive.bulk, documents[1].sha256).write_bytes(b"flipped")
    with filled.store() as store:
        (gone, _), *_ = store.scan(filled.collection, [documents[2].document_id])
        store.delete(filled.collection, [gone])
    last = filled.archive.chunks(drop)[-1]
    filled.archive.embedding_shard(last, filled.embedder.embedder_id).unlink()

    faults = "\n".join(_faults(filled))

    assert f"{documents[0].file_name}: the staged copy" in faults
    assert f"{documents[1].file_name}: the staged copy" in faults
    assert f"{documents[2].file_name}: {documents[2].n_photos} photos, {documents[2].n_photos - 1} points" in faults
    assert f"the ledger counts {documents[-1].n_photos} photos, Parquet holds 0 vectors" in faults


def test_reading_all_data_finds_a_flipped_bit(filled):
    (document, *_) = filled.archive.ledger.documents.current()
    path = staged_path(filled.archive.bulk, document.sha256)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    with filled.store() as store:
        arguments = (filled.archive, store, "photos", filled.versions)
        assert check_archive(*arguments).n_faults == 0
        (fault,) = check_archive(*arguments, read_data=True).faults

    assert document.file_name in fault


def test_photos_of_a_document_whose_copy_was_changed_are_not_cut(filled, drop):
    (first, *_) = filled.archive.ledger.documents.current()
    staged_path(filled.archive.bulk, first.sha256).write_bytes(b"II* something else")
    discard_results(filled.archive.ledger, filled.archive.bulk, [drop])

    filled.run(drop)

    found = {document.id: document for document in filled.archive.ledger.documents.current()}
    damaged = found.pop(first.id)
    assert (damaged.state, damaged.reason_code, damaged.n_photos) == ("partial", "E_DAMAGED", 0)
    assert "Drop the document again" in damaged.reason
    assert all(document.state == "ok" and document.n_photos for document in found.values())


def test_a_second_embedder_fills_its_own_collection_and_is_published_when_complete(filled, drop, folder, tmp_path):
    from doc_assets.features.embedders.base import make_embedder
    from doc_assets_tests.features.embedders.tiny_encoders import save_vit

    options = {"checkpoint": str(save_vit(tmp_path / "vit"))}
    other = make_embedder("transformers", options, device="cpu", batch_size=4)
    successor = Pipeline(filled.archive, filled.reader, filled.cutter, other, filled.describer, filled.qdrant)
    extra = tmp_path / "extra"
    extra.mkdir()
    shutil.copy(sorted(folder.iterdir())[0], extra / "another name.tif")

    successor.ingest(extra)

    with filled.store() as store:
        assert store.resolve("photos") == filled.collection  # the new one holds one drop of two

    successor.run(drop)

    with filled.store() as store:
        assert store.resolve("photos") == successor.collection
