import cv2
import numpy as np
import pytest

from doc_assets.datatypes import Page
from doc_assets.lab.forms import Style, form_page, photo_page
from doc_assets.lab.pictures import draw_picture

pytestmark = pytest.mark.whole  # Tesseract reads whole pages


@pytest.fixture(scope="module")
def pages():
    """A titled page of every style."""
    rng = np.random.default_rng(3)
    pictures = [draw_picture(number) for number in range(4)]
    return {style: photo_page(pictures[: style.n_photos], style, 1, rng).pixels for style in Style}


def dithered(page):
    from PIL import Image

    return np.asarray(Image.fromarray(page).convert("L").convert("1").convert("RGB"))


def look(finder, pixels):
    return finder.of_document("", None).look(Page(0, np.ascontiguousarray(pixels)))


@pytest.mark.alike(6)
@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize("turns", range(4))
def test_titled_pages_are_found_whichever_way_they_lie(find, pages, style, turns):
    found = look(find(), np.rot90(pages[style], turns))

    assert found.found, found
    lies = (turns + 1) % 4 if style is Style.SIDEWAYS else turns
    assert found.quarter_turns == (-lies) % 4
    assert found.confidence > 0.7


@pytest.mark.alike(2)
@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("change", [dithered, lambda page: page])
def test_form_pages_are_read_and_not_found(find, turns, change):
    form = change(form_page("00012", np.random.default_rng(1)))

    seen = look(find(), np.rot90(form, turns))

    assert not seen.found
    assert "보고서" in seen.snippet


def test_a_dithered_page_is_found(find, pages):
    assert look(find(), dithered(pages[Style.CLASSIC])).found


@pytest.mark.parametrize("scale", [0.5, 0.75, 1.5])
def test_resolution_does_not_matter(find, pages, scale):
    assert look(find(), cv2.resize(pages[Style.CLASSIC], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)).found


def test_a_title_elsewhere_is_found_in_its_zone_only(find, pages):
    low = np.roll(pages[Style.CLASSIC], 2150, axis=0)

    assert not look(find(), low).found
    found = look(find(zones=["top=0.1", "bottom=0.15"]), low)
    assert (found.found, found.zone) == (True, "bottom=0.15")


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_pages_without_text_say_nothing(find, shade):
    seen = look(find(), np.full((400, 300, 3), shade, np.uint8))

    assert (seen.found, seen.snippet, seen.confidence, seen.error) == (False, "", 0.0, None)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 5000, 3), (5000, 1, 3), (3, 7, 3)])
def test_tiny_and_thin_pages_are_no_error(find, shape):
    assert not look(find(), np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)).found


class Memory(dict):
    """What was read, in a dictionary."""

    def known(self, sha256, engine_id):
        return self.get((sha256, engine_id), [])

    def remember(self, sha256, engine_id, texts):
        self[sha256, engine_id] = [*self.known(sha256, engine_id), *texts]


def test_what_was_read_is_not_read_again(find, pages, monkeypatch):
    finder, memory = find(), Memory()
    first = finder.of_document("a", memory)
    read = first.look(Page(0, pages[Style.CLASSIC]))
    first.keep()
    monkeypatch.setattr(type(finder.reader), "read", None)

    again = finder.of_document("a", memory).look(Page(0, pages[Style.CLASSIC]))

    assert (again.found, again.snippet, again.confidence) == (read.found, read.snippet, read.confidence)
    with pytest.raises(TypeError):  # another content is read
        finder.of_document("b", memory).look(Page(0, pages[Style.CLASSIC]))


def test_whatever_changes_what_is_found_changes_the_version(find):
    versions = {
        find(**changed).version
        for changed in (
            {},
            {"wanted": "보고서"},
            {"mode": "all_words"},
            {"max_errors": 0},
            {"zones": ["top=0.2"]},
            {"engine_options": {"languages": "eng"}},
        )
    }

    assert len(versions) == 6
