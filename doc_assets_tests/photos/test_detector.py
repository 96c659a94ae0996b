import numpy as np
import pytest

from doc_assets.datatypes import Box
from doc_assets.errors import MissingModelError, SettingsError
from doc_assets.photos.detector import DetectorExtractor, _without_overlaps
from doc_assets_tests.photos.tiny_detector import save_detector

PAGE = np.random.default_rng(0).integers(0, 256, (400, 300, 3), np.uint8)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return save_detector(tmp_path_factory.mktemp("detector"))


@pytest.mark.whole
def test_detections_come_from_the_checkpoint_by_class_and_score(checkpoint):
    everything = DetectorExtractor(str(checkpoint), min_score=0.0, max_overlap=1.0).find(PAGE)
    photos = DetectorExtractor(str(checkpoint), ["photo"], min_score=0.0, max_overlap=1.0).find(PAGE)
    stamps = DetectorExtractor(str(checkpoint), ["stamp"], min_score=0.0, max_overlap=1.0).find(PAGE)

    assert len(everything) == len(photos) + len(stamps) > 0
    assert DetectorExtractor(str(checkpoint), min_score=1.0).find(PAGE) == []


@pytest.mark.whole
def test_a_class_the_checkpoint_does_not_know_is_named_with_those_it_knows(checkpoint):
    with pytest.raises(SettingsError, match=r"picture.*photo, stamp"):
        DetectorExtractor(str(checkpoint), ["picture"])


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(MissingModelError, match=r"config\.json"):
        DetectorExtractor(str(tmp_path))


def test_other_weights_are_another_version(checkpoint, tmp_path):
    version = DetectorExtractor(str(checkpoint)).version
    other = save_detector(tmp_path)
    weights = other / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")

    assert DetectorExtractor(str(other)).version != version


def test_of_overlapping_boxes_the_first_is_kept():
    first, same, apart = Box(0, 0, 100, 100), Box(5, 5, 105, 105), Box(200, 0, 300, 100)

    assert _without_overlaps([first, same, apart], 0.5) == [first, apart]
