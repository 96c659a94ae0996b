"""A small renderer of textured things with depth: planes, balls and cans before a pinhole camera.

The world is measured in metres, x right, y down, z away from the camera. Whatever is nearest hides the rest (a depth
buffer); edges are smoothed by drawing larger than wanted.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
"""(3,) metres."""
Matrix = NDArray[np.float64]
Texture = NDArray[np.uint8]
"""(H, W, 3) RGB, or (H, W, 4) with an alpha channel that cuts the thing out."""
Plane = NDArray[np.float32]
Planes = tuple[Plane, Plane, Plane]
"""x, y and z of vectors, (H, W) each."""
Patch = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels of the frame."""

_NEAREST_M = 0.05
_COARSER = 1.5  # texture pixels per frame pixel from which on half the texture serves
_SMALLEST_TEXTURE_PX = 8
_NOWHERE = np.float32(1e9)  # metres
_SOFT_SHARE = 0.02  # of the width, how far the shade of a nearer thing reaches
_SIGNS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float64)


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera.

    Attributes:
        position: (3,) metres.
        rotation: (3, 3), rows are the camera's right, down and forward directions in the world.
        focal_px: distance of the image plane in pixels.
        width, height: of the frame in pixels.
    """

    position: Vector
    rotation: Matrix
    focal_px: float
    width: int
    height: int

    def intrinsics(self) -> Matrix:
        """(3, 3) from camera coordinates to homogeneous pixels."""
        x, y = self.width / 2, self.height / 2
        return np.array([[self.focal_px, 0, x], [0, self.focal_px, y], [0, 0, 1]], np.float64)

    def project(self, points: Matrix) -> Matrix:
        """(N, 3) world points as (N, 3): x and y in pixels, distance along the view in metres (may be negative)."""
        seen = (points - self.position) @ self.rotation.T
        depth = np.where(np.abs(seen[:, 2]) < 1e-9, 1e-9, seen[:, 2])
        centre = np.array([self.width / 2, self.height / 2])
        return np.column_stack([seen[:, :2] / depth[:, None] * self.focal_px + centre, seen[:, 2]])

    def distance(self, points: Matrix) -> float:
        """Of the nearest of (N, 3) world points along the view, in metres."""
        return float(((points - self.position) @ self.rotation[2]).min())

    def rays(self, patch: Patch, into: Matrix) -> Planes:
        """World directions through the pixels of a patch, of length 1 along the view, after (3, 3) ``into``."""
        left, top, right, bottom = patch
        x = ((np.arange(left, right) + 0.5 - self.width / 2) / self.focal_px).astype(np.float32)[None, :]
        y = ((np.arange(top, bottom) + 0.5 - self.height / 2) / self.focal_px).astype(np.float32)[:, None]
        first, second, third = (into @ self.rotation.T).astype(np.float32)
        return (
            first[0] * x + first[1] * y + first[2],
            second[0] * x + second[1] * y + second[2],
            third[0] * x + third[1] * y + third[2],
        )


@dataclass(frozen=True, slots=True)
class Quad:
    """A textured parallelogram.

    Attributes:
        corner: where the texture's top left corner is.
        right, down: (3,) metres, the texture's upper and left edge.
        texture: its picture.
        shade: factor on its colours.
    """

    corner: Vector
    right: Vector
    down: Vector
    texture: Texture
    shade: float = 1.0

    def corners(self) -> Matrix:
        """(4, 3) clockwise from the texture's top left one."""
        return np.stack([self.corner, self.corner + self.right, self.corner + self.right + self.down,
                         self.corner + self.down])  # fmt: skip

    def moved(self, step: Vector) -> "Quad":
        """The same, ``step`` metres away."""
        return replace(self, corner=self.corner + step)


@dataclass(frozen=True, slots=True)
class Solid:
    """A ball (an ellipsoid) or a can (a cylinder with a flat top), its texture wrapped around it.

    Attributes:
        centre: (3,) metres.
        axes: (3, 3), columns are the half axes in metres; the second one points to the texture's lower edge.
        texture: longitude across, from the upper to the lower pole or rim down.
        shape: what of the two.
        shade: factor on its colours.
        gloss: strength of the highlight, which wanders with the camera, in [0, 1].
    """

    centre: Vector
    axes: Matrix
    texture: Texture
    shape: Literal["ball", "can"] = "ball"
    shade: float = 1.0
    gloss: float = 0.0

    def corners(self) -> Matrix:
        """(8, 3) of the box around it."""
        return np.asarray(self.centre + _SIGNS @ self.axes.T)

    def moved(self, step: Vector) -> "Solid":
        """The same, ``step`` metres away."""
        return replace(self, centre=self.centre + step)


Part = Quad | Solid


@dataclass(frozen=True, slots=True)
class Rendering:
    """A drawn frame.

    Attributes:
        colours: (H, W, 3) float32, 8-bit levels before any camera.
        nearness: (H, W) float32, 1 / metres along the view; 0 where nothing is.
    """

    colours: NDArray[np.float32]
    nearness: NDArray[np.float32]


class _Frame:
    def __init__(self, camera: Camera, light: Vector, backdrop: tuple[float, float, float]) -> None:
        self.camera = camera
        self.light = light / np.linalg.norm(light)
        self.colours = np.broadcast_to(np.array(backdrop, np.float32), (camera.height, camera.width, 3)).copy()
        self.nearness = np.zeros((camera.height, camera.width), np.float32)
        self._coarser: dict[tuple[int, int], Texture] = {}

    def patch_of(self, points: Matrix) -> Patch | None:
        """The pixels that a convex hull of world points can touch; None if there are none or all are hidden."""
        seen = self.camera.project(points)
        if (seen[:, 2] < _NEAREST_M).all():
            return None
        if (seen[:, 2] < _NEAREST_M).any():
            return 0, 0, self.camera.width, self.camera.height
        left, top = np.maximum(np.floor(seen[:, :2].min(axis=0)), 0).astype(int).tolist()
        size = [self.camera.width, self.camera.height]
        right, bottom = np.minimum(np.ceil(seen[:, :2].max(axis=0)), size).astype(int).tolist()
        if right <= left or bottom <= top:
            return None
        hidden = self.nearness[top:bottom, left:right].min() > 1 / seen[:, 2].min()
        return None if hidden else (left, top, right, bottom)

    def paint(
        self, patch: Patch, colours: NDArray[np.float32], nearness: NDArray[np.float32], where: NDArray[np.bool_]
    ) -> None:
        """Takes over the pixels of a patch that are nearer than what is there."""
        left, top, right, bottom = patch
        before = self.nearness[top:bottom, left:right]
        wins = where & (nearness > before)
        np.copyto(before, nearness, where=wins)
        np.copyto(self.colours[top:bottom, left:right], colours, where=wins[:, :, None])

    def coarse(self, texture: Texture, per_pixel: float) -> Texture:
        """The texture at about the frame's resolution, so that it does not flicker."""
        halvings = max(0, int(np.ceil(np.log2(max(per_pixel, 1e-6) / _COARSER))))
        key = id(texture), halvings
        if key not in self._coarser:
            size = [max(_SMALLEST_TEXTURE_PX, side >> halvings) for side in texture.shape[1::-1]]
            resized = cv2.resize(texture, size, interpolation=cv2.INTER_AREA) if halvings else texture
            self._coarser[key] = np.asarray(resized, np.uint8)
        return self._coarser[key]


def render(
    parts: Iterable[Part], camera: Camera, light: Vector, backdrop: tuple[float, float, float] = (200, 210, 225)
) -> Rendering:
    """Draws parts as the camera sees them.

    Args:
        parts: in any order.
        camera: where from.
        light: (3,) the direction that light comes from.
        backdrop: colour where nothing is.
    """
    frame = _Frame(camera, light, backdrop)
    for part in sorted(parts, key=lambda part: camera.distance(part.corners())):  # near ones first: less to draw
        if isinstance(part, Quad):
            _draw_quad(frame, part)
        else:
            _draw_solid(frame, part)
    return Rendering(frame.colours * _soft_shade(frame.nearness)[:, :, None], frame.nearness)


def _soft_shade(nearness: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W) factor below 1 beside nearer things, which keep the light off."""
    around = cv2.GaussianBlur(nearness, (0, 0), nearness.shape[1] * _SOFT_SHARE)
    beneath = np.clip((around - nearness) / np.maximum(nearness, 1e-3) * 4, 0, 1)
    return np.asarray(1 - 0.55 * beneath, np.float32)


def _draw_quad(frame: _Frame, quad: Quad) -> None:
    corners = quad.corners()
    patch = frame.patch_of(corners)
    if patch is None:
        return
    texture = frame.coarse(quad.texture, _texture_pixels_per_pixel(frame.camera, corners, quad.texture))
    height, width = texture.shape[:2]
    edges = np.column_stack([quad.right / width, quad.down / height, quad.corner - frame.camera.position])
    to_image = frame.camera.intrinsics() @ frame.camera.rotation @ edges
    if abs(np.linalg.det(to_image)) < 1e-12:  # seen from its edge
        return
    to_texture = np.linalg.inv(to_image) @ _shift(patch[0] + 0.5, patch[1] + 0.5)
    x = np.arange(patch[2] - patch[0], dtype=np.float32)[None, :]
    y = np.arange(patch[3] - patch[1], dtype=np.float32)[:, None]
    across, down, nearness = (np.float32(a) * x + np.float32(b) * y + np.float32(c) for a, b, c in to_texture)
    inside = (nearness > 0) & (across >= 0) & (across <= width * nearness)
    inside &= (down >= 0) & (down <= height * nearness)
    size = patch[2] - patch[0], patch[3] - patch[1]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    drawn = cv2.warpPerspective(
        texture, _shift(-0.5, -0.5) @ to_texture, size, flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    if texture.shape[2] == 4:
        inside &= drawn[:, :, 3] >= 128
    frame.paint(patch, drawn[:, :, :3].astype(np.float32) * np.float32(quad.shade), nearness, inside)


def _texture_pixels_per_pixel(camera: Camera, corners: Matrix, texture: Texture) -> float:
    seen = camera.project(corners)
    if (seen[:, 2] < _NEAREST_M).any():
        return 1.0
    area = float(cv2.contourArea(seen[:, :2].astype(np.float32)))
    return float(np.sqrt(texture.shape[0] * texture.shape[1] / max(area, 1.0)))


def _shift(x: float, y: float) -> Matrix:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], np.float64)


def _draw_solid(frame: _Frame, solid: Solid) -> None:
    patch = frame.patch_of(solid.corners())
    if patch is None:
        return
    inward = np.asarray(
        np.linalg.inv(solid.axes), np.float64
    )  # into the space in which it is a unit ball, or a can of radius 1 and |y| <= 1
    rays = frame.camera.rays(patch, inward)
    eye = inward @ (frame.camera.position - solid.centre)
    depth, at, normal = _hit_ball(rays, eye) if solid.shape == "ball" else _hit_can(rays, eye)
    left, top, right, bottom = patch
    nearness = np.asarray(1 / depth, np.float32)
    hit = (depth > _NEAREST_M) & (nearness > frame.nearness[top:bottom, left:right])
    if not hit.any():
        return
    outward = _unit(_turned(normal, inward.T))
    light = frame.light.astype(np.float32)
    lit = np.float32(0.55) + np.float32(0.5) * np.maximum(0, _dot(outward, (light[0], light[1], light[2])))
    drawn = _wrapped(frame, solid, at, patch) * (lit * np.float32(solid.shade))[:, :, None]
    if solid.gloss > 0:
        drawn += (_highlight(frame, outward, patch) * np.float32(255 * solid.gloss))[:, :, None]
    frame.paint(patch, drawn, nearness, hit)


def _dot(one: Planes, other: Planes | tuple[np.float32, np.float32, np.float32]) -> Plane:
    return np.asarray(one[0] * other[0] + one[1] * other[1] + one[2] * other[2], np.float32)


def _turned(planes: Planes, matrix: Matrix) -> Planes:
    x, y, z = ((row[0], row[1], row[2]) for row in matrix.astype(np.float32))
    return _dot(planes, x), _dot(planes, y), _dot(planes, z)


def _unit(planes: Planes) -> Planes:
    length = np.asarray(np.sqrt(np.maximum(_dot(planes, planes), 1e-12)), np.float32)
    return planes[0] / length, planes[1] / length, planes[2] / length


def _along(rays: Planes, eye: Vector, depth: Plane) -> Planes:
    x, y, z = eye.astype(np.float32)
    return x + depth * rays[0], y + depth * rays[1], z + depth * rays[2]


def _hit_ball(rays: Planes, eye: Vector) -> tuple[Plane, Planes, Planes]:
    """Distance to the unit ball along each ray, infinite where it is missed; where that is, and the normal there."""
    x, y, z = eye.astype(np.float32)
    a, b, c = _dot(rays, rays), _dot(rays, (x, y, z)), np.float32(float(eye @ eye) - 1)
    root = b * b - a * c
    depth = np.where(root >= 0, (-b - np.sqrt(np.maximum(root, 0))) / a, _NOWHERE)
    at = _along(rays, eye, depth)
    return depth, at, at


def _hit_can(rays: Planes, eye: Vector) -> tuple[Plane, Planes, Planes]:
    """The same of the can of radius 1 and |y| <= 1."""
    x, y, z = eye.astype(np.float32)
    a = np.maximum(rays[0] * rays[0] + rays[2] * rays[2], 1e-9)
    b, c = rays[0] * x + rays[2] * z, x * x + z * z - 1
    root = b * b - a * c
    side = np.where(root >= 0, (-b - np.sqrt(np.maximum(root, 0))) / a, _NOWHERE)
    side = np.where(np.abs(y + side * rays[1]) <= 1, side, _NOWHERE)
    is_top = np.zeros(side.shape, bool)
    if y < -1:
        top = (-1 - y) / np.where(np.abs(rays[1]) < 1e-9, np.float32(1e-9), rays[1])
        is_top = ((x + top * rays[0]) ** 2 + (z + top * rays[2]) ** 2 <= 1) & (top < side) & (top > 0)
        side = np.where(is_top, top, side)
    at = _along(rays, eye, side)
    none = np.float32(0)
    normal = np.where(is_top, none, at[0]), np.where(is_top, np.float32(-1), none), np.where(is_top, none, at[2])
    return side, at, normal


def _wrapped(frame: _Frame, solid: Solid, at: Planes, patch: Patch) -> NDArray[np.float32]:
    """(h, w, 3) the texture at places on the unit ball or can."""
    per_pixel = solid.texture.shape[0] / max(1.0, (patch[3] - patch[1]) * (1.5 if solid.shape == "ball" else 1.0))
    texture = frame.coarse(solid.texture, per_pixel)
    height, width = texture.shape[:2]
    around = np.arctan2(at[0], -at[2]) / np.float32(2 * np.pi) + np.float32(0.5)
    across = np.clip(at[1], -1, 1)
    down = np.arccos(-across) / np.float32(np.pi) if solid.shape == "ball" else (across + 1) / 2
    x, y = around * (width - 1), down * (height - 1)
    drawn = cv2.remap(texture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(drawn, np.float32)


def _highlight(frame: _Frame, outward: Planes, patch: Patch) -> Plane:
    x, y, z = _unit(frame.camera.rays(patch, np.eye(3)))
    light = frame.light.astype(np.float32)
    half = _unit((light[0] - x, light[1] - y, light[2] - z))
    return np.asarray(np.maximum(0, _dot(outward, half)) ** 40, np.float32)
