import cv2
import numpy as np
import pytest

from doc_assets.datatypes import Box, View
from doc_assets.features.sift import mirrored
from doc_assets.lab.attacks import ATTACKS, another_shot, attack, rotate, tone
from doc_assets.search.verify.geometry import align, changes_of, compare
from doc_assets.search.verify.probability import PairModel
from doc_assets_tests.drawn import features_of, picture

MODEL = PairModel()

PICTURE = picture(31)


def aligned(query, archive):
    features = features_of(query)
    return align(features, mirrored(features), features_of(archive))


@pytest.mark.alike(3)
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


@pytest.mark.alike(4)
@pytest.mark.parametrize("name", sorted(ATTACKS))
def test_every_attack_leaves_enough_to_agree_on(name):
    found = aligned(attack(name, PICTURE, 4), PICTURE)

    assert found is not None
    assert found.inliers >= 15


@pytest.mark.whole
def test_other_pictures_agree_on_next_to_nothing():
    best = 0
    for number in range(40, 60):
        found = aligned(picture(number), PICTURE)
        best = max(best, found.inliers if found else 0)

    assert best < 15


@pytest.mark.parametrize("blank", [np.full((80, 90, 3), 255, np.uint8), np.zeros((1, 1, 3), np.uint8)])
def test_a_blank_photo_aligns_with_nothing(blank):
    assert aligned(blank, PICTURE) is None
    assert aligned(PICTURE, blank) is None


def test_probability_follows_the_agreement_of_what_was_aligned_and_similarity_without():
    copy = aligned(attack("printed and scanned", PICTURE, 3), PICTURE)
    quarter = aligned(PICTURE[:224, :400], PICTURE)

    assert MODEL.probability(0.9, copy) > 0.9
    assert MODEL.probability(0.1, quarter) > 0.9  # a crop's similarity tells nothing
    assert MODEL.probability(0.4, None) < MODEL.probability(0.6, None) < 0.4 < MODEL.probability(0.9, None)


@pytest.mark.whole
def test_another_shot_of_the_same_place_aligns_and_is_no_copy():
    """A façade from elsewhere at another time shares hundreds of keypoints with the first photo."""
    probabilities = []
    for number in range(100, 112):
        first, other = picture(number), picture(number + 1)
        found = aligned(another_shot(first, other, number), first)
        assert found is not None
        assert found.inliers >= 8
        probabilities.append(MODEL.probability(0.5, found))

    assert max(probabilities) < 0.5


def test_agreement_sees_what_lies_between_the_keypoints():
    same = aligned(attack("tone changed", PICTURE, 5), PICTURE).appearance
    darker = aligned(np.clip(PICTURE * 0.5 + 10, 0, 255).astype(np.uint8), PICTURE).appearance
    strange = compare(features_of(picture(71)).thumbnail, features_of(PICTURE).thumbnail, np.eye(3))

    assert same.agreement > 0.95
    assert strange.agreement < 0.5
    assert darker.contrast == pytest.approx(0.5, abs=0.05)
    assert darker.brightness < -30


def test_a_thumbnail_laid_over_itself_agrees_exactly_however_it_lies():
    """Half a pixel of error in the warp would show at once."""
    thumbnail = features_of(PICTURE).thumbnail
    half_turn = np.array([[-1, 0, 1], [0, -1, 1], [0, 0, 1.0]])

    turned = compare(np.ascontiguousarray(np.rot90(thumbnail, 2)), thumbnail, half_turn)

    assert turned.agreement == pytest.approx(1, abs=1e-4)


def test_lines_join_the_same_places():
    found = aligned(np.ascontiguousarray(np.rot90(PICTURE)[:, ::-1]), PICTURE)

    query, archive = found.lines[:, :2], found.lines[:, 2:]
    moved = np.c_[1 - query[:, 0] if found.mirrored else query[:, 0], query[:, 1], np.ones(len(query))]
    moved = moved @ found.transform.T
    assert np.abs(moved[:, :2] / moved[:, 2:] - archive).max() < 0.02


@pytest.mark.parametrize("degrees", [-4.0, 3.0])
def test_changes_tell_tilt_crop_scale_and_tone(degrees):
    height, width = PICTURE.shape[:2]
    tilted = rotate(PICTURE, degrees, 255)
    part = tone(np.ascontiguousarray(tilted[: height // 2]), 0.6, 30)
    found = aligned(part, PICTURE)

    done = changes_of(found, Box(0, 0, 2 * width, height), Box(10, 10, 10 + width, 10 + height))

    assert done.tilt_deg == pytest.approx(-degrees, abs=0.5)  # the query must be turned back
    assert done.kept_share == pytest.approx(0.5, abs=0.08)
    assert done.scale == pytest.approx(2, abs=0.1)
    assert done.contrast < 0.75
    assert (done.mirrored, done.quarter_turns) == (False, 0)
