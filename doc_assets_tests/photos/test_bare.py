"""Bare photos among pictures, and pages that are none."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image

from doc_assets.datatypes import Page
from doc_assets_tests.reading.pictures import photo
from doc_assets_tests.shared import SHARED, needs_shared


def _photos(cutter, pixels, *, is_picture=True):
    return cutter.of_document("0" * 64).photos(Page(0, pixels, is_picture))


def _form(*photos, height=1100, width=800, paper=250):
    page = np.full((height, width, 3), paper, np.uint8)
    for line in range(60, height - 60, 40):
        cv2.putText(page, "Inspection report of the shop, 12 34", (60, line), 0, 0.7, (30, 30, 30), 2)
    cv2.rectangle(page, (50, 45), (width - 50, height - 45), (0, 0, 0), 2)
    cv2.rectangle(page, (52, 47), (width - 52, 75), (200, 200, 210), -1)
    for place, pixels in enumerate(photos):
        top = 120 + place * 330
        page[top - 15 : top + pixels.shape[0] + 15, 200:560] = paper
        page[top : top + pixels.shape[0], 220 : 220 + pixels.shape[1]] = pixels
    return page


@pytest.mark.parametrize("seed", range(5))
def test_a_bare_photo_is_one_photo(cutter, seed):
    (found,) = _photos(cutter, photo(seed=seed))

    assert (found.box.left, found.box.top, found.box.right, found.box.bottom) == (0, 0, 320, 240)


@pytest.mark.parametrize("paper", [255, 245, 215])
def test_pages_give_their_photos_and_not_the_whole(cutter, paper):
    found = _photos(cutter, _form(photo(seed=1), photo(seed=2), paper=paper))

    assert len(found) == 2
    assert all(abs(crop.box.width - 320) <= 6 and abs(crop.box.height - 240) <= 6 for crop in found)


@pytest.mark.parametrize("page", [_form(), np.full((900, 700, 3), 255, np.uint8)], ids=["form", "blank"])
def test_a_page_without_a_photo_gives_none(cutter, page):
    assert _photos(cutter, page) == []


def test_goods_before_a_white_wall_are_a_photo(cutter):
    page = np.full((600, 600, 3), 252, np.uint8)
    disc = np.zeros((600, 600), np.uint8)
    cv2.ellipse(disc, (300, 320), (120, 190), 20, 0, 360, 255, -1)
    page[disc > 0] = photo(600, 600)[disc > 0]

    assert len(_photos(cutter, page)) == 1


def test_a_page_of_a_scan_is_never_a_bare_photo(cutter):
    assert len(_photos(cutter, photo(), is_picture=False)) <= 1
    assert _photos(cutter, np.full((20, 20, 3), 90, np.uint8)) == []


@needs_shared
@pytest.mark.parametrize("folder", ["photos", "photos_goods"])
def test_real_photos_are_one_photo_each(cutter, folder):
    paths = sorted((SHARED / folder).glob("*.jpg"))[::12]

    counts = {path.name: len(_photos(cutter, np.asarray(Image.open(path).convert("RGB")))) for path in paths}

    assert {name: n for name, n in counts.items() if n != 1} == {}


def test_a_page_on_a_dark_desk_is_searched_as_a_whole_and_by_its_photos(cutter):
    page = _form(photo(seed=1), photo(seed=2))
    desk = np.random.default_rng(8).normal(70, 10, (page.shape[0] + 300, page.shape[1] + 300, 3))
    desk = desk.clip(0, 255).astype(np.uint8)
    desk[150:-150, 150:-150] = page

    assert len(_photos(cutter, desk)) == 1
    whole, *inside = _photos(replace(cutter, look_inside=True), desk)

    assert (whole.box.width, whole.box.height) == desk.shape[1::-1]
    assert [abs(crop.box.width - 320) <= 6 and abs(crop.box.height - 240) <= 6 for crop in inside] == [True, True]
    assert [crop.photo_index for crop in inside] == [1, 2]


def test_looking_inside_changes_nothing_of_pages_and_versions(cutter):
    looking = replace(cutter, look_inside=True)
    assert looking.version == cutter.version
    assert len(_photos(looking, _form(photo(seed=1), photo(seed=2)))) == 2
    assert len(_photos(looking, photo())) == 1
