import numpy as np
import pytest

from doc_assets.errors import MissingModelError, SettingsError
from doc_assets.features.embedders.transformers_encoder import TransformersEmbedder
from doc_assets.lab.pictures import draw_picture
from doc_assets_tests.features.embedders import tiny_encoders

pytestmark = pytest.mark.whole  # transformers alone takes seconds to import
PHOTOS = [draw_picture(50, 200), draw_picture(51, 200)]


@pytest.mark.parametrize(
    ("save", "dim"),
    [
        (tiny_encoders.save_vit, 32),
        (tiny_encoders.save_dinov2, 32),
        (tiny_encoders.save_clip, 24),
        (tiny_encoders.save_siglip, 32),
        (tiny_encoders.save_convnext, 24),
        (tiny_encoders.save_resnet, 40),
        (tiny_encoders.save_efficientnet, None),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_architectures_load_from_a_folder_and_give_different_photos_different_vectors(tmp_path, save, dim):
    embedder = TransformersEmbedder(str(save(tmp_path)), device="cpu")

    vectors = embedder.embed(PHOTOS)

    assert vectors.shape == (2, dim or embedder.dim)
    assert embedder.dim > 1
    assert not np.allclose(vectors[0], vectors[1])


def test_the_same_checkpoint_gives_the_same_id_and_other_weights_another(tmp_path):
    first = TransformersEmbedder(str(tiny_encoders.save_vit(tmp_path / "a", seed=1)), device="cpu")
    again = TransformersEmbedder(str(tiny_encoders.save_vit(tmp_path / "b", seed=1)), device="cpu")
    other = TransformersEmbedder(str(tiny_encoders.save_vit(tmp_path / "c", seed=2)), device="cpu")

    assert first.embedder_id == again.embedder_id != other.embedder_id


def test_poolings_differ_and_are_part_of_the_id(tmp_path):
    folder = str(tiny_encoders.save_vit(tmp_path))
    cls = TransformersEmbedder(folder, pooling="cls", device="cpu")
    mean = TransformersEmbedder(folder, pooling="mean", device="cpu")

    assert TransformersEmbedder(folder, device="cpu").embedder_id == cls.embedder_id != mean.embedder_id
    assert not np.allclose(cls.embed(PHOTOS), mean.embed(PHOTOS))


def test_weights_that_can_run_code_are_not_loaded(tmp_path):
    import torch

    folder = tiny_encoders.save_vit(tmp_path)
    (folder / "model.safetensors").rename(folder / "kept")
    torch.save({}, folder / "pytorch_model.bin")

    with pytest.raises(MissingModelError, match="safetensors"):
        TransformersEmbedder(str(folder), device="cpu")


@pytest.mark.parametrize(
    ("checkpoint", "revision", "error", "says"),
    [
        ("", None, SettingsError, "checkpoint"),
        ("/nowhere/model", None, MissingModelError, "/nowhere/model"),
        ("facebook/dinov2-small", None, SettingsError, "40 hex digits"),
        ("facebook/dinov2-small", "main", SettingsError, "40 hex digits"),
        ("facebook/dinov2-small", "0" * 40, MissingModelError, "not in the local cache"),
    ],
)
def test_a_checkpoint_that_is_not_here_is_named_and_nothing_is_downloaded(checkpoint, revision, error, says):
    with pytest.raises(error, match=says):
        TransformersEmbedder(checkpoint, revision, device="cpu")


def test_a_damaged_checkpoint_is_a_clear_error(tmp_path):
    folder = tiny_encoders.save_vit(tmp_path)
    (folder / "config.json").write_text('{"model_type": "no such model"}', encoding="utf-8")

    with pytest.raises(MissingModelError, match="cannot be loaded"):
        TransformersEmbedder(str(folder), device="cpu")
