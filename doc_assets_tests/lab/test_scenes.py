import cv2
import numpy as np
import pytest

from benchmarks.drawing.hard_attacks import hard_attack
from benchmarks.drawing.scenes import HELD, KINDS, draw_scene, take_shot
from doc_assets.features.sift import SiftExtractor, mirrored
from doc_assets.lab.attacks import attack
from doc_assets.search.verify.geometry import align, paired

pytestmark = pytest.mark.whole

WIDTH = 240
SEED = 4


def _off_plane(one, other):
    """How many keypoint pairs lie 0.4 to 6 % of the width off the best homography, as a share of all up to 6 %."""
    a, b = (SiftExtractor(1000).extract(photo) for photo in (one, other))
    pairs = paired(a, b)
    source, target = a.points[pairs[:, 0]], b.points[pairs[:, 1]]
    matrix, _ = cv2.findHomography(source, target, cv2.USAC_MAGSAC, 1.5, maxIters=5000)
    moved = cv2.perspectiveTransform(source[:, None], matrix)[:, 0]
    residual = np.linalg.norm(moved - target, axis=1) / a.width
    near = residual < 0.06
    return float((residual[near] > 0.004).mean())


def _spread_off_plane(first, second):
    """What the depth says of the same: 5th to 95th percentile of the off-plane movement, as a share of the width."""
    height, width = first.nearness.shape
    y, x = (values.ravel() for values in np.mgrid[4:height:8, 4:width:8])
    nearness = first.nearness[y, x].astype(float)
    kept = nearness > 0
    camera = first.camera
    middle = [width / 2, height / 2]
    plane = np.column_stack([(np.column_stack([x, y]) + 0.5 - middle) / camera.focal_px, np.ones(len(x))])[kept]
    world = camera.position + (plane / nearness[kept, None]) @ camera.rotation
    seen = second.camera.project(world)
    before = np.column_stack([x, y])[kept].astype(np.float32)
    matrix, _ = cv2.findHomography(before, seen[:, :2].astype(np.float32), 0)
    off = cv2.perspectiveTransform(before[:, None], matrix)[:, 0] - seen[:, :2]
    low, high = np.quantile(off, [0.05, 0.95], axis=0)
    return float(np.hypot(*(high - low))) / width


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    """One kind of scene after the other, so that each is arranged once."""
    return request.param


def _shot(kind, shot, parallax=None, width=WIDTH):
    return take_shot(SEED, shot, width, parallax, kind)


def test_a_shot_is_drawn_again_the_same(kind):
    once = draw_scene(SEED, 1, WIDTH, kind=kind)
    assert once.dtype == np.uint8
    assert once.shape[1] == WIDTH
    assert np.array_equal(once, draw_scene(SEED, 1, WIDTH, kind=kind))
    assert not np.array_equal(once, draw_scene(SEED, 2, WIDTH, kind=kind))


def test_a_phone_matcher_finds_and_aligns_shots(kind):
    first, second = (SiftExtractor().extract(_shot(kind, shot, 0.006, 480).photo) for shot in (0, 1))
    assert min(len(first.points), len(second.points)) >= 200
    found = align(second, mirrored(second), first)
    assert found is not None
    assert found.inliers >= 20


def test_near_and_far_move_as_far_as_asked(kind):
    if kind == HELD:
        pytest.skip("the hand moves too")
    first = _shot(kind, 0)
    for parallax in (0.003, 0.012):
        moved = _spread_off_plane(first, _shot(kind, 1, parallax))
        assert parallax * 0.4 < moved < parallax * 2.5


def test_another_shot_leaves_the_plane_and_a_copy_does_not(kind):
    first = _shot(kind, 0, width=640).photo
    another = _shot(kind, 1, 0.03, 640).photo
    copies = [attack("printed and scanned", first, 1), hard_attack("strong perspective", first, 1)]
    most = max(_off_plane(copy, first) for copy in copies)
    assert _off_plane(another, first) > 0.05 + most


def test_scenes_differ_by_seed_and_take_given_pictures():
    plain, other = (draw_scene(seed, 0, WIDTH, kind="shelf") for seed in (SEED, 8))
    assert plain.shape != other.shape or not np.array_equal(plain, other)
    red = np.full((200, 200, 3), (255, 0, 0), np.uint8)
    labelled = draw_scene(SEED, 0, WIDTH, kind="shelf", pictures=[red])
    redness = [
        float((photo[..., 0].astype(int) - photo[..., 1:].max(axis=2) > 60).mean()) for photo in (plain, labelled)
    ]
    assert redness[1] > redness[0] + 0.05


def test_an_unknown_kind_is_named():
    with pytest.raises(ValueError, match="no scene 'harbour'"):
        draw_scene(1, 0, kind="harbour")
