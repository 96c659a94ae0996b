import numpy as np
import pytest
from PIL import Image

from benchmarks.drawing.form_pictures import FormPicture, draw_form_picture
from benchmarks.drawing.shared_things import draw_thing, put_into
from doc_assets.lab.attacks import ATTACKS, attack, dither, recompress
from doc_assets.lab.pictures import draw_picture
from doc_assets.photos.cutting import decode_jpeg, encode_jpeg
from doc_assets.search.kinds import FLAT_EACH, drawn_look
from doc_assets.search.verify.codes import code_share
from doc_assets.search.verify.graphics import look_of
from doc_assets_tests.shared import SHARED, needs_shared

FIRST = 7_310_000  # seeds that nothing was fitted on


def _stored(picture):
    return decode_jpeg(encode_jpeg(np.ascontiguousarray(picture), 90))


def _grey(picture):
    return np.repeat(np.asarray(Image.fromarray(picture).convert("L"))[:, :, None], 3, axis=2)


SCANS = {
    "colour": lambda picture: recompress(picture, 80),
    "poor JPEG": lambda picture: recompress(picture, 45),
    "grey": lambda picture: recompress(_grey(picture), 70),
}


@pytest.mark.whole
@pytest.mark.parametrize("kind", list(FormPicture))
def test_what_forms_print_is_known_in_two_scans_of_it(kind):
    pictures = [draw_form_picture(kind, FIRST + seed, 900) for seed in range(4)]

    found = [drawn_look(*(look_of(_stored(SCANS[scan](p))) for scan in ("colour", "grey"))) for p in pictures]

    assert None not in found
    if kind == FormPicture.QR:
        assert set(found) == {"code"}


def test_a_sticker_with_a_code_hides_no_photograph():
    photo = draw_picture(FIRST, 900).copy()
    code = draw_form_picture(FormPicture.QR, FIRST + 1, 300)
    side = min(code.shape[0], photo.shape[0])
    photo[:side, : code.shape[1]] = code[:side]

    look = look_of(_stored(photo))

    assert drawn_look(look, look) is None


@pytest.mark.parametrize("turn", range(4))
def test_a_code_is_found_whichever_way_it_lies_and_not_where_only_two_corners_are(turn):
    code = np.ascontiguousarray(np.rot90(draw_form_picture(FormPicture.QR, FIRST + 9, 500)[:500], turn))
    torn = code.copy()
    corner = [torn[:250, :250], torn[250:, :250], torn[250:, 250:], torn[:250, 250:]][turn]
    corner[:] = 255

    assert 0.4 < code_share(code) < 0.8
    assert code_share(torn) == 0


@pytest.mark.whole
def test_drawn_photographs_stay_photographs_whatever_was_done_to_them():
    names = list(ATTACKS)
    shown = [attack(names[i % len(names)], draw_picture(FIRST + i, 700), i) for i in range(2 * len(names))]

    looks = [look_of(_stored(photo)) for photo in shown]

    assert [names[i % len(names)] for i, look in enumerate(looks) if look.kind != "photograph"] == []


@pytest.mark.whole
@needs_shared
def test_real_photographs_stay_photographs():
    paths = [*sorted((SHARED / "photos").glob("*.jpg"))[::8], *sorted((SHARED / "photos_goods").glob("*.jpg"))[::12]]
    photos = [np.asarray(Image.open(path).convert("RGB")) for path in paths]

    looks = [look_of(seen) for photo in photos for seen in (photo, _stored(dither(photo)))]

    assert [look for look in looks if look.kind != "photograph"] == []


@pytest.mark.whole
@needs_shared
@pytest.mark.parametrize("kind", ["sign", "menu board"])
def test_a_near_photograph_of_a_sign_or_menu_board_is_a_photograph(kind):
    paths = sorted((SHARED / "photos").glob("*.jpg"))[::20]
    rng = np.random.default_rng(2)

    looks = [
        look_of(_stored(put_into(np.asarray(Image.open(path).convert("RGB")), draw_thing(kind, FIRST + i), 0.85, rng)))
        for i, path in enumerate(paths)
    ]

    assert [look for look in looks if look.kind != "photograph"] == []


@pytest.mark.whole
def test_a_photograph_turned_black_and_white_by_a_threshold_is_no_graphics():
    photos = [draw_picture(FIRST + i, 700) for i in range(6)]

    looks = [look_of(_stored(((_grey(photo) > 128) * 255).astype(np.uint8))) for photo in photos]

    assert [look for look in looks if look.kind != "photograph"] == []


@pytest.mark.parametrize("size", [(16, 16), (40, 900), (900, 40)])
def test_any_picture_has_a_look(size):
    blank = np.full((*size, 3), 200, np.uint8)

    look = look_of(blank)

    assert 0 <= look.flatness <= 1
    assert all(np.isfinite(value) for value in look.measures.values())
    assert 0 < FLAT_EACH < 1
