"""Keypoints that agree on nothing a camera can make, drawn by hypothesis: no error, no number that is not finite."""

from dataclasses import fields, is_dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doc_assets.datatypes import Box, LocalFeatures
from doc_assets.features.sift import SIDE_PX, mirrored
from doc_assets.search.verify.geometry import MIN_PAIRS, align, changes_of
from doc_assets.search.verify.probability import PairModel
from doc_assets_tests.drawn import features_of, picture

MODEL = PairModel()

MOST = 40
_RNG = np.random.default_rng(5)
DESCRIPTORS = np.clip(_RNG.gamma(0.6, 40, (MOST, 128)), 0, 255).astype(np.uint8)
THUMBNAIL = _RNG.integers(0, 255, (64, 64), dtype=np.uint8)

numbers = st.integers(0, MOST)
coordinate = st.floats(-1e4, 1e4, width=32) | st.floats(width=32) | st.sampled_from([0.0, 383.0, 384.0, 1e30, -1e30])


@st.composite
def collinear(draw):
    """Points along one line, most of them a little beside it."""
    at = np.sort(draw(st.lists(st.floats(0, 384), min_size=MOST, max_size=MOST)))
    turn, beside = draw(st.floats(0, np.pi)), draw(st.floats(0, 3))
    noise = np.random.default_rng(draw(st.integers(0, 99))).normal(0, beside, (MOST, 2))
    return 192 + np.outer(np.array(at) - 192, [np.cos(turn), np.sin(turn)]) * 0.7 + noise


@st.composite
def few_places(draw):
    """Points that repeat one to five places."""
    places = draw(st.lists(st.tuples(st.floats(0, 384), st.floats(0, 384)), min_size=1, max_size=5))
    return np.array([places[draw(st.integers(0, len(places) - 1))] for _ in range(MOST)])


@st.composite
def anything(draw):
    """Points anywhere, also where there is no picture."""
    return np.array(draw(st.lists(st.tuples(coordinate, coordinate), min_size=MOST, max_size=MOST)))


spread = st.integers(0, 99).map(lambda seed: np.random.default_rng(seed).uniform(0, 384, (MOST, 2)))
points = collinear() | few_places() | anything() | spread


def features(places, n=MOST):
    with np.errstate(all="ignore"):
        return LocalFeatures(np.asarray(places[:n], np.float32), DESCRIPTORS[:n], SIDE_PX, SIDE_PX, THUMBNAIL)


def finite(value):
    if is_dataclass(value):
        return all(finite(getattr(value, field.name)) for field in fields(value))
    return bool(np.isfinite(np.array(value, np.float64)).all())


def check(found):
    if found is None:
        return
    assert finite(found)
    assert found.inliers >= MIN_PAIRS
    assert len(found.archive_area) >= 3
    assert len(found.query_area) >= 3
    assert 0 < found.query_share <= 1
    assert 0 < found.archive_share <= 1
    assert np.isfinite(np.linalg.inv(found.transform)).all()
    assert finite(changes_of(found, Box(0, 0, 300, 200), Box(5, 5, 105, 405)))
    assert 0 <= MODEL.probability(0.5, found) <= 1


@pytest.mark.whole
@settings(max_examples=400, deadline=None)
@given(query=points, archive=points, n_query=numbers, n_archive=numbers)
def test_no_keypoints_break_the_comparison(query, archive, n_query, n_archive):
    one, other = features(query, n_query), features(archive, n_archive)

    check(align(one, mirrored(one), other))


@pytest.mark.whole
@settings(max_examples=400, deadline=None)
@given(query=spread, entries=st.tuples(*[st.floats(-1, 1)] * 8), calm=st.floats(0, 1))
def test_any_projective_map_gives_a_finite_alignment_or_none(query, entries, calm):
    """From the identity to maps that send parts of the photo behind the horizon."""
    a, b, x, c, d, y, g, h = (1 - calm) * 2 * np.array(entries)
    matrix = np.array([[1 + a, b, 200 * x], [c, 1 + d, 200 * y], [g / 300, h / 300, 1]])
    with np.errstate(all="ignore"):
        moved = np.c_[query, np.ones(MOST)] @ matrix.T
        moved = moved[:, :2] / moved[:, 2:]
    one, other = features(query), features(moved)

    found = align(one, mirrored(one), other)

    check(found)
    if calm > 0.95:
        assert found is not None


@pytest.mark.whole
@settings(max_examples=300, deadline=None)
@given(query=spread, matrix=st.tuples(*[st.floats(-1, 1)] * 6), squeeze=st.floats(0, 1e-2))
def test_maps_that_squeeze_the_photo_to_a_line_align_nothing(query, matrix, squeeze):
    """The linear part has rank one but for ``squeeze``."""
    a, b, c, d, x, y = matrix
    linear = np.outer([a, b], [c, d]) + squeeze * np.eye(2)
    one, other = features(query), features(query @ linear.T + [200 + 100 * x, 200 + 100 * y])

    assert align(one, mirrored(one), other) is None


@settings(max_examples=100, deadline=None)
@given(places=collinear() | few_places())
def test_agreement_along_a_line_or_in_a_few_places_is_none(places):
    on_line = features(places)
    centred = on_line.points - on_line.points.mean(axis=0)
    across = np.linalg.svd(centred, compute_uv=False)[1] / np.sqrt(MOST)
    found = align(on_line, mirrored(on_line), on_line)

    if across < 3.9 or len(np.unique(np.round(on_line.points), axis=0)) < MIN_PAIRS:
        assert found is None
    check(found)


@pytest.mark.alike(2)
@pytest.mark.parametrize("seed", range(20))
def test_identical_photos_align_by_every_keypoint(seed):
    photo = features_of(picture(seed))

    found = align(photo, mirrored(photo), photo)

    assert found.inliers == found.pairs > 100
    assert found.transform == pytest.approx(np.eye(3), abs=1e-6)
    assert (found.query_share, found.archive_share) == pytest.approx((1, 1), abs=1e-6)


def test_keypoints_that_lie_on_no_picture_are_left_out():
    good = features_of(picture(3))
    points = good.points.copy()
    points[::3] = [np.nan, np.inf]
    points[1::3] = 1e30
    damaged = LocalFeatures(points, good.descriptors, SIDE_PX, SIDE_PX, good.thumbnail)

    found = align(damaged, mirrored(damaged), good)

    check(found)
    assert found.transform == pytest.approx(np.eye(3), abs=1e-3)
    assert found.inliers > 50
