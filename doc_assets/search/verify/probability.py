"""How probable it is that two photos show the same photograph: a logistic model on what was measured of the pair.

It decides which pairs are worth a dense look; where that can be had, ``kinds.LikenessModel`` has the last word.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from doc_assets.errors import MissingModelError
from doc_assets.features.weight_files import how_made, load_weights
from doc_assets.search.verify.geometry import Alignment
from doc_assets.search.verify.kinds import TELLING_INLIERS, LikenessModel

WEIGHTS_DIR = Path(__file__).with_name("weights")
MODEL = "probability.safetensors"
N_TRAITS = 3
MIN_INLIERS = 8
"""Fewer agree by chance: of 28,920 pairs of different photographs 17 had as many."""
WORTH_A_LOOK = 0.1
"""A pair of less is no photograph that is used again: of 2,600 copies the least had 0.48 by keypoints."""
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


def is_worth_a_look(probability: float, alignment: Alignment | None) -> bool:
    """Whether a dense look at a pair can change what is said of it.

    It can where keypoints make a match possible, or agree as only those of one scene or thing do. The second kind holds
    copies too, of which much is covered, curled or filmed from a screen.

    Args:
        probability: by keypoints alone, in [0, 1].
        alignment: how they agree.
    """
    if alignment is None or alignment.inliers < MIN_INLIERS:
        return False
    return probability >= WORTH_A_LOOK or alignment.inliers >= TELLING_INLIERS


class PairModel:
    """A fitted model of photo pairs.

    Args:
        weights: a file made by ``doc-assets fit-probability`` or ``refit_job``; the package's own by default.
        embedder_id: of the similarities to be judged. A cosine of 0.9 says much with one embedder and nothing with
            another, so similarity does not count if the model was fitted with another one. None trusts the caller.

    Attributes:
        fitted_for: id of the embedder it was fitted with.
        similarity_counts: whether pairs without an alignment can be probable.
        likeness: judges what a dense look measured.

    Raises:
        MissingModelError: if the file is absent, damaged or no such model.
    """

    def __init__(self, weights: str | Path | None = None, embedder_id: str | None = None) -> None:
        path = Path(weights) if weights else WEIGHTS_DIR / MODEL
        tensors, self.sha256 = load_weights(path)
        found, intercept = tensors.get("weights"), tensors.get("intercept")
        if found is None or intercept is None or found.shape != (N_TRAITS,) or intercept.shape != (1,):
            raise MissingModelError(
                f"{path} holds { ({name: tensor.shape for name, tensor in tensors.items()}) }; wanted are weights "
                f"({N_TRAITS},) and intercept (1,). Fit it with `doc-assets fit-probability`."
            )
        self.fitted_for = str(how_made(path).get("embedder"))
        self.likeness = LikenessModel()
        self.similarity_counts = embedder_id in {None, self.fitted_for}
        self._weights, self._intercept = found.astype(np.float64), float(intercept[0])

    def probability(self, similarity: float, alignment: Alignment | None) -> float:
        """In [0, 1], rising with the agreement of the overlap where keypoints agree, with similarity where they do not.

        Args:
            similarity: cosine of the two embeddings.
            alignment: how the photos' keypoints agree; None if they do not.
        """
        counting = similarity if self.similarity_counts else 0.0
        return float(1 / (1 + np.exp(-(traits(counting, alignment) @ self._weights + self._intercept))))
