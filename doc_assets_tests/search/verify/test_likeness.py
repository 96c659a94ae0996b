"""One photograph, two shots of a scene, one printed thing in two photographs: a dense look at drawn pairs."""

import json
from dataclasses import fields
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.drawing.hard_attacks import hard_attack
from benchmarks.drawing.scenes import draw_scene
from benchmarks.drawing.shared_things import draw_thing, put_into
from doc_assets.datatypes import LikenessTraits
from doc_assets.errors import MissingModelError
from doc_assets.features.sift import SiftExtractor, mirrored
from doc_assets.features.weight_files import MANIFEST
from doc_assets.lab.attacks import attack, recompress
from doc_assets.lab.pictures import draw_picture
from doc_assets.search.verify.geometry import align
from doc_assets.search.verify.likeness import examine, measure
from doc_assets.search.verify.probability import LIKENESS_MODEL, WEIGHTS_DIR, LikenessModel, trait_vector

FIRST = 6_300_000
MODEL_IN_USE = LikenessModel()
WHOLE = np.eye(3)


@cache
def _scene(number, shot=0):
    """A drawn scene, which more than one test looks at; no test may change it."""
    scene = draw_scene(number, shot)
    scene.setflags(write=False)
    return scene


def _judged(query, archive):
    query, archive = recompress(query, 90), recompress(archive, 90)
    features = SiftExtractor().extract(query)
    alignment = align(features, mirrored(features), SiftExtractor(300).extract(archive))
    traits = None if alignment is None else measure(query, archive, alignment)
    return None if traits is None else MODEL_IN_USE.judge(traits)


COPIES = ["recompressed", "cropped by half", "mirrored", "faxed", "printed and scanned", "overprinted", "at an angle"]


@pytest.mark.whole
@pytest.mark.parametrize("done", COPIES)
def test_a_copy_is_one_photograph(done):
    number = FIRST + COPIES.index(done)
    photo = _scene(number)

    assert _judged(attack(done, photo, number), photo).same_photograph > 0.5


@pytest.mark.whole
@pytest.mark.parametrize("done", ["covered", "turned and filled", "strong perspective", "screen at an angle"])
def test_a_hard_copy_is_one_photograph(done):
    photos = [_scene(n) for n in range(FIRST, FIRST + 4)]

    found = [_judged(hard_attack(done, photo, n, [draw_picture(n + 50)]), photo) for n, photo in enumerate(photos)]

    assert np.median([each.same_photograph for each in found]) > 0.5, found


@pytest.mark.whole
def test_two_shots_of_a_scene_are_not():
    found = [_judged(draw_scene(n, 1, parallax=0.02), _scene(n)) for n in range(FIRST, FIRST + 30, 5)]

    assert all(each.same_photograph < 0.5 for each in found), found
    assert sum(each.other_shot > each.shared_thing for each in found) > len(found) / 2


@pytest.mark.slow
def test_one_printed_thing_in_two_photographs_is_not():
    found = []
    for number, kind in enumerate(["sign", "poster", "menu board", "banner"] * 2):
        rng, thing = np.random.default_rng(number), draw_thing(kind, 6 + number)
        found.append(_judged(*(put_into(draw_scene(FIRST + 40 + 2 * number + i, 0), thing, 0.5, rng) for i in (0, 1))))

    seen = [each for each in found if each is not None]  # the others have no transform, and say nothing
    assert len(seen) >= 6
    assert all(each.same_photograph < 0.5 for each in seen), seen
    assert sum(each.shared_thing > each.other_shot for each in seen) > len(seen) / 2


def test_what_shows_nothing_says_nothing():
    blank = np.full((300, 400, 3), 200, np.uint8)

    assert examine(blank, draw_picture(FIRST), WHOLE, (1.0, 1.0), mirrored=False) is not None
    assert examine(blank, blank, WHOLE, (1.0, 1.0), mirrored=False) is None


@pytest.mark.whole
def test_a_perfect_copy_lies_on_the_plane():
    photo = _scene(FIRST)

    found = examine(photo, photo, WHOLE, (1.0, 1.0), mirrored=False)

    assert found is not None
    assert found.traits.residual < 0.01
    assert found.traits.moved < 0.001
    assert min(found.traits.agreement, found.traits.border, found.traits.whole, found.traits.light) > 0.99
    assert found.agreement[found.telling].min() > 0.99
    assert found.telling.shape == found.free.shape == found.shift.shape[:2]


@pytest.mark.whole
def test_a_mirrored_copy_is_measured_as_the_copy_is():
    photo = _scene(FIRST + 1)

    found = examine(np.ascontiguousarray(photo[:, ::-1]), photo, WHOLE, (1.0, 1.0), mirrored=True)

    assert found is not None
    assert found.traits.agreement > 0.99


@given(st.tuples(*[st.floats(-2, 1e3, allow_nan=False)] * 10).map(lambda values: LikenessTraits(*map(abs, values))))
def test_probabilities_sum_to_one_whatever_was_measured(traits):
    found = MODEL_IN_USE.judge(traits)

    assert found.same_photograph + found.other_shot + found.shared_thing == pytest.approx(1)
    assert np.isfinite(trait_vector(traits)).all()
    assert found.traits is traits


@pytest.mark.parametrize(("whole", "border", "is_one"), [(0.59, 0.69, False), (0.61, 0.69, True), (0.59, 0.71, True)])
def test_what_fills_a_part_of_both_photos_is_never_called_one_photograph(whole, border, is_one):
    traits = LikenessTraits(0.003, 0.001, 0.999, 0.95, 0.8, border, 0.9, whole, 1.0, 0.001)

    found = MODEL_IN_USE.judge(traits)

    assert (found.same_photograph > 0.5) == is_one
    assert found.same_photograph > 0.4
    assert found.same_photograph + found.other_shot + found.shared_thing == pytest.approx(1)


def test_worse_measurements_never_make_one_photograph_more_probable():
    best = LikenessTraits(0.01, 0.001, 0.999, 0.95, 0.8, 1.0, 1.0, 1.0, 1.0, 0.001)
    worse = {"residual": 1.0, "moved": 0.3, "whole": 0.4, "light": 0.3}
    assert MODEL_IN_USE.judge(best).same_photograph > 0.95
    for name, value in worse.items():
        values = {each.name: getattr(best, each.name) for each in fields(best)} | {name: value}
        assert MODEL_IN_USE.judge(LikenessTraits(**values)).same_photograph < MODEL_IN_USE.judge(best).same_photograph


def test_a_model_that_is_absent_or_damaged_is_named(tmp_path):
    with pytest.raises(MissingModelError, match="missing"):
        LikenessModel(tmp_path)
    (tmp_path / LIKENESS_MODEL).write_bytes((WEIGHTS_DIR / LIKENESS_MODEL).read_bytes()[:-1] + b"x")
    manifest = json.loads((WEIGHTS_DIR / MANIFEST).read_text(encoding="utf-8"))
    (tmp_path / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(MissingModelError, match="damaged or was exchanged"):
        LikenessModel(tmp_path)
