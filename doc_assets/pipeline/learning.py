"""Learning from verdicts: what the probability of the pair model is worth, fitted on some verdicts and tried on others.

A slope and an intercept of the log-odds are fitted (logistic recalibration; D. R. Cox, "Two further applications of a
model for binary regression", Biometrika 45, 1958; J. Platt 1999). Nothing more: pairs reach people only if they are
probable already, and from those alone no model of all pairs can be learnt.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from upath import UPath

from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.ledger.review_figures import JudgedPair
from doc_assets.archive.ledger.searches import search_id_of
from doc_assets.archive.ledger.verdicts import final_answer
from doc_assets.errors import SetupError
from doc_assets.reports.review_report.charts import reliability_chart
from doc_assets.reports.review_report.statistics import Reliability, reliability
from doc_assets.search.verify.calibration import Calibration, log_odds, save_calibration
from doc_assets.search.verify.probability import PairModel
from doc_assets.util.files import write_atomic

FEWEST = 200
"""Decided pairs of each kind, the same photograph and not."""
MOST_IMBALANCE = 10
"""Times as many of one kind as of the other."""
HELD_OUT, MOST_HELD_OUT, LEAST_HELD_OUT = 0.3, 0.4, 0.1
"""Share of the pairs that the fit does not see: aimed at, at most, at least."""
FEWEST_HELD_OUT = 20
"""Of each kind."""
_PRIOR = 1.0
_CONVERGED = 1e-9


@dataclass(frozen=True, slots=True)
class Sample:
    """A decided pair.

    Attributes:
        pair_key: of its photos.
        probability: by the weights, not recalibrated.
        same: whether people said that it is one photograph.
        owners: merchants of both documents; the number of a document stands for an unknown one.
        day: of the case's document.
    """

    pair_key: str
    probability: float
    same: bool
    owners: frozenset[str]
    day: date


@dataclass(frozen=True, slots=True)
class Split:
    """Pairs to learn from and pairs to be tried on; no merchant is among both."""

    learnt: list[Sample]
    held_out: list[Sample]


@dataclass(frozen=True, slots=True)
class Learnt:
    """What a refit on verdicts came to.

    Attributes:
        calibration: that was fitted.
        before, after: on the held-out pairs, by the probabilities in use and by the new ones.
        learnt: pairs that it was fitted on.
        is_better: whether log loss and Brier score are both lower than before; only then it is used.
        left_out: decided pairs that could not be taken, by the reason.
        file: of the calibration; None if it is not used.
    """

    calibration: Calibration
    before: Reliability
    after: Reliability
    learnt: int
    is_better: bool
    left_out: dict[str, int]
    file: Path | None

    @property
    def says(self) -> str:
        """The outcome in a sentence."""
        losses = (
            f"log loss {self.before.log_loss:.4f} -> {self.after.log_loss:.4f}, "
            f"Brier score {self.before.brier:.4f} -> {self.after.brier:.4f} on {self.after.n} held-out pairs"
        )
        if self.is_better:
            return f"The new calibration is better and in use: {losses}."
        return f"The new calibration is not better, so nothing changes: {losses}."


def learn_from_verdicts(ledger: Ledger, model: PairModel, models: Path, name: str, now: datetime) -> Learnt:
    """Fits a calibration on verdicts, and puts it into use if it beats the probabilities in use on pairs it never saw.

    Args:
        ledger: with cases and verdicts.
        model: in use, with its calibration.
        models: the home's folder of models.
        name: of the file of the calibration.
        now: of this refit.

    Raises:
        SetupError: if there are too few decided pairs of a kind, too many of one, or pairs that cannot be divided.
    """
    samples, left_out = decided_pairs(ledger, model)
    require_enough(samples)
    split = split_by_merchant(samples)
    require_apart(split)
    calibration = fit_calibration(split.learnt, model.base_id)
    before, after = _tried(split.held_out, model.final), _tried(split.held_out, calibration.of)
    is_better = _less(after.log_loss, before.log_loss) and _less(after.brier, before.brier)
    made = _provenance(model, split, before, after, now)
    file = save_calibration(models, calibration, made, name) if is_better else None
    return Learnt(calibration, before, after, len(split.learnt), is_better, left_out, file)


def draw_reliability(learnt: Learnt, folder: Path) -> dict[str, Path]:
    """Draws how well the probabilities fit the held-out pairs, as SVG files; by ``before`` and ``after``."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {}
    for name, measured in (("before", learnt.before), ("after", learnt.after)):
        drawn[name] = folder / f"reliability_{name}.svg"
        write_atomic(UPath(drawn[name]), reliability_chart(measured.bins, "").encode())
    return drawn


def decided_pairs(ledger: Ledger, model: PairModel) -> tuple[list[Sample], dict[str, int]]:
    """The pairs of today's cases that people decided, and how many were left out, by the reason."""
    pairs = {pair.pair_key: pair for pair in ledger.review_figures.judged_pairs()}
    said = final_answer(ledger.cases.verdicts(pairs))
    judged_by: dict[str, str | None] = {}
    samples, left_out = [], Counter[str]()
    for key, answer in said.items():
        pair = pairs[key]
        if pair.drop_key not in judged_by:
            judged_by[pair.drop_key] = _model_of(ledger, pair.drop_key)
        reason = _unfit(pair, judged_by[pair.drop_key], model)
        if answer.photograph == "cannot_tell":
            reason = "nobody could tell"
        if reason:
            left_out[reason] += 1
        else:
            same = answer.photograph == "same"
            samples.append(Sample(key, _raw(pair), same, frozenset(_owners(pair)), pair.document_date))
    return samples, dict(left_out)


def require_enough(samples: Sequence[Sample]) -> None:
    """Refuses too few pairs of a kind, or too many of one.

    Raises:
        SetupError: saying how many there are and how many are wanted.
    """
    same = sum(sample.same for sample in samples)
    other = len(samples) - same
    found = f"{same} decided pairs are the same photograph, {other} are not"
    if min(same, other) < FEWEST:
        raise SetupError(f"{found}; learning needs {FEWEST} of each. Judge more cases, then start it again.")
    if max(same, other) > MOST_IMBALANCE * min(same, other):
        raise SetupError(
            f"{found}: more than {MOST_IMBALANCE} times as many of one kind, so that a fit would learn to say one "
            "thing. Judge more of the other kind; a lower DOC_ASSETS_MATCH_PROBABILITY brings more doubtful pairs."
        )


def split_by_merchant(samples: Sequence[Sample]) -> Split:
    """The pairs of the newest documents are held out, whole groups of merchants that are tied by pairs together.

    Raises:
        SetupError: if one group is so large that no part of the pairs can be held out.
    """
    groups = sorted(_tied(samples), key=lambda group: max(sample.day for sample in group), reverse=True)
    held_out: list[Sample] = []
    learnt: list[Sample] = []
    for group in groups:
        goes_out = len(held_out) < HELD_OUT * len(samples)
        fits = len(held_out) + len(group) <= MOST_HELD_OUT * len(samples)
        (held_out if goes_out and fits else learnt).extend(group)
    same = sum(sample.same for sample in held_out)
    fewest = min(same, len(held_out) - same)
    if len(held_out) < LEAST_HELD_OUT * len(samples) or fewest < FEWEST_HELD_OUT:
        raise SetupError(
            "The pairs cannot be divided so that no merchant is on both sides: merchants that share photographs "
            f"make {len(groups)} groups, the largest with {max(map(len, groups))} of {len(samples)} pairs; "
            f"{len(held_out)} could be held out, {same} of them the same photograph, and {FEWEST_HELD_OUT} of each "
            "kind are needed. Judge cases of other merchants, then start it again."
        )
    return Split(learnt, held_out)


def require_apart(split: Split) -> None:
    """Refuses a split with a merchant or a pair on both sides: what is tried would have been learnt.

    Raises:
        SetupError: saying how many there are.
    """
    owners = _of_all(split.learnt) & _of_all(split.held_out)
    pairs = {each.pair_key for each in split.learnt} & {each.pair_key for each in split.held_out}
    if owners or pairs:
        raise SetupError(
            f"{len(owners)} merchants and {len(pairs)} pairs are on both sides of the split, so its result would say "
            "nothing. Nothing was changed."
        )


def fit_calibration(samples: Sequence[Sample], base: str) -> Calibration:
    """Slope and intercept that make the answers most likely, by Newton's method.

    A weak prior, as of one pair, speaks for slope 1 and intercept 0, so that answers which a threshold divides cleanly
    do not make every probability certain.

    Raises:
        SetupError: if answers rise as probabilities fall.
    """
    odds = np.array([log_odds(sample.probability) for sample in samples])
    same = np.array([sample.same for sample in samples], np.float64)
    slope, intercept = _newton(np.c_[odds, np.ones(len(odds))], same)
    if slope <= 0:
        raise SetupError(
            "Verdicts contradict the probability: the more probable a pair, the less often it is one photograph "
            f"(slope {slope:.3f}). Look at the reliability in the lead's report; nothing was changed."
        )
    return Calibration(slope, intercept, min(sample.probability for sample in samples), base)


def _newton(data: NDArray[np.float64], same: NDArray[np.float64]) -> tuple[float, float]:
    start = np.array([1.0, 0.0])
    solution = start.copy()
    for _ in range(100):
        probability = 1 / (1 + np.exp(-np.clip(data @ solution, -30, 30)))
        gradient = data.T @ (same - probability) - _PRIOR * (solution - start)
        curvature = (data * (probability * (1 - probability))[:, None]).T @ data + _PRIOR * np.eye(2)
        change = np.linalg.solve(curvature, gradient)
        solution += change
        if np.abs(change).max() < _CONVERGED:
            break
    return float(solution[0]), float(solution[1])


def _model_of(ledger: Ledger, drop_key: str) -> str | None:
    """The weights that judged a drop's pairs; None if that was not kept."""
    try:
        kept = ledger.searches.get(search_id_of(drop_key)).settings.pair_model
    except KeyError:
        return None
    return kept.partition("+")[0] if kept else None


def _unfit(pair: JudgedPair, judged_by: str | None, model: PairModel) -> str:
    """Why a pair cannot be learnt from; "" if it can."""
    if pair.pair is None or pair.pair.probability is None:
        return "identical files"
    if judged_by is not None and judged_by != model.base_id:
        return "judged by other weights; screen their drops again"
    return ""


def _raw(pair: JudgedPair) -> float:
    facts = pair.pair
    if facts is None or facts.probability is None:
        raise ValueError("a pair without a probability")
    return facts.probability if facts.uncalibrated is None else facts.uncalibrated


def _owners(pair: JudgedPair) -> Iterable[str]:
    yield f"merchant {pair.merchant_id}" if pair.merchant_id else f"document {pair.case_row}"
    yield f"merchant {pair.other_merchant_id}" if pair.other_merchant_id else f"document {pair.other_row}"


def _tied(samples: Sequence[Sample]) -> list[list[Sample]]:
    """Pairs by groups of owners that pairs tie together."""
    leader: dict[str, str] = {}

    def find(owner: str) -> str:
        while leader.setdefault(owner, owner) != owner:
            leader[owner] = leader[leader[owner]]
            owner = leader[owner]
        return owner

    for sample in samples:
        first, *others = sorted(sample.owners)
        for other in others:
            leader[find(other)] = find(first)
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[find(min(sample.owners))].append(sample)
    return list(groups.values())


def _of_all(samples: Collection[Sample]) -> set[str]:
    return {owner for sample in samples for owner in sample.owners}


def _tried(samples: Sequence[Sample], final: Callable[[float], float]) -> Reliability:
    return reliability([final(sample.probability) for sample in samples], [sample.same for sample in samples])


def _less(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and one < other


def _provenance(
    model: PairModel, split: Split, before: Reliability, after: Reliability, now: datetime
) -> dict[str, object]:
    def side(samples: Sequence[Sample]) -> dict[str, object]:
        same = sum(sample.same for sample in samples)
        days = [sample.day for sample in samples]
        return {
            "pairs": len(samples),
            "same": same,
            "owners": len(_of_all(samples)),
            "first_day": f"{min(days)}",
            "last_day": f"{max(days)}",
        }

    return {
        "by": "refit_job on verdicts",
        "at": now.isoformat(timespec="seconds"),
        "weights": {"probability": model.sha256, "likeness": model.likeness.sha256},
        "compared_with": model.model_id,
        "learnt": side(split.learnt),
        "held_out": side(split.held_out),
        "before": {"log_loss": before.log_loss, "brier": before.brier},
        "after": {"log_loss": after.log_loss, "brier": after.brier},
    }
