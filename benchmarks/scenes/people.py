"""Pedestrians and bicyclists of drawn scenes: flat figures that stand upright and face the camera."""

from collections.abc import Sequence
from dataclasses import dataclass

from scenes.canvas import BICYCLIST, PEDESTRIAN, Canvas, Color, Point, disc
from scenes.street import Random, between, pick

COATS: tuple[Color, ...] = (
    (28, 28, 32), (40, 44, 60), (70, 62, 52), (96, 34, 34), (54, 62, 52), (110, 100, 88), (34, 52, 84), (150, 146, 140),
)  # fmt: skip
TROUSERS: tuple[Color, ...] = ((24, 24, 28), (44, 52, 74), (62, 68, 84), (58, 52, 46), (30, 34, 44))
SKIN: tuple[Color, ...] = ((196, 150, 124), (168, 120, 94), (112, 78, 60))
HAIR: tuple[Color, ...] = ((38, 30, 26), (80, 58, 40), (20, 18, 18), (130, 118, 104))
BRIGHT: tuple[Color, ...] = ((196, 206, 60), (60, 60, 66), (150, 40, 36), (40, 44, 60))


@dataclass(frozen=True)
class Figure:
    """Where a figure stands, in metres, and how it is drawn: offsets in parts of its height."""

    x: float
    z: float
    height: float
    label: int

    def shape(self, canvas: Canvas, offsets: Sequence[tuple[float, float]], color: Color, gain: float = 1.0) -> None:
        """Fill a polygon whose corners are offsets from the feet."""
        points = [(self.x + u * self.height, v * self.height, self.z) for u, v in offsets]
        canvas.fill(points, color, self.label, gain)

    def limb(self, canvas: Canvas, path: Sequence[tuple[float, float]], width: float, color: Color) -> None:
        """Draw a bent limb of even width."""
        points: list[Point] = [(self.x + u * self.height, v * self.height, self.z) for u, v in path]
        canvas.line(points, width * self.height, color, self.label)

    def ball(self, canvas: Canvas, u: float, v: float, radius: float, color: Color, flatten: float = 1.0) -> None:
        """Fill a disc or an ellipse."""
        size = self.height
        canvas.fill(disc(self.x + u * size, v * size, self.z, radius * size, flatten), color, self.label)


def draw_pedestrian(canvas: Canvas, x: float, z: float, random: Random) -> None:
    """Someone walking or standing, `z` metres ahead."""
    figure = Figure(x, z, between(random, 1.55, 1.85), PEDESTRIAN)
    coat, trousers, skin, hair = (pick(random, colors) for colors in (COATS, TROUSERS, SKIN, HAIR))
    step, arm, hem = between(random, 0.01, 0.11), between(random, 0.02, 0.09), between(random, 0.38, 0.5)
    for sign, shade in ((-1, 0.8), (1, 1.0)):
        color = (trousers[0] * shade, trousers[1] * shade, trousers[2] * shade)
        leg = [(sign * 0.035, 0.5), (sign * (0.03 + step * 0.5), 0.27), (sign * step, 0.03)]
        figure.limb(canvas, leg, 0.075, color)
        figure.shape(canvas, [(sign * step + u, v) for u, v in _SHOE], (22, 20, 20))
        sleeve = [(sign * 0.105, 0.79), (sign * (0.13 + arm * 0.3), 0.62), (sign * (0.1 + arm), 0.47)]
        figure.limb(canvas, sleeve, 0.055, coat)
    chest = [(-0.1, 0.6), (-0.125, 0.8), (-0.06, 0.845), (0.06, 0.845), (0.125, 0.8), (0.1, 0.6)]
    figure.shape(canvas, [(-0.105, hem), *chest, (0.105, hem)], coat)
    figure.shape(canvas, [(0.02, 0.845), *chest[4:], (0.105, hem), (0.03, hem)], coat, 0.78)
    if random.random() < 0.3:
        u, v = 0.11 if random.random() < 0.5 else -0.16, between(random, 0.38, 0.52)
        figure.shape(canvas, [(u, v), (u + 0.09, v), (u + 0.08, v + 0.12), (u, v + 0.12)], pick(random, COATS))
    figure.ball(canvas, 0, 0.86, 0.03, skin)
    figure.ball(canvas, 0, 0.925, 0.068, skin, 0.8)
    figure.ball(canvas, 0, 0.95, 0.055, hair)


_SHOE = ((-0.04, 0), (0.05, 0), (0.03, 0.045), (-0.03, 0.045))


def draw_bicyclist(canvas: Canvas, x: float, z: float, random: Random) -> None:
    """Someone on a bicycle, seen from behind or the front, a little from the side."""
    figure = Figure(x, z, 1.0, BICYCLIST)
    turn = between(random, 0.12, 0.75) * (1 if random.random() < 0.5 else -1)  # 1 would be from the side
    reach = 0.52 * turn  # from the middle to a hub
    for hub in (-reach, reach):
        wheel = [(hub + u * abs(turn), 0.34 + v) for u, v, _ in disc(0, 0, 0, 0.33)]
        figure.limb(canvas, [*wheel, wheel[0]], 0.045, (22, 22, 24))
    frame = (70, 72, 78) if random.random() < 0.5 else pick(random, BRIGHT)
    tubes = [(-reach, 0.34), (0, 0.36), (0.6 * reach, 0.85), (-0.3 * reach, 0.85), (0, 0.36)]
    figure.limb(canvas, tubes, 0.04, frame)
    figure.limb(canvas, [(reach, 0.34), (0.65 * reach, 0.98)], 0.04, frame)
    figure.limb(canvas, [(0.6 * reach - 0.24, 1.02), (0.6 * reach + 0.24, 1.02)], 0.045, (30, 30, 32))
    _rider(canvas, figure, reach, random)


def _rider(canvas: Canvas, figure: Figure, reach: float, random: Random) -> None:
    """The person on the bicycle, leaning forward by a part of `reach`."""
    coat, trousers, skin = (pick(random, colors) for colors in (BRIGHT, TROUSERS, SKIN))
    helmet = pick(random, BRIGHT if random.random() < 0.5 else HAIR)
    hip, chest = -0.25 * reach, 0.25 * reach
    for sign, knee, foot in ((-1, 0.62, 0.42), (1, 0.74, 0.22)):
        leg = [(hip + sign * 0.09, 0.95), (sign * 0.15 + chest, knee), (sign * 0.11, foot)]
        figure.limb(canvas, leg, 0.13, trousers)
        figure.limb(canvas, [(sign * 0.11, foot), (sign * 0.17, foot - 0.02)], 0.08, (20, 20, 20))
        arm = [(chest + sign * 0.17, 1.38), (sign * 0.27 + 0.4 * reach, 1.2), (sign * 0.2 + 0.6 * reach, 1.04)]
        figure.limb(canvas, arm, 0.09, coat)
    right = [(hip + 0.17, 0.9), (chest + 0.21, 1.36), (chest + 0.1, 1.47)]
    left = [(chest - 0.1, 1.47), (chest - 0.21, 1.36), (hip - 0.17, 0.9)]
    figure.shape(canvas, [*right, *left], coat)
    figure.shape(canvas, [*right, (chest + 0.02, 1.4), (hip + 0.05, 0.9)], coat, 0.8)
    figure.ball(canvas, chest, 1.56, 0.105, skin, 0.85)
    figure.ball(canvas, chest, 1.62, 0.105, helmet, 0.95)
