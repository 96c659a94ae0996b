"""What every embedder owes, today's and tomorrow's."""

import numpy as np
import pytest

from doc_assets.datatypes import N_VIEWS, View
from doc_assets.errors import SettingsError
from doc_assets.features.embedders.base import embedders, make_embedder
from doc_assets.lab.pictures import draw_picture
from doc_assets_tests.features.embedders.tiny_encoders import save_vit

PHOTOS = [draw_picture(40, 300), draw_picture(41, 200), draw_picture(42, 500)]


NAMES = [pytest.param(name, marks=pytest.mark.whole if name == "transformers" else ()) for name in embedders.names()]


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    return str(save_vit(tmp_path_factory.mktemp("vit")))


@pytest.fixture(params=NAMES)
def embedder(request):
    cannot_do_without = {"checkpoint": request.getfixturevalue("checkpoint")} if request.param == "transformers" else {}
    return make_embedder(request.param, cannot_do_without, device="cpu", batch_size=2)


def test_rows_are_unit_vectors_and_do_not_depend_on_the_batch(embedder):
    together = embedder.embed(PHOTOS)

    assert (together.shape, together.dtype) == ((3, embedder.dim), np.float32)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-5)
    alone = np.concatenate([embedder.embed([photo]) for photo in PHOTOS])
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_no_photo_gives_no_row(embedder):
    assert embedder.embed([]).shape == (0, embedder.dim)
    assert embedder.embed_views([]).shape == (0, N_VIEWS, embedder.dim)


def test_photos_may_come_one_by_one(embedder):
    np.testing.assert_array_equal(embedder.embed(iter(PHOTOS)), embedder.embed(PHOTOS))


@pytest.mark.whole
def test_views_are_the_vectors_of_the_turned_and_mirrored_photo(embedder):
    views = embedder.embed_views(PHOTOS)

    for i in range(N_VIEWS):
        shown = embedder.embed([View.at(i).apply(photo) for photo in PHOTOS])
        similarity = (views[:, i] * shown).sum(axis=1)
        assert similarity.min() > 0.98


def test_one_shade_is_no_error(embedder):
    vectors = embedder.embed([np.full((30, 40, 3), shade, np.uint8) for shade in (0, 128, 255)])

    assert np.isfinite(vectors).all()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_the_id_names_embedder_and_weights(embedder):
    assert embedder.embedder_id.startswith(f"{embedder.name}-")
    assert len(embedder.weights_sha256) == 64


@pytest.mark.parametrize("name", embedders.names())
def test_unknown_options_are_refused_with_the_setting_to_correct(name):
    with pytest.raises(SettingsError, match="DOC_ASSETS_EMBEDDER_OPTIONS"):
        make_embedder(name, {"colour": "red"}, device="cpu", batch_size=2)


@pytest.mark.parametrize("name", ["gist"])
def test_a_missing_gpu_is_said_when_one_is_asked_for(name):
    import torch

    if torch.cuda.is_available():
        assert make_embedder(name, {}, device="cuda", batch_size=2).embed(PHOTOS).shape == (3, 256)
        return
    with pytest.raises(SettingsError, match="DOC_ASSETS_DEVICE=cuda"):
        make_embedder(name, {}, device="cuda", batch_size=2).embed(PHOTOS)
