"""Why two photos are alike: a multinomial logistic model on what a dense look measured."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from doc_assets.datatypes import Likeness, LikenessTraits
from doc_assets.errors import MissingModelError
from doc_assets.features.weight_files import Tensors, load_weights

WEIGHTS_DIR = Path(__file__).with_name("weights")
MODEL = "likeness.safetensors"
TRAITS = ("residual", "moved", "perspective", "agreement", "detail", "grain", "border", "weak_side", "whole", "light")
"""What ``trait_vector`` holds, each growing as a pair becomes worse."""
N_TRAITS = len(TRAITS)
N_TERMS = N_TRAITS + N_TRAITS * (N_TRAITS + 1) // 2
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
MODEL_SHAPES = {
    "weights": (N_TERMS, len(CLASSES)),
    "intercept": (len(CLASSES),),
    **{name: (N_TRAITS,) for name in ("mean", "spread", "lowest", "highest")},
}


def trait_vector(traits: LikenessTraits) -> NDArray[np.float64]:
    """(10,) ``TRAITS`` as the model sees them: distances, and what a perfect copy has and this has not, as logarithms.

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
    first, second = np.triu_indices(N_TRAITS)
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
        path = folder / MODEL
        tensors, self.sha256 = load_weights(path)
        found = {name: tensor.shape for name, tensor in tensors.items()}
        if found != MODEL_SHAPES:
            raise MissingModelError(
                f"{path} holds {found}; wanted is {MODEL_SHAPES}. Fit it with `python -m benchmarks.fit_likeness`."
            )
        self._tensors = {name: tensor.astype(np.float64) for name, tensor in tensors.items()}

    def judge(self, traits: LikenessTraits) -> Likeness:
        """The probabilities of the three explanations; they sum to 1."""
        return judge(traits, self._tensors)


def judge(traits: LikenessTraits, model: Tensors) -> Likeness:
    """The probabilities of the three explanations by a model of ``MODEL_SHAPES``; they sum to 1."""
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
