"""The built-in embedder: a GIST descriptor and a projection learnt on attacked pictures. No download.

GIST: the energy of oriented band-pass filters at four scales, pooled on a 4 x 4 grid (Oliva and Torralba,
"Modeling the Shape of the Scene", IJCV 42(3), 2001). The projection whitens what attacks change within
one picture and keeps what tells pictures apart (linear discriminant analysis; see ``fitting``).

The bank has eight orientations, so that a quarter turn or a mirror only exchanges orientations and grid
cells: all eight views of a photo cost one pass of the filters.
"""

import math
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from doc_assets.datatypes import N_VIEWS, RgbImage, View
from doc_assets.errors import MissingModelError
from doc_assets.features.embedders.base import TorchEmbedder, embedders, unit_rows
from doc_assets.features.weight_files import load_weights

if TYPE_CHECKING:
    import torch

WEIGHTS_DIR = Path(__file__).with_name("weights")
SIDE_PX = 128
_PAD_PX = 16
_SPECTRUM = SIDE_PX + 2 * _PAD_PX
ORIENTATIONS = 8
GRID = 4
# (size of the cropped spectrum, centre frequencies in cycles a pixel): coarse scales need few samples.
_SCALES = ((_SPECTRUM, (0.30,)), (_SPECTRUM // 2, (0.16, 0.085, 0.045)))
_BANDWIDTH_OCTAVES = 0.55
_ANGULAR_WIDTH = 0.6  # of the angle between neighbouring orientations
_PREFILTER_CYCLES = 4.0  # a picture: local contrast is equalised below this frequency
_CONTRAST_FLOOR = 0.2
_PHOTOS_AT_ONCE = 8  # their filter responses take 27 MB a scale
N_SCALES = sum(len(frequencies) for _, frequencies in _SCALES)
RAW_DIM = N_SCALES * ORIENTATIONS * GRID * GRID


@embedders.register("gist")
class GistEmbedder(TorchEmbedder):
    """GIST 512 -> 256, whitened by a discriminant projection.

    Args:
        weights: a file made by ``doc-assets fit-embedder``; the package's own by default.
        device: ``auto``, ``cpu`` or ``cuda``.
        batch_size: photos per forward pass.
    """

    name = "gist"
    preprocessing = "grey-128-squash-1"

    def __init__(self, device: str = "auto", batch_size: int = 32, weights: str | None = None) -> None:
        super().__init__(device, batch_size)
        tensors, self.weights_sha256 = load_weights(Path(weights) if weights else WEIGHTS_DIR / "gist.safetensors")
        mean, projection = tensors.get("mean"), tensors.get("projection")
        if mean is None or projection is None or projection.shape[0] != RAW_DIM:
            raise MissingModelError(
                f"The weights of the gist embedder hold {sorted(tensors)}; wanted are mean ({RAW_DIM},) and "
                f"projection ({RAW_DIM}, D). Fit them with `doc-assets fit-embedder`."
            )
        self.dim = int(projection.shape[1])
        self._weights = mean, projection

    @cached_property
    def _on_device(self) -> "tuple[torch.Tensor, torch.Tensor]":
        """Mean and projection; moved when first used, because naming an embedder needs no torch."""
        import torch

        mean, projection = self._weights
        return torch.tensor(mean, device=self.device), torch.tensor(projection, device=self.device)

    @cached_property
    def _bank(self) -> "GistBank":
        return GistBank(self.device)

    @override
    def prepare(self, photo: RgbImage) -> "torch.Tensor":
        return prepare(photo)

    @override
    def forward(self, batch: "torch.Tensor") -> "torch.Tensor":
        return self._project(self._bank.energies(batch))

    def _project(self, energies: "torch.Tensor") -> "torch.Tensor":
        import torch

        mean, projection = self._on_device
        with torch.autocast(self.device, enabled=False):  # whitening amplifies rounding errors
            return (describe(energies) - mean) @ projection

    @override
    def embed_views(self, photos: Iterable[RgbImage]) -> NDArray[np.float32]:
        import torch

        parts = []
        with torch.inference_mode():
            for batch in self._prefetched(iter(photos)):
                energies = self._bank.energies(batch.to(self.device))
                views = [self._project(turned(energies, View.at(i))) for i in range(N_VIEWS)]
                stacked = torch.stack(views, dim=1).float().cpu().numpy()
                parts.append(unit_rows(stacked.reshape(-1, self.dim)).reshape(stacked.shape))
        return np.concatenate(parts) if parts else np.empty((0, N_VIEWS, self.dim), np.float32)


def prepare(photo: RgbImage) -> "torch.Tensor":
    """(128, 128) float32 luminance 0-255; the sides are squashed, because forms stretch photos to their slot."""
    import cv2
    import torch

    small = cv2.resize(np.ascontiguousarray(photo), (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32))


class GistBank:
    """The filters, and their energies on a grid."""

    def __init__(self, device: str) -> None:
        import torch

        self._filters = [
            (size, torch.from_numpy(_filters(size, frequencies)).to(device)) for size, frequencies in _SCALES
        ]
        frequency = np.fft.fftfreq(_SPECTRUM)
        radius2 = frequency[:, None] ** 2 + frequency[None, :] ** 2
        width2 = (_PREFILTER_CYCLES / SIDE_PX) ** 2 / math.log(2)
        self._low_pass = torch.from_numpy(np.exp(-radius2 / width2).astype(np.float32)).to(device)

    def energies(self, batch: "torch.Tensor") -> "torch.Tensor":
        """(B, 128, 128) luminance -> (B, scales, orientations, 4, 4) mean filter energies."""
        import torch

        return torch.cat([self._energies(part) for part in torch.split(batch, _PHOTOS_AT_ONCE)])

    def _energies(self, batch: "torch.Tensor") -> "torch.Tensor":
        import torch

        spectrum = torch.fft.fft2(self._equalised(batch.float()))
        parts = []
        for size, filters in self._filters:
            responses = torch.fft.ifft2(_cropped(spectrum, size)[:, None] * filters[None]).abs()
            responses = responses * (size / _SPECTRUM) ** 2
            pad = _PAD_PX * size // _SPECTRUM
            inner = responses[:, :, pad : size - pad, pad : size - pad]
            parts.append(torch.nn.functional.adaptive_avg_pool2d(inner, GRID))
        pooled = torch.cat(parts, dim=1)
        return pooled.reshape(len(batch), N_SCALES, ORIENTATIONS, GRID, GRID)

    def _equalised(self, batch: "torch.Tensor") -> "torch.Tensor":
        """Log luminance without its slow changes, local contrast made even: Oliva and Torralba's prefilter.

        Lighting, gamma and printing matter little after it.
        """
        import torch

        padded = torch.nn.functional.pad(torch.log1p(batch)[:, None], (_PAD_PX,) * 4, mode="reflect")[:, 0]
        detail = padded - torch.fft.ifft2(torch.fft.fft2(padded) * self._low_pass).real
        contrast = torch.fft.ifft2(torch.fft.fft2(detail * detail) * self._low_pass).real.abs().sqrt()
        equalised: torch.Tensor = detail / (_CONTRAST_FLOOR + contrast)
        return equalised


def describe(energies: "torch.Tensor") -> "torch.Tensor":
    """(B, scales, orientations, 4, 4) energies -> (B, 512) unit rows of their square roots."""
    import torch

    return torch.nn.functional.normalize(energies.float().flatten(1).sqrt(), dim=1)


def turned(energies: "torch.Tensor", view: View) -> "torch.Tensor":
    """The energies of the photo as ``view`` shows it, without filtering again.

    Mirroring maps orientation k to -k; a quarter turn maps k to k + half of the orientations.
    """
    import torch

    if view.mirrored:
        order = [-k % ORIENTATIONS for k in range(ORIENTATIONS)]
        energies = energies.flip(-1)[:, :, order]
    turns = view.quarter_turns
    energies = torch.rot90(energies, turns, (-2, -1))
    return energies.roll(turns * ORIENTATIONS // 2, dims=2)


def _filters(size: int, frequencies: tuple[float, ...]) -> NDArray[np.float32]:
    """(len(frequencies) * orientations, size, size) one-sided filters on a cropped spectrum.

    Log-Gaussian over frequency, Gaussian over angle; their complex responses' magnitude is the local energy.
    """
    frequency = np.fft.fftfreq(size) * size / _SPECTRUM
    radius = np.hypot(frequency[None, :], frequency[:, None])
    angle = np.arctan2(frequency[:, None], frequency[None, :])
    spread = _ANGULAR_WIDTH * math.pi / ORIENTATIONS
    bank = []
    for centre in frequencies:
        octaves = np.log2(np.maximum(radius, 1e-9) / centre)
        band = np.exp(-(octaves**2) / (2 * _BANDWIDTH_OCTAVES**2))
        for k in range(ORIENTATIONS):
            off = np.angle(np.exp(1j * (angle - k * math.pi / ORIENTATIONS)))
            bank.append(band * np.exp(-(off**2) / (2 * spread**2)))
    return np.stack(bank).astype(np.float32)


def _cropped(spectrum: "torch.Tensor", size: int) -> "torch.Tensor":
    """The lowest ``size`` x ``size`` frequencies: the same picture, sampled more coarsely."""
    import torch

    if size == spectrum.shape[-1]:
        return spectrum
    half = size // 2
    rows = torch.cat([spectrum[:, :half], spectrum[:, -half:]], dim=1)
    return torch.cat([rows[:, :, :half], rows[:, :, -half:]], dim=2)
