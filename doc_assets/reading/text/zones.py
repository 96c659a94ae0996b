"""Parts of an upright page to look for text in."""

from dataclasses import dataclass
from typing import Self

from doc_assets.errors import SettingsError
from doc_assets.reading.text.base import GreyImage

NAMES = ("top", "bottom", "centre")


@dataclass(frozen=True, slots=True)
class Zone:
    """A strip over the whole width of a page.

    Attributes:
        name: top, bottom or centre.
        share: its part of the page's height, in (0, 1]; centre with 1 is the whole page.
    """

    name: str
    share: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """The zone written as ``top=0.15``.

        Raises:
            SettingsError: if it is written differently.
        """
        name, _, value = text.partition("=")
        try:
            share = float(value)
        except ValueError:
            share = 0.0
        if name not in NAMES or not 0 < share <= 1:
            raise SettingsError(
                f"A zone is top, bottom or centre and its share of the page's height, e.g. top=0.15; got {text!r}."
            )
        return cls(name, share)

    def __str__(self) -> str:
        return f"{self.name}={self.share:g}"

    def cut(self, page: GreyImage) -> GreyImage:
        """The zone's pixels of an upright page, as a view."""
        height = page.shape[0]
        size = max(1, round(self.share * height))
        first = {"top": 0, "bottom": height - size, "centre": (height - size) // 2}[self.name]
        return page[first : first + size]
