"""Fits the codebook of visual words: spherical k-means over the keypoints of drawn pictures and their attacks."""

import os
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from doc_assets.datatypes import unit_descriptors
from doc_assets.features.sift import VERSION, SiftExtractor
from doc_assets.features.weight_files import save_weights
from doc_assets.features.words import CODEBOOK
from doc_assets.lab.attacks import ATTACKS, attack
from doc_assets.lab.fit_pictures import PictureSource, in_processes
from doc_assets.lab.pictures import draw_picture
from doc_assets.util.progress import track

if TYPE_CHECKING:
    import torch

_ROWS_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class WordsRecipe:
    """All that the codebook depends on.

    Attributes:
        pictures: how many pictures are taken; each counts once as it is and once attacked.
        features_each: keypoints of each version.
        descriptors: most descriptors that are clustered.
        words: size of the codebook.
        rounds: of k-means.
        seed: number of the first picture.
    """

    pictures: int = 1200
    features_each: int = 400
    descriptors: int = 400_000
    words: int = 8192
    rounds: int = 10
    seed: int = 3_000_000


def fit_words(
    folder: Path, recipe: WordsRecipe, workers: int = os.cpu_count() or 1, source: PictureSource = draw_picture
) -> str:
    """Attacks pictures of ``source``, clusters and writes ``words.safetensors`` with its manifest; returns the SHA-256.

    The same recipe gives the same pictures on every machine; the last digits of the codebook depend on the
    linear algebra library.
    """
    codebook = spherical_kmeans(_descriptors(recipe, workers, source), recipe)
    how_made = {"command": "doc-assets fit-words", **asdict(recipe), "features": VERSION}
    return save_weights(folder / CODEBOOK, {"codebook": codebook.astype(np.float16)}, how_made)


def spherical_kmeans(descriptors: NDArray[np.uint8], recipe: WordsRecipe) -> NDArray[np.float32]:
    """(words, 128) unit centres of (N, 128) RootSIFT descriptors by cosine; a centre that nobody needs starts anew."""
    import torch

    rng = np.random.default_rng(recipe.seed)
    chosen = rng.permutation(len(descriptors))[: recipe.descriptors]
    rows = torch.from_numpy(unit_descriptors(descriptors[chosen]))
    if len(rows) < recipe.words:
        raise ValueError(f"{len(rows)} descriptors cannot make {recipe.words} words; take more pictures")
    centres = rows[: recipe.words].clone()
    for _ in track(range(recipe.rounds), "clustering", recipe.rounds):
        centres = _next_centres(rows, centres, rng)
    found: NDArray[np.float32] = centres.numpy()
    return found


def _next_centres(rows: "torch.Tensor", centres: "torch.Tensor", rng: np.random.Generator) -> "torch.Tensor":
    import torch

    sums, counts = torch.zeros_like(centres), torch.zeros(len(centres))
    for part in torch.split(rows, _ROWS_AT_ONCE):
        nearest = (part @ centres.T).argmax(dim=1)
        sums.index_add_(0, nearest, part)
        counts.index_add_(0, nearest, torch.ones(len(part)))
    empty = counts == 0
    sums[empty] = rows[torch.from_numpy(rng.integers(0, len(rows), int(empty.sum())))]
    return torch.nn.functional.normalize(sums, dim=1)


def _descriptors(recipe: WordsRecipe, workers: int, source: PictureSource) -> NDArray[np.uint8]:
    work = partial(_described, features_each=recipe.features_each, source=source)
    numbers = range(recipe.seed, recipe.seed + recipe.pictures)
    return np.concatenate(in_processes(work, numbers, "drawing pictures", workers))


def _described(number: int, features_each: int, source: PictureSource) -> NDArray[np.uint8]:
    extractor = SiftExtractor(features_each)
    rng = np.random.default_rng([number, 6])
    picture = source(number)
    changed = attack(str(rng.choice(list(ATTACKS))), picture, int(rng.integers(1 << 31)))
    return np.concatenate([extractor.extract(picture).descriptors, extractor.extract(changed).descriptors])
