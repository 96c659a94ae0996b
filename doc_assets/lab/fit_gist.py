"""Fits the projection of the gist embedder: what attacks change is whitened, what tells pictures apart stays."""

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from doc_assets.features.embedders.gist import GistBank, describe, prepare
from doc_assets.features.weight_files import Tensors, save_weights
from doc_assets.lab.attacks import ATTACKS, TURNING, attack
from doc_assets.lab.fit_pictures import PictureSource, in_processes
from doc_assets.lab.pictures import draw_picture

if TYPE_CHECKING:
    import torch

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FitRecipe:
    """All that the weights depend on.

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
    folder: Path, recipe: FitRecipe, workers: int = os.cpu_count() or 1, source: PictureSource = draw_picture
) -> str:
    """Attacks pictures of ``source``, fits and writes ``gist.safetensors`` with its manifest; returns the SHA-256.

    The same recipe gives the same pictures on every machine; the last digits of the weights depend on the
    linear algebra library.
    """
    descriptors = _descriptors(recipe, workers, source)
    mean, projection = discriminant_projection(descriptors, recipe.dim, recipe.shrinkage)
    tensors: Tensors = {"mean": mean.astype(np.float32), "projection": projection.astype(np.float32)}
    how_made = {"command": "doc-assets fit-embedder", **asdict(recipe), "attacks": _attack_names()}
    return save_weights(folder / "gist.safetensors", tensors, how_made)


def discriminant_projection(
    descriptors: NDArray[np.float32], dim: int, shrinkage: float
) -> tuple[NDArray[np.float64], Matrix]:
    """Whitens the scatter within pictures, then keeps the directions in which pictures differ most.

    Args:
        descriptors: (P, K, R): K versions of each of P pictures.
        dim: directions kept.
        shrinkage: see ``FitRecipe``.

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


def _attack_names() -> list[str]:
    return [name for name in ATTACKS if name not in TURNING]


def _descriptors(recipe: FitRecipe, workers: int, source: PictureSource) -> NDArray[np.float32]:
    """(pictures, 1 + attacks, RAW_DIM), made by ``workers`` processes."""
    work = partial(_described, attacks_each=recipe.attacks_each, source=source)
    numbers = range(recipe.seed, recipe.seed + recipe.pictures)
    return np.stack(in_processes(work, numbers, "drawing pictures", workers))


def _described(number: int, attacks_each: int, source: PictureSource) -> NDArray[np.float32]:
    import torch

    with torch.inference_mode():
        batch = torch.stack(list(_versions(number, attacks_each, source)))
        found: NDArray[np.float32] = describe(_bank().energies(batch)).numpy()
    return found


@cache
def _bank() -> GistBank:
    """One for each process, which from then on leaves the other processors to its siblings."""
    import torch

    torch.set_num_threads(1)
    return GistBank("cpu")


def _versions(number: int, attacks_each: int, source: PictureSource) -> Iterator["torch.Tensor"]:
    rng = np.random.default_rng([number, 3])
    picture = source(number)
    yield prepare(picture)
    for name in rng.choice(_attack_names(), attacks_each, replace=False):
        yield prepare(attack(str(name), picture, int(rng.integers(1 << 31))))
