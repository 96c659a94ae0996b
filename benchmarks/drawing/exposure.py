"""A camera's part of a photograph: light, white balance, focus, movement, sensor noise, sharpening, JPEG."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from benchmarks.drawing.rendering import Rendering
from doc_assets.datatypes import RgbImage
from doc_assets.lab.attacks import recompress

_FOCUS_STEPS = 3
_BRIGHTEST = 280.0  # 8-bit levels; the meter lets a twentieth of the frame be brighter
Picture = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Exposure:
    """What one shot does to what stands before the camera.

    Attributes:
        middle: mean of the photograph in 8-bit levels that the meter wants.
        gain: (3,) factors on red, green and blue: white balance.
        slope: (2,) how much brighter the right and the lower edge are than the left and the upper one.
        vignette: share of light that the corners lack.
        gamma: of the tone curve.
        focus: nearness that is sharp, in 1 / metres.
        defocus: blur in shares of the width per unit of nearness off the focus.
        softest: the most of it, in shares of the width.
        softness: blur everywhere, in shares of the width.
        shake: (2,) how far the camera moved while it exposed, in shares of the width.
        noise: deviation in 8-bit levels at middle grey.
        sharpening: what the phone adds of the edges.
        quality: of the JPEG.
        seed: of the noise.
    """

    middle: float
    gain: NDArray[np.float64]
    slope: NDArray[np.float64]
    vignette: float
    gamma: float
    focus: float
    defocus: float
    softest: float
    softness: float
    shake: NDArray[np.float64]
    noise: float
    sharpening: float
    quality: int
    seed: int


def draw_exposure(rng: Generator, focus: float) -> Exposure:
    """The exposure of one shot; two of one scene differ by up to a stop."""
    return Exposure(
        middle=rng.uniform(80, 150),
        gain=1 + rng.normal(0, 0.05, 3),
        slope=rng.uniform(-0.2, 0.2, 2),
        vignette=rng.uniform(0, 0.35),
        gamma=float(np.exp(rng.normal(0, 0.15))),
        focus=focus * rng.uniform(0.8, 1.25),
        defocus=rng.uniform(0, 0.002),
        softest=0.003,
        softness=rng.uniform(0.0003, 0.0012),
        shake=rng.normal(0, 0.0008, 2) * (rng.random() < 0.4),
        noise=rng.uniform(1.0, 6.0),
        sharpening=rng.uniform(0.0, 0.8),
        quality=int(rng.integers(72, 95)),
        seed=int(rng.integers(1 << 31)),
    )


def expose(rendering: Rendering, width: int, height: int, exposure: Exposure) -> RgbImage:
    """The photograph of ``width`` by ``height`` pixels that a phone makes of a rendering, which may be larger."""
    size = width, height
    picture = np.asarray(cv2.resize(rendering.colours, size, interpolation=cv2.INTER_AREA), np.float32)
    nearness = np.asarray(cv2.resize(rendering.nearness, size, interpolation=cv2.INTER_AREA), np.float32)
    lit = _lit(_shaken(_focused(picture, nearness, exposure), exposure), exposure)
    noisy = _noisy(lit, exposure)
    soft = cv2.GaussianBlur(noisy, (0, 0), 1.2)
    sharp = noisy + exposure.sharpening * (noisy - soft)
    return recompress(np.asarray(np.clip(sharp, 0, 255), np.uint8), exposure.quality)


def _focused(picture: Picture, nearness: NDArray[np.float32], exposure: Exposure) -> Picture:
    width = picture.shape[1]
    own = np.minimum(np.abs(nearness - exposure.focus) * exposure.defocus, exposure.softest)
    sigma = cv2.GaussianBlur((own + exposure.softness) * width, (0, 0), width * 0.004)
    steps = np.linspace(0.3, max(0.4, float(sigma.max())), _FOCUS_STEPS)
    layers = [cv2.GaussianBlur(picture, (0, 0), float(step)) for step in steps]
    at = np.clip((sigma - steps[0]) / (steps[1] - steps[0]), 0, _FOCUS_STEPS - 1)
    weights = [np.clip(1 - np.abs(at - i), 0, 1) for i in range(_FOCUS_STEPS)]
    mixed = sum(layer * weight[:, :, None] for layer, weight in zip(layers, weights, strict=True))
    return np.asarray(mixed, np.float32)


def _shaken(picture: Picture, exposure: Exposure) -> Picture:
    x, y = exposure.shake * picture.shape[1]
    reach = int(np.ceil(np.hypot(x, y)))
    if reach < 1:
        return picture
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    ends = (round(reach - x / 2), round(reach - y / 2)), (round(reach + x / 2), round(reach + y / 2))
    cv2.line(kernel, *ends, 1.0, 1)
    return np.asarray(cv2.filter2D(picture, -1, kernel / kernel.sum()), np.float32)


def _lit(picture: Picture, exposure: Exposure) -> Picture:
    height, width = picture.shape[:2]
    x, y = np.linspace(-1, 1, width)[None, :], np.linspace(-1, 1, height)[:, None]
    falloff = (1 + exposure.slope[0] * x) * (1 + exposure.slope[1] * y)
    falloff = falloff * (1 - exposure.vignette * (x**2 + y**2) / 2)
    bright = float(np.quantile(picture[::4, ::4], 0.95))
    metered = min(exposure.middle / max(1.0, float(picture.mean())), _BRIGHTEST / max(1.0, bright))
    light = (metered * falloff)[:, :, None] * exposure.gain
    linear = np.clip(picture * light.astype(np.float32), 0, None) / 255
    # A shoulder instead of a hard clip: what is too bright keeps some drawing.
    curved = np.where(linear > 0.8, 0.8 + 0.25 * np.tanh((linear - 0.8) / 0.25), linear)
    return np.asarray(255 * curved**exposure.gamma, np.float32)


def _noisy(picture: Picture, exposure: Exposure) -> Picture:
    """With shot noise that grows with the light, the colour noise in coarser grains, as phones leave it."""
    rng = np.random.default_rng(exposure.seed)
    height, width = picture.shape[:2]
    grey = rng.normal(0, 1, (height, width, 1)).astype(np.float32)
    coarse = rng.normal(0, 0.6, (height // 2 + 1, width // 2 + 1, 3)).astype(np.float32)
    tinted = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    strength = exposure.noise * np.sqrt(np.clip(picture, 0, 255) / 255 + 0.25)
    return np.asarray(picture + strength * (grey + tinted), np.float32)
