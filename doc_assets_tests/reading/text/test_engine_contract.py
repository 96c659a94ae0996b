"""Every text engine, today's and tomorrow's."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from doc_assets.errors import SettingsError, SetupError
from doc_assets.reading.text.base import make_engine, text_engines
from doc_assets.util.fonts import font

WORDS = ["가맹점 실사 사진", "상호 2024"]


@pytest.fixture(params=text_engines.names())
def engine(request):
    try:
        return make_engine(request.param, {})
    except SetupError as error:
        pytest.skip(str(error))


def line(text):
    image = Image.new("L", (30 + 60 * len(text), 74), 255)
    ImageDraw.Draw(image).text((15, 8), text, font=font(50), fill=0)
    return np.asarray(image)


def test_lines_are_read_in_order_with_confidence(engine):
    found = engine.read([line(text) for text in WORDS])

    assert [one.text.replace(" ", "") for one in found] == [text.replace(" ", "") for text in WORDS]
    assert all(0.5 < one.confidence <= 1 for one in found)


def test_an_empty_line_is_no_text(engine):
    (found,) = engine.read([np.full((68, 300), 255, np.uint8)])

    assert (found.text, found.confidence) == ("", 0.0)


def test_the_id_names_the_engine_and_fits_a_folder(engine):
    assert engine.engine_id == make_engine(engine.engine_id.split("-")[0], {}).engine_id
    assert set(engine.engine_id) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-")


def test_missing_models_name_the_package(tmp_path):
    with pytest.raises(SetupError, match=r"kor\.traineddata.*tesseract-ocr-kor"):
        make_engine("tesseract", {"model_folder": str(tmp_path)})


def test_languages_are_names_and_no_paths(tmp_path):
    with pytest.raises(SettingsError, match="languages"):
        make_engine("tesseract", {"languages": "../../etc/passwd"})


def test_unknown_engines_and_options_are_refused():
    with pytest.raises(SettingsError, match="tesseract"):
        make_engine("tesserakt", {})
    with pytest.raises(SettingsError, match="DOC_ASSETS_PAGE_TEXT_ENGINE_OPTIONS"):
        make_engine("tesseract", {"colour": 1})
