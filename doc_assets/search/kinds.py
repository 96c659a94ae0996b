"""Why the two photos of a pair are alike, by the thresholds in use; pure rules on what was measured of the pair."""

import math
from dataclasses import replace

from doc_assets.archive.ledger.form_pictures import LookOfForm
from doc_assets.archive.ledger.results import PairKind, PhotoPair
from doc_assets.archive.ledger.search_settings import Thresholds
from doc_assets.datatypes import Look
from doc_assets.search.verify.probability import CANNOT_TELL, TELLING_INLIERS

FLAT_ALONE = 0.82
"""From this flatness on a picture is graphics by its look alone; see docs/benchmarks.md."""
FLAT_EACH = 0.3
"""Less of either of two pictures says photograph, whatever the other shows; a code needs as much, or to fill more."""
FLAT_MAYBE = 0.05
"""From this flatness on a picture may be drawn: under 1 % of real photographs as they are, 93 % of cloth-like banners.
It takes several merchants at one place of the page, or an operator, to make more of it."""


def is_matched(pair: PhotoPair, thresholds: Thresholds) -> bool:
    """Whether a pair counts as one photograph."""
    kind = kind_of(pair, thresholds)
    return kind == "same_photograph" or (kind == "other_shot" and thresholds.count_other_shots)


def labelled(pair: PhotoPair, thresholds: Thresholds) -> PhotoPair:
    """The pair with its labels by these thresholds."""
    return replace(pair, matched=is_matched(pair, thresholds), kind=kind_of(pair, thresholds))


def kind_of(pair: PhotoPair, thresholds: Thresholds) -> PairKind | None:
    """Why two photos are alike; None if nothing is to be said of them.

    One photograph, if that is probable enough. Else, if so many keypoints agree that they show one scene or thing: what
    a dense look finds more probable of two shots of a scene and one printed thing in two photographs; or that it cannot
    be told, where one photograph is not improbable. What is alike and a picture of the form is that: because the ledger
    knows it as one, or because both look drawn.
    """
    kind = likeness_kind(pair, thresholds)
    if kind is None:
        return None
    is_form = (form_look(pair) is not None) if pair.known_form is None else pair.known_form
    return "form_picture" if is_form else kind


def form_look(pair: PhotoPair) -> LookOfForm | None:
    """What both photos of a pair are by their look, if it is what forms print."""
    return None if pair.looks is None else drawn_look(*pair.looks)


def likeness_kind(pair: PhotoPair, thresholds: Thresholds) -> PairKind | None:
    """As ``kind_of``, of two pictures that are no form's."""
    if thresholds.is_match(pair.probability, pair.similarity):
        return "same_photograph"
    if pair.likeness is None or (pair.inliers or 0) < TELLING_INLIERS:
        return None
    if pair.likeness.same_photograph >= CANNOT_TELL:
        return "cannot_tell"
    return "other_shot" if pair.likeness.other_shot >= pair.likeness.shared_thing else "shared_thing"


def likelihood_of(pair: PhotoPair) -> float:
    """How probable it is that a pair is what it is called, in [0, 1]."""
    if pair.likeness is not None and pair.kind == "other_shot":
        return pair.likeness.other_shot
    if pair.likeness is not None and pair.kind == "shared_thing":
        return pair.likeness.shared_thing
    return pair.probability or 0.0


def drawn_look(one: Look, other: Look) -> LookOfForm | None:
    """What two pictures that show the same are by their looks, if both are drawn.

    A scan may hide what another shows, so the two are judged together: by the mean of their log-odds. None may look
    much like a photograph alone.
    """
    if one.kind == other.kind == "code":
        return "code"
    if min(one.flatness, other.flatness) < FLAT_EACH:
        return None
    if "code" in {one.kind, other.kind}:
        return "code"
    mean = (_log_odds(one.flatness) + _log_odds(other.flatness)) / 2
    return "graphics" if mean >= _log_odds(FLAT_ALONE) else None


def may_be_drawn(look: Look) -> bool:
    """Whether a picture is not clearly a photograph."""
    return look.kind == "code" or look.flatness >= FLAT_MAYBE


def _log_odds(probability: float) -> float:
    kept = min(max(probability, 1e-4), 1 - 1e-4)
    return math.log(kept / (1 - kept))
