"""What embedders that run on torch share: device, batches, prefetch, and a batch size that gives way."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from doc_assets.datatypes import Embeddings, RgbImage
from doc_assets.errors import ServiceError, SettingsError
from doc_assets.features.embedders.base import Embedder, unit_rows

if TYPE_CHECKING:
    import torch


def pick_device(wanted: str) -> str:
    """``cuda`` or ``cpu``; ``auto`` takes the GPU if there is one.

    Raises:
        SettingsError: if ``cuda`` is wanted and there is none.
    """
    import torch

    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cuda" and not torch.cuda.is_available():
        raise SettingsError(
            "DOC_ASSETS_DEVICE=cuda, but torch sees no CUDA device. Set it to auto or cpu, or give the "
            "process a GPU (driver, container toolkit, a CUDA build of torch)."
        )
    return wanted


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
        """``cuda`` or ``cpu``, decided when first needed."""
        return pick_device(self._wanted_device)

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

    def _run(self, batch: "torch.Tensor") -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        """The forward pass, in halves if the device has too little memory for the whole.

        Raises:
            ServiceError: if not even one photo fits.
        """
        import torch

        half_precision = torch.autocast("cuda", torch.bfloat16, enabled=self.device == "cuda")
        try:
            with torch.inference_mode(), half_precision:
                output = self.forward(batch.to(self.device, non_blocking=True))
                return output.float().cpu().numpy()
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
