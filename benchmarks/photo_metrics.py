"""How good ranked answers are: recall, micro-AP, recall at a precision, calibration."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Row

GROUPS = {
    "light": "copy jpeg20 resize0.3 stretch bright dark contrast gamma blur noise grey",
    "turned": "rot90 rot180 rot5 mirror",
    "cropped": "crop90 crop70 crop50",
    "bitonal": "dither1bit",
    "covered": "caption perspective",
    "print and screen": "print_scan screen_photo",
    "fraud": "fraud_print fraud_edit fraud_screen",
}
METRICS = ("recall@1", "recall@10", "micro-AP", "recall@P90", "recall@P99")
DEPTH = 10
"""Pairs of a query that count."""
_BINS = 10


@dataclass(frozen=True, slots=True)
class Ranking:
    """The answers to all queries, best first.

    Attributes:
        positions: (Q, 10) places in the gallery; -1 where there are fewer answers.
        scores: (Q, 10) higher is closer; -inf where there are fewer answers.
    """

    positions: NDArray[np.int64]
    scores: NDArray[np.float64]

    @classmethod
    def of(cls, answers: Iterable[tuple[NDArray[np.int64], NDArray[np.float64]]]) -> "Ranking":
        """From the positions and scores of every query, best first, of any number."""
        rows = list(answers)
        positions = np.full((len(rows), DEPTH), -1, np.int64)
        scores = np.full((len(rows), DEPTH), -np.inf)
        for i, (where, score) in enumerate(rows):
            n = min(DEPTH, len(where))
            positions[i, :n], scores[i, :n] = where[:n], score[:n]
        return cls(positions, scores)


def nearest(closeness: NDArray[np.floating], count: int) -> NDArray[np.int64]:
    """Places of the ``count`` greatest values, greatest first."""
    count = min(count, len(closeness))
    some = np.argpartition(-closeness, count - 1)[:count]
    return some[np.lexsort((some, -closeness[some]))].astype(np.int64)


def quality(ranking: Ranking, truth: NDArray[np.int64], chosen: NDArray[np.bool_]) -> Row:
    """Recall@1, recall@10, micro-AP and recall at two precisions over the chosen queries.

    Recall is over queries that have a right answer; all pairs of all chosen queries compete in the others. Ties stand
    in the order of the queries for micro-AP, and share one threshold for recall at a precision.

    Source: Douze et al., The 2021 Image Similarity Dataset and Challenge, arXiv:2106.09672.
    """
    positions, scores, wanted = ranking.positions[chosen], ranking.scores[chosen], truth[chosen]
    right = (positions == wanted[:, None]) & (wanted >= 0)[:, None]
    n = int((wanted >= 0).sum())
    given = positions.ravel() >= 0
    order = np.argsort(-scores.ravel()[given], kind="stable")
    ranked, is_right = scores.ravel()[given][order], right.ravel()[given][order]
    found = np.cumsum(is_right)
    precision = found / np.arange(1, len(found) + 1)
    last_of_tie = np.append(ranked[1:] < ranked[:-1], True)[: len(ranked)]
    return {
        "recall@1": float(right[wanted >= 0, 0].mean()),
        "recall@10": float(right[wanted >= 0].any(axis=1).mean()),
        "micro-AP": float(precision[is_right].sum() / n),
        **{f"recall@P{100 * p:.0f}": _recall_at(found, precision, last_of_tie, p) / n for p in (0.9, 0.99)},
    }


def _recall_at(
    found: NDArray[np.intp], precision: NDArray[np.float64], is_threshold: NDArray[np.bool_], wanted: float
) -> float:
    """Right pairs above the loosest threshold that is precise enough; 0 if there is none."""
    return float(found[is_threshold & (precision >= wanted)].max(initial=0))


def rank_shares(rank: NDArray[np.int64], within: Sequence[int] = (1, 3, 5, 10, 20)) -> Row:
    """Shares of queries whose true photo stood within the first few; a rank of 0 means not at all."""
    return {f"true photo within {k}": float(((rank > 0) & (rank <= k)).mean()) for k in within}


def calibration(probability: NDArray[np.float64], is_true: NDArray[np.bool_]) -> list[Row]:
    """Ten equal-width bins of probability: pairs, their mean probability, and how many were true."""
    place = np.minimum((probability * _BINS).astype(np.intp), _BINS - 1)
    rows: list[Row] = []
    for i in range(_BINS):
        inside = place == i
        row: Row = {"probability": f"{i / _BINS:.1f} to {(i + 1) / _BINS:.1f}", "pairs": int(inside.sum())}
        if inside.any():
            row |= {"mean": float(probability[inside].mean()), "share true": float(is_true[inside].mean())}
        rows.append(row)
    return rows


def confusions(taken: Iterable[tuple[str, str, float]]) -> list[Row]:
    """Photos taken for one another, given as query, photo and probability; those most often first."""
    seen: dict[tuple[str, str], list[float]] = defaultdict(list)
    for query, photo, probability in taken:
        seen[query, photo].append(probability)
    ordered = sorted(seen.items(), key=lambda item: -len(item[1]))
    return [{"query": q, "photo": p, "times": len(found), "highest": max(found)} for (q, p), found in ordered]


@dataclass(frozen=True, slots=True)
class Method:
    """A way of searching and what it gave.

    Attributes:
        name: as printed.
        rankings: by gallery size; the largest at least.
        index_ms, query_ms: CPU time a photo.
        n_bytes: kept of a photo of the gallery.
    """

    name: str
    rankings: dict[int, Ranking]
    index_ms: float
    query_ms: float
    n_bytes: float


def quality_tables(
    methods: Sequence[Method], truth: NDArray[np.int64], attack: NDArray[np.str_]
) -> dict[str, list[Row]]:
    """Quality and cost in the largest gallery, each measure by group of attacks, and what is lost with size."""
    everything = np.ones(len(truth), bool)
    pooled: list[Row] = []
    by_group: dict[str, list[Row]] = {f"{metric} by attack": [] for metric in METRICS}
    by_size: list[Row] = []
    for method in methods:
        name: Row = {"method": method.name}
        ranking = method.rankings[max(method.rankings)]
        cost = {"index ms": method.index_ms, "query ms": method.query_ms, "bytes": round(method.n_bytes)}
        pooled.append(name | quality(ranking, truth, everything) | cost)
        found = {group: quality(ranking, truth, np.isin(attack, names.split())) for group, names in GROUPS.items()}
        for metric in METRICS:
            by_group[f"{metric} by attack"].append(name | {group: row[metric] for group, row in found.items()})
        if len(method.rankings) > 1:
            by_size.append(name | _by_size(method, truth))
    return {"quality": pooled, **by_group, "loss with size": by_size}


def _by_size(method: Method, truth: NDArray[np.int64]) -> Row:
    everything = np.ones(len(truth), bool)
    found = {size: quality(ranking, truth, everything) for size, ranking in method.rankings.items()}
    return {f"{metric}, {size}": row[metric] for metric in ("recall@1", "micro-AP") for size, row in found.items()}
