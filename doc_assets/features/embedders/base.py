"""The interface of every embedder, and the list of them.

A new embedder is one file in this folder: a subclass of ``Embedder`` under ``@embedders.register("name")``.
The contract tests run on it at once.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from doc_assets.datatypes import N_VIEWS, Embeddings, RgbImage, View
from doc_assets.errors import SettingsError
from doc_assets.util.files import sha256_of
from doc_assets.util.registry import Registry


class Embedder(ABC):
    """Turns photos into unit vectors.

    Attributes:
        name: as registered.
        dim: length of a vector.
        weights_sha256: digest of everything learnt that goes into a vector.
        preprocessing: version of what happens to a photo before the weights see it.
    """

    name: str
    dim: int
    weights_sha256: str
    preprocessing: str

    @property
    def embedder_id(self) -> str:
        """Name and digest; vectors with different ids may never be compared."""
        digest = sha256_of(f"{self.weights_sha256}|{self.preprocessing}|{self.dim}".encode())
        return f"{self.name}-{digest[:8]}"

    @abstractmethod
    def embed(self, photos: Iterable[RgbImage]) -> Embeddings:
        """(N, dim) float32 unit rows in the photos' order; a row does not depend on its batch.

        The photos are consumed a batch at a time.
        """

    def embed_views(self, photos: Iterable[RgbImage]) -> NDArray[np.float32]:
        """(N, 8, dim) float32: every photo in its eight turns and mirrors, in the order of ``View.at``."""
        views = self.embed(View.at(i).apply(photo) for photo in photos for i in range(N_VIEWS))
        return views.reshape(-1, N_VIEWS, self.dim)


@dataclass(frozen=True, slots=True)
class EmbedderSpec:
    """Which embedder: its registered name and its own options, a checkpoint by the name it was added under."""

    name: str
    options: Mapping[str, Any]


embedders: Registry[Embedder] = Registry("embedder", __package__)


def make_embedder(name: str, options: dict[str, Any], *, device: str, batch_size: int) -> Embedder:
    """The embedder of that name, its weights loaded.

    Args:
        name: as registered.
        options: its own options.
        device: ``auto``, ``cpu`` or ``cuda``.
        batch_size: photos per forward pass.

    Raises:
        SettingsError: if there is no such embedder or it does not take these options.
        MissingModelError: if its weights are absent or damaged.
    """
    make: Callable[..., Embedder] = embedders.get(name)
    try:
        return make(**options, device=device, batch_size=batch_size)
    except TypeError as error:
        raise SettingsError(
            f"Embedder {name!r} does not take DOC_ASSETS_EMBEDDER_OPTIONS={json.dumps(options)}: {error}"
        ) from error


def require_finite(vectors: Embeddings) -> Embeddings:
    """``vectors`` as they are.

    Raises:
        ValueError: if a number is none: it would be near to everything or to nothing.
    """
    if not np.isfinite(vectors).all():
        raise ValueError("The embedder made a vector with a number that is not finite.")
    return vectors


def unit_rows(vectors: NDArray[np.floating[Any]]) -> Embeddings:
    """Rows scaled to unit length, float32; a zero row becomes the first unit vector."""
    rows = np.array(vectors, np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    rows[lengths[:, 0] == 0, 0] = 1.0
    rows /= np.where(lengths == 0, 1, lengths)
    return rows
