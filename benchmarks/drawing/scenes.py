"""Drawn scenes with depth and shots of them: the same place, photographed a step aside or a moment later.

No two shots of a scene are one photograph: near things move against far ones, ground is uncovered, things are moved or
taken away, somebody stands before them, light, focus and noise are others.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from benchmarks.drawing.arrangements import PLACES, Thing, held, shelf_wall, standing, turned, vector
from benchmarks.drawing.exposure import draw_exposure, expose
from benchmarks.drawing.rendering import Camera, Rendering, Vector, render
from doc_assets.datatypes import RgbImage

HELD = "held"
"""A package in somebody's hand before a shelf."""
KINDS = (*PLACES, HELD)
PARALLAX = 0.002, 0.08
"""Range that ``draw_scene`` draws the parallax of a shot from, in shares of the width."""

_ASPECTS = (0.75, 0.75, 0.75, 0.66, 0.56, 1.33)
_FOCAL_WIDTHS = 0.72, 1.05  # focal length in widths of the frame: phones from wide to normal
_LARGER = 1.5  # than the photograph is the frame drawn
_MEASURED_PX = 96  # width of the frame on which depth is measured
_FARTHEST_STEP = 0.6  # of the distance to the nearest things, how far the camera moves at most
_LOSSES = 0.0, 0.12  # share of loose things that are moved or gone in another shot


@dataclass(frozen=True, slots=True)
class Shot:
    """A photograph of a scene and what is known of it.

    Attributes:
        photo: (H, W, 3) as the phone stores it.
        nearness: (H', W') 1 / metres along the view, before the lens; 0 where nothing is. Finer than the photo.
        camera: that it was taken with; its pixels are those of ``nearness``.
    """

    photo: RgbImage
    nearness: NDArray[np.float32]
    camera: Camera


def draw_scene(
    seed: int,
    shot: int,
    width: int = 800,
    parallax: float | None = None,
    kind: str | None = None,
    pictures: Sequence[RgbImage] = (),
) -> RgbImage:
    """A shot of scene number ``seed``; the same arguments always draw the same photograph.

    Args:
        seed: of the scene; which of ``KINDS`` it is follows from it unless ``kind`` is given.
        shot: 0, 1, 2...: shot 0 is the first one, the others are taken from beside it.
        width: in pixels.
        parallax: how far things before and behind the plane that fits the scene best move against each other from
            shot 0 to this shot (95th against 5th percentile), as a share of the width: 0.003 is very hard to see,
            0.03 is a step aside. Where there is little depth or things are very near, the camera moves less than that
            takes. Drawn from ``PARALLAX``, small ones as often as large ones, if None.
        kind: one of ``KINDS``.
        pictures: photographs that labels and posters are cut from; drawn shapes without any.

    Raises:
        ValueError: if there is no such kind.
    """
    return take_shot(seed, shot, width, parallax, kind, pictures).photo


def take_shot(
    seed: int,
    shot: int,
    width: int = 800,
    parallax: float | None = None,
    kind: str | None = None,
    pictures: Sequence[RgbImage] = (),
) -> Shot:
    """The photograph of ``draw_scene`` with its depth."""
    if kind not in (*KINDS, None):
        raise ValueError(f"There is no scene {kind!r}; there are {', '.join(KINDS)}.")
    scene = _Scene(seed, kind, pictures) if len(pictures) else _drawn(seed, kind)
    return scene.take(shot, width, parallax)


@lru_cache(maxsize=2)
def _drawn(seed: int, kind: str | None) -> "_Scene":
    return _Scene(seed, kind, ())


class _Scene:
    def __init__(self, seed: int, kind: str | None, pictures: Sequence[RgbImage]) -> None:
        rng = np.random.default_rng([seed, 11])
        drawn = str(rng.choice(KINDS))
        self.seed, self.kind = seed, kind or drawn
        self.aspect = float(rng.choice(_ASPECTS))
        self.focal_widths = rng.uniform(*_FOCAL_WIDTHS)
        self.light = vector(rng.uniform(-1, 1), -1.0, -rng.uniform(0.3, 1.5))
        self.backdrop = tuple(float(v) for v in rng.uniform(120, 240) + rng.normal(0, 12, 3))
        self.hold: Callable[[Generator], Thing] | None = None
        if self.kind == HELD:
            self.hold = held(rng, pictures)
            self.things = shelf_wall(rng, pictures, rng.uniform(0.9, 1.6))
        else:
            self.things = PLACES[self.kind](rng, pictures)
        self.first = self._first_camera(rng)
        self.nearest, self.middle, self.depth = self._measure()

    def take(self, shot: int, width: int, parallax: float | None) -> Shot:
        rng = np.random.default_rng([self.seed, 12, shot])
        drawn = float(np.exp(rng.uniform(*np.log(PARALLAX))))
        camera = self.first if shot == 0 else self._beside(rng, drawn if parallax is None else parallax)
        large = round(width * _LARGER), round(width * self.aspect * _LARGER)
        things = self.things if shot == 0 else _changed(rng, self.things)
        picture = self._render([*things, *self._in_front(rng)], _sized(camera, large))
        photo = expose(picture, width, round(width * self.aspect), draw_exposure(rng, self.middle))
        return Shot(photo, picture.nearness, _sized(camera, large))

    def _render(self, things: Sequence[Thing], camera: Camera) -> Rendering:
        backdrop = self.backdrop[0], self.backdrop[1], self.backdrop[2]
        return render([part for thing in things for part in thing.parts], camera, self.light, backdrop)

    def _first_camera(self, rng: Generator) -> Camera:
        is_table = self.kind in {"heap", "market"}
        pitch = -rng.uniform(0.25, 0.75) if is_table else rng.normal(0, 0.05)
        height = -0.25 if is_table else 0.0
        rotation = turned(rng.normal(0, 0.15), pitch, rng.normal(0, 0.03)).T
        size = _MEASURED_PX, round(_MEASURED_PX * self.aspect)
        return Camera(vector(0, height, 0), rotation, self.focal_widths * size[0] * max(1.0, self.aspect), *size)

    def _measure(self) -> tuple[float, float, float]:
        """Of what shot 0 shows: nearness of the nearest things and of the middle, and how far it spreads off a plane.

        The nearness of a plane is linear in the pixels, and what is linear a homography moves as one.
        """
        seen = self._render(self.things, self.first).nearness
        y, x = np.nonzero(seen)
        values = seen[y, x].astype(np.float64)
        rows = np.column_stack([x, y, np.ones(len(x))])
        plane, *_ = np.linalg.lstsq(rows, values, rcond=None)
        low, high = np.quantile(values - rows @ plane, [0.05, 0.95])
        return float(np.quantile(values, 0.95)), float(np.median(values)), float(high - low)

    def _beside(self, rng: Generator, parallax: float) -> Camera:
        """A camera from which near and far have moved against each other by ``parallax`` of the width."""
        way = rng.normal(0, [1.0, 0.5, 0.5])
        way /= np.linalg.norm(way)
        focal_widths = self.first.focal_px / self.first.width
        per_metre = focal_widths * float(np.hypot(way[0], way[1])) + 0.3 * abs(float(way[2]))
        step = min(parallax / max(1e-3, self.depth * per_metre), _FARTHEST_STEP / self.nearest)
        position = self.first.position + self.first.rotation.T @ way * step
        middle = self.first.position + self.first.rotation[2] / self.middle
        rotation = _aimed(self.first, position, middle, rng)
        zoom = float(np.exp(rng.normal(0, 0.05)))
        return replace(self.first, position=position, rotation=rotation, focal_px=self.first.focal_px * zoom)

    def _in_front(self, rng: Generator) -> list[Thing]:
        """What only this shot shows: a hand's pose, somebody who passes."""
        things = [self.hold(rng)] if self.hold else []
        if self.kind in {"front", "room", "market"} and rng.random() < 0.35:
            z = rng.uniform(0.4, 0.8) / self.middle
            things.append(standing(rng, rng.uniform(-0.5, 0.5) * z, max(1.0, z)))
        return things


def _sized(camera: Camera, size: tuple[int, int]) -> Camera:
    """The same camera with another number of pixels."""
    return replace(camera, width=size[0], height=size[1], focal_px=camera.focal_px * size[0] / camera.width)


def _aimed(first: Camera, position: Vector, middle: Vector, rng: Generator) -> NDArray[np.float64]:
    """(3, 3) rotation of a camera held by hand that shows about what the first one showed."""
    before, now = middle - first.position, middle - position
    yaw = math.atan2(now[0], now[2]) - math.atan2(before[0], before[2])
    yaw += rng.normal(0, 0.025)
    wobble = turned(0.0, rng.normal(0, 0.025), rng.normal(0, 0.035))
    return np.asarray((turned(yaw) @ first.rotation.T @ wobble).T, np.float64)


def _changed(rng: Generator, things: Sequence[Thing]) -> list[Thing]:
    """What stands there in another shot: some loose things are gone, some are moved by centimetres."""
    share = rng.uniform(*_LOSSES) * (rng.random() < 0.7)
    kept: list[Thing] = []
    for thing in things:
        fate = rng.random()
        if not thing.is_loose or fate > share:
            kept.append(thing)
        elif fate > share / 2:
            kept.append(thing.moved(rng.normal(0, [0.03, 0.0, 0.03])))
    return kept
