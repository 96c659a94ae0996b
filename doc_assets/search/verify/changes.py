"""What was done to an archive photo to make the query photo of it."""

import math

import numpy as np

from doc_assets.datatypes import Box, Changes
from doc_assets.search.verify.geometry import Alignment


def changes_of(alignment: Alignment, query_box: Box, archive_box: Box) -> Changes:
    """The changes that an alignment tells of; the boxes give both photos' true proportions."""
    seen = alignment.query_share * query_box.area
    kept = alignment.archive_share * archive_box.area
    return Changes(
        mirrored=alignment.mirrored,
        quarter_turns=alignment.quarter_turns,
        tilt_deg=_tilt_deg(alignment, query_box, archive_box),
        scale=math.sqrt(seen / kept) if kept > 0 else 1.0,
        kept_share=alignment.archive_share,
        own_share=alignment.query_share,
        contrast=alignment.appearance.contrast,
        brightness=alignment.appearance.brightness,
    )


def _tilt_deg(alignment: Alignment, query_box: Box, archive_box: Box) -> float:
    """Mean turn of both axes at the photo's centre, beyond whole quarter turns."""
    step = 1e-3
    points = np.array([[0.5, 0.5, 1], [0.5 + step, 0.5, 1], [0.5, 0.5 + step, 1]]) @ alignment.transform.T
    centre, right, down = (points[:, :2] / points[:, 2:]) * [archive_box.width, archive_box.height]
    rightward = (right - centre) / query_box.width
    downward = (down - centre) / query_box.height
    angles = [math.atan2(-rightward[1], rightward[0]), math.atan2(downward[0], downward[1])]
    return float(np.mean([_within_an_eighth(math.degrees(angle) - 90 * alignment.quarter_turns) for angle in angles]))


def _within_an_eighth(degrees: float) -> float:
    return (degrees + 45) % 90 - 45
