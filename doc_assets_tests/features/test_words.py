import numpy as np
import pytest

from doc_assets.datatypes import LocalFeatures
from doc_assets.errors import MissingModelError
from doc_assets.features.sift import SiftExtractor
from doc_assets.features.weight_files import load_weights, save_weights
from doc_assets.features.words import CODEBOOK, WEIGHTS_DIR, Describer, VisualWords
from doc_assets.lab.attacks import attack
from doc_assets.lab.fit_features import WordsRecipe, fit_words, spherical_kmeans
from doc_assets.lab.pictures import draw_picture


def _shared(one, other):
    return sum(one.values[np.isin(one.indices, other.indices)] ** 2)


def test_a_copy_shares_words_that_another_picture_does_not(describer):
    _, original = describer.describe(draw_picture(1))
    _, copy = describer.describe(attack("recompressed", draw_picture(1), 3))
    _, other = describer.describe(draw_picture(2))

    assert _shared(original, copy) > 2 * _shared(original, other)


def test_words_are_ascending_and_of_unit_length(describer):
    _, words = describer.describe(draw_picture(5))

    assert (np.diff(words.indices.astype(int)) > 0).all()
    assert np.linalg.norm(words.values) == pytest.approx(1, abs=1e-5)
    assert words.indices.max() < 8192


def test_a_word_that_repeats_counts_by_its_square_root():
    codebook, _ = load_weights(WEIGHTS_DIR / CODEBOOK)
    seen = np.round(codebook["codebook"][[5, 5, 5, 5, 9]].astype(np.float32) * 255).astype(np.uint8)
    features = LocalFeatures(np.zeros((5, 2), np.float32), seen, 10, 10, np.zeros((64, 64), np.uint8))

    words = VisualWords().encode(features)

    assert words.indices.tolist() == [5, 9]

    assert sorted(words.values.tolist()) == pytest.approx([0.2**0.5, 0.8**0.5])


def test_a_photo_without_keypoints_has_no_words():
    nothing = LocalFeatures(
        np.empty((0, 2), np.float32), np.empty((0, 128), np.uint8), 9, 9, np.zeros((64, 64), np.uint8)
    )

    assert len(VisualWords().encode(nothing).indices) == 0


def test_another_codebook_is_another_kind_of_features(describer, tmp_path):
    save_weights(tmp_path / "words.safetensors", {"codebook": np.eye(8, 128, dtype=np.float16)}, {})
    other = Describer(SiftExtractor(), VisualWords(str(tmp_path / "words.safetensors")))
    fewer = Describer(SiftExtractor(100), VisualWords())

    assert len({describer.features_id, other.features_id, fewer.features_id}) == 3


def test_a_file_that_is_no_codebook_is_named(tmp_path):
    save_weights(tmp_path / "words.safetensors", {"mean": np.zeros(3, np.float32)}, {})

    with pytest.raises(MissingModelError, match="fit-words"):
        VisualWords(str(tmp_path / "words.safetensors"))


def test_clustering_finds_the_clusters_there_are():
    rng = np.random.default_rng(0)
    true = rng.uniform(0, 255, (6, 128))
    rows = np.clip(true[np.arange(600) % 6] + rng.normal(0, 4, (600, 128)), 0, 255).astype(np.uint8)

    centres = spherical_kmeans(rows, WordsRecipe(words=24, rounds=8, descriptors=600))

    unit = true / np.linalg.norm(true, axis=1, keepdims=True)
    assert (centres @ unit.T).max(axis=0).min() > 0.999
    np.testing.assert_allclose(np.linalg.norm(centres, axis=1), 1, atol=1e-5)


@pytest.mark.whole
def test_a_small_codebook_is_fitted_from_drawn_pictures(tmp_path):
    recipe = WordsRecipe(pictures=4, features_each=60, words=32, rounds=2)

    digest = fit_words(tmp_path, recipe, workers=1)

    assert VisualWords(str(tmp_path / "words.safetensors")).sha256 == digest
