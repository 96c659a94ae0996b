"""Likeness and re-use, pair by pair: which photos that are alike are called one photograph.

    python -m benchmarks.likeness [--pairs 20] [--part other_shots shared look_alikes form re-use hard] [--jobs 1]

Pairs that are no re-use: other shots of one scene (drawn with depth; photographs of goods), the same printed thing in
two photographs (at 5 to 92 % of both), photographs that merely look alike, pictures of the form. Pairs that are and
must be found: the 26 attacks and the hard ones, on street and goods photographs and on photographs of signs and menu
boards. Each pair is judged by the product from the two stored photos, by SIFT + RANSAC (20 inliers or more) and by PDQ
(distance of at most 31, eight views). Street photographs and kinds of goods are those that no fit uses, but for the
rows that say otherwise. Needs ``pdqhash`` (the optional dependencies ``bench``).
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.likeness_pairs import PARTS, Case, cases
from benchmarks.photo_gallery import worker_pool
from benchmarks.photo_peers import inliers_of_pair, pdq_distance
from benchmarks.photo_ways import embedder
from benchmarks.report import Row, arguments, print_table, save
from doc_assets.archive.ledger.results import PhotoPair
from doc_assets.archive.ledger.search_settings import Thresholds
from doc_assets.datatypes import RgbImage
from doc_assets.features.sift import SiftExtractor, mirrored
from doc_assets.lab.attacks import recompress
from doc_assets.pipeline.describing import STORED_FEATURES
from doc_assets.search.kinds import kind_of, may_be_drawn
from doc_assets.search.verify.geometry import align
from doc_assets.search.verify.graphics import look_of
from doc_assets.search.verify.likeness import measure
from doc_assets.search.verify.probability import WORTH_A_LOOK, PairModel, is_worth_a_look

KINDS = ("same_photograph", "other_shot", "shared_thing", "form_picture", "cannot_tell")
"""What the product may say of a pair."""
PEER_INLIERS, PEER_DISTANCE = 20, 31
"""What calls a pair the same with SIFT + RANSAC, and with PDQ as its authors recommend."""
Mapped = Callable[[Callable[[Case, int], "Looked"], Sequence[Case], Sequence[int]], Iterable["Looked"]]
"""``map``, here or in other processes."""
_QUALITY = 90  # of photos as they are stored


@dataclass(frozen=True, slots=True)
class Judged:
    """The product's word on a pair.

    Attributes:
        probability: that both show one photograph.
        kind: one of ``KINDS``; None if they are not alike.
    """

    probability: float
    kind: str | None


@dataclass(frozen=True, slots=True)
class Looked:
    """A pair, judged by all.

    Attributes:
        judged: by the product.
        inliers: of SIFT + RANSAC.
        distance: of PDQ.
        seconds: CPU time of the product's look at decoded photos.
    """

    judged: Judged
    inliers: int
    distance: int
    seconds: float


_PAIR = PhotoPair(1, 0, (0, 0, 1, 1), 1, 0, (0, 0, 1, 1), False, 0.0, 0, False, 0.0, None)


def judge(query: RgbImage, archive: RgbImage) -> Judged:
    """What the product says of two stored photos."""
    features = SiftExtractor().extract(query)
    alignment = align(features, mirrored(features), SiftExtractor(STORED_FEATURES).extract(archive))
    similarity = float((embedder().embed_views([query])[0] @ embedder().embed([archive])[0]).max())
    probability = _model().probability(similarity, alignment)
    inliers = None if alignment is None else alignment.inliers
    pair = replace(_PAIR, similarity=similarity, probability=probability, inliers=inliers)
    if alignment is not None and is_worth_a_look(probability, alignment):
        traits = measure(query, archive, alignment)
        if traits is not None:
            likeness = _model().likeness.judge(traits)
            pair = replace(pair, probability=likeness.same_photograph, likeness=likeness)
    if pair.likeness is not None or probability >= WORTH_A_LOOK:
        looks = look_of(query), look_of(archive)
        pair = replace(pair, looks=looks if all(map(may_be_drawn, looks)) else None)
    return Judged(pair.probability or 0.0, kind_of(pair, Thresholds()))


@lru_cache(maxsize=1)
def _model() -> PairModel:
    return PairModel(None, embedder().embedder_id)


def look(case: Case, number: int) -> Looked:
    """Makes pair ``number`` of a case, stores both photos and has them judged."""
    cv2.setNumThreads(1)
    with threadpool_limits(1):
        query, archive = (recompress(np.ascontiguousarray(photo), _QUALITY) for photo in case.make(number))
        began = time.process_time()
        judged = judge(query, archive)
        seconds = time.process_time() - began
        return Looked(judged, inliers_of_pair("sift", query, archive), pdq_distance(query, archive), seconds)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--pairs", type=int, default=20, help="most pairs of each row")
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS), help="which rows")
    parser.add_argument("--only", default="", help="of these the rows whose name holds this, such as goods")
    parser.add_argument("--jobs", type=int, default=1, help="processes side by side")
    options = parser.parse_args()
    wanted = [case for case in cases(options.part) if options.only in case.name]
    if options.jobs == 1:
        found = list(_measure(map, wanted, options.pairs))
    else:
        with worker_pool(options.jobs) as pool:
            found = list(_measure(pool.map, wanted, options.pairs))
    rows = [_row(case.part, case.name, case.is_reuse, looks) for case, looks in found] + list(_sums(found))
    print()
    print_table(rows)
    save("likeness", {"pairs": options.pairs, "parts": options.part}, rows)


def _measure(mapped: Mapped, wanted: Sequence[Case], pairs: int) -> Iterator[tuple[Case, list[Looked]]]:
    for case in wanted:
        n = min(pairs, case.n)
        looks = list(mapped(look, [case] * n, range(n)))
        same = sum(each.judged.kind == "same_photograph" for each in looks)
        print(f"{case.part}: {case.name}: {same} of {n} called the same photograph", flush=True)
        yield case, looks


def _row(part: str, name: str, is_reuse: bool, looks: Sequence[Looked]) -> Row:
    n = len(looks)
    probabilities = [each.judged.probability for each in looks]
    kinds = Counter(each.judged.kind for each in looks)
    row: Row = {"part": part, "pairs of": name, "re-use": "yes" if is_reuse else "no", "pairs": n}
    row |= {
        "called the same": kinds["same_photograph"] / n,
        "median probability": float(np.median(probabilities)),
        "SIFT + RANSAC": sum(each.inliers >= PEER_INLIERS for each in looks) / n,
        "PDQ": sum(each.distance <= PEER_DISTANCE for each in looks) / n,
        "CPU ms": 1000 * float(np.median([each.seconds for each in looks])),
    }
    return row | {kind: kinds[kind] / n for kind in KINDS[1:]}


def _sums(found: Sequence[tuple[Case, list[Looked]]]) -> Iterator[Row]:
    """All pairs of a part together; those of photographs of goods, and shared things up to half and beyond, too."""
    groups: dict[tuple[str, str, bool], list[Looked]] = {}
    for case, looks in found:
        names = ["all"]
        if case.part == "other_shots":
            names.append(f"all of {case.name.split(',')[0]}")
        if case.part == "shared":
            names.append("all beyond half" if case.name.split(", ")[1][:2] in {"70", "92"} else "all up to half")
        if case.part in {"re-use", "hard"}:
            names.append(
                "all of printed things" if "photograph of" in case.name else f"all of {case.name.split(', ')[1]}"
            )
        for name in names:
            groups.setdefault((case.part, name, case.is_reuse), []).extend(looks)
    yield from (_row(part, name, is_reuse, looks) for (part, name, is_reuse), looks in groups.items())


if __name__ == "__main__":
    main()
