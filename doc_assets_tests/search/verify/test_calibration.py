"""The recalibration of a probability, and the file that keeps it."""

import json
import math

import pytest

from doc_assets.errors import MissingModelError
from doc_assets.search.verify.calibration import Calibration, load_calibration, save_calibration
from doc_assets.search.verify.probability import PairModel


def test_a_calibration_is_slope_and_intercept_of_the_log_odds():
    found = Calibration(0.5, -1.0, 0.5, "b")

    assert found.of(0.9) == pytest.approx(1 / (1 + math.exp(-(0.5 * math.log(9) - 1))))
    assert Calibration(1.0, 0.0, 0.0, "b").of(0.73) == pytest.approx(0.73)
    assert found.of(1.0) == 1.0


@pytest.mark.parametrize("calibration", [Calibration(0.3, 3.0, 0.5, "b"), Calibration(2.0, -3.0, 0.5, "b")])
def test_it_never_falls_and_below_what_was_judged_it_never_raises(calibration):
    steps = [n / 1000 for n in range(1001)]
    values = [calibration.of(step) for step in steps]

    assert values == sorted(values)
    assert all(0 <= value <= 1 for value in values)
    assert all(calibration.of(step) <= step for step in steps if step < 0.5)


def test_what_was_saved_is_in_use_and_says_how_it_was_made(tmp_path):
    assert load_calibration(tmp_path) is None
    first, second = Calibration(1.5, 0.2, 0.5, "b"), Calibration(0.5, 0.2, 0.5, "b")

    save_calibration(tmp_path, first, {"at": "2026-11-27"}, "run1")
    file = save_calibration(tmp_path, second, {"at": "2026-11-28"}, "run2")

    assert load_calibration(tmp_path) == (second, {"at": "2026-11-28"})
    assert file.name == "run2.json"
    assert sorted(path.name for path in file.parent.iterdir()) == ["in_use.json", "run1.json", "run2.json"]
    assert first.calibration_id != second.calibration_id


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"slope": 1}', None])
def test_a_damaged_file_is_named_with_what_to_do(tmp_path, damage):
    save_calibration(tmp_path, Calibration(1.5, 0.2, 0.5, "b"), {}, "run")
    path = tmp_path / "calibration" / "in_use.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"slope": 9.0}) if damage is None else damage)

    with pytest.raises(MissingModelError, match=r"in_use\.json .*or remove it"):
        load_calibration(tmp_path)


def test_a_model_takes_the_calibration_of_its_own_weights_alone():
    plain = PairModel()
    own = PairModel(calibration=Calibration(0.5, 0.0, 0.5, plain.base_id))
    foreign = PairModel(calibration=Calibration(0.5, 0.0, 0.5, "00000000-00000000"))

    assert own.final(0.9) == pytest.approx(0.75)  # odds of 9 become odds of 3
    assert foreign.final(0.9) == plain.final(0.9) == 0.9
    assert (foreign.model_id, plain.model_id) == (plain.base_id, plain.base_id)
    assert own.model_id == f"{plain.base_id}+{own.calibration.calibration_id}"
    assert own.probability(0.9, None) == plain.probability(0.9, None)  # what decides on a look stays
