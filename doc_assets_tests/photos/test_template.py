import numpy as np
import pytest

from doc_assets.errors import SettingsError
from doc_assets.photos.base import make_extractor


def _boxes(size, **options):
    width, height = size
    page = np.zeros((height, width, 3), np.uint8)
    return [area.box.as_list() for area in make_extractor("template", options).find(page)]


def test_the_default_is_the_form_with_two_photos():
    assert _boxes((1652, 2336)) == [[171, 236, 1480, 1100], [171, 1168, 1480, 2032]]


def test_boxes_grow_with_the_page():
    assert _boxes((3304, 4672)) == [[342, 472, 2960, 2200], [342, 2336, 2960, 4064]]


@pytest.mark.parametrize(
    ("box", "box_format"),
    [([10, 20, 30, 60], "xyxy"), ([10, 20, 20, 40], "xywh"), ([20, 40, 20, 40], "cxcywh")],
)
def test_three_ways_to_write_a_box(box, box_format):
    assert _boxes((100, 200), boxes=[box], box_format=box_format, page_px=[100, 200]) == [[10, 20, 30, 60]]


def test_shares_of_the_page_fit_every_page():
    options = {"boxes": [[0.1, 0.1, 0.5, 0.25]], "normalized": True}

    assert _boxes((100, 200), **options) == [[10, 20, 50, 50]]
    assert _boxes((200, 100), **options) == [[20, 10, 100, 25]]


def test_a_page_on_its_side_is_not_cut_into_rubbish():
    assert _boxes((2336, 1652)) == []


@pytest.mark.parametrize(
    "options",
    [{"boxes": [[0, 0, 5000, 10]]}, {"boxes": [[10, 10, 10, 20]]}, {"box_format": "yxyx"}, {"colour": "red"}],
)
def test_impossible_options_are_refused_with_the_setting_to_correct(options):
    with pytest.raises(SettingsError, match="DOC_ASSETS_PHOTO_EXTRACTOR_OPTIONS"):
        make_extractor("template", options)
