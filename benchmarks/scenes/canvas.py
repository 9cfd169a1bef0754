"""What scenes are drawn on: camera geometry, filled shapes with labels, and noise.

Everything is computed from integers and the four exact operations (+ - * /), and shapes are filled at
integer corners without smoothing: a seed gives the same picture on every machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

SKY, BUILDING, POLE, ROAD, PAVEMENT, TREE, SIGN, FENCE, CAR, PEDESTRIAN, BICYCLIST = range(11)

EYE = 1.4  # metres of the camera above the road

Color = tuple[float, float, float]  # RGB, 0..255
Point = tuple[float, float, float]  # metres: right of the camera, above the road, ahead
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Canvas:
    """An image being drawn, its labels, and the camera that sees it.

    Attributes:
        image: H x W x 3, uint8.
        labels: H x W, uint8.
        focal: focal length in pixels.
        horizon: the horizon's row.
        centre: the vanishing point's column.
        light: what white looks like in this light, per channel, 0..1.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    focal: float
    horizon: float
    centre: float
    light: Color

    def scale(self, z: float) -> float:
        """Pixels per metre at distance `z`."""
        return self.focal / z

    def project(self, points: Sequence[Point]) -> NDArray[np.int32]:
        """Corners in metres -> (n, 2) columns and rows."""
        corners = []
        for x, y, z in points:
            scale = self.focal / max(z, 0.5)
            corners.append((int(self.centre + x * scale), int(self.horizon + (EYE - y) * scale)))
        return np.array(corners, np.int32)

    def fill(self, points: Sequence[Point], color: Color, label: int | None, gain: float = 1.0) -> None:
        """Fill a polygon given in metres; with label None, the labels stay."""
        self.fill_pixels(self.project(points), color, label, gain)

    def fill_pixels(self, corners: NDArray[np.int32], color: Color, label: int | None, gain: float = 1.0) -> None:
        """Fill a polygon given in pixels."""
        cv2.fillPoly(self.image, [corners], self.lit(color, gain))
        if label is not None:
            cv2.fillPoly(self.labels, [corners], (label,))

    def line(self, points: Sequence[Point], width: float, color: Color, label: int | None) -> None:
        """A line of `width` metres (at least a pixel) through `points`."""
        corners = self.project(points)
        thickness = max(1, round(width * self.scale(max(points[0][2], 0.3))))
        cv2.polylines(self.image, [corners], False, self.lit(color), thickness)
        if label is not None:
            cv2.polylines(self.labels, [corners], False, (label,), thickness)

    def roughen(self, points: Sequence[Point], amount: float) -> None:
        """Give the polygon's surface a texture: brighter and darker by up to half of `amount`."""
        corners = self.project(points)
        limit = np.asarray(self.labels.shape[::-1])
        (left, top), (right, bottom) = corners.min(0).clip(0, limit), corners.max(0).clip(0, limit)
        if left >= right or top >= bottom:
            return
        inside = np.zeros((bottom - top, right - left), np.uint8)
        cv2.fillPoly(inside, [(corners - (left, top)).astype(np.int32)], (1,))
        metre = self.scale(points[0][2])
        u, v = (np.arange(n, dtype=np.float32) / np.float32(metre) for n in inside.shape[::-1])
        gain = 1 + amount * (noise(7 * u[None], 26 * v[:, None]) + noise(2 * u[None], 3 * v[:, None]) - 1)
        part = self.image[top:bottom, left:right]
        part[:] = np.where(inside[..., None], np.clip(part * gain[..., None], 0, 255), part)

    def lit(self, color: Color, gain: float = 1.0) -> Color:
        """`color` as it looks in the scene's light."""
        (red, green, blue), light = color, self.light
        return (
            min(255.0, red * light[0] * gain),
            min(255.0, green * light[1] * gain),
            min(255.0, blue * light[2] * gain),
        )


def rectangle(x: tuple[float, float], y: tuple[float, float], z: float) -> list[Point]:
    """The corners of an upright rectangle that faces the camera."""
    return [(x[0], y[0], z), (x[1], y[0], z), (x[1], y[1], z), (x[0], y[1], z)]


def disc(x: float, y: float, z: float, radius: float, flatten: float = 1.0) -> list[Point]:
    """The corners of an upright disc that faces the camera; `flatten` scales its width."""
    return [(x + flatten * radius * c, y + radius * s, z) for c, s in _CIRCLE]


# Sixteen points on the unit circle, written down because sine differs between machines in the last bit.
_OCTANT = ((1.0, 0.0), (0.9239, 0.3827), (0.7071, 0.7071), (0.3827, 0.9239))
_CIRCLE = tuple(
    (turn[0] * c - turn[1] * s, turn[1] * c + turn[0] * s)
    for turn in ((1, 0), (0, 1), (-1, 0), (0, -1))
    for c, s in _OCTANT
)


@cache
def noise_table() -> Floats:
    """(256, 256) noise in 0..1 that repeats without a seam, with detail at all sizes from 2 to 64."""
    random = np.random.Generator(np.random.PCG64(2022))
    total: Floats = np.zeros((256, 256), np.float32)
    for cell in (64, 32, 16, 8, 4, 2, 1):
        grid: Floats = random.integers(0, 1 << 16, (256 // cell, 256 // cell)).astype(np.float32) / 65536
        grid = _stretch(_stretch(grid, cell, 0), cell, 1)
        total += grid * np.float32(0.45 + cell / 64)
    total -= total.min()
    total /= total.max()
    return total


def grain(u: Floats, v: Floats) -> Floats:
    """Fine noise around 0, without the large shapes of `noise`."""
    return noise(u, v) - noise(u + 3, v + 5)


def _stretch(grid: Floats, cell: int, axis: int) -> Floats:
    """Enlarge a seamless grid `cell` times along one axis, smoothly."""
    weight = np.arange(cell, dtype=np.float32) / cell
    weight = np.tile(weight * weight * (3 - 2 * weight), grid.shape[axis])
    near, far = grid.repeat(cell, axis), np.roll(grid, -1, axis).repeat(cell, axis)
    return near + (far - near) * np.expand_dims(weight, 1 - axis)


def noise(u: Floats, v: Floats) -> Floats:
    """The noise at (u, v) in cells, the nearest one; both are broadcast against each other."""
    values: Floats = noise_table()[np.floor(v).astype(np.int32) & 255, np.floor(u).astype(np.int32) & 255]
    return values
