"""Retrieval: recall of re-used documents per attack, through the commands that operators use.

    python -m benchmarks.retrieval [--seeds 5 6 7]

For every seed 44 archive and 56 incoming documents are composed from real photographs, each of the 26 attacks twice;
`build-image-index` on the archive, then `search-doc` on the incoming ones three times: by vectors alone, by vectors
with verification, and with words too (the default). Merchants are known by the corpus' key table. A re-use by another
merchant counts as found at rank k if its source document is among the first k, as flagged if its document is and
a photo of the source document counts as matched. For attacks that only move pixels the outlined overlap is compared
with where the attack put it: mean distance of its corners as a share of the diagonal.
"""

import json
import shutil
import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import SHARED, Home, Row, arguments, compose, print_table, save

WAYS = {
    "vectors": ["--no-words", "--no-verify"],
    "verified": ["--no-words"],
    "with words": [],
}
NOWHERE = 10**6
MOVING = ("copy", "stretch", "crop90", "crop70", "crop50", "rot90", "rot180", "rot5", "mirror", "perspective")
Picture = NDArray[np.uint8]


class Tally:
    """What one way of searching found.

    Attributes:
        ranks: of the source documents, by attack.
        flagged: whether the document was flagged for the right reason, by attack.
        false: whether a document was flagged that must not be, by what it is.
        corners: mean distance of the overlap's corners from the truth, by attack.
    """

    def __init__(self) -> None:
        self.ranks: dict[str, list[int]] = defaultdict(list)
        self.flagged: dict[str, list[bool]] = defaultdict(list)
        self.false: dict[str, list[bool]] = defaultdict(list)
        self.corners: dict[str, list[float]] = defaultdict(list)

    def add(self, truth: dict[str, Any], summary: dict[str, Any], seed: int) -> None:
        """Compares the answers to one corpus with its truth."""
        answers: dict[str, dict[str, Any]] = {q["query_document"]: q for q in summary["per_query"]}
        incoming = [document for document in truth["documents"] if document["folder"] == "incoming"]
        if len(answers) != len(incoming):
            raise SystemExit(f"{len(answers)} answers for {len(incoming)} queries")
        places = {document["document"]: at for at, document in enumerate(truth["documents"])}
        for reuse in truth["reuse"]:
            if not reuse["same_merchant"]:
                place = places[reuse["query_document"]]
                source = truth["documents"][places[reuse["source_document"]]]
                sideways = truth["documents"][place]["style"] == "sideways", source["style"] == "sideways"
                planted = Planted(str(source["photos"][reuse["source_photo"]]["photo"]), seed * 1000 + place, *sideways)
                self._add_reuse(reuse, answers[reuse["query_document"]], planted)
        for document in incoming:
            if document["plan"] in {"honest", "same_merchant"}:
                self.false[document["plan"]].append(answers[document["document"]]["flagged"])

    def _add_reuse(self, reuse: dict[str, Any], answer: dict[str, Any], planted: "Planted") -> None:
        found = answer["top_docs"]
        attack = reuse["attack"]
        rank = next((at for at, doc in enumerate(found) if doc["document"] == reuse["source_document"]), NOWHERE)
        self.ranks[attack].append(rank)
        is_found = rank < NOWHERE and (found[rank]["n_matched_photos"] > 0 or found[rank]["exact_duplicate"])
        self.flagged[attack].append(answer["flagged"] and is_found)
        pairs = [pair for pair in found[rank]["matches"] if "transform" in pair] if rank < NOWHERE else []
        if attack in MOVING and pairs:
            self.corners[attack].append(corner_error(attack, planted, pairs[0]))


@dataclass(frozen=True)
class Planted:
    """A re-used photo: its file, the seed of its attack, and which of both pages were scanned on their side."""

    victim: str
    seed: int
    query_sideways: bool
    source_sideways: bool


def corner_error(attack: str, planted: Planted, pair: dict[str, Any]) -> float:
    """Mean distance of the query's corners on the archive photo from where the attack took them, by the diagonal."""
    sys.path.insert(0, str(SHARED / "tools"))
    import cv2
    from PIL import Image

    change: Callable[[str, Picture, int], Picture] = import_module("attacks").attack
    with Image.open(SHARED / "photos" / planted.victim) as image:
        image.thumbnail((1600, 1600))
        width, height = image.size
    rows, columns = np.mgrid[0:height, 0:width]
    places = np.stack([columns * 255 / width, rows * 255 / height, np.full((height, width), 128)], axis=2)
    seen = np.asarray(change(attack, np.round(places).astype(np.uint8), planted.seed), np.float64)
    h, w = seen.shape[:2]
    ys, xs = np.mgrid[8 : h - 8 : 9, 8 : w - 8 : 9].reshape(2, -1)
    sampled = seen[ys, xs]
    kept = (np.abs(sampled[:, 2] - 128) < 1.5) & (sampled[:, :2].min(axis=1) > 4) & (sampled[:, :2].max(axis=1) < 251)
    source = np.stack([(xs + 0.5) / w, (ys + 0.5) / h], axis=1)[kept].astype(np.float32)
    true, _ = cv2.findHomography(source, (sampled[kept, :2] / 255).astype(np.float32), cv2.RANSAC, 0.01)
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64)
    wanted = _turned(_moved(corners, np.asarray(true)), planted.source_sideways)
    query = _turned(corners, planted.query_sideways)
    if pair["mirrored"]:
        query = query * [-1, 1] + [1, 0]
    found = _moved(query, np.array(pair["transform"]))
    return float(np.linalg.norm(wanted - found, axis=1).mean() / 2**0.5)


def _moved(points: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    moved = np.c_[points, np.ones(len(points))] @ matrix.T
    shares: NDArray[np.float64] = moved[:, :2] / moved[:, 2:]
    return shares


def _turned(points: NDArray[np.float64], sideways: bool) -> NDArray[np.float64]:
    """Where points of a photo are on a page that was scanned on its side, a quarter turn counter-clockwise."""
    return np.stack([points[:, 1], 1 - points[:, 0]], axis=1) if sideways else points


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[5, 6, 7])
    options = parser.parse_args()
    tallies = {way: Tally() for way in WAYS}
    for seed in options.seeds:
        _search(options.work, seed, tallies)
    attacks = sorted(tallies["with words"].ranks)
    rows = [_row(attack, tallies, [attack]) for attack in attacks] + [_row("all", tallies, attacks)]
    print_table(rows)
    false = {
        way: {plan: f"{sum(flags)} of {len(flags)}" for plan, flags in tally.false.items()}
        for way, tally in tallies.items()
    }
    print(f"\nflagged though honest or of the same merchant: {false}")
    save("retrieval", {"seeds": options.seeds, "false_flags": false}, rows)


def _search(work: Path, seed: int, tallies: dict[str, Tally]) -> None:
    corpus = compose(work / f"bar-{seed}", archive=44, incoming=56, reuse=0.93, max_pages=1, seed=seed)
    home = Home(work / f"home-bar-{seed}")
    shutil.rmtree(home.folder, ignore_errors=True)
    keys = ["--key-table", corpus / "keys.xlsx"]
    home.run("build-image-index", "--folder", corpus / "archive", *keys)
    truth = json.loads((corpus / "truth.json").read_text(encoding="utf-8"))
    for way, flags in WAYS.items():
        out = home.folder / "out" / way
        home.run("search-doc", "--folder", corpus / "incoming", "--output-folder", out, *keys, *flags)
        tallies[way].add(truth, json.loads((out / "search_results_summary.json").read_text(encoding="utf-8")), seed)


def _row(name: str, tallies: dict[str, Tally], attacks: list[str]) -> Row:
    row: Row = {"attack": name, "reuses": sum(len(tallies["with words"].ranks[attack]) for attack in attacks)}
    for way, tally in tallies.items():
        ranks = [rank for attack in attacks for rank in tally.ranks[attack]]
        flagged = [is_flagged for attack in attacks for is_flagged in tally.flagged[attack]]
        row |= {
            f"{way} recall@1": sum(rank < 1 for rank in ranks) / len(ranks),
            f"{way} recall@5": sum(rank < 5 for rank in ranks) / len(ranks),
            f"{way} flagged": sum(flagged) / len(flagged),
        }
    corners = [error for attack in attacks for error in tallies["with words"].corners[attack]]
    row["corner error"] = float(np.mean(corners)) if corners else None
    return row


if __name__ == "__main__":
    main()
