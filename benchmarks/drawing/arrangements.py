"""Places with depth: what stands where in a shop, at a market, in a street. All in metres, seen along z from near 0.

Every place is a list of things; a thing is a few parts that can be moved or taken away together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from benchmarks.drawing.rendering import Matrix, Part, Quad, Solid, Texture, Vector
from benchmarks.drawing.shared_things import menu_board, poster, sign
from benchmarks.drawing.surfaces import (
    Colour,
    car,
    clouds,
    foliage,
    label,
    motif,
    paint,
    peel,
    person,
    plaster,
    price_card,
    side_of,
    tiles,
    wood,
)
from doc_assets.datatypes import RgbImage

EYE_M = 1.5
"""Height of the camera above the floor, which lies at y = EYE_M."""

Pictures = Sequence[RgbImage]


@dataclass(frozen=True, slots=True)
class Thing:
    """Parts that belong together.

    Attributes:
        parts: what is drawn.
        is_loose: whether somebody can move it or take it away.
    """

    parts: tuple[Part, ...]
    is_loose: bool = False

    def moved(self, step: Vector) -> "Thing":
        """The same, ``step`` metres away."""
        return Thing(tuple(part.moved(step) for part in self.parts), self.is_loose)


def vector(x: float, y: float, z: float) -> Vector:
    """(3,) metres."""
    return np.array([x, y, z], np.float64)


def turned(yaw: float, pitch: float = 0.0, roll: float = 0.0) -> Matrix:
    """(3, 3) rotation by angles in radians: around the vertical, then the horizontal, then the viewing axis."""
    cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    around = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    nod = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    tilt = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return np.asarray(around @ nod @ tilt, np.float64)


def upright(x: float, y: float, z: float, w: float, h: float, texture: Texture, shade: float = 1.0) -> Quad:
    """A rectangle that faces the camera, its upper left corner at (x, y, z)."""
    return Quad(vector(x, y, z), vector(w, 0, 0), vector(0, h, 0), texture, shade)


def flat(x: float, y: float, z: float, w: float, depth: float, texture: Texture, shade: float = 1.0) -> Quad:
    """A horizontal rectangle, its far left corner at (x, y, z + depth)."""
    return Quad(vector(x, y, z + depth), vector(w, 0, 0), vector(0, 0, -depth), texture, shade)


def block(
    base: Vector, size: Vector, faces: tuple[Texture, Texture, Texture], yaw: float = 0.0, shade: float = 1.0
) -> tuple[Quad, ...]:
    """A box that stands on ``base``, the middle of its lower side.

    Args:
        base: (3,) metres.
        size: (3,) width, height, depth.
        faces: textures of front, sides and top.
        yaw: turn around the vertical in radians.
        shade: factor on the colours.
    """
    front, side, top = faces
    x, _, z = turned(yaw).T
    w, h, d = size
    up = vector(0, -h, 0)
    left, right = base - x * w / 2, base + x * w / 2
    near, far = -z * d / 2, z * d / 2
    return (
        Quad(left + near + up, x * w, -up, front, shade),
        Quad(right + near + up, z * d, -up, side, shade * 0.75),
        Quad(left + far + up, -z * d, -up, side, shade * 0.85),
        Quad(right + far + up, -x * w, -up, front, shade * 0.6),
        Quad(left + far + up, x * w, -z * d, top, shade * 1.1),
    )


@dataclass(frozen=True, slots=True)
class Package:
    """A design that is sold many times.

    Attributes:
        front, side, top: its pictures.
        wrap: what goes around a can: front and sides.
        size: (3,) metres.
        form: box, can or bottle.
    """

    front: RgbImage
    side: RgbImage
    top: RgbImage
    wrap: RgbImage
    size: Vector
    form: str

    def stand(self, rng: Generator, base: Vector, yaw: float) -> tuple[Part, ...]:
        """One of them on ``base``."""
        shade = rng.uniform(0.9, 1.05)
        if self.form == "box":
            return block(base, self.size, (self.front, self.side, self.top), yaw, shade)
        w, h, _ = self.size
        body = h if self.form == "can" else h * 0.68
        can = self._can(base, w / 2, body, yaw, shade)
        if self.form == "can":
            return (can,)
        neck_base = base - vector(0, body, 0)
        return can, self._can(neck_base, w * 0.2, h - body, yaw, shade), self._shoulder(neck_base, w, yaw, shade)

    def _can(self, base: Vector, radius: float, height: float, yaw: float, shade: float) -> Solid:
        axes = turned(yaw) @ np.diag([radius, height / 2, radius])
        return Solid(base - vector(0, height / 2, 0), axes, self.wrap, "can", shade, 0.12)

    def _shoulder(self, base: Vector, width: float, yaw: float, shade: float) -> Solid:
        axes = turned(yaw) @ np.diag([width / 2, width * 0.45, width / 2])
        return Solid(base, axes, self.top, "ball", shade, 0.25)


def design(rng: Generator, pictures: Pictures, room: float) -> Package:
    """A package at most ``room`` metres high."""
    form = str(rng.choice(["box", "box", "can", "bottle"]))
    h = room * rng.uniform(0.5, 0.95)
    w = h * rng.uniform(0.35, 0.9) if form == "box" else h * rng.uniform(0.28, 0.55)
    d = w * rng.uniform(0.4, 1.0) if form == "box" else w
    high = 300
    front = label(rng, high, max(60, int(high * w / h)), pictures)
    side = side_of(rng, front, max(60, int(high * d / h)))
    wrap = np.concatenate([side, front, side], axis=1)
    return Package(front, side, motif(rng, 64, 64), wrap, vector(w, h, d), form)


def _floor(rng: Generator, near: float, far: float, span: float) -> Thing:
    """Tiles, boards or asphalt, in squares small enough for their grain to show."""
    kind, colour = int(rng.integers(3)), paint(rng, 70, 170, 12)
    if kind == 0:
        surface = tiles(rng, 700, 700, colour, int(rng.integers(4, 10)), False)
    else:
        surface = wood(rng, 700, 700) if kind == 1 else plaster(rng, 700, 700, colour)
    step, parts = 2.5, []
    for z in np.arange(near, far, step):
        parts += [flat(float(x), EYE_M, float(z), step, step, surface) for x in np.arange(-span, span, step)]
    return Thing(tuple(parts))


def _wall(rng: Generator, z: float, span: float, top: float) -> Thing:
    h = EYE_M - top
    size = 900, max(64, int(900 * h / (2 * span)))
    if rng.random() < 0.5:
        surface = tiles(rng, size[1], size[0], paint(rng, 80, 200, 25), int(rng.integers(8, 24)), True)
    else:
        surface = plaster(rng, size[1], size[0], paint(rng, 90, 220, 20))
    return Thing((upright(-span, top, z, 2 * span, h, surface),))


def shelf_wall(rng: Generator, pictures: Pictures, distance: float | None = None) -> list[Thing]:
    """A shelf filled with packages in rows several deep, seen from 0.9 to 2.2 m."""
    z = distance or rng.uniform(0.9, 2.2)
    deep, gap = rng.uniform(0.3, 0.5), rng.uniform(0.24, 0.42)
    span = z * 0.95 + 0.4
    designs = [design(rng, pictures, gap * 0.85) for _ in range(int(rng.integers(5, 11)))]
    back = plaster(rng, 500, 700, paint(rng, 40, 200, 12))
    top = -z * 0.75 - gap
    things = [Thing((upright(-span, top, z + deep, 2 * span, 2.5 * z + gap, back, 0.55),))]
    board, edge = plaster(rng, 200, 900, paint(rng, 120, 230, 8)), plaster(rng, 24, 900, paint(rng, 120, 240, 12))
    cards = [price_card(rng, 90, 150) for _ in range(6)]
    for y in np.arange(top + gap, z * 0.85 + gap, gap):
        level = float(y)
        parts: list[Part] = [flat(-span, level, z, 2 * span, deep, board, 0.8)]
        parts.append(upright(-span, level, z - 0.005, 2 * span, 0.035, edge))
        things.append(Thing(tuple(parts)))
        things += _price_cards(rng, cards, -span, span, level, z)
        things += _row(rng, designs, -span, span, level, z, deep)
    return things


def _price_cards(
    rng: Generator, cards: Sequence[RgbImage], left: float, right: float, y: float, z: float
) -> list[Thing]:
    things, x = [], left
    while x < right:
        card = cards[int(rng.integers(len(cards)))]
        things.append(Thing((upright(x, y - 0.005, z - rng.uniform(0.01, 0.03), 0.075, 0.045, card),), True))
        x += rng.uniform(0.15, 0.4)
    return things


def _row(
    rng: Generator, designs: Sequence[Package], left: float, right: float, y: float, z: float, deep: float
) -> list[Thing]:
    """Packages on a board: each design some times side by side and behind one another, some sold out."""
    things: list[Thing] = []
    x = left
    while x < right:
        package = designs[int(rng.integers(len(designs)))]
        w, _, d = package.size
        for _ in range(int(rng.integers(2, 6))):
            front = rng.uniform(0, 0.04) if rng.random() < 0.8 else rng.uniform(0.05, deep * 0.7)
            at = front + d / 2
            for _ in range(3):
                if at + d / 2 > deep:
                    break
                base = vector(x + w / 2 + rng.normal(0, 0.003), y, z + at)
                things.append(Thing(package.stand(rng, base, rng.normal(0, 0.06)), True))
                at += d + rng.uniform(0.002, 0.03)
            x += w * 1.03 + rng.uniform(0, 0.012)
        x += rng.uniform(0, 0.06)
    return things


def heap(rng: Generator, pictures: Pictures) -> list[Thing]:
    """One or two boxes of fruit from near."""
    return _market(rng, pictures, rows=1, columns=int(rng.integers(1, 3)), near=rng.uniform(0.5, 0.8))


def market(rng: Generator, pictures: Pictures) -> list[Thing]:
    """Boxes of fruit in rows, one behind and above the other."""
    rows, columns = int(rng.integers(2, 4)), int(rng.integers(2, 5))
    things = _market(rng, pictures, rows, columns, rng.uniform(0.8, 1.5))
    z = rng.uniform(3.0, 5.0)
    things += [_wall(rng, z, 5.0, -2.5), _floor(rng, 0.5, z, 5.0)]
    return things + _posters(rng, pictures, z - 0.02, 2.5, int(rng.integers(0, 4)))


def _market(rng: Generator, pictures: Pictures, rows: int, columns: int, near: float) -> list[Thing]:
    things: list[Thing] = []
    w, d = near * rng.uniform(0.75, 1.0) / max(1, columns - 1), rng.uniform(0.4, 0.6)
    w = max(w, 0.35)
    slope, y = rng.uniform(0.5, 1.2), near * rng.uniform(0.25, 0.4)
    for row in range(rows):
        for column in range(-1, columns + 1):
            x = (column - (columns - 1) / 2) * w * 1.06
            corner = vector(x - w / 2, y - row * d * slope * 0.8, near + row * d * 0.95)
            things += _crate(rng, corner, w, d, slope)
    return things


def _crate(rng: Generator, corner: Vector, w: float, d: float, slope: float) -> list[Thing]:
    """A crate on a slanted stand: ``corner`` is its near left one; fruit lies in it on one another."""
    along = vector(0, -np.sin(np.arctan(slope)), np.cos(np.arctan(slope)))
    up = vector(0, -along[2], along[1]) * -1
    up = up if up[1] < 0 else -up
    right = vector(1, 0, 0)
    rim = rng.uniform(0.04, 0.09)
    material = wood(rng, 200, 500) if rng.random() < 0.5 else plaster(rng, 200, 500, paint(rng, 30, 170, 30))
    inside = plaster(rng, 300, 300, paint(rng, 20, 110, 25))
    far = corner + along * d
    walls = (
        Quad(corner + along * d, right * w, -along * d, inside, 0.6),
        Quad(corner + up * rim, right * w, -up * rim, material),
        Quad(far + up * rim, right * w, -up * rim, material, 0.7),
        Quad(corner + up * rim, along * d, -up * rim, material, 0.8),
        Quad(corner + right * w + up * rim, along * d, -up * rim, material, 0.8),
        Quad(corner, right * w, vector(0, 0.6, 0), material, 0.5),
    )
    things = [Thing(walls)]
    radius = rng.uniform(0.025, 0.06)
    shape = np.array([1, rng.uniform(0.75, 1.3), 1])
    one = peel(rng, int(np.clip(radius * 2200, 64, 160)))
    skins = [one(rng) for _ in range(int(rng.integers(5, 9)))]
    gloss = rng.uniform(0, 0.5)
    for layer in range(2):
        step = radius * 2.05
        for i in np.arange(radius, w - radius * 0.9, step):
            for j in np.arange(radius, d - radius * 0.9, step * 0.9):
                if rng.random() > (0.96 if layer == 0 else 0.6):
                    continue
                shift = rng.normal(0, radius * 0.16, 3)
                at = corner + right * (i + layer * radius) + along * (j + layer * radius)
                centre = at + up * radius * (0.9 + 1.45 * layer) + shift
                size = radius * rng.uniform(0.85, 1.05) * shape
                axes = turned(*rng.uniform(-np.pi, np.pi, 3)) @ np.diag(size)
                skin = skins[int(rng.integers(len(skins)))]
                things.append(Thing((Solid(centre, axes, skin, "ball", 1.0 if layer else 0.85, gloss),), True))
    if rng.random() < 0.7:
        card = price_card(rng, 160, 260)
        at = far + right * w * rng.uniform(0.1, 0.6) + up * rng.uniform(0.1, 0.16)
        lean = turned(rng.normal(0, 0.2), 0.2)
        things.append(Thing((Quad(at, lean @ vector(0.17, 0, 0), lean @ vector(0, 0.1, 0), card),), True))
    return things


def front(rng: Generator, pictures: Pictures) -> list[Thing]:
    """A shop front across a pavement, with what stands and drives before it."""
    z = rng.uniform(4.5, 12)
    width, roof = z * rng.uniform(0.7, 1.4), -rng.uniform(2.5, 6.5)
    colour = paint(rng, 90, 220, 25)
    left = -width / 2 + rng.uniform(-0.2, 0.2) * width
    things = [_facade(rng, left, width, z, roof, colour), _floor(rng, 1.5, z, z * 1.2)]
    for x, w in ((left - z * 2, z * 2), (left + width, z * 2)):
        things.append(_facade(rng, x, w, z + rng.uniform(-0.3, 1.5), -rng.uniform(2.0, 8.0), paint(rng, 80, 200, 25)))
    things += _shop(rng, pictures, left, width, z)
    for _ in range(int(rng.integers(0, 10))):
        things.append(_street_thing(rng, pictures, z))
    return things


def _facade(rng: Generator, left: float, w: float, z: float, top: float, colour: Colour) -> Thing:
    h = EYE_M - top
    size = int(min(1600, 160 * w)), int(min(1600, 160 * h))
    rows = max(6, int(h / 0.12))
    surface = (
        tiles(rng, size[1], size[0], colour, rows, True) if rng.random() < 0.4 else plaster(rng, *size[::-1], colour)
    )
    parts: list[Part] = [upright(left, top, z, w, h, surface)]
    glass, frame = plaster(rng, 240, 160, paint(rng, 30, 120, 10)), plaster(rng, 240, 160, paint(rng, 60, 240, 10))
    for y in np.arange(-1.9, top, -rng.uniform(1.6, 2.2)):
        for x in np.arange(left + 0.6, left + w - 1.2, rng.uniform(1.4, 2.4)):
            parts.append(upright(float(x), float(y) - 0.75, z - 0.08, 0.85, 1.3, frame))
            parts += [
                upright(float(x) + 0.06 + i * 0.39, float(y) - 0.7, z - 0.09, 0.34, 1.2, glass, 0.8) for i in (0, 1)
            ]
    return Thing(tuple(parts))


def _shop(rng: Generator, pictures: Pictures, left: float, w: float, z: float) -> list[Thing]:
    """Windows with a room behind them, a door, signs that stand off the wall, posters."""
    things: list[Thing] = []
    name = sign(rng, pictures)
    h = rng.uniform(0.5, 0.9)
    wide = min(w * 0.9, h * name.shape[1] / name.shape[0])
    at = left + (w - wide) * rng.uniform(0.1, 0.9)
    off = rng.uniform(0.1, 0.3)
    edge = plaster(rng, 60, 200, paint(rng, 40, 160))
    base = vector(at + wide / 2, -0.95 + rng.uniform(-0.1, 0.1), z - off / 2)
    things.append(Thing(block(base, vector(wide, h, off), (name, edge, edge))))
    x = left + 0.4
    while x < left + w - 1.2:
        span = rng.uniform(1.0, 2.4)
        things.append(_window(rng, pictures, x, min(span, left + w - x - 0.2), z))
        x += span + rng.uniform(0.2, 1.0)
    if rng.random() < 0.6:  # a sign across the pavement
        blade = Quad(
            vector(left + w * rng.uniform(0.1, 0.9), -1.6, z),
            vector(0.05, 0, -rng.uniform(0.6, 1.0)),
            vector(0, 0.8, 0),
            poster(rng, pictures),
        )
        things.append(Thing((blade,)))
    return things + _posters(rng, pictures, z - 0.02, w / 2, int(rng.integers(0, 5)))


def _window(rng: Generator, pictures: Pictures, x: float, w: float, z: float) -> Thing:
    """A shop window: a dark room of a metre behind the wall's plane, things on a board, a frame before it."""
    top, bottom = -0.75, EYE_M - rng.uniform(0.05, 0.6)
    h = bottom - top
    behind = motif(rng, 260, 360, pictures)
    frame = plaster(rng, 200, 40, paint(rng, 30, 230, 20))
    # The wall is solid, so the room is drawn into a bay that stands before it.
    bay = rng.uniform(0.25, 0.6)
    parts: list[Part] = [upright(x, top, z - 0.01, w, h, behind, 0.65)]
    parts += [upright(x + at, top, z - bay, 0.07, h, frame) for at in (0, w / 2, w - 0.07)]
    parts += [upright(x, y, z - bay, w, 0.07, frame) for y in (top, bottom - 0.07)]
    parts.append(flat(x, bottom - 0.05, z - bay, w, bay, frame, 0.8))
    for _ in range(int(rng.integers(2, 6))):
        package = design(rng, pictures, h * 0.35)
        at = vector(x + w * rng.uniform(0.1, 0.9), bottom - 0.05, z - bay * rng.uniform(0.3, 0.8))
        parts += package.stand(rng, at, rng.normal(0, 0.3))
    return Thing(tuple(parts))


def _posters(rng: Generator, pictures: Pictures, z: float, reach: float, n: int) -> list[Thing]:
    things = []
    for _ in range(n):
        sheet = poster(rng, pictures) if rng.random() < 0.6 else menu_board(rng, pictures)
        w = rng.uniform(0.4, 0.9)
        at = rng.uniform(-reach, reach), rng.uniform(-0.8, 0.2)
        things.append(Thing((upright(*at, z, w, w * sheet.shape[0] / sheet.shape[1], sheet),), True))
    return things


def _street_thing(rng: Generator, pictures: Pictures, z: float) -> Thing:
    """A post, a plant, a bin, a board, a person or a car between the camera and the front."""
    away = rng.uniform(0.35, 0.92) * z
    x = rng.uniform(-0.55, 0.55) * away
    kind = str(rng.choice(["post", "plant", "bin", "board", "person", "car"], p=[0.2, 0.2, 0.15, 0.15, 0.15, 0.15]))
    if kind == "post":
        surface = plaster(rng, 500, 60, paint(rng, 40, 170, 12))
        axes = np.diag([rng.uniform(0.04, 0.09), 2.0, 0.05])
        return Thing((Solid(vector(x, EYE_M - 2, away), axes, surface, "can"),))
    if kind == "plant":
        return _plant(rng, vector(x, EYE_M, away))
    if kind == "bin":
        package = design(rng, pictures, rng.uniform(0.7, 1.2))
        return Thing(package.stand(rng, vector(x, EYE_M, away), rng.normal(0, 0.5)), True)
    if kind == "board":
        sheet = poster(rng, pictures)
        lean = turned(rng.normal(0, 0.4), -0.15)
        h = rng.uniform(0.8, 1.2)
        at = vector(x, EYE_M - h, away)
        across = lean @ vector(h * sheet.shape[1] / sheet.shape[0], 0, 0)
        return Thing((Quad(at, across, lean @ vector(0, h, 0), sheet),), True)
    if kind == "person":
        return standing(rng, x, away)
    h = rng.uniform(1.3, 1.6)
    return Thing((upright(x - h * 1.33, EYE_M - h, away, h * 2.67, h, car(rng)),), True)


def standing(rng: Generator, x: float, z: float) -> Thing:
    """Somebody at (x, z)."""
    h = rng.uniform(1.5, 1.85)
    return Thing((upright(x - h * 0.19, EYE_M - h, z, h * 0.375, h, person(rng)),), True)


def _plant(rng: Generator, base: Vector) -> Thing:
    """A pot with leaves in three layers."""
    size, pot = rng.uniform(0.4, 1.0), plaster(rng, 120, 240, paint(rng, 50, 170, 30))
    centre = base - vector(0, 0.18, 0)
    parts: list[Part] = [Solid(centre, np.diag([0.2, 0.18, 0.2]), pot, "can")]
    for layer in (-0.15, 0.0, 0.15):
        corner = base + vector(-size / 2 + rng.normal(0, 0.05), -0.3 - size, layer * size)
        right, down = vector(size, 0, rng.normal(0, 0.1)), vector(0, size, 0)
        parts.append(Quad(corner, right, down, foliage(rng, 300, 300), 0.85 - layer))
    return Thing(tuple(parts))


def room(rng: Generator, pictures: Pictures) -> list[Thing]:
    """A shop from inside: a counter, tables, shelves on the walls, a menu behind."""
    z, half = rng.uniform(3.2, 6.5), rng.uniform(1.6, 3.0)
    ceiling = -rng.uniform(0.9, 1.4)
    things = [_wall(rng, z, half, ceiling), _floor(rng, 0.5, z, half)]
    side = plaster(rng, 400, 900, paint(rng, 110, 230, 20))
    for x in (-half, half):
        wall = Quad(vector(x, ceiling, 0.2), vector(0, 0, z - 0.2), vector(0, EYE_M - ceiling, 0), side, 0.85)
        things.append(Thing((wall,)))
    things.append(Thing((flat(-half, ceiling, 0.2, 2 * half, z - 0.2, plaster(rng, 500, 500, (235, 235, 230))),)))
    things += _posters(rng, pictures, z - 0.02, half * 0.8, int(rng.integers(2, 6)))
    away = z * rng.uniform(0.55, 0.85)
    things += _counter(rng, pictures, half, away)
    for _ in range(int(rng.integers(1, 6))):
        things += _table(rng, pictures, vector(rng.uniform(-half, half), EYE_M, rng.uniform(1.2, away)))
    return things


def _counter(rng: Generator, pictures: Pictures, half: float, z: float) -> list[Thing]:
    w, h = rng.uniform(1.2, 2.4), rng.uniform(0.9, 1.1)
    x = rng.uniform(-half, half) * 0.5
    surface, top = wood(rng, 300, 700), wood(rng, 200, 700)
    things = [Thing(block(vector(x, EYE_M, z), vector(w, h, 0.5), (surface, surface, top)))]
    designs = [design(rng, pictures, rng.uniform(0.25, 0.5)) for _ in range(4)]
    return things + _row(rng, designs, x - w / 2, x + w / 2 - 0.2, EYE_M - h, z - 0.22, 0.4)


def _table(rng: Generator, pictures: Pictures, base: Vector) -> list[Thing]:
    h, w = rng.uniform(0.68, 0.8), rng.uniform(0.5, 0.9)
    surface = wood(rng, 300, 300)
    leg = Solid(base - vector(0, h / 2, 0), np.diag([0.04, h / 2, 0.04]), plaster(rng, 64, 64, (70, 70, 75)), "can")
    top = block(base - vector(0, h - 0.04, 0), vector(w, 0.04, w), (surface, surface, surface), rng.uniform(0, 1))
    things = [Thing((leg, *top), True)]
    for _ in range(int(rng.integers(1, 4))):
        package = design(rng, pictures, 0.3)
        at = base + vector(rng.uniform(-0.3, 0.3) * w, -h, rng.uniform(-0.3, 0.3) * w)
        things.append(Thing(package.stand(rng, at, rng.uniform(-1, 1)), True))
    return things


def held(rng: Generator, pictures: Pictures) -> Callable[[Generator], Thing]:
    """A package in a hand before the camera: a function that holds it another way each time."""
    package = design(rng, pictures, rng.uniform(0.16, 0.24))
    skin = np.array([215, 165, 140]) * rng.uniform(0.6, 1.1)
    palm = np.clip(skin + clouds(rng, 120, 240, 0.8)[:, :, None] * 9, 0, 255).astype(np.uint8)
    where = vector(rng.uniform(-0.05, 0.05), rng.uniform(0.1, 0.18), rng.uniform(0.35, 0.5))

    def hold(own: Generator) -> Thing:
        base = where + own.normal(0, 0.02, 3)
        yaw = own.normal(0, 0.3)
        w, h, d = package.size
        parts = list(package.stand(np.random.default_rng(0), base, yaw))
        grip = base - vector(0, h * 0.3, 0)
        for i in range(4):
            at = grip + turned(yaw) @ vector(w * 0.5, 0.018 * i, -d * 0.3)
            parts.append(Solid(at, turned(yaw + 0.5, 0, own.normal(0, 0.1)) @ np.diag([0.035, 0.01, 0.011]), palm))
        thumb = grip + turned(yaw) @ vector(-w * 0.4, 0.02, -d * 0.55)
        parts.append(Solid(thumb, turned(yaw, 0, 0.4) @ np.diag([0.04, 0.013, 0.013]), palm))
        arm = base + vector(0.02, 0.12, 0.02)
        parts.append(Solid(arm, turned(0, 0, own.normal(0.3, 0.2)) @ np.diag([0.05, 0.14, 0.04]), palm))
        return Thing(tuple(parts), True)

    return hold


PLACES: dict[str, Callable[[Generator, Pictures], list[Thing]]] = {
    "shelf": shelf_wall,
    "heap": heap,
    "market": market,
    "front": front,
    "room": room,
}
"""Kind -> how one is arranged."""
