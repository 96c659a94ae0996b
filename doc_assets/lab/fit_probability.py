"""Fits the model of ``search.verify.probability`` on pairs of drawn pictures.

Copies are attacked pictures; against them stand the most similar other pictures, and other shots of the same place.
"""

import os
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from doc_assets.datatypes import LocalFeatures, RgbImage
from doc_assets.features.embedders.base import Embedder
from doc_assets.features.sift import VERSION, SiftExtractor, mirrored
from doc_assets.features.weight_files import save_weights
from doc_assets.lab.attacks import ATTACKS, another_shot, attack, recompress
from doc_assets.lab.pictures import PictureSource, draw_picture, in_processes
from doc_assets.search.verify.geometry import align
from doc_assets.search.verify.probability import MODEL, N_TRAITS, traits
from doc_assets.util.progress import track
from doc_assets.util.threads import Workers

_STORED = 300
_QUALITY = 90
_CONVERGED = 1e-8


@dataclass(frozen=True, slots=True)
class ProbabilityRecipe:
    """All that the model depends on.

    Attributes:
        pictures: how many pictures are taken; each is attacked once.
        other_shots: of so many pictures one is taken once more from elsewhere; not of each, because merchants of one
            house are rarer among look-alikes than copies are.
        look_alikes: the most similar other pictures that each attacked one is compared with.
        lost: share of copies whose alignment is ignored, so that similarity alone can convince where keypoints fail.
        ridge: penalty on squared weights, so that separable pairs do not make the model certain of everything.
        seed: number of the first picture.
    """

    pictures: int = 1000
    other_shots: int = 4
    look_alikes: int = 6
    lost: float = 0.1
    ridge: float = 0.1
    seed: int = 5_000_000


def fit_probability(
    folder: Path, embedder: Embedder, recipe: ProbabilityRecipe, source: PictureSource = draw_picture
) -> str:
    """Attacks pictures of ``source``, aligns, fits and writes the model with its manifest; returns the SHA-256."""
    pairs, same = _pairs(embedder, recipe, source)
    weights, intercept = logistic_regression(pairs, same, recipe.ridge)
    how_made = {
        "command": "doc-assets fit-probability",
        **asdict(recipe),
        "features": VERSION,
        "embedder": embedder.embedder_id,
        "pairs": len(pairs),
    }
    tensors = {"weights": weights.astype(np.float64), "intercept": np.array([intercept])}
    return save_weights(folder / MODEL, tensors, how_made)


def logistic_regression(
    rows: NDArray[np.float64], labels: NDArray[np.bool_], ridge: float
) -> tuple[NDArray[np.float64], float]:
    """Weights (T,) and intercept that maximise the likelihood of ``labels`` less ``ridge`` / 2 times squared weights.

    Newton's method; the intercept is not penalised.
    """
    data = np.c_[rows, np.ones(len(rows))]
    penalty = np.diag([ridge] * rows.shape[1] + [1e-9])
    solution = np.zeros(data.shape[1])
    for _ in range(100):
        probability = 1 / (1 + np.exp(-np.clip(data @ solution, -30, 30)))
        gradient = data.T @ (labels - probability) - penalty @ solution
        curvature = (data * (probability * (1 - probability))[:, None]).T @ data + penalty
        change = np.linalg.solve(curvature, gradient)
        solution += change
        if np.abs(change).max() < _CONVERGED:
            break
    return solution[:-1], float(solution[-1])


def _pairs(
    embedder: Embedder, recipe: ProbabilityRecipe, source: PictureSource
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(P, 3) traits of pairs, and which of them show the same picture."""
    numbers = range(recipe.seed, recipe.seed + recipe.pictures)
    originals = embedder.embed(_stored(source(n)) for n in track(numbers, "embedding", len(numbers)))
    views = embedder.embed_views(_attacked(n, source) for n in track(numbers, "embedding copies", len(numbers)))
    similarity = np.stack([(eight @ originals.T).max(axis=0) for eight in views])
    features = in_processes(partial(_features, source=source), numbers, "local features")
    archive, queries, others = zip(*features, strict=True)
    lost = np.random.default_rng([recipe.seed, 8]).random(len(queries)) < recipe.lost

    def of_picture(i: int) -> list[tuple[NDArray[np.float64], bool]]:
        nearest = [j for j in np.argsort(-similarity[i], kind="stable")[: recipe.look_alikes + 1] if j != i]
        flipped = mirrored(queries[i])
        pairs = []
        for j in [i, *nearest[: recipe.look_alikes]]:
            alignment = None if i == j and lost[i] else align(queries[i], flipped, archive[j])
            pairs.append((traits(float(similarity[i, j]), alignment), j == i))
        if i % recipe.other_shots == 0:
            alignment = align(others[i], mirrored(others[i]), archive[i])
            if alignment is not None:  # without one it is a look-alike like any other
                pairs.append((traits(0.0, alignment), False))
        return pairs

    with Workers(os.cpu_count() or 1) as threads, threadpool_limits(1, "blas"):
        each = track(threads.map(of_picture, range(len(queries))), "aligning", len(queries))
        found = list(chain.from_iterable(each))
    return np.array([row for row, _ in found]).reshape(-1, N_TRAITS), np.array([is_same for _, is_same in found])


def _features(number: int, source: PictureSource) -> tuple[LocalFeatures, LocalFeatures, LocalFeatures]:
    """Of the archive photo, its attacked copy and another shot of the same."""
    archive, query = SiftExtractor(_STORED), SiftExtractor()
    another = _stored(another_shot(source(number), source(number + 1), number))
    attacked = _attacked(number, source)
    return archive.extract(_stored(source(number))), query.extract(attacked), query.extract(another)


def _stored(photo: RgbImage) -> RgbImage:
    return recompress(photo, _QUALITY)


def _attacked(number: int, source: PictureSource) -> RgbImage:
    rng = np.random.default_rng([number, 7])
    return _stored(attack(str(rng.choice(list(ATTACKS))), source(number), int(rng.integers(1 << 31))))
