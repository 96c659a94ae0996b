"""Retrieval: recall of re-used documents per attack, through the commands that operators use.

    python -m benchmarks.retrieval [--seeds 5 6 7]

For every seed 44 archive and 56 incoming documents are composed from real photographs, each of the 26 attacks twice;
`build-image-index` on the archive, then `search-doc` on the incoming ones three times: by vectors alone, by vectors
with verification, and with words too (the default). A re-use by another merchant counts as found at rank k if its
source document is among the first k, as flagged if a photo of the source document counts as matched.
"""

import json
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.report import Home, Row, arguments, compose, print_table, save

WAYS = {
    "vectors": ["--no-words", "--no-verify"],
    "verified": ["--no-words"],
    "with words": [],
}
NOWHERE = 10**6


class Tally:
    """What one way of searching found.

    Attributes:
        ranks: of the source documents, by attack.
        flagged: whether a photo of the source document counted as matched, by attack.
        false: whether an honest document had any matched photo.
    """

    def __init__(self) -> None:
        self.ranks: dict[str, list[int]] = defaultdict(list)
        self.flagged: dict[str, list[bool]] = defaultdict(list)
        self.false: list[bool] = []

    def add(self, truth: dict[str, Any], summary: dict[str, Any]) -> None:
        """Compares the answers to one corpus with its truth."""
        answers: dict[str, list[dict[str, Any]]] = {q["query_document"]: q["top_docs"] for q in summary["per_query"]}
        incoming = [document for document in truth["documents"] if document["folder"] == "incoming"]
        if len(answers) != len(incoming):
            raise SystemExit(f"{len(answers)} answers for {len(incoming)} queries")
        for reuse in truth["reuse"]:
            if not reuse["same_merchant"]:
                self._add_reuse(reuse, answers[reuse["query_document"]])
        for document in incoming:
            if document["plan"] == "honest":
                self.false.append(any(found["n_matched_photos"] for found in answers[document["document"]]))

    def _add_reuse(self, reuse: dict[str, Any], found: list[dict[str, Any]]) -> None:
        rank = next((at for at, doc in enumerate(found) if doc["document"] == reuse["source_document"]), NOWHERE)
        self.ranks[reuse["attack"]].append(rank)
        is_flagged = rank < NOWHERE and (found[rank]["n_matched_photos"] > 0 or found[rank]["exact_duplicate"])
        self.flagged[reuse["attack"]].append(is_flagged)


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
    false = {way: f"{sum(tally.false)} of {len(tally.false)}" for way, tally in tallies.items()}
    print(f"\nhonest documents with a matched photo: {false}")
    save("retrieval", {"seeds": options.seeds, "honest_matched": false}, rows)


def _search(work: Path, seed: int, tallies: dict[str, Tally]) -> None:
    corpus = compose(work / f"bar-{seed}", archive=44, incoming=56, reuse=0.93, max_pages=1, seed=seed)
    home = Home(work / f"home-bar-{seed}")
    shutil.rmtree(home.folder, ignore_errors=True)
    home.run("build-image-index", "--folder", corpus / "archive")
    truth = json.loads((corpus / "truth.json").read_text(encoding="utf-8"))
    for way, flags in WAYS.items():
        out = home.folder / "out" / way
        home.run("search-doc", "--folder", corpus / "incoming", "--output-folder", out, *flags)
        tallies[way].add(truth, json.loads((out / "search_results_summary.json").read_text(encoding="utf-8")))


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
    return row


if __name__ == "__main__":
    main()
