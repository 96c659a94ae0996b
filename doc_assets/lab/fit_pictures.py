"""Where the fits get their pictures."""

from collections.abc import Callable

from doc_assets.datatypes import RgbImage

PictureSource = Callable[[int], RgbImage]
"""Number -> picture, the same one always; handed to other processes, so it must be picklable."""
