import numpy as np
import pytest

from benchmarks.drawing.shared_things import KINDS, draw_thing, put_into
from doc_assets.features.sift import SiftExtractor, mirrored
from doc_assets.lab.pictures import draw_picture
from doc_assets.search.verify.geometry import align


@pytest.mark.alike(2)
@pytest.mark.parametrize("kind", KINDS)
def test_a_thing_is_drawn_again_the_same(kind):
    assert np.array_equal(draw_thing(kind, 3), draw_thing(kind, 3))
    assert draw_thing(kind, 3).shape != draw_thing(kind, 4).shape or (draw_thing(kind, 3) != draw_thing(kind, 4)).any()


def test_an_unknown_thing_is_named():
    with pytest.raises(ValueError, match="no thing 'flag'"):
        draw_thing("flag", 1)


@pytest.mark.alike(3)
@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 0.7, 0.92])
@pytest.mark.parametrize("shape", [(160, 720), (600, 400)])
@pytest.mark.parametrize("frame", [(360, 480), (480, 270)])
def test_a_thing_covers_the_asked_share(share, shape, frame):
    thing = np.full((*shape, 3), 255, np.uint8)
    for seed in range(4):
        shown = put_into(np.zeros((*frame, 3), np.uint8), thing, share, np.random.default_rng(seed))
        assert shown.shape == (*frame, 3)
        assert float((shown.mean(axis=2) > 60).mean()) == pytest.approx(share, abs=0.015)


@pytest.mark.parametrize("share", [0.04, 0.93])
def test_a_share_out_of_range_is_refused(share):
    with pytest.raises(ValueError, match=r"0\.05 to 0\.92"):
        put_into(draw_picture(1, 200), draw_thing("sign", 1), share, np.random.default_rng(0))


def test_two_photographs_of_a_thing_share_its_keypoints_and_no_pixels():
    rng = np.random.default_rng(2)
    thing = draw_thing("menu board", 5)
    one, other = (put_into(draw_picture(number), thing, 0.5, rng) for number in (11, 12))
    features = SiftExtractor().extract(one)
    found = align(features, mirrored(features), SiftExtractor().extract(other))
    assert found is not None
    assert found.inliers >= 20
    assert not np.array_equal(one, put_into(draw_picture(11), thing, 0.5, rng))
