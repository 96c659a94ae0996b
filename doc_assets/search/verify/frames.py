"""Positions on a photo: in shares of its width and height, which any size of it shares, or in its pixels."""

import numpy as np
from numpy.typing import NDArray


def shares_to_pixels(width: int, height: int) -> NDArray[np.float64]:
    """(3, 3) from shares of width and height to pixels, whose centres lie half a pixel in."""
    return np.array([[width, 0, -0.5], [0, height, -0.5], [0, 0, 1.0]])
