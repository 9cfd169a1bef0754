"""What a drawn street is like: light, widths, and what stands along both sides."""

from dataclasses import dataclass

import numpy as np

from scenes.canvas import Color, Floats

HOUSE, SHOP, WALL, HEDGE, FENCE_PANEL, OPEN = range(6)  # what stands along the street

Random = np.random.Generator


@dataclass(frozen=True)
class Mood:
    """Light and weather: sky colours, how dense its clouds are, the light on things, and the sun's side.

    `sun` is -1 or 1 when the sun shines from the left or right, 0 when it is behind clouds.
    """

    zenith: Color
    haze: Color
    cloud: Color
    clouds: float
    light: Color
    sun: int
    lamps: bool


@dataclass(frozen=True)
class Frontage:
    """What stands along one side, in pieces from near to far; row i of each array describes piece i.

    Attributes:
        face: metres from the vanishing line to the fronts, positive on both sides.
        kerb: metres to the kerb.
        edges: (n + 1,) where pieces begin, in metres ahead; the last piece is open and endless.
        kind: (n,) HOUSE, SHOP, WALL, HEDGE, FENCE_PANEL or OPEN.
        top, eave, storey, bay: (n,) metres; height, height without roof, of a storey, between windows.
        wall, trim, roof: (n, 3) colours.
    """

    face: float
    kerb: float
    verge: float
    edges: Floats
    kind: Floats
    top: Floats
    eave: Floats
    storey: Floats
    bay: Floats
    wall: Floats
    trim: Floats
    roof: Floats


@dataclass(frozen=True)
class Street:
    """A straight street; left and right of the camera, which drives on the left."""

    mood: Mood
    left: Frontage
    right: Frontage
    middle: float  # metres right of the camera where the lanes meet
    end: float  # metres ahead where the rows of houses end
    yellow_lines: bool
    zebra: float  # metres ahead of a zebra crossing, or 0


WALLS: tuple[Color, ...] = (
    (150, 118, 92), (168, 142, 108), (128, 96, 78), (112, 84, 70), (186, 172, 140), (205, 200, 188),
    (140, 132, 122), (120, 116, 112), (160, 104, 84), (222, 218, 208), (136, 120, 96),
)  # fmt: skip
TRIMS: tuple[Color, ...] = (
    (30, 48, 40), (110, 24, 28), (28, 36, 70), (40, 40, 42), (188, 180, 160), (60, 80, 60), (150, 110, 40),
    (220, 220, 216), (76, 30, 60),
)  # fmt: skip
ROOFS: tuple[Color, ...] = ((92, 74, 66), (78, 76, 78), (110, 80, 66), (66, 66, 72))
LEAVES: tuple[Color, ...] = ((84, 92, 58), (70, 84, 54), (104, 98, 70), (78, 78, 54))


def pick(random: Random, colors: tuple[Color, ...], spread: float = 0.12) -> Color:
    """One of `colors`, a little brighter or darker and a little off in hue."""
    red, green, blue = colors[int(random.integers(len(colors)))]
    gain = 1 + spread * (2 * random.random() - 1)
    shift = 10 * spread * (2 * random.random() - 1)
    return red * gain + shift, green * gain, blue * gain - shift


def draw_street(random: Random) -> Street:
    """A street at random: a row of houses, shops, gardens and gaps on each side."""
    town = random.random() < 0.6
    end = between(random, 60, 150) if town else between(random, 45, 110)
    middle = between(random, 1.3, 2.1)
    left = _frontage(random, town, between(random, 2.6, 4.6), end)
    right = _frontage(random, town, 2 * middle + between(random, 2.6, 4.6), end)
    return Street(
        draw_mood(random), left, right, middle, end,
        yellow_lines=bool(random.random() < 0.5),
        zebra=between(random, 9, 22) if random.random() < 0.2 else 0.0,
    )  # fmt: skip


def draw_mood(random: Random) -> Mood:
    """Sunny, bright without sun, overcast or dusk."""
    choice = random.random()
    warm = between(random, -0.03, 0.03)
    if choice < 0.4:
        gain = between(random, 0.85, 1.1)
        side = 1 if random.random() < 0.5 else -1
        light = ((1.02 + warm) * gain, gain, (0.96 - warm) * gain)
        return Mood((150, 196, 236), (236, 244, 250), (255, 255, 255), 0.5, light, side, False)
    if choice < 0.65:
        gain = between(random, 0.75, 1.0)
        light = ((0.98 + warm) * gain, gain, (1.0 - warm) * gain)
        return Mood((226, 236, 244), (250, 252, 252), (255, 255, 255), 0.6, light, 0, False)
    if choice < 0.85:
        gain = between(random, 0.55, 0.75)
        light = ((0.96 + warm) * gain, gain, (1.03 - warm) * gain)
        return Mood((150, 158, 168), (222, 226, 228), (206, 212, 216), 0.9, light, 0, False)
    gain = between(random, 0.36, 0.5)
    light = ((0.9 + warm) * gain, 0.98 * gain, (1.04 - warm) * gain)
    return Mood((104, 118, 132), (196, 202, 198), (160, 168, 172), 1.0, light, 0, True)


def between(random: Random, low: float, high: float) -> float:
    """A number between `low` and `high`."""
    return low + (high - low) * float(random.random())


def _frontage(random: Random, town: bool, kerb: float, end: float) -> Frontage:
    """One side of the street, pieces at random; `kerb` metres from the vanishing line to the kerb."""
    suburb_verge = not town and random.random() < 0.6
    verge = between(random, 0.8, 2.0) if suburb_verge else 0.0
    face = kerb + verge + (between(random, 1.6, 3.2) if town else between(random, 2.2, 4.5))
    odds = (0.34, 0.46, 0.05, 0.03, 0.04, 0.08) if town else (0.38, 0.04, 0.12, 0.18, 0.16, 0.12)
    kinds, tops, eaves, storeys, bays, edges = [], [], [], [], [], [-10.0]
    while edges[-1] < end:
        kind = int(np.searchsorted(np.cumsum(odds), random.random() * 0.999))
        storey = between(random, 2.7, 3.4)
        floors = int(random.integers(2, 5)) if town else 2
        low = (0.0, 0.0, between(random, 1.2, 2.2), between(random, 1.0, 2.6), between(random, 1.1, 1.9), 0.0)[kind]
        eave = floors * storey + 0.9 if kind in (HOUSE, SHOP) else low
        pitch = between(random, 2.0, 3.6) if random.random() < 0.75 else 0.2
        kinds.append(kind)
        eaves.append(eave)
        tops.append(eave + pitch if kind in (HOUSE, SHOP) else low)
        storeys.append(storey)
        bays.append(between(random, 1.9, 3.6))
        edges.append(edges[-1] + (between(random, 5, 9) if kind == OPEN else between(random, 6, 16)))
    count = len(kinds)
    wall = [pick(random, LEAVES if kind == HEDGE else WALLS) for kind in kinds]
    return Frontage(
        face, kerb, verge,
        *(np.asarray(values, np.float32) for values in (
            edges, [*kinds, OPEN], [*tops, 0], [*eaves, 0], [*storeys, 3], [*bays, 3], [*wall, (0, 0, 0)],
            [pick(random, TRIMS) for _ in range(count + 1)], [pick(random, ROOFS) for _ in range(count + 1)],
        )),
    )  # fmt: skip
