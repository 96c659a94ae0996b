import io

import numpy as np
import pytest
from PIL import Image

from doc_assets.datatypes import Box
from doc_assets.lab.corpus import draw_document, plan_corpus
from doc_assets.lab.forms import Style, _encoded, form_page, photo_page
from doc_assets.photos.base import PhotoArea, make_extractor, reading_order
from doc_assets.photos.layout import paper_colour
from doc_assets_tests.drawn import picture

LAYOUT = make_extractor("layout", {})


def _through_the_scanner(page, style):
    """The page as it comes out of a file of that style."""
    image, options = _encoded(page, style)
    content = io.BytesIO()
    image.save(content, "TIFF", **options)
    return np.asarray(Image.open(content).convert("RGB"))


@pytest.mark.alike(3)
@pytest.mark.parametrize("style", list(Style))
def test_all_photos_of_a_page_are_found_where_they_are(style):
    for seed in range(2):
        photos = [picture(9000 + 10 * seed + i) for i in range(style.n_photos)]
        drawn = photo_page(photos, style, 1, np.random.default_rng(seed))

        found = LAYOUT.find(_through_the_scanner(drawn.pixels, style))

        assert len(found) == len(drawn.boxes)
        overlaps = [max(area.box.overlap(box) for area in found) for box in drawn.boxes]
        assert min(overlaps) >= 0.95


def test_the_windows_of_a_white_facade_are_no_photos_of_their_own():
    """Its mullions look like the rules of a table, its wall like paper; picture 2000035 is such a facade."""
    photos = [picture(2_000_035), picture(2_000_036)]
    drawn = photo_page(photos, Style.LZW, 1, np.random.default_rng(3))

    found = LAYOUT.find(drawn.pixels)

    assert [area.box.overlap(box) > 0.9 for area, box in zip(found, drawn.boxes, strict=True)] == [True] * 2


def test_photos_come_in_reading_order():
    drawn = photo_page([picture(i) for i in range(4)], Style.FOUR_UP, 1, np.random.default_rng(0))

    found = LAYOUT.find(drawn.pixels)

    assert [area.box.overlap(box) > 0.9 for area, box in zip(found, drawn.boxes, strict=True)] == [True] * 4


def test_skew_is_measured():
    drawn = photo_page([picture(5)], Style.SINGLE, 1, np.random.default_rng(0))
    turned = np.asarray(Image.fromarray(drawn.pixels).rotate(2.0, fillcolor=(253, 253, 253)))

    (area,) = LAYOUT.find(turned)

    assert area.skew_deg == pytest.approx(2.0, abs=0.25)


def test_form_pages_have_no_photo():
    for seed in range(3):
        page = form_page("상점", np.random.default_rng(seed))
        assert LAYOUT.find(page) == []
        assert LAYOUT.find(np.ascontiguousarray(np.rot90(page))) == []


def test_a_shaded_box_is_no_photo():
    page = np.full((1168, 826, 3), 253, np.uint8)
    page[200:600, 100:700] = 200

    assert LAYOUT.find(page) == []


def test_a_photo_under_a_white_sky_keeps_its_sky():
    photo = picture(12).copy()
    photo[: photo.shape[0] // 3, : photo.shape[1] // 2] = 255
    drawn = photo_page([photo], Style.SINGLE, 1, np.random.default_rng(0))

    (area,) = LAYOUT.find(drawn.pixels)

    assert area.box.overlap(drawn.boxes[0]) > 0.95


def test_a_photo_that_fills_the_page_is_found():
    photo = picture(30).copy()

    (area,) = LAYOUT.find(photo)

    assert area.box.overlap(Box(0, 0, photo.shape[1], photo.shape[0])) > 0.95


def test_paper_is_the_frequent_bright_colour():
    page = np.full((100, 100, 3), (250, 245, 230), np.uint8)
    page[:40] = (10, 20, 30)

    assert np.abs(paper_colour(page).astype(int) - (250, 245, 230)).max() <= 1


def test_reading_order_goes_by_rows_then_columns():
    boxes = [Box(500, 100, 900, 500), Box(0, 120, 400, 520), Box(0, 600, 400, 900)]

    ordered = reading_order([PhotoArea(box) for box in boxes])

    assert [area.box for area in ordered] == [boxes[1], boxes[0], boxes[2]]


@pytest.mark.whole
def test_drawing_and_finding_agree_on_whole_documents():
    for plan in plan_corpus(6, [], seed=5):
        pages, truth = draw_document(plan, None)
        found = [(i, area.box) for i, page in enumerate(pages) for area in LAYOUT.find(page)]
        assert [index for index, _ in found] == [photo.page_index for photo in truth]
