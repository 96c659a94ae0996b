"""Copies of photos: what each way of searching finds, and what perceptual hashes and keypoint matching find.

    python -m benchmarks.photos [--distractors 0 2000 20000] [--checkpoint DIR]

100 real photographs are attacked in 26 ways each and searched in a gallery of themselves, 90 others and drawn
pictures; 50 more, attacked alike, are searched too and have no right answer there. Every photo is stored and read back
as the product does it. All methods search the same gallery for the same queries, exactly; times are CPU milliseconds
of one core from decoded pixels on. The scratch folder keeps what was computed of photos, so that a killed run goes on.
Needs ``imagehash`` and ``pdqhash`` (the optional dependencies ``bench``).
"""

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks import photo_metrics as metrics
from benchmarks import photo_peers as peers
from benchmarks import photo_ways as ways
from benchmarks.photo_gallery import (
    Describe,
    Describing,
    Picture,
    Shelf,
    Split,
    draw,
    fill,
    pictures_folder,
    split,
    worker_pool,
)
from benchmarks.photo_metrics import DEPTH, GROUPS, Method, Ranking, nearest, quality_tables
from benchmarks.report import Row, arguments, print_table, save

FEW_QUERIES = 1000
"""Up to so many the results get a file of their own."""
NO_CHECKPOINT = "not measured: no checkpoint at hand; --checkpoint DIR measures any encoder that transformers loads"


@dataclass(slots=True)
class Bench:
    """One run.

    Attributes:
        data: the photos.
        sizes: of the galleries, ascending.
        work: scratch folder.
        pool: what describes photos and looks at pairs.
        candidates: what the best of the hashes found, and that method.
        tables: what more was measured, by name.
    """

    data: Split
    sizes: list[int]
    work: Path
    pool: ProcessPoolExecutor
    candidates: tuple[list[NDArray[np.int64]], Method] | None = None
    tables: dict[str, list[Row]] = field(default_factory=dict)

    def shelves(self, folder: Path, describe: Describe) -> tuple[Shelf, Shelf]:
        """What ``describe`` makes of the queries, and of the gallery."""
        return self.shelf(folder, describe, is_query=True), self.shelf(folder, describe, is_query=False)

    def shelf(self, folder: Path, describe: Describe, *, is_query: bool) -> Shelf:
        """What ``describe`` makes of the queries or of the gallery."""
        make = Describing(self.stored(is_query=is_query), describe, is_query)
        return fill(folder / _role(is_query), self._photos(is_query), make, self.pool)

    def stored(self, *, is_query: bool) -> Shelf:
        """The JPEGs of the queries or of the gallery."""
        return fill(pictures_folder(self.work) / _role(is_query), self._photos(is_query), draw, self.pool)

    def _photos(self, is_query: bool) -> Sequence[Picture]:
        return self.data.queries if is_query else self.data.gallery


def main() -> None:
    options = _options()
    distractors = sorted(set(options.distractors))
    data = split(options.originals, options.negatives, distractors[-1]).of_first(options.queries)
    sizes = [data.n_real + n for n in distractors]
    settings = {"originals": options.originals, "negatives": options.negatives, "galleries": sizes, "groups": GROUPS}
    settings["queries"] = len(data.queries)
    with worker_pool() as pool, threadpool_limits(1):
        bench = Bench(data, sizes, options.work, pool)
        methods: list[Method] = []
        for measure in (measure_own, partial(measure_encoder, options.checkpoint), measure_hashes, measure_keypoints):
            if more := measure(bench):
                methods += more
                _report(bench, methods, settings)


def _report(bench: Bench, methods: Sequence[Method], settings: Row) -> None:
    """Prints and saves what was measured so far: the keypoints come much later than the rest."""
    attack = np.array([query.attack for query in bench.data.queries])
    tables = {**quality_tables(methods, bench.data.truth, attack), **bench.tables}
    for name, rows in tables.items():
        print(f"\n{name}\n")
        print_table(rows or [{"none": None}])
    save(
        "photos" if settings["queries"] > FEW_QUERIES else "photos_few_queries",
        settings,
        [{"table": name, **row} for name, rows in tables.items() for row in rows],
    )


def _options() -> argparse.Namespace:
    parser = arguments(__doc__)
    parser.add_argument("--distractors", type=int, nargs="+", default=[0, 2000, 20_000], help="drawn pictures")
    parser.add_argument("--checkpoint", default="", help="folder of an image encoder")
    parser.add_argument(
        "--queries", type=int, help="only the first of the shuffled queries: ORB and SIFT take hours for all"
    )
    parser.add_argument("--originals", type=int, default=100, help=argparse.SUPPRESS)
    parser.add_argument("--negatives", type=int, default=50, help=argparse.SUPPRESS)
    return parser.parse_args()


def _role(is_query: bool) -> str:
    return "queries" if is_query else "gallery"


def measure_own(bench: Bench) -> list[Method]:
    """Vectors; vectors and words; and with a close look at all candidates, or as many as the product looks at."""
    queries, gallery = bench.shelves(ways.own_folder(bench.work), ways.describe)
    similarity, vectors_s = ways.similarities(queries, gallery)
    methods = [_by_vectors(bench, "vectors", queries, gallery, similarity, vectors_s)]
    found, seconds = zip(*(ways.retrieve(queries, gallery, similarity, n) for n in bench.sizes), strict=True)
    looked = ways.look(bench.pool, found, similarity, queries, gallery)
    n_looked = [looked.by_handfuls(number, each)[1] for number, each in enumerate(found[-1])]
    rankings: dict[str, dict[int, Ranking]] = {"vectors and words": {}, "verified": {}, "verified, all": {}}
    for size, candidates in zip(bench.sizes, found, strict=True):
        handfuls = [looked.by_handfuls(number, each)[0] for number, each in enumerate(candidates)]
        everything = [looked.whole(number, each) for number, each in enumerate(candidates)]
        rankings["vectors and words"][size] = Ranking.of((each.positions, each.promise) for each in candidates)
        rankings["verified"][size] = _by_probability(candidates, handfuls, similarity)
        rankings["verified, all"][size] = _by_probability(candidates, everything, similarity)
    index_ms = 1000 * (gallery.mean("vectors_s") + gallery.mean("local_s"))
    fused_ms = methods[0].query_ms + 1000 * (queries.mean("local_s") + seconds[-1])
    n_words = gallery.lengths("words").mean()
    n_bytes = methods[0].n_bytes + 8 * n_words  # a position and a weight of 4 bytes each
    pairs = {
        "vectors and words": 0.0,
        "verified": float(np.mean(n_looked)),
        "verified, all": float(np.mean([len(each.positions) for each in found[-1]])),
    }
    for name, by_size in rankings.items():
        ms = fused_ms + 1000 * pairs[name] * looked.pair_s
        more = gallery.mean("features_bytes") if pairs[name] else 0.0
        methods.append(Method(name, by_size, index_ms, ms, n_bytes + more))
    _note_pairs(bench, found[-1], looked, n_looked)
    return methods


def _by_vectors(
    bench: Bench, name: str, queries: Shelf, gallery: Shelf, similarity: NDArray[np.float32], seconds: float
) -> Method:
    rankings = {}
    for size in bench.sizes:
        best = [nearest(row, DEPTH) for row in similarity[:, :size]]
        rankings[size] = Ranking.of((at, row[at].astype(np.float64)) for at, row in zip(best, similarity, strict=True))
    query_ms = 1000 * (queries.mean("vectors_s") + seconds)
    return Method(name, rankings, 1000 * gallery.mean("vectors_s"), query_ms, 4 * gallery.row("vectors", 0).size)


def _by_probability(
    candidates: Sequence[ways.Candidates], probability: Sequence[NDArray[np.float64]], similarity: NDArray[np.float32]
) -> Ranking:
    answers = []
    for each, probable, row in zip(candidates, probability, similarity, strict=True):
        scores = probable + 1e-6 * row[each.positions]
        order = np.argsort(-scores, kind="stable")
        answers.append((each.positions[order], scores[order]))
    return Ranking.of(answers)


def _note_pairs(bench: Bench, found: Sequence[ways.Candidates], looked: ways.Looked, n_looked: Sequence[int]) -> None:
    """What the close look costs, where the true photos stood before it, and how right its probabilities are."""
    truth = bench.data.truth
    positive = truth >= 0
    probability = [looked.whole(number, each) for number, each in enumerate(found)]
    right = [each.positions == at for each, at in zip(found, truth, strict=True)]
    rank = np.array([int(hits.argmax()) + 1 if hits.any() else 0 for hits in right])
    best_wrong = np.array([p[~hits].max(initial=0) for p, hits in zip(probability, right, strict=True)])
    row: Row = {
        "pairs a query": float(np.mean([len(each.positions) for each in found])),
        "looked at by the product": float(np.mean(n_looked)),
        "ms a pair": 1000 * looked.pair_s,
        **metrics.rank_shares(rank[positive]),
        "queries without answer": int((~positive).sum()),
        "of them matched": int((best_wrong[~positive] >= ways.MATCH).sum()),
        "queries with answer": int(positive.sum()),
        "of them matched with a wrong photo": int((best_wrong[positive] >= ways.MATCH).sum()),
    }
    bench.tables["verification"] = [{"measure": name, "value": value} for name, value in row.items()]
    bench.tables["calibration"] = metrics.calibration(np.concatenate(probability), np.concatenate(right))
    bench.tables["wrong pairs counted as matches"] = metrics.confusions(
        (query.label, bench.data.gallery[int(at)].label, float(p))
        for query, each, probable, hits in zip(bench.data.queries, found, probability, right, strict=True)
        for at, p, hit in zip(each.positions, probable, hits, strict=True)
        if p >= ways.MATCH and not hit
    )


def measure_encoder(checkpoint: str, bench: Bench) -> list[Method]:
    """Vectors of another encoder, if there is one."""
    if not checkpoint:
        print(NO_CHECKPOINT, flush=True)
        return []
    model = ways.embedder(checkpoint)
    describe = partial(ways.describe_vectors, checkpoint=checkpoint)
    queries, gallery = bench.shelves(bench.work / f"photos-{model.embedder_id}", describe)
    similarity, seconds = ways.similarities(queries, gallery)
    name = f"vectors of {Path(checkpoint).name}"
    return [_by_vectors(bench, name, queries, gallery, similarity, seconds)]


def measure_hashes(bench: Bench) -> list[Method]:
    """Perceptual hashes."""
    queries, gallery = bench.shelves(pictures_folder(bench.work) / "hashes", peers.hashes)
    methods = []
    for name, (column, views) in peers.HASHES.items():
        kept = gallery.whole(column)
        found = peers.search_hashes(queries.whole(column), kept, len(bench.data.queries), views, bench.sizes)
        cost = f"{column}_views_s" if name == peers.CANDIDATES else f"{column}_s"
        query_ms = 1000 * (queries.mean(cost) + found.seconds)
        index_ms = 1000 * gallery.mean(f"{column}_s")
        methods.append(Method(name, found.rankings, index_ms, query_ms, kept[0].nbytes))
        if name == peers.CANDIDATES:
            bench.candidates = found.candidates, methods[-1]
    return methods


def measure_keypoints(bench: Bench) -> list[Method]:
    """Keypoints matched with the best candidates of a hash."""
    if bench.candidates is None:
        return []
    candidates, hashed = bench.candidates
    described = bench.shelf(pictures_folder(bench.work) / "keypoints", peers.keypoints, is_query=True)
    reranked = peers.rerank(bench.pool, candidates, bench.stored(is_query=False), described)
    methods = []
    for detector, result in reranked.items():
        name = f"{detector.upper()} on {peers.RERANKED} of PDQ"
        query_ms = hashed.query_ms + 1000 * (described.mean(f"{detector}_s") + peers.RERANKED * result.pair_s)
        index_ms = hashed.index_ms + 1000 * result.index_s
        rankings = {bench.sizes[-1]: result.ranking}
        methods.append(Method(name, rankings, index_ms, query_ms, hashed.n_bytes + result.n_bytes))
    return methods


if __name__ == "__main__":
    main()
