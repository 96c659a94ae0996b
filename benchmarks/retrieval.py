"""Retrieval: recall of re-used documents per attack, through the commands that operators use.

    python -m benchmarks.retrieval [--seeds 5 6 7]

For every seed 44 archive and 56 incoming documents are composed from real photographs, each of the 26 attacks twice;
`build-image-index` on the archive, `search-doc` on the incoming ones, both in a home of its own. A re-use by another
merchant counts as found at rank k if the source document is among the first k.
"""

import json
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.report import Home, Row, arguments, compose, print_table, save

Ranks = dict[str, list[int]]
NOWHERE = 10**6


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[5, 6, 7])
    options = parser.parse_args()
    ranks: Ranks = defaultdict(list)
    honest: list[bool] = []
    for seed in options.seeds:
        _search(options.work, seed, ranks, honest)
    rows = [_row(attack, ranks[attack]) for attack in sorted(ranks, key=lambda name: (_recall(ranks[name], 1), name))]
    rows.append(_row("all", [rank for values in ranks.values() for rank in values]))
    print_table(rows)
    print(f"\nhonest documents with a matched photo: {sum(honest)} of {len(honest)}")
    settings = {"seeds": options.seeds, "honest": len(honest), "honest_matched": sum(honest)}
    save("retrieval", settings, rows)


def _search(work: Path, seed: int, ranks: Ranks, honest: list[bool]) -> None:
    corpus = compose(work / f"bar-{seed}", archive=44, incoming=56, reuse=0.93, max_pages=1, seed=seed)
    home = Home(work / f"home-bar-{seed}")
    shutil.rmtree(home.folder, ignore_errors=True)
    home.run("build-image-index", "--folder", corpus / "archive")
    home.run("search-doc", "--folder", corpus / "incoming", "--output-folder", home.folder / "out")
    summary = json.loads((home.folder / "out" / "search_results_summary.json").read_text(encoding="utf-8"))
    answers: dict[str, list[dict[str, Any]]] = {q["query_document"]: q["top_docs"] for q in summary["per_query"]}
    truth = json.loads((corpus / "truth.json").read_text(encoding="utf-8"))
    incoming = [document for document in truth["documents"] if document["folder"] == "incoming"]
    if len(answers) != len(incoming):
        raise SystemExit(f"seed {seed}: {len(answers)} answers for {len(incoming)} queries")
    for reuse in truth["reuse"]:
        if not reuse["same_merchant"]:
            names = [found["document"] for found in answers[reuse["query_document"]]]
            source = reuse["source_document"]
            ranks[reuse["attack"]].append(names.index(source) if source in names else NOWHERE)
    for document in incoming:
        if document["plan"] == "honest":
            honest.append(any(found["n_matched_photos"] for found in answers[document["document"]]))


def _row(attack: str, ranks: list[int]) -> Row:
    return {"attack": attack, "reuses": len(ranks), "recall@1": _recall(ranks, 1), "recall@5": _recall(ranks, 5)}


def _recall(ranks: list[int], k: int) -> float:
    return sum(rank < k for rank in ranks) / len(ranks)


if __name__ == "__main__":
    main()
