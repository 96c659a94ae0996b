import shutil
from pathlib import Path

import pytest

from doc_assets.features.model_folders import add_folder
from doc_assets.features.words import CODEBOOK, WEIGHTS_DIR
from doc_assets.ops.doctor.check import Level
from doc_assets.ops.doctor.models import (
    check_added,
    check_embedder,
    check_extractor,
    check_page_text,
    check_probability,
    check_words,
)
from doc_assets_tests.conftest import NOW
from doc_assets_tests.features.embedders.tiny_encoders import save_vit


def test_the_built_in_weights_are_there(settings):
    found = [check(settings) for check in (check_embedder, check_extractor, check_words)]
    found.append(check_probability(settings, lambda: check_embedder(settings)))

    assert {finding.level for finding in found} == {Level.GREEN}


def test_a_missing_and_a_changed_weights_file_are_named(settings, tmp_path):
    copy = Path(shutil.copytree(WEIGHTS_DIR, tmp_path / "weights")) / CODEBOOK
    configured = settings.model_copy(update={"words_codebook": copy})
    assert check_words(configured).level == Level.GREEN

    content = bytearray(copy.read_bytes())
    content[-1] ^= 1
    copy.write_bytes(content)
    changed = check_words(configured)
    copy.unlink()
    gone = check_words(configured)

    assert (changed.level, gone.level) == (Level.RED, Level.RED)
    assert str(copy) in changed.says
    assert str(copy) in gone.says
    assert "DOC_ASSETS_WORDS_CODEBOOK" in gone.fix


@pytest.mark.whole
def test_a_configured_model_without_its_weights_is_named(settings, tmp_path):
    add_folder(settings.models_dir, save_vit(tmp_path / "vit"), "vit", "here", NOW)
    configured = settings.model_copy(update={"embedder": "transformers", "embedder_options": {"checkpoint": "vit"}})
    assert check_embedder(configured).level == Level.GREEN
    assert check_added(settings.models_dir).level == Level.GREEN

    (settings.models_dir / "vit" / "model.safetensors").unlink()

    for found in (check_embedder(configured), check_added(settings.models_dir)):
        assert found.level == Level.RED
        assert "safetensors" in found.says


def test_a_language_without_its_model_is_red_once_pages_are_selected_by_text(settings, tmp_path):
    assert check_page_text(settings).level == Level.GREEN
    selected = {"page_selector": "text", "page_text_engine_options": {"model_folder": str(tmp_path)}}

    found = check_page_text(settings.model_copy(update=selected))

    assert found.level == Level.RED
    assert "kor.traineddata" in found.says


def test_an_embedder_that_does_not_exist_is_red(settings):
    found = check_embedder(settings.model_copy(update={"embedder": "magic"}))

    assert found.level == Level.RED
    assert "magic" in found.says
