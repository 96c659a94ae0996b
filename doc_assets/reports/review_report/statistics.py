"""Measures of the lead's report and of refits on verdicts; what cannot be computed is None, never NaN."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PSI_SOME, PSI_LARGE = 0.1, 0.25
"""Usual thresholds of the population stability index: below 0.1 stable, from 0.25 on another population."""
FEWEST_GROUPS = 4
"""Fewer values have no quartiles to speak of."""
RELIABILITY_EDGES = (0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
"""Bins of probabilities; finer where pairs of cases are."""
_NORMAL_95 = 1.959964
_NORMAL_95_ONE_SIDED = 1.644854
_LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class Kappa:
    """How far two raters agree beyond chance.

    Attributes:
        n: things that both rated.
        observed: share on which they agree; None without any.
        kappa: 1 for full agreement, 0 for that of chance, negative below it; None without any, or if both gave one and
            the same answer throughout, so that chance agrees as well.
    """

    n: int
    observed: float | None
    kappa: float | None


@dataclass(frozen=True, slots=True)
class Share:
    """A share of ``n`` with its 95% interval; all None if ``n`` is 0."""

    n: int
    share: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Pairs whose probability lies in a bin.

    Attributes:
        low, high: edges; the lower one belongs to the bin, in the last bin both do.
        mean: of their probabilities.
        same: share that showed the same photograph.
    """

    low: float
    high: float
    mean: float
    same: Share


@dataclass(frozen=True, slots=True)
class Reliability:
    """How well probabilities fit what turned out; losses are None without a pair.

    Attributes:
        n: pairs.
        log_loss: mean of -log of the probability of what turned out; 0 is best, 0.693 is a coin.
        brier: mean squared difference of probability and outcome (Brier 1950); 0 is best, 0.25 is a coin.
        bins: those that hold a pair, from low to high.
    """

    n: int
    log_loss: float | None
    brier: float | None
    bins: tuple[ReliabilityBin, ...]


def cohens_kappa(answers: Sequence[tuple[str, str]]) -> Kappa:
    """Cohen's kappa of pairs of answers, the first and the second rater's: (p_o - p_e) / (1 - p_e).

    p_o is the share on which both agree, p_e the share that would agree if each gave the same answers as often, at
    random. J. Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological Measurement 20
    (1960), 37-46.
    """
    n = len(answers)
    if not n:
        return Kappa(0, None, None)
    observed = sum(one == other for one, other in answers) / n
    names = {name for pair in answers for name in pair}
    expected = sum(
        sum(one == name for one, _ in answers) * sum(other == name for _, other in answers) for name in names
    ) / (n * n)
    return Kappa(n, observed, None if expected == 1 else (observed - expected) / (1 - expected))


def stability_index(now: Sequence[int], before: Sequence[int]) -> float | None:
    """Population stability index of two counts over the same bins: sum of (a - b) ln(a / b) over their shares.

    It is the symmetric Kullback-Leibler divergence (Jeffreys 1946) under the name that credit scoring gave it; N.
    Siddiqi, "Credit Risk Scorecards" (Wiley 2006), with the thresholds ``PSI_SOME`` and ``PSI_LARGE``. One thing is
    added to each side, spread over the bins as both sides together are, so that a bin that is empty on one side has a
    logarithm and one that is empty on both says nothing.

    Returns:
        0 or more; None if either side has nothing.

    Raises:
        ValueError: if the two have different bins.
    """
    if len(now) != len(before):
        raise ValueError(f"{len(now)} bins against {len(before)}")
    if not sum(now) or not sum(before):
        return None
    one, other = np.asarray(now, np.float64), np.asarray(before, np.float64)
    filled = one + other > 0
    one, other = one[filled], other[filled]
    both = (one + other) / (one + other).sum()
    a, b = (one + both) / (one.sum() + 1), (other + both) / (other.sum() + 1)
    return float(np.sum((a - b) * np.log(a / b)))


def index_by_chance(bins: int, now: int, before: int) -> float:
    """The index that two samples of one population exceed once in twenty times, by their sizes.

    Without drift the index is about (1/n + 1/m) times a chi-squared variable of bins - 1 degrees of freedom; B.
    Yurdakul, "Statistical properties of population stability index" (Western Michigan University 2018). The quantile is
    that of Wilson and Hilferty (1931), within 1% from three bins on.
    """
    free = max(1, bins - 1)
    part = 2 / (9 * free)
    quantile = free * (1 - part + _NORMAL_95_ONE_SIDED * math.sqrt(part)) ** 3
    return quantile * (1 / now + 1 / before)


def tukey_fences(values: Sequence[float]) -> tuple[float, float] | None:
    """Lower quartile less 1.5 interquartile ranges, and upper quartile plus as much; beyond them lie outliers.

    J. W. Tukey, "Exploratory Data Analysis" (1977). Quartiles are interpolated linearly, as pandas and Excel do.

    Returns:
        Both fences; None for fewer than ``FEWEST_GROUPS`` values.
    """
    if len(values) < FEWEST_GROUPS:
        return None
    low, high = np.percentile(np.asarray(values, np.float64), [25, 75])
    reach = 1.5 * (high - low)
    return float(low - reach), float(high + reach)


def share_of(n: int, of: int) -> Share:
    """``n`` of ``of`` with Wilson's interval of 95% (1927), which also holds for few and for all of them."""
    if not of:
        return Share(0, None, None, None)
    share, z = n / of, _NORMAL_95
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    reach = z / (1 + z * z / of) * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return Share(of, share, max(0.0, middle - reach), min(1.0, middle + reach))


def reliability(probabilities: Sequence[float], same: Sequence[bool]) -> Reliability:
    """How well probabilities of "the same photograph" fit what people said; both of one length."""
    n = len(probabilities)
    if not n:
        return Reliability(0, None, None, ())
    said, told = np.asarray(probabilities, np.float64), np.asarray(same, bool)
    return Reliability(n, log_loss(said, told), float(np.mean((said - told) ** 2)), _bins(said, told))


def log_loss(probabilities: NDArray[np.float64], same: NDArray[np.bool_]) -> float:
    """Mean of -log of the probability of what turned out; probabilities are kept 1e-6 away from 0 and 1."""
    kept = np.clip(probabilities, _LEAST, 1 - _LEAST)
    return float(-np.mean(np.where(same, np.log(kept), np.log1p(-kept))))


def _bins(said: NDArray[np.float64], told: NDArray[np.bool_]) -> tuple[ReliabilityBin, ...]:
    edges = RELIABILITY_EDGES
    places = np.clip(np.searchsorted(edges, said, side="right") - 1, 0, len(edges) - 2)
    return tuple(
        ReliabilityBin(
            edges[place],
            edges[place + 1],
            float(said[here].mean()),
            share_of(int(told[here].sum()), int(here.sum())),
        )
        for place in range(len(edges) - 1)
        if (here := places == place).any()
    )
