"""Learning from verdicts, on a real ledger with cases whose probabilities are worth something else."""

from datetime import UTC, date, datetime, timedelta

import dagster as dg
import numpy as np
import pytest
from sqlalchemy import insert, update

from doc_assets.archive.ledger.intake import ArrivedFile
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.ledger.schema import DocumentRow, ReviewCase, ReviewPair, VerdictRow
from doc_assets.archive.ledger.search_settings import SearchSettings
from doc_assets.archive.ledger.searches import SearchRecord, search_id_of
from doc_assets.errors import SetupError
from doc_assets.ops.doctor.check import Level, green
from doc_assets.ops.doctor.models import check_probability
from doc_assets.pipeline.learning import (
    Sample,
    Split,
    decided_pairs,
    draw_reliability,
    fit_calibration,
    learn_from_verdicts,
    require_apart,
    require_enough,
    split_by_merchant,
)
from doc_assets.runtime import Runtime
from doc_assets.search.verify.calibration import Calibration, load_calibration
from doc_assets.search.verify.probability import PairModel
from doc_assets.settings import Settings
from doc_assets_tests.conftest import NOW
from doc_assets_tests.results import a_pair

BASE = PairModel().base_id
ENOUGH = 900


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "home", log_dir=tmp_path / "log")


@pytest.fixture
def ledger(settings):
    settings.home.mkdir(parents=True)
    with Ledger.open(settings.ledger_address) as opened:
        yield opened


def answered(rng, n, slope, intercept):
    """Probabilities of pairs that became cases, and whether they are one photograph."""
    said = rng.uniform(0.5, 0.999, n)
    worth = 1 / (1 + np.exp(-(slope * np.log(said / (1 - said)) + intercept)))
    return said, rng.random(n) < worth


def fill(ledger, probabilities, same, *, pair_model=BASE, uncalibrated=None, merchants=120):
    """A case per pair, each decided; documents of one merchant come on one day, its pairs stay among four merchants."""
    n = len(probabilities)
    files = [ArrivedFile(f"/in/{i}.tif", f"{i}.tif", f"{i}", 1, 1, "m") for i in range(2 * n)]
    drop = ledger.intake.seal(files, source="x", now=NOW, chunk_documents=2 * n)
    settings = SearchSettings(pair_model=pair_model)
    ledger.searches.start(SearchRecord(search_id_of(drop), NOW, None, "c", 1, settings))
    documents, cases, pairs, verdicts = [], [], [], []
    for i in range(n):
        merchant = i % merchants
        for row, name in ((i + 1, f"m{merchant}"), (n + i + 1, f"m{merchant - merchant % 4}")):
            documents.append((row, name, date(2026, 1, 1) + timedelta(days=merchant // 4)))
        raw = None if uncalibrated is None else float(uncalibrated[i])
        pair = a_pair(probability=float(probabilities[i]), uncalibrated=raw)
        cases.append({
            "case_id": i + 1, "row_id": i + 1, "drop_key": drop, "merchant_id": f"m{merchant}", "state": "decided",
            "rank": 0.0, "parts": {}, "n_pairs": 1, "opened_at": NOW, "changed_at": NOW, "holder": None,
            "held_until": None,
        })  # fmt: skip
        pairs.append({
            "case_id": i + 1, "position": 0, "pair_key": f"k{i}", "photo": 0, "other_row": n + i + 1, "other_photo": 0,
            "finding": "reuse", "probability": float(probabilities[i]), "pair": pair,
        })  # fmt: skip
        verdicts.append({
            "pair_key": f"k{i}", "case_id": i + 1, "stage": "first", "person": "kim", "at": NOW,
            "photograph": "same" if same[i] else "different", "use": "fraud" if same[i] else None, "withdraws": None,
            "snapshot": {},
        })  # fmt: skip
    with ledger.database.writing() as connection:
        for row, name, day in documents:
            changed = update(DocumentRow).where(DocumentRow.id == row)
            connection.execute(changed.values(merchant_id=name, document_date=day))
        for table, rows in ((ReviewCase, cases), (ReviewPair, pairs), (VerdictRow, verdicts)):
            connection.execute(insert(table), rows)


def sample(key, probability=0.8, *, same=True, owners=("a", "b"), day=1):
    return Sample(key, probability, same, frozenset(owners), date(2026, 1, day))


@pytest.mark.whole
def test_a_better_calibration_is_used_by_the_next_search_and_named_everywhere(ledger, settings):
    fill(ledger, *answered(np.random.default_rng(1), ENOUGH, 0.6, -0.8))
    runtime = Runtime(settings)
    before = runtime.pair_model(None)

    learnt = learn_from_verdicts(ledger, before, settings.models_dir, "run", NOW)

    assert learnt.is_better
    assert (learnt.calibration.slope, learnt.calibration.intercept) == pytest.approx((0.6, -0.8), abs=0.25)
    assert learnt.after.log_loss < learnt.before.log_loss
    assert learnt.after.brier < learnt.before.brier
    assert learnt.learnt + learnt.after.n == ENOUGH
    model = Runtime(settings).pair_model(None)
    assert model is not before
    assert model.model_id == f"{BASE}+{learnt.calibration.calibration_id}"
    assert model.final(0.9) == learnt.calibration.of(0.9) < 0.9
    assert Runtime(settings.changed(use_calibration=False)).pair_model(None) is before
    found, made = load_calibration(settings.models_dir)
    assert found == learnt.calibration
    assert made["held_out"]["pairs"] == learnt.after.n
    assert made["learnt"]["first_day"] <= made["learnt"]["last_day"] <= made["held_out"]["last_day"]
    assert made["before"] == {"log_loss": learnt.before.log_loss, "brier": learnt.before.brier}

    told = check_probability(settings, lambda: green(f"{before.fitted_for}, 256 numbers a photo"))
    assert told.level is Level.GREEN
    assert f"calibration {learnt.calibration.calibration_id} of 2026-11-21" in told.says
    drawn = draw_reliability(learnt, settings.results_dir / "run")
    assert all(path.read_text().count("<circle") >= 5 for path in drawn.values())


@pytest.mark.whole
def test_one_that_is_not_better_changes_nothing_and_says_so(ledger, settings):
    fill(ledger, *answered(np.random.default_rng(4), ENOUGH, 1.0, 0.0))
    model = PairModel(calibration=Calibration(1.0, 0.0, 0.0, BASE))

    learnt = learn_from_verdicts(ledger, model, settings.models_dir, "run", NOW)

    assert not learnt.is_better
    assert learnt.file is None
    assert "not better, so nothing changes: log loss" in learnt.says
    assert f"on {learnt.after.n} held-out pairs" in learnt.says
    assert not settings.models_dir.exists()


@pytest.mark.whole
def test_a_second_refit_learns_from_what_the_weights_said_and_not_from_the_first_one(ledger, settings):
    raw, same = answered(np.random.default_rng(1), ENOUGH, 0.6, -0.8)
    first = Calibration(0.6, -0.8, 0.5, BASE)
    fill(ledger, [first.of(each) for each in raw], same, uncalibrated=raw, pair_model=f"{BASE}+{first.calibration_id}")

    samples, _ = decided_pairs(ledger, PairModel(calibration=first))
    again = fit_calibration(samples, BASE)

    assert sorted(each.probability for each in samples) == pytest.approx(sorted(raw))
    assert (again.slope, again.intercept) == pytest.approx((0.6, -0.8), abs=0.2)


def test_pairs_that_cannot_be_learnt_from_are_counted_by_the_reason(ledger):
    fill(ledger, [0.9, 0.8], [True, False], pair_model="00000000-00000000")

    samples, left_out = decided_pairs(ledger, PairModel())

    assert samples == []
    assert left_out == {"judged by other weights; screen their drops again": 2}


@pytest.mark.parametrize(
    ("same", "other", "says"),
    [
        (199, 500, "199 decided pairs are the same photograph, 500 are not; learning needs 200 of each"),
        (0, 0, "learning needs 200 of each"),
        (2001, 200, "more than 10 times as many of one kind"),
    ],
)
def test_too_few_and_too_many_of_a_kind_are_refused(same, other, says):
    samples = [sample(f"s{i}") for i in range(same)] + [sample(f"o{i}", same=False) for i in range(other)]

    with pytest.raises(SetupError, match=says):
        require_enough(samples)


def test_no_merchant_is_on_both_sides_and_the_newest_are_held_out():
    # Chains of three merchants each: a pair ties one to the next.
    samples = [
        sample(f"{group} {i}", same=i % 2 == 0, owners=(f"{group} {i % 3}", f"{group} {(i + 1) % 3}"), day=1 + group)
        for group in range(20)
        for i in range(12)
    ]

    split = split_by_merchant(samples)

    require_apart(split)
    assert len(split.held_out) == 72  # 30% of 240
    assert {each.day.day for each in split.held_out} == set(range(15, 21))


def test_merchants_that_all_hang_together_are_refused():
    samples = [sample(f"{i}", same=i % 2 == 0, owners=(f"m{i % 50}", f"m{(i + 1) % 50}")) for i in range(400)]

    with pytest.raises(SetupError, match="make 1 groups, the largest with 400 of 400 pairs"):
        split_by_merchant(samples)


def test_a_split_that_leaks_is_refused():
    leaking = Split([sample("k1", owners=("a", "b"))], [sample("k2", owners=("b", "c"))])

    with pytest.raises(SetupError, match="1 merchants and 0 pairs are on both sides"):
        require_apart(leaking)
    with pytest.raises(SetupError, match="0 merchants and 1 pairs"):
        require_apart(Split([sample("k1", owners=("a",))], [sample("k1", owners=("b",))]))


def test_verdicts_that_contradict_the_probability_are_refused():
    samples = [sample(f"{i}", 0.5 + i / 1000, same=i < 200) for i in range(400)]

    with pytest.raises(SetupError, match="the more probable a pair, the less often"):
        fit_calibration(samples, BASE)


def test_answers_that_a_threshold_divides_make_nothing_certain():
    found = fit_calibration([sample(f"{i}", 0.5 + i / 1000, same=i >= 200) for i in range(400)], BASE)

    assert np.isfinite(found.slope)
    assert 0.001 < found.of(0.65) < 0.999
    assert found.lowest == 0.5


@pytest.mark.whole
def test_refit_job_on_verdicts_says_what_came_of_it(ledger, settings, monkeypatch):
    from doc_assets.definitions import defs

    monkeypatch.setenv("DOC_ASSETS_HOME", str(settings.home))
    fill(ledger, *answered(np.random.default_rng(1), ENOUGH, 0.6, -0.8))
    job = defs().resolve_job_def("refit_job")
    config = {"ops": {"fit_on_archive": {"config": {"learn_from": "verdicts"}}}}

    with dg.DagsterInstance.ephemeral() as instance:
        done = job.execute_in_process(config, instance=instance, resources={"runtime": Runtime(settings)})
        (output,) = done.filter_events(lambda event: event.is_successful_output)

    metadata = {name: value.value for name, value in output.event_specific_data.metadata.items()}
    assert metadata["in_use"] is True
    assert metadata["held_out_pairs"] + metadata["learnt_pairs"] == ENOUGH
    assert " before, " in metadata["brier"]
    assert metadata["calibration"] == load_calibration(settings.models_dir)[0].calibration_id
    assert datetime.now(UTC) > NOW
