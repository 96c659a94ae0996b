import numpy as np
import pytest

from doc_assets.errors import ServiceError
from doc_assets.features.embedders.base import TorchEmbedder


class SmallGpu(TorchEmbedder):
    """An embedder on a device that holds only so many photos at once."""

    name = "small GPU"
    dim = 2
    weights_sha256 = "0" * 64
    preprocessing = "1"

    def __init__(self, holds: int, batch_size: int) -> None:
        super().__init__("cpu", batch_size)
        self.holds = holds
        self.sizes: list[int] = []

    def prepare(self, photo):
        import torch

        return torch.tensor([float(photo[0, 0, 0]) + 1, 1.0])

    def forward(self, batch):
        import torch

        if len(batch) > self.holds:
            raise torch.OutOfMemoryError(f"tried to hold {len(batch)}")
        self.sizes.append(len(batch))
        return batch


def _photos(n):
    return [np.full((2, 2, 3), i, np.uint8) for i in range(n)]


def test_the_batch_size_halves_until_it_fits_and_stays_there():
    gpu = SmallGpu(holds=5, batch_size=32)

    vectors = gpu.embed(_photos(100))

    expected = np.array([[i + 1, 1] for i in range(100)], np.float32)
    np.testing.assert_allclose(vectors, expected / np.linalg.norm(expected, axis=1, keepdims=True), rtol=1e-6)
    assert max(gpu.sizes) <= 5
    assert gpu.batch_size <= 5
    assert sum(gpu.sizes) == 100


def test_a_device_that_holds_no_photo_at_all_is_an_error():
    with pytest.raises(ServiceError, match="not even one photo"):
        SmallGpu(holds=0, batch_size=8).embed(_photos(3))
