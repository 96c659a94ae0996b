import numpy as np
import pytest

from doc_assets.features.sift import SiftExtractor, mirrored
from doc_assets.lab.pictures import draw_picture


@pytest.fixture(scope="module")
def picture():
    return draw_picture(12)


def test_points_lie_in_the_picture_and_are_spread_over_it(picture):
    features = SiftExtractor(200).extract(picture)

    assert features.points.shape == (200, 2)
    assert features.descriptors.shape == (200, 128)
    assert features.descriptors.dtype == np.uint8
    assert (features.width, features.height) == (384, 384)
    assert (features.points >= 0).all()
    assert (features.points < [features.width, features.height]).all()
    quarters = (features.points > [features.width / 2, features.height / 2]) @ [1, 2]
    assert np.bincount(quarters, minlength=4).min() > 20


def test_mirrored_features_are_those_of_the_mirrored_picture(picture):
    """Nearest descriptors of the two lie in the same place; without exchanging the bins they would not."""
    of_picture = mirrored(SiftExtractor().extract(picture))
    of_mirror = SiftExtractor().extract(picture[:, ::-1])

    ours, theirs = (x.descriptors.astype(np.float32) for x in (of_picture, of_mirror))
    distance = (ours**2).sum(1)[:, None] - 2 * ours @ theirs.T + (theirs**2).sum(1)
    apart = np.linalg.norm(of_picture.points - of_mirror.points[distance.argmin(axis=1)], axis=1)

    assert (apart < 3).mean() > 0.75
    np.testing.assert_array_equal(mirrored(of_picture).descriptors, SiftExtractor().extract(picture).descriptors)


@pytest.mark.parametrize("shape", [(1, 1, 3), (40, 3, 3), (300, 400, 3)])
def test_a_blank_photo_has_no_features(shape):
    features = SiftExtractor().extract(np.full(shape, 200, np.uint8))

    assert features.points.shape == (0, 2)
    assert features.descriptors.shape == (0, 128)
    assert mirrored(features).points.shape == (0, 2)


def test_fewer_features_are_the_first_ones_of_more(picture):
    few, many = SiftExtractor(100).extract(picture), SiftExtractor(400).extract(picture)

    np.testing.assert_array_equal(few.points, many.points[:100])
