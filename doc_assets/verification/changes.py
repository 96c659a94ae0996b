"""What was done to an archive photo to make the query photo of it."""

import math
from dataclasses import dataclass

import numpy as np

from doc_assets.datatypes import Box
from doc_assets.verification.geometry import Alignment


@dataclass(frozen=True, slots=True)
class Changes:
    """The query photo against the archive photo.

    Attributes:
        mirrored: left-right.
        quarter_turns: 0-3, counter-clockwise, that turn the (mirrored) query photo back.
        tilt_deg: what is left of the turn, in degrees in [-45, 45], counter-clockwise.
        scale: size of what both show, on the query's page as a multiple of that on the archive page, in pixels.
        kept_share: share of the archive photo that the query photo shows, in [0, 1].
        own_share: share of the query photo that shows it, in [0, 1]; the rest was put around or over it.
        contrast: a multiple of the archive photo's.
        brightness: added to the archive photo's, in 8-bit levels.
    """

    mirrored: bool
    quarter_turns: int
    tilt_deg: float
    scale: float
    kept_share: float
    own_share: float
    contrast: float
    brightness: float


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
