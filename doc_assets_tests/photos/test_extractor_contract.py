"""What every photo extractor owes, today's and tomorrow's."""

import numpy as np
import pytest

from doc_assets.lab.forms import Style, photo_page
from doc_assets.lab.pictures import draw_picture
from doc_assets.photos.base import make_extractor, photo_extractors
from doc_assets_tests.photos.tiny_detector import save_detector


@pytest.fixture(scope="session")
def options(tmp_path_factory):
    """What each extractor cannot do without."""
    return {"detector": {"checkpoint": str(save_detector(tmp_path_factory.mktemp("detector"))), "min_score": 0.0}}


@pytest.fixture(
    params=[
        pytest.param(name, marks=pytest.mark.whole) if name == "detector" else name for name in photo_extractors.names()
    ]
)
def extractor(request, options):
    return make_extractor(request.param, options.get(request.param, {}))


@pytest.fixture(scope="module")
def page():
    return photo_page([draw_picture(1), draw_picture(2)], Style.CLASSIC, 1, np.random.default_rng(0)).pixels


def test_boxes_lie_on_the_page_and_stay_the_same(extractor, page):
    height, width = page.shape[:2]

    first, second = extractor.find(page), extractor.find(page)

    assert first == second
    assert first
    assert all(area.box.right <= width and area.box.bottom <= height for area in first)


def test_the_page_is_not_changed(extractor, page):
    before = page.copy()

    extractor.find(page)

    np.testing.assert_array_equal(page, before)


@pytest.mark.parametrize("shape", [(1, 1), (7, 900), (300, 200)])
def test_a_blank_page_of_any_shape_is_no_error(extractor, shape):
    areas = extractor.find(np.full((*shape, 3), 255, np.uint8))

    if type(extractor).__name__ == "LayoutExtractor":
        assert areas == []


def test_the_version_tells_options_apart(extractor):
    assert extractor.version
    assert make_extractor("layout", {"min_contrast": 20}).version != make_extractor("layout", {}).version
