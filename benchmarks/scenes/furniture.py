"""What stands along drawn streets: trees, lamp posts, signs, traffic lights, railings, bollards."""

import cv2
import numpy as np

from scenes.canvas import EYE, FENCE, POLE, SIGN, TREE, Canvas, Color, Point, disc, grain, noise, rectangle
from scenes.street import LEAVES, Random, between, pick

METAL: tuple[Color, ...] = ((112, 116, 118), (72, 76, 78), (50, 56, 54), (140, 142, 140))


def draw_tree(canvas: Canvas, x: float, z: float, random: Random) -> None:
    """A bare or leafy tree."""
    height = between(random, 5, 11)
    bark = pick(random, ((84, 74, 64), (70, 64, 58), (96, 88, 78)))
    width = 0.035 * height
    trunk: list[Point] = [
        (x - width, 0, z),
        (x + width, 0, z),
        (x + 0.5 * width, 0.5 * height, z),
        (x - 0.5 * width, 0.5 * height, z),
    ]
    if random.random() < 0.6:
        canvas.fill(trunk, bark, TREE)
        _branches(canvas, x, 0.42 * height, z, 0.2 * height, bark, random)
        return
    color = pick(random, LEAVES, 0.25)
    canvas.fill(trunk, bark, TREE)
    for _ in range(6):
        aside, up = between(random, -0.2, 0.2) * height, between(random, 0.5, 0.82) * height
        _crown(canvas, x + aside, up, z, between(random, 0.11, 0.24) * height, color, random)


def draw_bush(canvas: Canvas, x: float, z: float, random: Random) -> None:
    """A bush, or the round top of a tree behind a wall."""
    radius = between(random, 0.8, 2.4)
    _crown(canvas, x, 0.7 * radius, z, radius, pick(random, LEAVES, 0.25), random)


def draw_lamp_post(canvas: Canvas, x: float, z: float, random: Random, towards: int) -> None:
    """A lamp post whose arm reaches over the road, to the right for `towards` 1."""
    height, color = between(random, 5.5, 8.5), pick(random, METAL)
    _post(canvas, x, z, height, 0.075, color)
    arm = x + towards * between(random, 0.8, 1.8)
    canvas.line([(x, height - 0.05, z), (arm, height + 0.25, z)], 0.08, color, POLE)
    canvas.fill(rectangle((arm - 0.3, arm + 0.3), (height + 0.16, height + 0.34), z), (168, 170, 166), POLE)


def draw_bollard(canvas: Canvas, x: float, z: float, random: Random) -> None:
    """A short post."""
    _post(canvas, x, z, 1.0, 0.09, (40, 40, 42) if random.random() < 0.7 else (196, 196, 190))


def draw_sign(canvas: Canvas, x: float, z: float, random: Random) -> None:
    """A traffic sign or a board on a post."""
    height = between(random, 2.1, 3.0)
    _post(canvas, x, z, height, 0.045, pick(random, METAL))
    kind = int(random.integers(5))
    if kind == 4:
        _board(canvas, x, z, height, random)
        return
    red, blue, white = (178, 30, 36), (30, 70, 150), (226, 226, 222)
    rim, face = ((red, white), (blue, blue), (red, red), (red, white))[kind]
    outer, inner = disc(x, height, z, 0.34), disc(x, height, z, 0.25)
    if kind == 0:  # a warning triangle
        outer = [(x - 0.36, height - 0.3, z), (x + 0.36, height - 0.3, z), (x, height + 0.34, z)]
        inner = [(x - 0.22, height - 0.22, z), (x + 0.22, height - 0.22, z), (x, height + 0.18, z)]
    canvas.fill(outer, rim, SIGN)
    canvas.fill(inner, face, SIGN)
    mark = (40, 40, 42) if face == white else white
    canvas.fill(rectangle((x - 0.16, x + 0.16), (height - 0.05, height + 0.05), z), mark, SIGN)


def _board(canvas: Canvas, x: float, z: float, top: float, random: Random) -> None:
    """A direction or information board with lines of writing."""
    half, size = between(random, 0.3, 0.8), between(random, 0.4, 1.0)
    color = pick(random, ((30, 76, 60), (30, 60, 120), (214, 214, 208), (120, 84, 40)))
    canvas.fill(rectangle((x - half, x + half), (top - size, top), z), (226, 226, 222), SIGN)
    canvas.fill(rectangle((x - half + 0.05, x + half - 0.05), (top - size + 0.05, top - 0.05), z), color, SIGN)
    for line in range(1, int(size / 0.2)):
        end, y = x + between(random, 0.1, 0.7) * half, top - 0.2 * line
        canvas.fill(rectangle((x - 0.7 * half, end), (y, y + 0.07), z), (190, 190, 186), SIGN)


def draw_traffic_light(canvas: Canvas, x: float, z: float, random: Random) -> None:
    """A traffic light, showing red or green."""
    _post(canvas, x, z, 2.4, 0.06, (56, 58, 58))
    canvas.fill(rectangle((x - 0.3, x + 0.3), (2.1, 3.4), z), (200, 200, 196), SIGN)
    canvas.fill(rectangle((x - 0.26, x + 0.26), (2.14, 3.36), z), (16, 16, 18), SIGN)
    shown = int(random.integers(2)) * 2
    for place, color in enumerate(((255, 50, 30), (90, 60, 10), (60, 255, 170))):
        canvas.fill(disc(x, 3.15 - 0.38 * place, z, 0.12), color, SIGN, 2.0 if place == shown else 0.25)


def draw_railing(canvas: Canvas, x: float, z: float, random: Random) -> None:
    """Two metres of railing along the kerb; the gaps between its bars count as fence, as is usual."""
    color, height, near, far = (72.0, 76.0, 78.0), 1.1, z, z + 2
    panel = canvas.project([(x, 0.1, near), (x, 0.1, far), (x, height, far), (x, height, near)])
    cv2.fillPoly(canvas.labels, [panel], (FENCE,))
    for y in (0.12, height):
        canvas.fill([(x, y - 0.04, near), (x, y - 0.04, far), (x, y, far), (x, y, near)], color, FENCE)
    for bar in range(16, -1, -1):
        at = near + bar / 8
        canvas.line([(x, 0, at), (x, height, at)], 0.06 if bar % 16 == 0 else 0.02, color, FENCE)


def _post(canvas: Canvas, x: float, z: float, height: float, radius: float, color: Color) -> None:
    """An upright tube, darker on its right, at least two pixels wide."""
    radius = max(radius, 1.01 / canvas.scale(z))
    canvas.fill(rectangle((x - radius, x + radius), (0, height), z), color, POLE)
    canvas.fill(rectangle((x + 0.2 * radius, x + radius), (0, height), z), color, POLE, 0.65)


def _branches(canvas: Canvas, x: float, y: float, z: float, reach: float, color: Color, random: Random) -> None:
    """Branches that divide again and again from the top of a trunk at (x, y, z), until too fine to see.

    Each row of `start` and `arm` is a branch: where it begins, and how far it reaches, right and up in metres.
    """
    start, arm = np.array([[x, y]]), np.array([[0.0, reach]])
    scale, width = canvas.scale(z), 0.16 * reach
    for forks in (3, 3, 3, 2, 2, 2, 2):
        end = start + arm
        lines = np.stack([start, end], 1) * (scale, -scale) + (canvas.centre, canvas.horizon + EYE * scale)
        thickness = max(1, int(width * scale + 0.5))
        for picture, value in ((canvas.image, canvas.lit(color)), (canvas.labels, (TREE,))):
            cv2.polylines(picture, list(lines.astype(np.int32)), False, value, thickness)
        if arm[:, 1].max() * scale < 2:
            return
        start, arm = end.repeat(forks, 0), arm.repeat(forks, 0)
        keep, lean = 0.62 + 0.24 * random.random((len(arm), 1)), 1.7 * random.random((len(arm), 1)) - 0.85
        arm = keep * np.hstack([arm[:, :1] + lean * arm[:, 1:], 0.92 * (arm[:, 1:] - lean * arm[:, :1])])
        width *= 0.6


def _crown(canvas: Canvas, x: float, y: float, z: float, radius: float, color: Color, random: Random) -> None:
    """A ragged ball of leaves or twigs, lighter above."""
    scale = canvas.scale(z)
    column, row, size = canvas.centre + x * scale, canvas.horizon + (EYE - y) * scale, radius * scale * 1.15
    height, width = canvas.labels.shape
    top, bottom = max(0, int(row - size)), min(height, int(row + size) + 1)
    left, right = max(0, int(column - size)), min(width, int(column + size) + 1)
    if top >= bottom or left >= right:
        return
    v = ((np.arange(top, bottom, dtype=np.float32) + 0.5 - np.float32(row)) / np.float32(radius * scale))[:, None]
    u = ((np.arange(left, right, dtype=np.float32) + 0.5 - np.float32(column)) / np.float32(radius * scale))[None]
    start = between(random, 0, 256)
    leaves = np.float32(min(30 * radius, 0.7 * radius * scale))  # as fine as pixels show, at most 3 cm
    coarse, fine = noise(u * 22 + start, v * 22 + 40), grain(u * leaves + start, v * leaves)
    inside = 1 - u * u - v * v + 1.4 * (coarse - 0.5) + 1.6 * fine > 0.25
    bright = (0.8 - 0.3 * v + 0.12 * u) * (0.75 + 1.6 * fine) * (0.65 + 0.7 * coarse)
    paint = np.clip(bright[..., None] * np.asarray(canvas.lit(color), np.float32), 0, 255).astype(np.uint8)
    canvas.image[top:bottom, left:right][inside] = paint[inside]
    canvas.labels[top:bottom, left:right][inside] = TREE
