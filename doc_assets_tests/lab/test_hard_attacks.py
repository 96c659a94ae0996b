import numpy as np
import pytest

from benchmarks.drawing.hard_attacks import HARD_ATTACKS, hard_attack
from benchmarks.drawing.scenes import draw_scene
from doc_assets.features.sift import SiftExtractor, mirrored
from doc_assets.search.verify.geometry import align


@pytest.fixture(scope="module")
def photo():
    return draw_scene(3, 0, 640, kind="shelf")


@pytest.mark.whole
@pytest.mark.parametrize("name", HARD_ATTACKS)
def test_the_same_seed_gives_the_same_pixels(name, photo):
    before = photo.copy()
    once = hard_attack(name, photo, 7)
    assert once.dtype == np.uint8
    assert np.array_equal(once, hard_attack(name, photo, 7))
    assert once.shape != hard_attack(name, photo, 8).shape or (once != hard_attack(name, photo, 8)).any()
    assert np.array_equal(photo, before)


@pytest.mark.whole
@pytest.mark.parametrize("name", HARD_ATTACKS)
def test_what_is_left_still_aligns(name, photo):
    square = np.ascontiguousarray(photo[:, : photo.shape[0]])
    stored = SiftExtractor().extract(square)
    inliers = []
    for seed in range(4):
        features = SiftExtractor().extract(hard_attack(name, square, seed))
        found = align(features, mirrored(features), stored)
        inliers.append(found.inliers if found else 0)
    assert sorted(inliers)[1] >= 15, inliers


@pytest.mark.parametrize("seed", range(6))
def test_a_tenth_to_four_tenths_are_covered(seed):
    grey = np.full((400, 600, 3), 128, np.uint8)
    shown = hard_attack("covered", grey, seed, [np.full((300, 300, 3), 255, np.uint8)])
    hidden = (np.abs(shown.astype(int) - 128).max(axis=2) > 8).mean()
    assert 0.05 < hidden < 0.55


@pytest.mark.parametrize("seed", range(6))
def test_a_turned_photo_keeps_no_corner_or_all_of_it(seed):
    white = np.full((300, 450, 3), 255, np.uint8)
    assert hard_attack("turned and cut", white, seed, [white]).min() > 200
    filled = hard_attack("turned and filled", np.full((300, 450, 3), 60, np.uint8), seed, [white])
    assert (np.abs(filled.astype(int) - 60).max(axis=2) < 12).sum() == pytest.approx(300 * 450, rel=0.02)


def test_other_pictures_lie_around_an_inset():
    white, black = np.full((300, 450, 3), 255, np.uint8), np.zeros((400, 400, 3), np.uint8)
    laid = hard_attack("inset", white, 1, [black])
    assert laid.shape == black.shape
    assert 0.14 < (laid > 128).mean() < 0.55
