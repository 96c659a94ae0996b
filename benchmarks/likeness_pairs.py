"""Pairs of photos that are alike, by why they are: one photograph re-used, two shots, one thing, one form, chance.

Half of the street photographs and half of the kinds of goods are kept for the test: fits of the pair model may use the
others only. Pairs of goods that show one scene twice come from ``photos_goods/other_shots.json``.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib import import_module
from itertools import combinations
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from benchmarks.drawing.hard_attacks import HARD_ATTACKS, hard_attack
from benchmarks.drawing.scenes import draw_scene
from benchmarks.drawing.shared_things import KINDS, draw_thing, put_into
from benchmarks.drawing.surfaces import paint, word, write
from benchmarks.photo_ways import embedder
from benchmarks.report import SHARED
from doc_assets.datatypes import RgbImage
from doc_assets.lab.attacks import noise, recompress, resize, rotate

Pair = tuple[RgbImage, RgbImage]
"""The query photo and the archive photo, before they are stored."""

STREET, GOODS = SHARED / "photos", SHARED / "photos_goods"
SHARES = (0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.92)
PARALLAX = {"hard": 0.003, "medium": 0.01, "easy": 0.03}
"""How far things before and behind the main plane move against each other, in shares of the width."""
PARTS = ("other_shots", "shared", "look_alikes", "form", "re-use", "hard")
FORM_KINDS = ("QR code", "map", "banner", "logo")

_LONG_SIDE_PX = 800  # of photos as they lie in documents
_FIRST_SCENE, _FIRST_THING = 31_000_000, 32_000_000  # seeds that no fit uses
_NEIGHBOURS = 60


@dataclass(frozen=True, slots=True)
class Case:
    """Pairs of one sort.

    Attributes:
        part: one of ``PARTS``.
        name: what the pairs are.
        is_reuse: whether they show one photograph.
        n: how many there are at most.
        make: number -> pair, the same one always.
    """

    part: str
    name: str
    is_reuse: bool
    n: int
    make: Callable[[int], Pair]


def kept_for_test(names: Sequence[str]) -> list[str]:
    """Every second of the sorted names; the others may be fitted on."""
    return sorted(set(names))[1::2]


def kind_of_goods(file_name: str) -> str:
    """``test_Leek_010.jpg`` -> ``Leek``."""
    return file_name.split("_", 1)[1].rsplit("_", 1)[0]


def goods(*, is_test: bool) -> dict[str, list[Path]]:
    """Photographs of goods by kind; half of the kinds are kept for the test."""
    by_kind: dict[str, list[Path]] = {}
    for path in sorted(GOODS.glob("*.jpg")):
        by_kind.setdefault(kind_of_goods(path.name), []).append(path)
    kept = kept_for_test(list(by_kind))
    return {kind: paths for kind, paths in by_kind.items() if (kind in kept) == is_test}


def street(*, is_test: bool) -> list[Path]:
    """Street photographs; half of them are kept for the test."""
    paths = sorted(STREET.glob("*.jpg"))
    kept = set(kept_for_test([path.name for path in paths]))
    return [path for path in paths if (path.name in kept) == is_test]


def other_shots(*, is_test: bool) -> list[tuple[Path, Path]]:
    """Pairs of photographs of goods that show one scene, of one half of the kinds."""
    listed = json.loads((GOODS / "other_shots.json").read_text(encoding="utf-8"))
    kinds = goods(is_test=is_test)
    return [(GOODS / one, GOODS / other) for one, other, *_ in listed if kind_of_goods(one) in kinds]


@lru_cache(maxsize=64)
def opened(path: Path) -> RgbImage:
    """A photograph at the size in which it lies in a document, 800 px at most."""
    with Image.open(path) as image:
        image.thumbnail((_LONG_SIDE_PX, _LONG_SIDE_PX), Image.Resampling.LANCZOS)
        return np.asarray(image.convert("RGB"))


def cases(parts: Sequence[str]) -> Iterator[Case]:
    """All sorts of the wanted parts."""
    of_part = {
        "other_shots": _other_shots,
        "shared": _shared,
        "look_alikes": _look_alikes,
        "form": _form,
        "re-use": _reuse,
        "hard": _hard,
    }
    for part in parts:
        yield from of_part[part]()


def _other_shots() -> Iterator[Case]:
    for name, parallax in PARALLAX.items():
        yield Case("other_shots", f"drawn, {name}", False, 200, partial(_two_shots, parallax, ()))
    textures = tuple(street(is_test=True)[:12])
    yield Case("other_shots", "drawn, with parts of real photographs", False, 200, partial(_two_shots, 0.01, textures))
    for is_test, name in ((False, "goods, kinds to fit on"), (True, "goods, kinds kept for the test")):
        pairs = other_shots(is_test=is_test)
        yield Case("other_shots", name, False, len(pairs), partial(_of_files, pairs))


def _two_shots(parallax: float, textures: Sequence[Path], number: int) -> Pair:
    pictures = [opened(path) for path in textures]
    seed = _FIRST_SCENE + number
    return (
        draw_scene(seed, 1, _LONG_SIDE_PX, parallax, pictures=pictures),
        draw_scene(seed, 0, _LONG_SIDE_PX, parallax, pictures=pictures),
    )


def _of_files(pairs: Sequence[tuple[Path, Path]], number: int) -> Pair:
    one, other = pairs[number]
    return opened(one), opened(other)


def _shared() -> Iterator[Case]:
    for kind in KINDS:
        for share in SHARES:
            yield Case("shared", f"{kind}, {share:.0%} of both", False, 200, partial(_one_thing, kind, share))


def _one_thing(kind: str, share: float, number: int) -> Pair:
    rng = np.random.default_rng([number, round(100 * share), list(KINDS).index(kind)])
    one, other = _different(street(is_test=True), rng)
    thing = draw_thing(kind, _FIRST_THING + number)
    return put_into(opened(one), thing, share, rng), put_into(opened(other), thing, share, rng)


def _different(paths: Sequence[Path], rng: Generator) -> tuple[Path, Path]:
    one, other = rng.choice(len(paths), 2, replace=False).tolist()
    return paths[one], paths[other]


def _look_alikes() -> Iterator[Case]:
    on_street = sorted(STREET.glob("*.jpg"))
    nearest = _nearest(on_street, lambda _one, _other: True)
    yield Case("look_alikes", "street, nearest by vector first", False, len(nearest), partial(_of_files, nearest))
    known = {frozenset(pair) for is_test in (True, False) for pair in other_shots(is_test=is_test)}
    of_goods = [path for paths in goods(is_test=True).values() for path in paths]
    inside = _nearest(of_goods, lambda one, other: _kind(one) == _kind(other) and frozenset((one, other)) not in known)
    yield Case("look_alikes", "goods of one kind, nearest first", False, len(inside), partial(_of_files, inside))
    across = _nearest(of_goods, lambda one, other: _kind(one) != _kind(other))
    yield Case("look_alikes", "goods of two kinds, nearest first", False, len(across), partial(_of_files, across))


def _kind(path: Path) -> str:
    return kind_of_goods(path.name)


def _nearest(paths: Sequence[Path], is_wanted: Callable[[Path, Path], bool]) -> list[tuple[Path, Path]]:
    """Each photo with its ``_NEIGHBOURS`` nearest of those wanted, every pair once, the most similar pairs first."""
    vectors = embedder().embed([opened(path) for path in paths])
    similarity: NDArray[np.float32] = vectors @ vectors.T
    wanted = np.zeros(similarity.shape, bool)
    for i, j in combinations(range(len(paths)), 2):
        wanted[i, j] = wanted[j, i] = is_wanted(paths[i], paths[j])
    scored = np.where(wanted, similarity, -1)
    near = {
        (min(i, int(j)), max(i, int(j)))
        for i, row in enumerate(scored)
        for j in np.argsort(-row, kind="stable")[:_NEIGHBOURS]
        if row[j] > -1
    }
    return [(paths[i], paths[j]) for i, j in sorted(near, key=lambda pair: -similarity[pair])]


def _form() -> Iterator[Case]:
    for kind in FORM_KINDS:
        yield Case("form", kind, False, 100, partial(_one_form, kind))


def _one_form(kind: str, number: int) -> Pair:
    """A picture of a form as two documents show it: printed and scanned twice."""
    rng = np.random.default_rng([number, 41, FORM_KINDS.index(kind)])
    picture = draw_form_picture(kind, rng)
    return _scanned(picture, rng), _scanned(picture, rng)


def _scanned(picture: RgbImage, rng: Generator) -> RgbImage:
    scale = rng.uniform(0.6, 1.0)
    seen = rotate(resize(picture, scale, scale), rng.uniform(-0.7, 0.7), 255)
    soft = cv2.GaussianBlur(seen, (0, 0), rng.uniform(0.5, 1.0))
    return recompress(noise(np.asarray(soft, np.uint8), rng.uniform(1, 5), rng), int(rng.integers(60, 92)))


def draw_form_picture(kind: str, rng: Generator) -> RgbImage:
    """A picture that a form brings along: one of ``FORM_KINDS``.

    Drawn apart from ``synthesis.form_pictures``, which the judgement of looks is fitted on.
    """
    if kind == "QR code":
        address = f"https://{word(rng, True).lower()}.example/{rng.integers(1 << 30)}"
        code = cv2.QRCodeEncoder.create().encode(address)
        large = cv2.resize(code, (480, 480), interpolation=cv2.INTER_NEAREST)
        return np.repeat(np.asarray(large, np.uint8)[:, :, None], 3, axis=2)
    if kind == "map":
        return _map(rng)
    if kind == "banner":
        return draw_thing("banner", int(rng.integers(1 << 30)))
    sign = draw_thing("sign", int(rng.integers(1 << 30)))
    return np.ascontiguousarray(sign[:, : 2 * sign.shape[0]])


def _map(rng: Generator) -> RgbImage:
    """Streets, blocks, names and a mark."""
    side = 560
    surface = np.full((side, side, 3), (238, 234, 224), np.uint8)
    for _ in range(int(rng.integers(3, 8))):
        corner, size = rng.integers(0, side, 2), rng.integers(40, 160, 2)
        ground = (200, 225, 190) if rng.random() < 0.5 else (190, 210, 235)
        cv2.rectangle(surface, corner.tolist(), (corner + size).tolist(), ground, -1)
    for _ in range(int(rng.integers(8, 16))):
        start, end = rng.integers(-50, side + 50, (2, 2)).tolist()
        width = int(rng.integers(4, 22))
        cv2.line(surface, start, end, (190, 190, 190), width + 2, cv2.LINE_AA)
        cv2.line(surface, start, end, (255, 255, 255) if rng.random() < 0.7 else (250, 220, 130), width, cv2.LINE_AA)
    for _ in range(int(rng.integers(5, 12))):
        x, y = rng.uniform(0, side * 0.8, 2).tolist()
        surface = write(surface, word(rng, False), (x, y), float(rng.uniform(14, 26)), paint(rng, 30, 110, 10))
    cv2.circle(surface, rng.integers(150, side - 150, 2).tolist(), 14, (220, 40, 40), -1, cv2.LINE_AA)
    return surface


def _reuse() -> Iterator[Case]:
    names: list[str] = list(_shared_attacks().ATTACKS)
    for subject in ("street", "goods"):
        for name in names:
            yield Case("re-use", f"{name}, {subject}", True, 60, partial(_attacked, subject, name))
    for kind in ("sign", "menu board"):
        yield Case("re-use", f"photograph of a {kind}, all attacks", True, 200, partial(_attacked_thing, kind, names))


def _hard() -> Iterator[Case]:
    for subject in ("street", "goods"):
        for name in HARD_ATTACKS:
            yield Case("hard", f"{name}, {subject}", True, 60, partial(_attacked_hard, subject, name))


@lru_cache(maxsize=1)
def _shared_attacks() -> ModuleType:
    """A script beside the project."""
    sys.path.insert(0, str(SHARED / "tools"))
    return import_module("attacks")


def _subject(subject: str, number: int) -> tuple[RgbImage, RgbImage]:
    """A photograph of the half that is kept for the test, and another one."""
    paths = street(is_test=True) if subject == "street" else [p for own in goods(is_test=True).values() for p in own]
    shuffled = np.random.default_rng(51).permutation(len(paths))
    one, other = (paths[int(shuffled[(number + step) % len(paths)])] for step in (0, 1))
    return opened(one), opened(other)


def _attacked(subject: str, name: str, number: int) -> Pair:
    photo, _ = _subject(subject, number)
    attacked: RgbImage = _shared_attacks().attack(name, photo, number)
    return attacked, photo


def _attacked_thing(kind: str, names: Sequence[str], number: int) -> Pair:
    """A photograph that a sign or menu board fills in part, re-used."""
    rng = np.random.default_rng([number, 61])
    share = float(rng.choice([0.2, 0.5, 0.8]))
    photo = put_into(_subject("street", number)[0], draw_thing(kind, _FIRST_THING - 1 - number), share, rng)
    attacked: RgbImage = _shared_attacks().attack(names[number % len(names)], photo, number)
    return attacked, photo


def _attacked_hard(subject: str, name: str, number: int) -> Pair:
    photo, other = _subject(subject, number)
    return hard_attack(name, photo, number, [other]), photo
