import numpy as np
import pytest

from doc_assets.errors import SettingsError
from doc_assets.reading.text.reading import Zone


@pytest.mark.parametrize(
    ("text", "rows"),
    [("top=0.15", (0, 15)), ("bottom=0.2", (80, 100)), ("centre=0.5", (25, 75)), ("centre=1", (0, 100))],
)
def test_a_zone_is_a_strip_of_the_page(text, rows):
    page = np.arange(100, dtype=np.uint8)[:, None].repeat(3, axis=1)

    strip = Zone.parse(text).cut(page)

    assert (strip[0, 0], strip[-1, 0] + 1) == rows
    assert str(Zone.parse(text)) == text


@pytest.mark.parametrize("text", ["top", "top=0", "top=1.5", "left=0.1", "top=nan", "top=x", "=0.1"])
def test_other_zones_are_refused(text):
    with pytest.raises(SettingsError, match=r"top=0\.15"):
        Zone.parse(text)
