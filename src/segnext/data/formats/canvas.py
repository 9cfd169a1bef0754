"""Shapes painted as labels: bounded by the picture, whatever their coordinates are."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from segnext.data.masks import Mask

Points = NDArray[np.float64]  # (n, 2): x and y in pixels, from the upper left corner


def points_of(values: Any) -> Points:
    """Coordinates of any origin, [[x, y], ...] or [x, y, x, y, ...].

    Raises:
        ValueError: when they are no numbers, or not finite.
    """
    points = np.asarray(values, np.float64).reshape(-1, 2)
    if not np.isfinite(points).all():
        raise ValueError("a coordinate is not a number")
    return points


def turned(outline: Points, degrees: float, pivot: Points | None = None) -> Points:
    """An outline, or the rectangle of two corners, turned clockwise about a point, or about its middle."""
    if len(outline) == 2:
        (left, top), (right, bottom) = outline.tolist()
        outline = points_of([[left, top], [right, top], [right, bottom], [left, bottom]])
    if not degrees:
        return outline
    angle = np.radians(degrees)
    center = (outline.min(0) + outline.max(0)) / 2 if pivot is None else pivot
    x, y = (outline - center).T
    return np.asarray(
        center + np.stack([x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)], 1)
    )


def oval(center: Any, radii: Any) -> Points:
    """The outline of an ellipse whose axes are those of the picture."""
    angle = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    return np.asarray(points_of(center) + points_of(radii) * np.stack([np.cos(angle), np.sin(angle)], 1))


class Canvas:
    """Labels of a picture, painted shape by shape; the last one lies on top.

    Shapes are painted with their outlines, as labelme's own converter does.
    """

    def __init__(self, height: int, width: int, background: int) -> None:
        self.image = Image.new("L", (width, height), background)
        self.draw = ImageDraw.Draw(self.image)
        self.far = far_of(height, width)

    @property
    def labels(self) -> Mask:
        """What has been painted, H x W."""
        return np.array(self.image)

    def polygon(self, points: Points, label: int, holes: Iterable[Points] = ()) -> None:
        """Fill a polygon, but for its holes."""
        if len(points) < 3:
            raise ValueError(f"{len(points)} points make no polygon")
        flat = cut(points, self.far).round(6).ravel().tolist()  # outlines are drawn at whole parts: 5.9999999 is 6
        inner = [hole for hole in holes if len(hole) >= 3]
        if not inner:
            if flat:
                self.draw.polygon(flat, fill=label, outline=label)
            return
        stamp = Canvas(self.image.height, self.image.width, 0)
        stamp.polygon(points, 1)
        for hole in inner:
            stamp.polygon(hole, 0)
        self.stamp(stamp.labels > 0, 0, 0, label)

    def rectangle(self, corners: Points, label: int) -> None:
        """Fill the rectangle between two corners."""
        (left, top), (right, bottom) = np.sort(corners.clip(-self.far, self.far), axis=0).tolist()
        self.draw.rectangle((left, top, right, bottom), label, label)

    def ellipse(self, center: Sequence[float], radii: Sequence[float], label: int) -> None:
        """Fill an ellipse whose axes are those of the picture."""
        (x, y), (across, down) = points_of(center)[0].tolist(), np.abs(points_of(radii))[0].tolist()
        if max(abs(x) + across, abs(y) + down) <= self.far:
            self.draw.ellipse((x - across, y - down, x + across, y + down), label, label)
            return
        rows, columns = np.ogrid[: self.image.height, : self.image.width]
        self.stamp(((columns - x) / max(across, 0.5)) ** 2 + ((rows - y) / max(down, 0.5)) ** 2 <= 1, 0, 0, label)

    def stamp(self, where: NDArray[np.bool_], left: float, top: float, label: int) -> None:
        """Paint the pixels that are set in a mask, whose upper left corner lies at a place."""
        if max(abs(left), abs(top)) <= self.far:
            self.image.paste(label, (round(left), round(top)), Image.fromarray(where))


def far_of(height: int, width: int) -> float:
    """The coordinate beyond which shapes are cut off, far outside of the picture."""
    return 4.0 * max(height, width) + 1000


def cut(points: Points, far: float) -> Points:
    """The part of a polygon that is not farther away than `far` (Sutherland and Hodgman, 1974)."""
    if not len(points) or np.abs(points).max() <= far:
        return points
    for axis in (0, 1):
        for sign in (1.0, -1.0):
            points = _half(points, axis, sign, far)
    return points


def _half(points: Points, axis: int, sign: float, limit: float) -> Points:
    """The part of a polygon with sign * coordinate <= limit."""
    kept: list[Points] = []
    for before, here in zip(np.roll(points, 1, axis=0), points, strict=True):
        near, was_near = sign * here[axis] <= limit, sign * before[axis] <= limit
        if near != was_near:
            share = (sign * limit - before[axis]) / (here[axis] - before[axis])
            kept.append(before + share * (here - before))
        if near:
            kept.append(here)
    return np.array(kept).reshape(-1, 2)


def runs_to_mask(runs: Sequence[int], height: int, width: int, *, by_rows: bool = False) -> NDArray[np.bool_]:
    """A mask from the lengths of its runs, the first of pixels that are not set, column by column or row by row.

    Raises:
        ValueError: when they are no whole numbers, or do not cover the picture.
    """
    if len(runs) > height * width + 1 or not all(type(run) is int and run >= 0 for run in runs):
        raise ValueError("its RLE holds runs that cannot be")
    if sum(runs) != height * width:
        raise ValueError(f"its RLE counts {sum(runs)} of {height * width} pixels")
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return flat.reshape(height, width) if by_rows else flat.reshape(width, height).T
