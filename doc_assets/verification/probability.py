"""How probable it is that two photos show the same shot: a logistic model on what was measured of the pair."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from doc_assets.errors import MissingModelError
from doc_assets.verification.geometry import Alignment
from doc_assets.weights import load_weights

WEIGHTS_DIR = Path(__file__).with_name("weights")
MODEL = "probability.safetensors"
N_TRAITS = 3
MIN_INLIERS = 8
"""Fewer agree by chance: of 28,920 pairs of different photographs 17 had as many."""
_MOST_AGREEMENT = 0.995  # what is left is noise of scanning


def traits(similarity: float, alignment: Alignment | None) -> NDArray[np.float64]:
    """(3,) what the model sees of a pair.

    Pairs with and without an alignment are judged apart. Where keypoints agree, how alike the overlap looks decides
    alone: number of inliers and share of overlap tell copies from other photographs, not from another shot of the same
    place, and a crop's similarity tells nothing. Where keypoints fail, as on a photo turned black and white, similarity
    speaks alone and must be high.

    Returns:
        similarity of an unaligned pair, or 0; then 1 and -log(1 - agreement) of an aligned one, or two zeros.
    """
    if alignment is None or alignment.inliers < MIN_INLIERS:
        return np.array([max(0.0, similarity), 0.0, 0.0])
    agreement = min(max(0.0, alignment.appearance.agreement), _MOST_AGREEMENT)
    return np.array([0.0, 1.0, -np.log1p(-agreement)])


def same_shot_probability(similarity: float, alignment: Alignment | None) -> float:
    """In [0, 1], rising with similarity where keypoints do not agree, with the agreement of the overlap where they do.

    Args:
        similarity: cosine of the two embeddings.
        alignment: how the photos' keypoints agree; None if they do not.

    Raises:
        MissingModelError: if the package's model is absent or damaged.
    """
    weights, intercept = _model()
    return float(1 / (1 + np.exp(-(traits(similarity, alignment) @ weights + intercept))))


@lru_cache(maxsize=1)
def _model() -> tuple[NDArray[np.float64], float]:
    tensors, _ = load_weights(WEIGHTS_DIR / MODEL)
    weights, intercept = tensors.get("weights"), tensors.get("intercept")
    if weights is None or intercept is None or weights.shape != (N_TRAITS,):
        raise MissingModelError(
            f"{WEIGHTS_DIR / MODEL} holds {sorted(tensors)}; wanted are weights ({N_TRAITS},) and intercept. "
            "Fit it with `doc-assets fit-probability`."
        )
    return weights.astype(np.float64), float(intercept[0])
