"""Pictures of forms and photographs: which are taken for drawn graphics.

    python -m benchmarks.graphics [--each 40] [--seed 3] [--fit]

Drawn pictures of forms (codes, maps, banners, logos, seals, title blocks, flat signs and menus), real photographs and
drawn pictures after the attacks, and photographs that show a drawn sign, poster or menu board on 70 to 92 % of their
area, all as cut out of scanned pages of eight looks: colour and grey JPEG 40-90, 1-bit dither, threshold, noise, skew,
print and scan, half the resolution. ``--fit`` fits the model of ``verification/graphics.py`` on pictures of that seed
instead of measuring them; another seed then measures it.
"""

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, replace

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from benchmarks.drawing.form_pictures import FormPicture, draw_form_picture
from benchmarks.drawing.shared_things import draw_thing, put_into
from benchmarks.photo_gallery import attacks
from benchmarks.report import SHARED, Row, print_table, save
from doc_assets.datatypes import RgbImage
from doc_assets.features.weight_files import save_weights
from doc_assets.lab.attacks import ATTACKS, attack
from doc_assets.lab.pictures import draw_picture
from doc_assets.photos.cutting import decode_jpeg, encode_jpeg
from doc_assets.search.verify.graphics import (
    MODEL,
    MODEL_MEASURES,
    WEIGHTS_DIR,
    Measures,
    expanded,
    is_bitonal,
    look_of,
    measure,
)

LOOKS = ("colour", "grey", "dither", "threshold", "noisy", "skew", "print", "half")
_COMMON = (0.3, 0.12, 0.14, 0.03, 0.12, 0.09, 0.1, 0.1)
"""How often a photograph is scanned so; forms go through all looks in turn."""
_AS_IT_IS = 0.2
"""Share of photographs that are no part of a page."""
OWN = sorted(ATTACKS)
_MARGIN_PX = 40
_MAX_SIDE_PX = 1024
_PHOTO_PX = 640
_SHARES = (0.7, 0.8, 0.92)
_THINGS = ("sign", "poster", "menu board")
_FLAT_THINGS = ("sign", "menu board")
PRINTED = (*FormPicture, *_FLAT_THINGS)
"""What forms print. The same signs and menu boards are in the photographs, so that design tells nothing."""
_PARTS = ("crop70", "crop50", "fraud_print", "fraud_edit", "fraud_screen")
"""Attacks that may leave nothing of a photograph but the flat thing in it."""
_RIDGE = 3e-3
_STEPS = 30
_NO_PIXELS: RgbImage = np.empty((0, 0, 3), np.uint8)
Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture as it would be stored; its kind is of ``PRINTED``, or photograph, drawn, thing or part."""

    kind: str
    look: str
    pixels: RgbImage

    @property
    def is_drawn_graphics(self) -> bool:
        """Whether it belongs to a form."""
        return self.kind in PRINTED


def scanned(picture: RgbImage, look: str, width: int, rng: Generator) -> RgbImage:
    """A picture as it is stored after printing it ``width`` px wide on a page, scanning and cutting it out."""
    height = int(np.clip(width * picture.shape[0] / picture.shape[1] * rng.uniform(0.85, 1.18), 40, 1400))
    page = np.full((height + 2 * _MARGIN_PX, width + 2 * _MARGIN_PX, 3), 253, np.uint8)
    page[_MARGIN_PX:-_MARGIN_PX, _MARGIN_PX:-_MARGIN_PX] = cv2.resize(
        picture, (width, height), interpolation=cv2.INTER_AREA
    )
    page = cv2.GaussianBlur(page, (0, 0), rng.uniform(0.2, 1.0))
    page = _SCANS[look](page, rng)
    scale = page.shape[1] / (width + 2 * _MARGIN_PX)
    at, off = _MARGIN_PX * scale, rng.integers(-2, 3, 4)
    rows = slice(int(at + off[0]), int(page.shape[0] - at + off[1]))
    cut = page[rows, int(at + off[2]) : int(page.shape[1] - at + off[3])]
    smaller = min(1.0, _MAX_SIDE_PX / max(cut.shape[:2]))
    size = round(cut.shape[1] * smaller), round(cut.shape[0] * smaller)
    return decode_jpeg(encode_jpeg(cv2.resize(np.ascontiguousarray(cut), size, interpolation=cv2.INTER_AREA), 90))


def _jpeg(page: RgbImage, rng: Generator) -> RgbImage:
    return np.asarray(attacks().jpeg(page, rng.integers(40, 91)), np.uint8)


def _skewed(page: RgbImage, rng: Generator) -> RgbImage:
    """Scanned at an angle and straightened again."""
    degrees = rng.uniform(-2.5, 2.5)
    turned = attacks().jpeg(attacks().rotate(page, degrees, 253), 80)
    return np.asarray(attacks().rotate(turned, -degrees, 253), np.uint8)


def _printed(page: RgbImage, rng: Generator) -> RgbImage:
    size = page.shape[1::-1]
    return np.asarray(cv2.resize(attacks().print_scan(page, rng), size, interpolation=cv2.INTER_AREA), np.uint8)


_SCANS: dict[str, Callable[[RgbImage, Generator], RgbImage]] = {
    "colour": _jpeg,
    "grey": lambda page, rng: _jpeg(attacks().rgb(attacks().gray(page)), rng),
    "dither": lambda page, _: attacks().dither(page),
    "threshold": lambda page, _: attacks().rgb(((attacks().gray(page) > 128) * 255).astype(np.uint8)),
    "noisy": lambda page, rng: attacks().jpeg(attacks().noise(page - rng.uniform(5, 30), 3, rng), 80),
    "skew": _skewed,
    "print": _printed,
    "half": lambda page, rng: _jpeg(attacks().scale(page, 0.5), rng),
}


def samples(each: int, rng: Generator) -> Iterator[Sample]:
    """``each`` pictures of every kind of form picture, and four times as many of everything else."""
    for kind in PRINTED:
        for number in range(each):
            look, seed = LOOKS[number % len(LOOKS)], int(rng.integers(1 << 30))
            narrow = kind in {FormPicture.QR, FormPicture.SEAL}
            width = int(rng.uniform(400, 700) if narrow else rng.uniform(450, 1300))
            if kind in _FLAT_THINGS:
                picture = draw_thing(kind, seed)
                picture = picture[:, : int(picture.shape[1] * rng.uniform(0.5, 1))]
            else:
                picture = draw_form_picture(FormPicture(kind), seed, 900)
            yield Sample(str(kind), look, scanned(picture, look, width, rng))
    photographs = [*(SHARED / "photos").glob("*.jpg"), *(SHARED / "photos_goods").glob("*.jpg")]
    street = sorted((SHARED / "photos").glob("*.jpg"))
    names = sorted(attacks().ATTACKS)
    for number in range(4 * each):
        chosen = photographs[int(rng.integers(len(photographs)))]
        yield _attacked("photograph", _photo(chosen), str(rng.choice(names)), rng)
        drawn = draw_picture(int(rng.integers(1 << 30)), _PHOTO_PX)
        yield _scanned("drawn", drawn if number % 3 == 0 else attack(str(rng.choice(OWN)), drawn, number), rng)
        around = _photo(street[int(rng.integers(len(street)))])
        thing = draw_thing(_THINGS[number % 3], int(rng.integers(1 << 30)))
        shown = put_into(around, thing, _SHARES[number // 3 % 3], rng)
        name = str(rng.choice(names)) if number % 2 else "copy"
        yield _attacked("part" if name in _PARTS else "thing", shown, name, rng)


def _attacked(kind: str, photo: RgbImage, name: str, rng: Generator) -> Sample:
    return _scanned(kind, np.ascontiguousarray(attacks().ATTACKS[name](photo, rng)), rng)


def _scanned(kind: str, photo: RgbImage, rng: Generator) -> Sample:
    """A photograph as it was stored before, or on a page."""
    look = str(rng.choice(LOOKS, p=_COMMON))
    if rng.random() < _AS_IT_IS:
        return Sample(kind, "colour", decode_jpeg(encode_jpeg(photo, 90)))
    return Sample(kind, look, scanned(photo, look, int(rng.uniform(420, 1310)), rng))


def _photo(path: object) -> RgbImage:
    with Image.open(str(path)) as image:
        image.thumbnail((_PHOTO_PX, _PHOTO_PX))
        return np.asarray(image.convert("RGB"))


def measured(found: Iterable[Sample]) -> list[Row]:
    """For every kind and look how many pictures there are, and the shares taken for graphics and for codes."""
    kinds = [(sample.kind, sample.look, look_of(sample.pixels)) for sample in found]
    rows: list[Row] = []
    for kind in dict.fromkeys(kind for kind, *_ in kinds):
        for look in (*LOOKS, "all"):
            taken = [each.kind for name, seen, each in kinds if name == kind and look in {seen, "all"}]
            if taken:
                shares = {name: taken.count(name) / len(taken) for name in ("graphics", "code")}
                rows.append({"picture": kind, "look": look, "pictures": len(taken), **shares})
    return rows


def fit(found: Iterable[Sample], made: dict[str, object]) -> None:
    """Fits and stores the models of pictures with shades and of bitonal ones."""
    known = [(replace(sample, pixels=_NO_PIXELS), measure(sample.pixels)) for sample in found]
    fitted = []
    for bitonal in (False, True):
        # A threshold leaves little to tell drawn pictures by; what is left must not count for them.
        chosen = [
            (sample, measures)
            for sample, measures in known
            if is_bitonal(measures) == bitonal and not (sample.is_drawn_graphics and sample.look == "threshold")
        ]
        fitted.append(_logistic(chosen))
    names = ("mean", "deviation", "weights")
    tensors = {name: np.stack([model[at] for model in fitted]) for at, name in enumerate(names)}
    save_weights(WEIGHTS_DIR / MODEL, tensors, made)


def _logistic(known: Sequence[tuple[Sample, Measures]]) -> tuple[Vector, Vector, Vector]:
    """Mean, deviation and weights; forms weigh as much as all photographs, parts of them a fifth."""
    columns = [Measures.__slots__.index(name) for name in MODEL_MEASURES]
    values = np.array([astuple(measures) for _, measures in known])[:, columns]
    mean, deviation = values.mean(axis=0), values.std(axis=0) + 1e-9
    design = np.stack([expanded(measures, mean, deviation) for _, measures in known])
    wanted = np.array([sample.is_drawn_graphics for sample, _ in known], np.float64)
    weight = np.array([0.2 if sample.kind == "part" else 1.0 for sample, _ in known])
    weight /= np.where(wanted > 0, weight[wanted > 0].sum(), weight[wanted == 0].sum()) * 2
    ridge = np.full(design.shape[1], _RIDGE)
    ridge[-1] = 1e-9
    weights = np.zeros(design.shape[1])
    for _ in range(_STEPS):  # Newton's method
        chance = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        slope = design.T @ (weight * (chance - wanted)) + ridge * weights
        curve = (design * (weight * chance * (1 - chance))[:, None]).T @ design + np.diag(ridge)
        weights -= np.linalg.solve(curve, slope)
    return mean, deviation, weights


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--each", type=int, default=40, help="pictures of every kind of form picture")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--fit", action="store_true", help="fit the model on these pictures")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    found = samples(given.each, np.random.default_rng(given.seed))
    if given.fit:
        command = "python -m benchmarks.graphics --fit"
        fit(found, {"command": command, "each": given.each, "seed": given.seed, "ridge": _RIDGE})
        return
    rows = measured(found)
    print_table(rows)
    save("graphics", vars(given), rows)


if __name__ == "__main__":
    main()
