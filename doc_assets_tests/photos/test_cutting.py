import numpy as np
import pytest
from PIL import Image

from doc_assets.datatypes import Box, Page
from doc_assets.lab.pictures import draw_picture
from doc_assets.photos.base import PhotoArea, make_extractor
from doc_assets.photos.cutting import cut, cut_photos, decode_jpeg, encode_jpeg

PHOTO = draw_picture(3, width=400)


def _page():
    page = np.full((800, 700, 3), 253, np.uint8)
    page[100 : 100 + PHOTO.shape[0], 150:550] = PHOTO
    return page, Box(150, 100, 550, 100 + PHOTO.shape[0])


def test_an_upright_photo_is_cut_to_the_pixel():
    page, box = _page()

    np.testing.assert_array_equal(cut(page, PhotoArea(box), 1024), PHOTO)


def test_large_photos_are_scaled_down_and_small_ones_left_alone():
    page, box = _page()

    assert max(cut(page, PhotoArea(box), 200).shape) == 200
    assert cut(page, PhotoArea(box), 4000).shape == PHOTO.shape


@pytest.mark.parametrize("degrees", [-6.0, -2.0, 1.0, 5.0])
def test_a_skewed_photo_is_straightened(degrees):
    page, _ = _page()
    turned = np.asarray(Image.fromarray(page).rotate(degrees, Image.Resampling.BICUBIC, fillcolor=(253, 253, 253)))
    (area,) = make_extractor("layout", {}).find(turned)

    crop = cut(turned, area, 1024)

    assert area.skew_deg == pytest.approx(degrees, abs=0.3)
    assert np.abs(np.array(crop.shape[:2]) - PHOTO.shape[:2]).max() <= 6
    small, wanted = (np.asarray(Image.fromarray(image).resize((64, 64))).astype(int) for image in (crop, PHOTO))
    assert np.abs(small - wanted).mean() < 8


def test_the_size_of_a_skewed_area_is_that_of_the_photo():
    cos, sin = np.cos(np.radians(3)), np.sin(np.radians(3))
    width, height = 300, 200
    box = Box(0, 0, round(width * cos + height * sin), round(width * sin + height * cos))

    assert PhotoArea(box, 3.0).size == pytest.approx((width, height), abs=1.5)
    assert PhotoArea(box, -3.0).size == pytest.approx((width, height), abs=1.5)


def test_photos_are_numbered_on_through_the_document():
    page, box = _page()

    crops = cut_photos(Page(4, page), [PhotoArea(box), PhotoArea(box)], first_index=3, max_side_px=100)

    assert [(crop.page_index, crop.photo_index) for crop in crops] == [(4, 3), (4, 4)]


def test_stored_photos_look_the_same():
    decoded = decode_jpeg(encode_jpeg(PHOTO, 90))

    assert decoded.shape == PHOTO.shape
    assert np.abs(decoded.astype(int) - PHOTO).mean() < 3
