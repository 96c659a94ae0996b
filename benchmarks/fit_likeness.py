"""Fits the model of ``verification.kinds``: one photograph, two shots of a scene, or one printed thing in two.

    python -m benchmarks.fit_likeness [--pairs 200] [--save] [--examples FILE]

Data, all at photo level. One photograph: the package's own attacks and hard attacks on drawn pictures, on half of the
street photographs and on half of the kinds of goods. Two shots: drawn scenes with depth, and goods of these kinds whose
keypoints agree. One thing: drawn signs, posters, menu boards, banners and shelves in two of these photographs. The
other half of photographs and kinds is judged by the model afterwards: errors, and how often each probability is right
(`docs/images/likeness_reliability.png`). `--save` writes the weights into the package.
"""

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from benchmarks.drawing.hard_attacks import HARD_ATTACKS, hard_attack
from benchmarks.drawing.scenes import draw_scene
from benchmarks.drawing.shared_things import KINDS, draw_thing, put_into
from benchmarks.likeness_pairs import goods, other_shots, street
from benchmarks.photo_gallery import worker_pool
from benchmarks.report import PROJECT, Row, arguments, print_table, save
from doc_assets.datatypes import Likeness, LikenessTraits, RgbImage
from doc_assets.features.sift import SiftExtractor, mirrored
from doc_assets.features.weight_files import Tensors, save_weights
from doc_assets.lab.attacks import ATTACKS, attack, recompress
from doc_assets.lab.pictures import draw_picture
from doc_assets.search.verify.geometry import align
from doc_assets.search.verify.likeness import measure
from doc_assets.search.verify.probability import (
    CLASSES,
    LIKENESS_MODEL,
    SEEN_TRAITS,
    WEIGHTS_DIR,
    LikenessModel,
    judge,
    terms,
    trait_vector,
)
from doc_assets.util.fonts import font

STORED_FEATURES, FEWEST_INLIERS = 300, 8
QUALITY = 90
SHARES = (0.2, 0.35, 0.5, 0.6, 0.7, 0.8, 0.92)
RIDGE = 10.0
NEVER_BETTER = [SEEN_TRAITS.index(name) for name in ("residual", "moved", "whole", "light")]
"""What lies off the plane, moved, or is not there never speaks for one photograph; poor detail may: prints lose it."""
SLOPES, SLOPE_POINTS, MIXED, STEP = 3000.0, 4000, 0.3, 1e-3
HARD_EVERY = 2  # every second re-use is a hard one
CROPPED_FIRST, PART_SHARES = 0.25, (0.7, 0.95)  # forgers crop, and then print or film what is left
THINGS = 3  # printed things for each pair of another sort: five sorts of them at seven sizes
THING_WEIGHT = 3.0  # innocent merchants of a chain are more than forgers who reach for a camera
EDGE = 0.01  # share of the fitted pairs beyond which a trait counts as its edge
SIDES_PX = 450, 900
CURVE = PROJECT / "docs" / "images" / "likeness_reliability.png"


@dataclass(frozen=True, slots=True)
class Task:
    """A pair to make: what it is, which one, and whether it is to be fitted or judged."""

    name: str
    number: int
    is_fitted: bool


@dataclass(frozen=True, slots=True)
class Example:
    """A pair that was looked at: its true class, what the look measured, what it is."""

    name: str
    truth: int
    traits: LikenessTraits
    is_fitted: bool


def make(task: Task) -> tuple[int, RgbImage, RgbImage]:
    """The class and the two photographs of a pair; the same task always makes the same."""
    rng = np.random.default_rng([task.number, int(task.is_fitted), len(task.name)])
    return {"re-use": _reuse, "drawn shots": _drawn_shots, "shots": _shots, "thing": _thing}[task.name](task, rng)


def _reuse(task: Task, rng: np.random.Generator) -> tuple[int, RgbImage, RgbImage]:
    photo, other = _any_photo(task, rng), _any_photo(task, rng)
    if rng.random() < 0.25:
        kind = str(rng.choice(list(KINDS)))
        photo = put_into(photo, draw_thing(kind, int(rng.integers(1 << 30))), float(rng.choice(SHARES)), rng)
    seed = int(rng.integers(1 << 30))
    shown = _part_of(photo, rng) if rng.random() < CROPPED_FIRST else photo
    if task.number % HARD_EVERY == 0:
        name = list(HARD_ATTACKS)[task.number // HARD_EVERY % len(HARD_ATTACKS)]
        changed = hard_attack(name, shown, seed, [other])
    else:
        changed = attack(list(ATTACKS)[task.number // HARD_EVERY % len(ATTACKS)], shown, seed)
    return 0, changed, photo


def _part_of(photo: RgbImage, rng: np.random.Generator) -> RgbImage:
    height, width = photo.shape[:2]
    share = float(rng.uniform(*PART_SHARES))
    top, left = (int(rng.uniform(0, 1 - share) * side) for side in (height, width))
    return np.ascontiguousarray(photo[top : top + round(share * height), left : left + round(share * width)])


def _drawn_shots(task: Task, rng: np.random.Generator) -> tuple[int, RgbImage, RgbImage]:
    seed = 7_000_000 + 2 * task.number + task.is_fitted
    shots = rng.choice(4, 2, replace=False)
    return 1, draw_scene(seed, int(shots[0])), draw_scene(seed, int(shots[1]))


def _shots(task: Task, _: np.random.Generator) -> tuple[int, RgbImage, RgbImage]:
    one, other = pairs_of_goods(is_fitted=task.is_fitted)[task.number]
    return 1, _opened(one, 600), _opened(other, 600)


def _thing(task: Task, rng: np.random.Generator) -> tuple[int, RgbImage, RgbImage]:
    kind, share = list(KINDS)[task.number % len(KINDS)], SHARES[task.number // len(KINDS) % len(SHARES)]
    thing = draw_thing(kind, 9_000_000 + 2 * task.number + task.is_fitted)
    one, other = (_any_photo(task, rng) for _ in range(2))
    return 2, put_into(one, thing, share, rng), put_into(other, thing, share, rng)


def pairs_of_goods(*, is_fitted: bool) -> list[tuple[Path, Path]]:
    """Different photographs of one kind of goods; those that were listed as two shots of one scene first."""
    found = other_shots(is_test=not is_fitted)
    kinds = goods(is_test=not is_fitted).values()
    rest = [(a, b) for paths in kinds for i, a in enumerate(paths) for b in paths[i + 1 :]]
    return found + [pair for pair in rest if pair not in set(found)]


def _any_photo(task: Task, rng: np.random.Generator) -> RgbImage:
    side = int(rng.integers(*SIDES_PX))
    source = rng.random()
    if source < 0.2:
        return draw_picture(int(rng.integers(1 << 30)), side)
    of_goods = [path for paths in goods(is_test=not task.is_fitted).values() for path in paths]
    paths = street(is_test=not task.is_fitted) if source < 0.65 else of_goods
    return _opened(paths[int(rng.integers(len(paths)))], side)


def _opened(path: Path, side_px: int) -> RgbImage:
    with Image.open(path) as image:
        factor = side_px / max(image.size)
        size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
        return np.asarray(image.convert("RGB").resize(size, Image.Resampling.LANCZOS))


def look(task: Task) -> Example | None:
    """The pair as a search would look at it; None if its keypoints agree on nothing."""
    truth, query, archive = make(task)
    query, archive = recompress(query, QUALITY), recompress(archive, QUALITY)
    features = SiftExtractor().extract(query)
    alignment = align(features, mirrored(features), SiftExtractor(STORED_FEATURES).extract(archive))
    if alignment is None or alignment.inliers < FEWEST_INLIERS:
        return None
    traits = measure(query, archive, alignment)
    return Example(task.name, truth, traits, task.is_fitted) if traits is not None else None


def fit(examples: Sequence[Example]) -> Tensors:
    """A model of ``LIKENESS_SHAPES``: multinomial logistic; the weights of the first class are 0.

    Maximises the likelihood less ``RIDGE`` / 2 times the squared weights of terms in standard deviations, and less
    ``SLOPES`` times the mean squared slope by which a worse trait of ``NEVER_BETTER`` would make one photograph more
    probable, at points that mix the traits of two pairs. Re-uses together weigh as much as the two others together.
    """
    rows, truth = np.array([trait_vector(each.traits) for each in examples]), np.array([e.truth for e in examples])
    lowest, highest = np.quantile(rows, [EDGE, 1 - EDGE], axis=0)
    inside = np.clip(rows, lowest, highest)
    mean, spread = inside.mean(axis=0), inside.std(axis=0)
    data = terms(inside, mean, spread)
    middle, width = data.mean(axis=0), data.std(axis=0)
    weight = np.where(truth == CLASSES.index("shared_thing"), THING_WEIGHT, 1.0)
    weight[truth == 0] *= weight[truth > 0].sum() / max(weight[truth == 0].sum(), 1)
    points = _mixed(inside)
    at_points = terms(points, mean, spread)
    slopes = [(terms(_worse(points, k, spread), mean, spread) - at_points) / STEP / width for k in NEVER_BETTER]
    found = _most_likely((data - middle) / width, truth, weight, (at_points - middle) / width, slopes)
    weights = found[:-1] / width[:, None]
    bounds = {"mean": mean, "spread": spread, "lowest": lowest, "highest": highest}
    return {"weights": weights, "intercept": found[-1] - middle @ weights, **bounds}


def _mixed(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Traits as pairs have them, some of each exchanged for another pair's."""
    rng = np.random.default_rng(0)
    points, others = (rows[rng.integers(len(rows), size=SLOPE_POINTS)] for _ in range(2))
    return np.where(rng.random(points.shape) < MIXED, others, points)


def _worse(points: NDArray[np.float64], trait: int, spread: NDArray[np.float64]) -> NDArray[np.float64]:
    worse = points.copy()
    worse[:, trait] += STEP * spread[trait]
    return worse


def _most_likely(
    data: NDArray[np.float64],
    truth: NDArray[np.int64],
    weight: NDArray[np.float64],
    points: NDArray[np.float64],
    slopes: Sequence[NDArray[np.float64]],
) -> NDArray[np.float64]:
    """(terms + 1, classes) weights and, last, intercepts of the penalised greatest likelihood."""
    import torch

    def with_one(rows: NDArray[np.float64]) -> torch.Tensor:
        return torch.tensor(np.c_[rows, np.ones(len(rows))])

    pairs, mixed, steps = with_one(data), with_one(points), [torch.tensor(each) for each in slopes]
    free = torch.zeros((pairs.shape[1], len(CLASSES) - 1), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([free], max_iter=1500, line_search_fn="strong_wolfe", tolerance_grad=1e-6)

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        logits = torch.cat([torch.zeros((len(pairs), 1), dtype=torch.float64), pairs @ free], dim=1)
        each = torch.nn.functional.cross_entropy(logits, torch.tensor(truth), reduction="none")
        total = (torch.tensor(weight) * each).sum() + RIDGE / 2 * (free[:-1] ** 2).sum()
        shares = torch.softmax(mixed @ free, dim=1)  # of what is no re-use
        for step in steps:
            against = (shares * (step @ free[:-1])).sum(dim=1)
            total = total + SLOPES * torch.relu(-against).pow(2).mean()
        total.backward()
        return total

    optimiser.step(loss)
    return np.asarray(np.c_[np.zeros(len(free)), free.detach().numpy()])


def probabilities(examples: Sequence[Example], model: Tensors) -> NDArray[np.float64]:
    """(N, 3) what the product says with this model."""
    return np.array([_odds(judge(each.traits, model)) for each in examples])


def _odds(likeness: Likeness) -> tuple[float, float, float]:
    return likeness.same_photograph, likeness.other_shot, likeness.shared_thing


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--pairs", type=int, default=200, help="of each sort, to fit and again to judge")
    parser.add_argument(
        "--examples", type=Path, help="JSON lines of what was looked at: read if it is there, else written"
    )
    parser.add_argument("--save", action="store_true", help="write the weights into the package")
    options = parser.parse_args()
    examples = _examples(options.pairs, options.examples)
    fitted, judged = ([each for each in examples if each.is_fitted == is_fitted] for is_fitted in (True, False))
    model = fit(fitted)
    rows = [*_rows("fitted", fitted, model), *_rows("kept apart", judged, model)]
    print_table(rows)
    print()
    reliability = _reliability(judged, probabilities(judged, model)[:, 0])
    print_table(reliability)
    settings: Row = {"pairs": options.pairs, "fitted": len(fitted), "judged": len(judged)}
    save("fit_likeness", {**settings, "reliability": reliability}, rows)
    if options.save:
        made = {"command": f"python -m benchmarks.fit_likeness --pairs {options.pairs} --save", **settings}
        save_weights(WEIGHTS_DIR / LIKENESS_MODEL, model, made)
        LikenessModel()
        _draw_curve(reliability)


def _examples(pairs: int, kept: Path | None) -> list[Example]:
    if kept is not None and kept.exists():
        lines = kept.read_text(encoding="utf-8").splitlines()
        return [Example(**{**each, "traits": LikenessTraits(**each["traits"])}) for each in map(json.loads, lines)]
    with worker_pool() as pool:
        looked = pool.map(look, list(_tasks(pairs)), chunksize=8)
        examples = [each for each in looked if each is not None]
    if kept is not None:
        kept.write_text("".join(json.dumps(asdict(each)) + "\n" for each in examples), encoding="utf-8")
    return examples


def _tasks(pairs: int) -> Iterator[Task]:
    for is_fitted in (True, False):
        for name, n in (("re-use", 2 * pairs), ("drawn shots", pairs), ("thing", THINGS * pairs)):
            yield from (Task(name, number, is_fitted) for number in range(n))
        n = min(pairs, len(pairs_of_goods(is_fitted=is_fitted)))
        yield from (Task("shots", number, is_fitted) for number in range(n))


def _rows(part: str, examples: Sequence[Example], model: Tensors) -> Iterator[Row]:
    found = probabilities(examples, model)
    for name in dict.fromkeys(each.name for each in examples):
        of_name = found[[each.name == name for each in examples]]
        row: Row = {"part": part, "pairs of": name, "looked at": len(of_name)}
        row["called one photograph"] = int((of_name[:, 0] >= 0.5).sum())
        row |= {f"most probable {kind}": int((of_name.argmax(axis=1) == at).sum()) for at, kind in enumerate(CLASSES)}
        yield {**row, "median probability": float(np.median(of_name[:, 0]))}


def _reliability(examples: Sequence[Example], probability: NDArray[np.float64]) -> list[Row]:
    """Of pairs by their probability, how many are one photograph."""
    is_same = np.array([each.truth == 0 for each in examples])
    edges = np.array([0, 0.01, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.99, 1 + 1e-9])
    rows = []
    for low, high in itertools.pairwise(edges):
        inside = (probability >= low) & (probability < high)
        if inside.any():
            row: Row = {"from": float(low), "pairs": int(inside.sum()), "mean": float(probability[inside].mean())}
            rows.append({**row, "one photograph": float(is_same[inside].mean())})
    return rows


def _draw_curve(rows: Sequence[Row]) -> None:
    side, edge = 420, 60
    sheet = Image.new("RGB", (side + 2 * edge, side + 2 * edge), "white")
    draw = ImageDraw.Draw(sheet)

    def at(x: float, y: float) -> tuple[float, float]:
        return edge + x * side, edge + (1 - y) * side

    draw.rectangle((*at(0, 1), *at(1, 0)), outline=(150, 150, 150))
    draw.line((at(0, 0), at(1, 1)), fill=(190, 190, 190), width=2)
    points = [at(row["mean"], row["one photograph"]) for row in rows]
    draw.line(points, fill=(0, 90, 160), width=3)
    for i, ((x, y), row) in enumerate(zip(points, rows, strict=True)):
        draw.ellipse((x - 5, y - 5, x + 5, y + 5), fill=(0, 90, 160))
        at_side = (x + 8, y - 6) if i % 2 else (x - 8, y - 22)  # numbers of points that are close do not meet
        draw.text(at_side, str(row["pairs"]), font=font(13), fill=(90, 90, 90))
    draw.text((edge, 16), "really one photograph (number of pairs)", font=font(16), fill="black")
    draw.text((edge, side + edge + 16), "probability of the same photograph, 0 to 1", font=font(16), fill="black")
    CURVE.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(CURVE)


if __name__ == "__main__":
    main()
