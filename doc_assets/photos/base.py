"""The interface of every photo extractor, and the list of them.

A new extractor is one file in this folder: a subclass of ``PhotoExtractor`` under
``@photo_extractors.register("name")``. The contract tests run on it at once.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from doc_assets.datatypes import Box, RgbImage
from doc_assets.util.registry import Registry


@dataclass(frozen=True, slots=True)
class PhotoArea:
    """Where a photo lies on a page.

    Attributes:
        box: its bounding box in pixels of the page.
        skew_deg: how far it is turned counter-clockwise, in (-45, 45) degrees; 0 for an upright photo.
    """

    box: Box
    skew_deg: float = 0.0

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the photo itself, in pixels; smaller than its box if it is skewed.

        A rectangle w x h turned by a has a bounding box W = w cos a + h sin a, H = w sin a + h cos a;
        this solves for w and h.
        """
        turn = math.radians(abs(self.skew_deg))
        cos, sin, cos2 = math.cos(turn), math.sin(turn), math.cos(2 * turn)
        width = (self.box.width * cos - self.box.height * sin) / cos2
        height = (self.box.height * cos - self.box.width * sin) / cos2
        return max(1.0, width), max(1.0, height)


class PhotoExtractor(ABC):
    """Finds the photos of a page.

    Attributes:
        version: changes whenever the same page may give other areas; photos cut by another version are stale.
    """

    version: str

    @abstractmethod
    def find(self, page: RgbImage) -> list[PhotoArea]:
        """The photos of ``page`` (H, W, 3) in reading order; [] on a page without photos.

        Every box lies on the page; the same page gives the same areas. May be called from several threads.
        """


photo_extractors: Registry[PhotoExtractor] = Registry("photo extractor", __package__)


def make_extractor(name: str, options: dict[str, Any]) -> PhotoExtractor:
    """The extractor of that name; raises SettingsError as ``Registry.make``."""
    return photo_extractors.make(name, options, "DOC_ASSETS_PHOTO_EXTRACTOR_OPTIONS")


def reading_order(areas: list[PhotoArea]) -> list[PhotoArea]:
    """Top to bottom, then left to right among photos whose centres lie in one row."""
    rows: list[list[PhotoArea]] = []
    for area in sorted(areas, key=lambda area: (area.box.top + area.box.bottom, area.box.left)):
        middle = (area.box.top + area.box.bottom) / 2
        if rows and rows[-1][0].box.top <= middle < rows[-1][0].box.bottom:
            rows[-1].append(area)
        else:
            rows.append([area])
    return [area for row in rows for area in sorted(row, key=lambda area: area.box.left)]
