import numpy as np
import pytest

from doc_assets.features.weight_files import load_weights
from doc_assets.lab.fit_probability import ProbabilityRecipe, fit_probability, logistic_regression
from doc_assets.search.verify.probability import N_TRAITS


def test_regression_recovers_the_model_that_made_the_labels():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(20_000, 3))
    labels = rng.random(20_000) < 1 / (1 + np.exp(-(rows @ [2.0, -1.0, 0.5] - 0.7)))

    weights, intercept = logistic_regression(rows, labels, ridge=1e-6)

    assert weights == pytest.approx([2.0, -1.0, 0.5], abs=0.1)
    assert intercept == pytest.approx(-0.7, abs=0.1)


def test_pairs_that_can_be_told_apart_perfectly_still_give_finite_weights():
    rows = np.array([[0.0], [1.0], [2.0], [3.0]])

    weights, intercept = logistic_regression(rows, np.array([False, False, True, True]), ridge=1.0)

    assert np.isfinite([*weights, intercept]).all()
    assert weights[0] > 0


@pytest.mark.whole
def test_a_small_model_is_fitted_from_drawn_pictures(tmp_path, embedder):
    digest = fit_probability(tmp_path, embedder, ProbabilityRecipe(pictures=8, look_alikes=2))

    tensors, found = load_weights(tmp_path / "probability.safetensors")
    assert found == digest
    assert tensors["weights"].shape == (N_TRAITS,)
