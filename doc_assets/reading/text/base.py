"""The interface of every OCR engine, and the list of them.

A new engine is one file in this folder: a subclass of ``TextEngine`` under ``@text_engines.register("name")``.
The contract tests run on it at once.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from doc_assets.util.registry import Registry

GreyImage = NDArray[np.uint8]
"""(H, W) uint8, 0 is black."""


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line as read: its text and the engine's confidence in [0, 1]; "" and 0 if it read nothing."""

    text: str
    confidence: float


class TextEngine(ABC):
    """Reads lines of text. Cheap to make: models are loaded by the first ``read``.

    ``engine_id``, name, version and digest of the models, fits a folder's name and changes whenever a line may be read
    differently.
    """

    engine_id: str

    @abstractmethod
    def read(self, lines: Sequence[GreyImage]) -> list[TextLine]:
        """What upright lines say, one entry per line: dark on light, about 48 px of text height, a margin around."""


text_engines: Registry[TextEngine] = Registry("text engine", __package__)


def make_engine(name: str, options: dict[str, Any]) -> TextEngine:
    """The engine of that name; raises SettingsError as ``Registry.make``, SetupError if something is not installed."""
    return text_engines.make(name, options, "DOC_ASSETS_PAGE_TEXT_ENGINE_OPTIONS")
