import json

import numpy as np
import pytest
from PIL import Image

from doc_assets.lab.attacks import ATTACKS, TURNING, attack
from doc_assets.lab.corpus import IDENTICAL, TRUTH_NAME, draw_corpus, plan_corpus
from doc_assets.lab.forms import Style
from doc_assets.lab.pictures import draw_picture


def test_the_same_seed_draws_the_same_picture_and_another_a_different_one():
    np.testing.assert_array_equal(draw_picture(3), draw_picture(3))
    assert draw_picture(3).shape != draw_picture(4).shape or not (draw_picture(3) == draw_picture(4)).all()


@pytest.mark.alike(5)
@pytest.mark.parametrize("name", list(ATTACKS))
def test_an_attack_is_repeatable_and_changes_the_photo(name):
    photo = draw_picture(5, 400)
    before = photo.copy()

    first = attack(name, photo, 1)

    np.testing.assert_array_equal(first, attack(name, photo, 1))
    np.testing.assert_array_equal(photo, before)
    assert first.dtype == np.uint8
    assert first.ndim == 3
    assert first.shape != photo.shape or (first != photo).any()


def test_only_the_attacks_named_so_turn_a_photo():
    photo = draw_picture(6, 400)
    grey = np.asarray(Image.fromarray(photo).convert("L").resize((32, 32))).astype(float)

    def likeness(image):
        small = np.asarray(Image.fromarray(image).convert("L").resize((32, 32))).astype(float)
        return np.corrcoef(small.ravel(), grey.ravel())[0, 1]

    assert all(likeness(attack(name, photo, 2)) < 0.6 for name in TURNING)
    assert likeness(attack("recompressed", photo, 2)) > 0.95


def test_a_plan_names_every_reuse_and_a_style_for_every_document():
    incoming = [IDENTICAL, "mirrored", None]

    plans = plan_corpus(10, incoming, seed=3)

    assert plans == plan_corpus(10, incoming, seed=3)
    assert len({plan.name for plan in plans}) == 13
    assert [plan.reuse.attack if plan.reuse else None for plan in plans[10:]] == incoming
    assert all(len(plan.pictures) == Style(plan.style).n_photos for plan in plans)
    pictures = [number for plan in plans for number in plan.pictures]
    assert len(pictures) == len(set(pictures))


@pytest.mark.whole
def test_a_corpus_is_drawn_once_and_anew_when_the_plan_changes(tmp_path):
    plans = plan_corpus(2, [IDENTICAL], seed=4)
    draw_corpus(tmp_path, plans, workers=1)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.tif")}

    draw_corpus(tmp_path, plans, workers=1)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.tif")} == times

    other = plan_corpus(2, [], seed=5)
    draw_corpus(tmp_path, other, workers=1)
    assert {path.name for path in tmp_path.rglob("*.tif")} == {plan.name for plan in other}


def test_the_truth_tells_where_photos_are(corpus, plans):
    truth = json.loads((corpus / TRUTH_NAME).read_text(encoding="utf-8"))["photos"]

    for plan in plans:
        source = next(p for p in plans if p.name == plan.reuse.source_document) if plan.reuse else plan
        shown = source if plan.reuse and plan.reuse.attack == IDENTICAL else plan
        assert len(truth[plan.name]) == len(shown.pictures)
        with Image.open(corpus / plan.folder / plan.name) as image:
            image.seek(truth[plan.name][0]["page_index"])
            assert truth[plan.name][0]["box"][2] <= image.width
