import numpy as np
import pytest

from doc_assets.errors import SetupError
from doc_assets.features.words import VisualWords
from doc_assets.lab.refit import refit, sample_photos
from doc_assets.search.verify.probability import PairModel


@pytest.mark.slow
def test_weights_are_fitted_again_on_the_archives_photos(filled, embedder, corpus, tmp_path):
    filled.ingest(corpus / "incoming")
    photos = sample_photos(filled.archive, 18, seed=3, fewest=18)

    digests = refit(tmp_path / "models", ["words", "probability"], photos, embedder)

    assert len(photos.places) == len(set(photos.places)) == 18
    assert photos(0).ndim == 3
    np.testing.assert_array_equal(photos(0), photos(18))
    words = VisualWords(str(tmp_path / "models" / "words" / "words.safetensors"))
    model = PairModel(str(tmp_path / "models" / "probability" / "probability.safetensors"))
    assert digests == {"words": words.sha256, "probability": model.sha256}
    assert words.sha256 != VisualWords().sha256
    assert model.probability(0.95, None) > model.probability(0.2, None)


def test_too_small_an_archive_is_refused(filled):
    with pytest.raises(SetupError, match="300 or more"):
        sample_photos(filled.archive, 1000, seed=0)
