"""How probable it is that two photos show the same photograph, and why they are alike otherwise.

``PairModel``, a logistic model on keypoints and similarity, decides which pairs are worth a dense look. Where that can
be had, ``LikenessModel``, a multinomial logistic model on what the look measured, has the last word.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from doc_assets.datatypes import Likeness, LikenessTraits
from doc_assets.errors import MissingModelError
from doc_assets.features.weight_files import Tensors, how_made, load_weights
from doc_assets.search.verify.calibration import Calibration
from doc_assets.search.verify.geometry import Alignment

WEIGHTS_DIR = Path(__file__).with_name("weights")
MODEL = "probability.safetensors"
N_TRAITS = 3
MIN_INLIERS = 8
"""Fewer agree by chance: of 28,920 pairs of different photographs 17 had as many."""
WORTH_A_LOOK = 0.1
"""A pair of less is no photograph that is used again: of 2,600 copies the least had 0.48 by keypoints."""
_MOST_AGREEMENT = 0.995  # what is left is noise of scanning

LIKENESS_MODEL = "likeness.safetensors"
SEEN_TRAITS = (
    "residual",
    "moved",
    "perspective",
    "agreement",
    "detail",
    "grain",
    "border",
    "weak_side",
    "whole",
    "light",
)
"""What ``trait_vector`` holds, each growing as a pair becomes worse."""
N_SEEN = len(SEEN_TRAITS)
N_TERMS = N_SEEN + N_SEEN * (N_SEEN + 1) // 2
TELLING_INLIERS = 20
"""Keypoints that agree between photos of one scene or thing; of 8,048 pairs of different scenes none had more."""
CANNOT_TELL = 0.2
"""A pair of at least this probability may be one photograph, though it is not called so."""
LEAST_WHOLE, LEAST_BORDER = 0.6, 0.7
"""A re-use shows one of both photos whole, or agrees with it around whatever covers it: of 486 re-uses that the model
knew, half of them hard, none had less of both. A thing that fills half of two photographs has."""
MOST_IN_PART = 0.45
"""The probability of one photograph where less than that agrees: it cannot be told from a shared thing."""
CLASSES = ("same_photograph", "other_shot", "shared_thing")
LIKENESS_SHAPES = {
    "weights": (N_TERMS, len(CLASSES)),
    "intercept": (len(CLASSES),),
    **{name: (N_SEEN,) for name in ("mean", "spread", "lowest", "highest")},
}


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
    copies too, of which much is covered, curled or filmed from a screen. The probability is that by keypoints alone.
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
        calibration: learnt from verdicts on these weights; one of other weights is left aside.

    Attributes:
        fitted_for: id of the embedder it was fitted with.
        similarity_counts: whether pairs without an alignment can be probable.
        likeness: judges what a dense look measured.
        calibration: of the final probability; None if there is none for these weights.

    Raises:
        MissingModelError: if the file is absent, damaged or no such model.
    """

    def __init__(
        self,
        weights: str | Path | None = None,
        embedder_id: str | None = None,
        calibration: Calibration | None = None,
    ) -> None:
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
        self.calibration = calibration if calibration is not None and calibration.base == self.base_id else None
        self._weights, self._intercept = found.astype(np.float64), float(intercept[0])

    @property
    def base_id(self) -> str:
        """Which weights judge pairs: the first eight digits of both files' SHA-256."""
        return f"{self.sha256[:8]}-{self.likeness.sha256[:8]}"

    @property
    def model_id(self) -> str:
        """What judges pairs: the weights, and the calibration if one is used."""
        return f"{self.base_id}+{self.calibration.calibration_id}" if self.calibration else self.base_id

    def final(self, probability: float) -> float:
        """What a probability by the weights, of keypoints or of a dense look, is worth by the verdicts; in [0, 1]."""
        return self.calibration.of(probability) if self.calibration else probability

    def probability(self, similarity: float, alignment: Alignment | None) -> float:
        """In [0, 1], rising with the agreement of the overlap where keypoints agree, with similarity where they do not.

        Similarity is the cosine of the two embeddings.
        """
        counting = similarity if self.similarity_counts else 0.0
        return float(1 / (1 + np.exp(-(traits(counting, alignment) @ self._weights + self._intercept))))


def trait_vector(traits: LikenessTraits) -> NDArray[np.float64]:
    """(10,) ``SEEN_TRAITS`` as logarithms: distances, and what a perfect copy has and this one has not.

    The first copies of a photograph differ from it by thousandths and other shots by tenths; only a logarithm lets one
    linear model tell both apart. The small constants are the noise of a perfect copy.
    """
    lacking = np.array([traits.border, traits.weak_side, traits.whole, traits.light])
    return np.concatenate(
        [
            np.log([traits.residual + 0.005, traits.moved + 0.002, traits.perspective + 0.005]),
            np.log([1.005 - np.clip(traits.agreement, 0, 1)]),
            np.log(1.03 - np.clip([traits.detail, traits.grain], 0, 1)),
            np.log(1.02 - np.clip(lacking, 0, 1)),
        ]
    )


def terms(traits: NDArray[np.float64], mean: NDArray[np.float64], spread: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 10) traits -> (N, 65): each in standard deviations, their squares, and products of two.

    Of a straight line alone, a copy through paper and lens and a second shot lie on one side. What tells them apart is
    how far a trait is from its middle, and which others are with it: dark ground around a screen, for one, comes with
    lost detail.
    """
    scaled = (traits - mean) / spread
    first, second = np.triu_indices(N_SEEN)
    return np.concatenate([scaled, scaled[:, first] * scaled[:, second]], axis=1)


class LikenessModel:
    """A fitted model of why aligned photos are alike: multinomial logistic on the traits and their products.

    Traits outside of what the fit has seen count as its edge, because a product grows without end.

    Args:
        folder: holds ``likeness.safetensors``; the package's own by default.

    Attributes:
        sha256: of the file.

    Raises:
        MissingModelError: if the file is absent, damaged or no such model.
    """

    def __init__(self, folder: Path = WEIGHTS_DIR) -> None:
        path = folder / LIKENESS_MODEL
        tensors, self.sha256 = load_weights(path)
        found = {name: tensor.shape for name, tensor in tensors.items()}
        if found != LIKENESS_SHAPES:
            raise MissingModelError(
                f"{path} holds {found}; wanted is {LIKENESS_SHAPES}. Fit it with `python -m benchmarks.fit_likeness`."
            )
        self._tensors = {name: tensor.astype(np.float64) for name, tensor in tensors.items()}

    def judge(self, traits: LikenessTraits) -> Likeness:
        """The probabilities of the three explanations; they sum to 1."""
        return judge(traits, self._tensors)


def judge(traits: LikenessTraits, model: Tensors) -> Likeness:
    """The probabilities of the three explanations by a model of ``LIKENESS_SHAPES``; they sum to 1."""
    inside = np.clip(trait_vector(traits), model["lowest"], model["highest"])
    logits = terms(inside[None], model["mean"], model["spread"])[0] @ model["weights"] + model["intercept"]
    same, other, thing = _shares(logits)
    if traits.whole < LEAST_WHOLE and traits.border < LEAST_BORDER and same > MOST_IN_PART:
        same = MOST_IN_PART
        other, thing = (each * (1 - same) for each in _shares(logits[1:]))
    return Likeness(same, other, thing, traits)


def _shares(logits: NDArray[np.float64]) -> list[float]:
    odds = np.exp(logits - logits.max())
    return [float(each) for each in odds / odds.sum()]
