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
N_TRAITS = 5
MIN_INLIERS = 8
"""Fewer agree by chance: of 4,674 pairs of different photographs 1 in 100 had as many."""


def traits(similarity: float, alignment: Alignment | None) -> NDArray[np.float64]:
    """(5,) what the model sees of a pair.

    Pairs with and without an alignment are judged apart: where keypoints agree they speak, where they fail, as on
    a photo turned black and white, similarity speaks alone and must be higher.

    Returns:
        similarity of an unaligned pair, or 0; for an aligned one similarity, 1, log inliers and the smaller share of
        overlap, else four zeros.
    """
    seen = max(0.0, similarity)
    if alignment is None or alignment.inliers < MIN_INLIERS:
        return np.array([seen, 0.0, 0.0, 0.0, 0.0])
    overlap = min(alignment.query_share, alignment.archive_share)
    return np.array([0.0, seen, 1.0, np.log(alignment.inliers), overlap])


def same_shot_probability(similarity: float, alignment: Alignment | None) -> float:
    """In [0, 1], rising with similarity and with inliers.

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
