"""Fits what makes photos to numbers, on pictures and their attacks: the gist embedder and the codebook of visual words.

The same recipe takes the same pictures on every machine; the last digits of the weights depend on the linear algebra
library. ``workers`` processes draw the pictures.
"""

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from doc_assets.datatypes import unit_descriptors
from doc_assets.features.embedders.gist import GistBank, describe, prepare
from doc_assets.features.sift import VERSION, SiftExtractor
from doc_assets.features.weight_files import Tensors, save_weights
from doc_assets.features.words import CODEBOOK
from doc_assets.lab.attacks import ATTACKS, TURNING, attack
from doc_assets.lab.pictures import PictureSource, draw_picture, in_processes
from doc_assets.util.progress import track

if TYPE_CHECKING:
    import torch

_ROWS_AT_ONCE = 20_000
_GIST_ATTACKS = [name for name in ATTACKS if name not in TURNING]


@dataclass(frozen=True, slots=True)
class GistRecipe:
    """All that the projection of the gist embedder depends on.

    Attributes:
        pictures: how many pictures are taken.
        attacks_each: different attacks on each of them.
        dim: length of a vector.
        shrinkage: share of the mean variance added to every direction before whitening, so that directions
            which no attack happens to touch are not blown up.
        seed: number of the first picture.
    """

    pictures: int = 2400
    attacks_each: int = 8
    dim: int = 256
    shrinkage: float = 0.05
    seed: int = 1_000_000


def fit_gist(
    folder: Path, recipe: GistRecipe, workers: int = os.cpu_count() or 1, source: PictureSource = draw_picture
) -> str:
    """Attacks pictures of ``source``, fits and writes ``gist.safetensors`` with its manifest; returns the SHA-256."""
    work = partial(_gists, attacks_each=recipe.attacks_each, source=source)
    numbers = range(recipe.seed, recipe.seed + recipe.pictures)
    descriptors = np.stack(in_processes(work, numbers, "drawing pictures", workers))
    mean, projection = discriminant_projection(descriptors, recipe.dim, recipe.shrinkage)
    tensors: Tensors = {"mean": mean.astype(np.float32), "projection": projection.astype(np.float32)}
    how_made = {"command": "doc-assets fit-embedder", **asdict(recipe), "attacks": _GIST_ATTACKS}
    return save_weights(folder / "gist.safetensors", tensors, how_made)


def discriminant_projection(
    descriptors: NDArray[np.float32], dim: int, shrinkage: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Whitens the scatter within pictures, then keeps the directions in which pictures differ most.

    Args:
        descriptors: (P, K, R): K versions of each of P pictures.
        dim: directions kept.
        shrinkage: see ``GistRecipe``.

    Returns:
        (R,) mean and (R, dim) projection; a vector is ``(descriptor - mean) @ projection``, scaled to unit length.

    Source: Fisher's linear discriminant as used for descriptors by Mikolajczyk and Matas, "Improving
    Descriptors for Fast Tree Matching by Optimal Linear Projection", ICCV 2007.
    """
    data = descriptors.astype(np.float64)
    centres = data.mean(axis=1)
    mean = centres.mean(axis=0)
    within = (data - centres[:, None, :]).reshape(-1, data.shape[2])
    scatter = within.T @ within / len(within)
    scatter += shrinkage * np.trace(scatter) / len(scatter) * np.eye(len(scatter))
    values, vectors = np.linalg.eigh(scatter)
    whitening = vectors / np.sqrt(values)
    spread = (centres - mean) @ whitening
    values, vectors = np.linalg.eigh(spread.T @ spread / len(spread))
    projection = whitening @ vectors[:, np.argsort(-values)[:dim]]
    signs = np.sign(projection[np.abs(projection).argmax(axis=0), np.arange(projection.shape[1])])
    return mean, projection * signs


def _gists(number: int, attacks_each: int, source: PictureSource) -> NDArray[np.float32]:
    """(1 + attacks, R) descriptors of a picture as it is and attacked."""
    import torch

    with torch.inference_mode():
        batch = torch.stack(list(_prepared(number, attacks_each, source)))
        found: NDArray[np.float32] = describe(_bank().energies(batch)).numpy()
    return found


def _prepared(number: int, attacks_each: int, source: PictureSource) -> Iterator["torch.Tensor"]:
    rng = np.random.default_rng([number, 3])
    picture = source(number)
    yield prepare(picture)
    for name in rng.choice(_GIST_ATTACKS, attacks_each, replace=False):
        yield prepare(attack(str(name), picture, int(rng.integers(1 << 31))))


@cache
def _bank() -> GistBank:
    """One for each process, which from then on leaves the other processors to its siblings."""
    import torch

    torch.set_num_threads(1)
    return GistBank("cpu")


@dataclass(frozen=True, slots=True)
class WordsRecipe:
    """All that the codebook of visual words depends on.

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
    """Attacks pictures of ``source``, clusters and writes ``words.safetensors`` with its manifest; returns SHA-256."""
    work = partial(_keypoints, features_each=recipe.features_each, source=source)
    numbers = range(recipe.seed, recipe.seed + recipe.pictures)
    descriptors = np.concatenate(in_processes(work, numbers, "drawing pictures", workers))
    codebook = spherical_kmeans(descriptors, recipe).astype(np.float16)
    how_made = {"command": "doc-assets fit-words", **asdict(recipe), "features": VERSION}
    return save_weights(folder / CODEBOOK, {"codebook": codebook}, how_made)


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
        sums, counts = torch.zeros_like(centres), torch.zeros(len(centres))
        for part in torch.split(rows, _ROWS_AT_ONCE):
            nearest = (part @ centres.T).argmax(dim=1)
            sums.index_add_(0, nearest, part)
            counts.index_add_(0, nearest, torch.ones(len(part)))
        empty = counts == 0
        sums[empty] = rows[torch.from_numpy(rng.integers(0, len(rows), int(empty.sum())))]
        centres = torch.nn.functional.normalize(sums, dim=1)
    found: NDArray[np.float32] = centres.numpy()
    return found


def _keypoints(number: int, features_each: int, source: PictureSource) -> NDArray[np.uint8]:
    """(N, 128) descriptors of a picture as it is and attacked."""
    extractor = SiftExtractor(features_each)
    rng = np.random.default_rng([number, 6])
    picture = source(number)
    changed = attack(str(rng.choice(list(ATTACKS))), picture, int(rng.integers(1 << 31)))
    return np.concatenate([extractor.extract(picture).descriptors, extractor.extract(changed).descriptors])
