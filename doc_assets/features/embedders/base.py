"""The interface of every embedder, the list of them, and what those that run on torch share.

A new embedder is one file in this folder: a subclass of ``Embedder`` under ``@embedders.register("name")``.
The contract tests run on it at once.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from doc_assets.datatypes import N_VIEWS, Embeddings, RgbImage, View
from doc_assets.errors import ServiceError, SettingsError
from doc_assets.util.files import sha256_of
from doc_assets.util.registry import Registry

if TYPE_CHECKING:
    import torch


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
    given = {**options, "device": device, "batch_size": batch_size}
    return embedders.make(name, given, "DOC_ASSETS_EMBEDDER_OPTIONS")


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


class TorchEmbedder(Embedder):
    """An embedder whose vectors come from a forward pass on ``device``.

    The next batch is prepared in a thread while the device works on the current one. On a GPU the forward
    pass runs in bfloat16 where torch's autocast allows it.
    """

    def __init__(self, device: str, batch_size: int) -> None:
        self._wanted_device = device
        self.batch_size = batch_size

    @cached_property
    def device(self) -> str:
        """``cuda`` or ``cpu``, decided when first needed; ``auto`` takes the GPU if there is one.

        Raises:
            SettingsError: if ``cuda`` is wanted and there is none.
        """
        import torch

        if self._wanted_device == "auto":
            return "cuda" if torch.cuda.is_available() else "cpu"
        if self._wanted_device == "cuda" and not torch.cuda.is_available():
            raise SettingsError(
                "DOC_ASSETS_DEVICE=cuda, but torch sees no CUDA device. Set it to auto or cpu, or give the "
                "process a GPU (driver, container toolkit, a CUDA build of torch)."
            )
        return self._wanted_device

    @abstractmethod
    def prepare(self, photo: RgbImage) -> "torch.Tensor":
        """One photo as the tensor that ``forward`` takes, on the CPU; every photo gives the same shape."""

    @abstractmethod
    def forward(self, batch: "torch.Tensor") -> "torch.Tensor":
        """(B, ...) prepared photos on the device -> (B, dim) vectors of any length."""

    @override
    def embed(self, photos: Iterable[RgbImage]) -> Embeddings:
        rows = [self._run(batch) for batch in self._prefetched(iter(photos))]
        if not rows:
            return np.empty((0, self.dim), np.float32)
        return unit_rows(np.concatenate(rows))

    def _prefetched(self, photos: Iterator[RgbImage]) -> Iterator["torch.Tensor"]:
        """Stacked batches, the next one prepared while the current one is in use."""
        with ThreadPoolExecutor(1, thread_name_prefix="prepare") as pool:
            coming: Future[torch.Tensor | None] = pool.submit(self._next_batch, photos)
            while (batch := coming.result()) is not None:
                coming = pool.submit(self._next_batch, photos)
                yield batch

    def _next_batch(self, photos: Iterator[RgbImage]) -> "torch.Tensor | None":
        import torch

        prepared = [self.prepare(photo) for photo in islice(photos, self.batch_size)]
        if not prepared:
            return None
        batch = torch.stack(prepared)
        return batch.pin_memory() if self.device == "cuda" else batch

    def _run(self, batch: "torch.Tensor") -> NDArray[np.float32]:
        """The forward pass, in halves if the device has too little memory for the whole.

        Raises:
            ServiceError: if not even one photo fits.
        """
        import torch

        half_precision = torch.autocast("cuda", torch.bfloat16, enabled=self.device == "cuda")
        try:
            with torch.inference_mode(), half_precision:
                output = self.forward(batch.to(self.device, non_blocking=True))
                return np.asarray(output.float().cpu().numpy())
        except torch.OutOfMemoryError as error:
            if len(batch) == 1:
                raise ServiceError(
                    f"{self.name}: not even one photo fits into the memory of {self.device}. "
                    "Is another program using the GPU?"
                ) from error
        if self.device == "cuda":
            torch.cuda.empty_cache()
        self.batch_size = max(1, min(self.batch_size, len(batch)) // 2)
        middle = len(batch) // 2
        return np.concatenate([self._run(batch[:middle]), self._run(batch[middle:])])
