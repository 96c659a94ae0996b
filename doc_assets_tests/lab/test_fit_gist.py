import json

import numpy as np
import pytest

from doc_assets.features.embedders.base import make_embedder
from doc_assets.lab.fit_features import GistRecipe, discriminant_projection, fit_gist
from doc_assets.lab.pictures import draw_picture


def test_the_projection_ignores_what_varies_within_and_keeps_what_differs_between():
    rng = np.random.default_rng(0)
    between, within = rng.normal(size=(200, 1, 1)), rng.normal(size=(200, 5, 1)) * 20
    noise = rng.normal(size=(200, 5, 8)) * 0.1
    data = noise.copy()
    data[:, :, :1] += between
    data[:, :, 1:2] += within

    mean, projection = discriminant_projection(data.astype(np.float32), dim=1, shrinkage=1e-6)

    direction = np.abs(projection[:, 0]) / np.linalg.norm(projection)
    assert direction[0] > 0.99
    assert direction[1] < 0.01
    assert mean.shape == (8,)


@pytest.mark.slow
def test_fitted_weights_are_reproducible_and_usable(tmp_path):
    recipe = GistRecipe(pictures=40, attacks_each=3, dim=16, shrinkage=0.3)

    first = fit_gist(tmp_path / "one", recipe, workers=1)
    second = fit_gist(tmp_path / "two", recipe, workers=2)

    assert first == second
    manifest = json.loads((tmp_path / "one" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["gist.safetensors"]["how_made"]["pictures"] == 40
    options = {"weights": str(tmp_path / "one" / "gist.safetensors")}
    embedder = make_embedder("gist", options, device="cpu", batch_size=4)
    assert embedder.embed([draw_picture(1)]).shape == (1, 16)
