"""Measures of the lead's report against small tables that were computed by hand."""

import math

import numpy as np
import pytest

from doc_assets.reports.review_report.statistics import (
    cohens_kappa,
    index_by_chance,
    log_loss,
    reliability,
    share_of,
    stability_index,
    tukey_fences,
)


def test_kappa_is_what_cohens_formula_gives():
    answers = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15

    found = cohens_kappa(answers)

    assert (found.n, found.observed) == (50, 0.7)
    assert found.kappa == pytest.approx((0.7 - 0.5) / (1 - 0.5))  # expected: 25/50 * 30/50 + 25/50 * 20/50


def test_kappa_of_three_answers_below_chance():
    found = cohens_kappa([("a", "b"), ("b", "c"), ("c", "a"), ("a", "a")])

    assert found.observed == 0.25
    assert found.kappa == pytest.approx((4 / 16 - 6 / 16) / (1 - 6 / 16))  # a: 2 * 2, b: 1 * 1, c: 1 * 1 of 16


@pytest.mark.parametrize(("answers", "observed"), [([], None), ([("a", "a")] * 3, 1.0)])
def test_kappa_is_none_where_it_means_nothing(answers, observed):
    found = cohens_kappa(answers)

    assert (found.n, found.observed, found.kappa) == (len(answers), observed, None)


def test_stability_index_by_hand():
    # One thing more on each side, 0.65 and 0.35 of it: 50.65 and 50.35 against 80.65 and 20.35 of 101.
    by_hand = (50.65 - 80.65) / 101 * math.log(50.65 / 80.65) + (50.35 - 20.35) / 101 * math.log(50.35 / 20.35)

    assert stability_index([50, 50], [80, 20]) == pytest.approx(by_hand)
    assert by_hand == pytest.approx(0.407, abs=0.001)


def test_stability_index_of_the_same_shares_is_nothing_and_empty_bins_do_not_count():
    assert stability_index([10, 30, 0], [100, 300, 0]) == pytest.approx(0)
    assert stability_index([10, 30], [5, 5]) == pytest.approx(stability_index([0, 10, 30], [0, 5, 5]))


def test_a_bin_that_is_empty_on_one_side_is_finite():
    assert 0 < stability_index([0, 40], [20, 20]) < 10


@pytest.mark.parametrize(("now", "before"), [([0, 0], [1, 2]), ([1, 2], [0, 0]), ([], [])])
def test_stability_index_of_nothing_is_none(now, before):
    assert stability_index(now, before) is None


def test_stability_index_wants_the_same_bins():
    with pytest.raises(ValueError, match="2 bins against 3"):
        stability_index([1, 2], [1, 2, 3])


def test_chance_explains_the_index_of_one_population_nineteen_times_of_twenty():
    rng = np.random.default_rng(7)
    shares = [0.5, 0.2, 0.2, 0.1]
    samples = [(rng.multinomial(80, shares), rng.multinomial(900, shares)) for _ in range(2000)]

    limit = index_by_chance(4, 80, 900)
    above = np.mean([stability_index(list(one), list(other)) > limit for one, other in samples])

    assert limit == pytest.approx(7.815 * (1 / 80 + 1 / 900), rel=0.01)  # chi-squared of 3 degrees, 95%
    assert 0.03 < above < 0.07


def test_fences_by_hand():
    assert tukey_fences([1, 2, 3, 4, 100]) == (-1, 7)  # quartiles 2 and 4
    assert tukey_fences([4, 4, 4, 4]) == (4, 4)
    assert tukey_fences([1, 2, 3]) is None


def test_wilsons_interval():
    found = share_of(8, 10)

    assert (found.n, found.share) == (10, 0.8)
    assert (found.low, found.high) == pytest.approx((0.490, 0.943), abs=0.001)
    assert share_of(0, 0).share is share_of(0, 0).low is None
    assert (share_of(3, 3).high, share_of(0, 3).low) == pytest.approx((1, 0))


def test_losses_and_bins_of_probabilities():
    found = reliability([0.9, 0.9, 0.6, 1.0], [True, False, True, True])

    assert found.n == 4
    assert found.brier == pytest.approx((0.01 + 0.81 + 0.16 + 0) / 4)
    assert found.log_loss == pytest.approx(-(math.log(0.9) + math.log(0.1) + math.log(0.6) + math.log(1 - 1e-6)) / 4)
    assert [(each.low, each.high, each.same.n, each.same.share) for each in found.bins] == [
        (0.6, 0.7, 1, 1.0),
        (0.9, 0.95, 2, 0.5),
        (0.99, 1.0, 1, 1.0),
    ]


def test_a_certain_error_is_large_and_finite():
    assert log_loss(np.array([1.0, 0.0]), np.array([False, True])) == pytest.approx(-math.log(1e-6))
    assert reliability([], []).log_loss is reliability([], []).brier is None
