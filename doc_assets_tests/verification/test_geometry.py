import cv2
import numpy as np
import pytest

from doc_assets.datatypes import View
from doc_assets.local_features.sift import SiftExtractor, mirrored
from doc_assets.synthesis.attacks import ATTACKS, attack
from doc_assets.synthesis.pictures import draw_picture
from doc_assets.verification.geometry import align
from doc_assets.verification.probability import same_shot_probability

PICTURE = draw_picture(31)


def aligned(query, archive):
    extractor = SiftExtractor()
    features = extractor.extract(np.ascontiguousarray(query))
    return align(features, mirrored(features), extractor.extract(np.ascontiguousarray(archive)))


@pytest.mark.parametrize("index", range(8))
def test_turn_and_mirror_say_how_the_query_must_be_seen(index):
    view = View.at(index)
    turned = view.apply(PICTURE)

    found = aligned(PICTURE, turned)

    assert (found.quarter_turns, found.mirrored) == (view.quarter_turns, view.mirrored)
    assert found.inliers > 60
    assert found.query_share == pytest.approx(1, abs=0.02)
    assert found.archive_share == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("flip", [False, True])
def test_the_overlap_is_where_the_query_was_cut_from(flip):
    height, width = PICTURE.shape[:2]
    left, top, right, bottom = int(0.3 * width), int(0.2 * height), int(0.9 * width), int(0.8 * height)
    part = PICTURE[top:bottom, left:right]

    found = aligned(part[:, ::-1] if flip else part, PICTURE)

    corners = np.array(found.archive_area)
    assert found.mirrored is flip
    assert corners.min(axis=0) == pytest.approx([0.3, 0.2], abs=0.01)
    assert corners.max(axis=0) == pytest.approx([0.9, 0.8], abs=0.01)
    assert found.query_share > 0.98
    assert found.archive_share == pytest.approx(0.36, abs=0.02)


def test_the_query_area_is_where_the_archive_photo_shows_in_the_query():
    """The query shows more than the archive photo: its left half was cut out of the mirrored query."""
    archive = PICTURE[:, : PICTURE.shape[1] // 2]

    found = aligned(PICTURE[:, ::-1], archive)

    corners = np.array(found.query_area)
    assert found.mirrored
    assert (corners.min(axis=0)[0], corners.max(axis=0)[0]) == pytest.approx((0.5, 1.0), abs=0.01)


def test_a_known_perspective_is_recovered():
    height, width = PICTURE.shape[:2]
    frame = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = frame + np.array([[40, 20], [-30, 50], [-60, -10], [25, -40]], np.float32)
    leaning = cv2.warpPerspective(PICTURE, cv2.getPerspectiveTransform(frame, moved), (width, height))

    found = aligned(PICTURE, leaning)

    unit = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]]) @ found.transform.T
    corners = unit[:, :2] / unit[:, 2:] * [width, height]
    assert np.linalg.norm(corners - moved, axis=1).max() < 0.01 * np.hypot(width, height)


@pytest.mark.parametrize("name", sorted(ATTACKS))
def test_every_attack_leaves_enough_to_agree_on(name):
    found = aligned(attack(name, PICTURE, 4), PICTURE)

    assert found is not None
    assert found.inliers >= 15


def test_other_pictures_agree_on_next_to_nothing():
    best = 0
    for number in range(40, 60):
        found = aligned(draw_picture(number), PICTURE)
        best = max(best, found.inliers if found else 0)

    assert best < 15


@pytest.mark.parametrize("blank", [np.full((80, 90, 3), 255, np.uint8), np.zeros((1, 1, 3), np.uint8)])
def test_a_blank_photo_aligns_with_nothing(blank):
    assert aligned(blank, PICTURE) is None
    assert aligned(PICTURE, blank) is None


def test_probability_rises_with_similarity_and_inliers():
    weak, strong = aligned(PICTURE[:300, :400], PICTURE), aligned(PICTURE, PICTURE)

    assert strong.inliers > weak.inliers
    assert same_shot_probability(0.9, strong) > same_shot_probability(0.5, strong) > 0.5
    assert same_shot_probability(0.5, strong) > same_shot_probability(0.5, weak)
    assert same_shot_probability(0.4, None) < same_shot_probability(0.6, None) < 0.2
