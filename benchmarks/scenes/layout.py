"""Where things are in a drawn scene: vehicles and people on the street, posts along it, trees behind it."""

from collections.abc import Callable
from functools import partial

import numpy as np

from scenes.backdrop import draw_end_wall
from scenes.canvas import Canvas, Point
from scenes.furniture import (
    draw_bollard,
    draw_bush,
    draw_lamp_post,
    draw_railing,
    draw_sign,
    draw_traffic_light,
    draw_tree,
)
from scenes.people import draw_bicyclist, draw_pedestrian
from scenes.street import SHOP, Random, Street, between
from scenes.vehicles import Vehicle, draw_vehicle, make_vehicle

Draw = Callable[[Canvas, float, float, Random], None]

# What may stand on a pavement: how many at most, from and to metres ahead, and where between kerb and front.
PLACES: tuple[tuple[Draw, int, float, float, float, float], ...] = (
    (draw_pedestrian, 4, 6, 40, 0.25, 0.9),
    (draw_sign, 2, 7, 40, 0.1, 0.2),
    (draw_traffic_light, 1, 9, 35, 0.1, 0.2),
    (draw_bollard, 2, 6, 25, 0.1, 0.2),
    (draw_tree, 1, 10, 60, 0.15, 0.3),
)


class Things:
    """Everything that stands on a street, to be drawn from far to near, and its shadows on the ground."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.shadows: list[list[Point]] = []
        self._draws: list[tuple[float, Callable[[Canvas], None]]] = []

    def add(self, z: float, draw: Callable[[Canvas], None], shadow: list[Point] | None = None) -> None:
        """Put a thing `z` metres ahead."""
        self._draws.append((z, draw))
        if shadow:
            self.shadows.append(shadow)

    def stand(self, draw: Draw, x: float, z: float) -> None:
        """Put an upright thing at (x, z); it is drawn from a generator of its own."""
        near, far = z - 0.2, z + 0.2
        shadow = [(x - 0.25, 0.0, near), (x + 0.25, 0.0, near), (x + 0.25, 0.0, far), (x - 0.25, 0.0, far)]
        self.add(z, partial(_stand, draw=draw, x=x, z=z, random=self.own()), shadow)

    def own(self) -> Random:
        """A generator for one thing."""
        return np.random.Generator(np.random.PCG64(int(self.random.integers(1 << 32))))

    def draw(self, canvas: Canvas) -> None:
        """Draw all, the far ones first."""
        for _, draw in sorted(self._draws, key=lambda entry: -entry[0]):
            draw(canvas)


def place_things(street: Street, random: Random) -> Things:
    """Everything on the road and the pavements."""
    things = Things(random)
    cars = _vehicles(street, random)
    for car in cars:
        things.add(car.z, partial(draw_vehicle, car=car), car.shadow())
    for _ in range(int(random.integers(0, 3))):
        lane = -street.left.kerb + 0.8 if random.random() < 0.6 else street.right.kerb - 0.8
        aside = 1.6 if cars else 0.0  # around the parked cars
        things.stand(draw_bicyclist, lane - aside if lane > 0 else lane + aside, between(random, 6, 28))
    for sign in (-1, 1):
        _pavement(things, street, sign, random)
    return things


def draw_gardens(canvas: Canvas, street: Street, random: Random) -> None:
    """End walls, trees and bushes behind the fronts, seen through the gaps between houses."""
    for side, sign in ((street.left, -1), (street.right, 1)):
        for index in range(len(side.kind) - 2, 0, -1):
            start, stop = float(side.edges[index]), float(side.edges[index + 1])
            if stop < 6:
                continue
            if side.kind[index] <= SHOP:
                draw_end_wall(canvas, side, index, sign)
                continue
            for _ in range(int(random.integers(0, 3)) if start < 70 else 0):
                z, x = between(random, max(start, 5), stop), side.face + between(random, 1.5, 8)
                (draw_tree if random.random() < 0.6 else draw_bush)(canvas, sign * x, z, random)


def _stand(canvas: Canvas, draw: Draw, x: float, z: float, random: Random) -> None:
    draw(canvas, x, z, random)


def _vehicles(street: Street, random: Random) -> list[Vehicle]:
    """Rows of parked vehicles where the road is wide enough, and some that drive in the lanes."""
    cars: list[Vehicle] = []
    lamps = street.mood.lamps
    for side, sign in ((street.left, -1), (street.right, 1)):
        lane = 0.0 if sign < 0 else 2 * street.middle
        z = between(random, 5, 18)
        while side.kerb - lane > 3.0 and z < 45 and random.random() < 0.85:
            oncoming = (sign > 0) == (random.random() < 0.85)
            cars.append(make_vehicle(random, sign * (side.kerb - 1.0), z, oncoming, False))
            z += cars[-1].length + between(random, 0.6, 9)
    if random.random() < 0.6:
        cars.append(make_vehicle(random, between(random, -0.4, 0.3), between(random, 11, 40), False, lamps))
    if random.random() < 0.6:
        x = 2 * street.middle + between(random, -0.3, 0.3)
        cars.append(make_vehicle(random, x, between(random, 9, 45), True, lamps))
    return cars


def _pavement(things: Things, street: Street, sign: int, random: Random) -> None:
    """What stands on one pavement: things at random, lamp posts in a row, sometimes a railing."""
    side = street.left if sign < 0 else street.right
    for draw, most, near, far, low, high in PLACES:
        for _ in range(int(random.integers(0, most + 1))):
            x = side.kerb + (side.face - side.kerb) * between(random, low, high)
            things.stand(draw, sign * x, between(random, near, far))
    z, step = between(random, 7, 24), between(random, 16, 30)
    lamp = partial(draw_lamp_post, towards=-sign)
    while z < 70:
        things.stand(lamp, sign * (side.kerb + 0.4), z)
        z += step
    if random.random() < 0.35:
        near = between(random, 5, 18)
        for _ in range(int(random.integers(2, 7))):
            things.stand(draw_railing, sign * (side.kerb + 0.25), near)
            near += 2
