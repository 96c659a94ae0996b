"""Pairs of photos whose keypoints agree on a map that is none."""

import numpy as np

from doc_assets.datatypes import LocalFeatures
from doc_assets.features.sift import SIDE_PX, mirrored
from doc_assets.search.verify.geometry import align
from doc_assets_tests.shared import SHARED, needs_cases


@needs_cases
def test_chance_pairs_that_squeeze_a_photo_to_a_line_are_no_alignment():
    pair = np.load(SHARED / "cases" / "degenerate_pair.npz")
    query, archive = (
        LocalFeatures(pair[f"{side}p"], pair[f"{side}d"], SIDE_PX, SIDE_PX, pair[f"{side}t"]) for side in "qa"
    )

    assert align(query, mirrored(query), archive) is None
    assert align(archive, mirrored(archive), query) is None
