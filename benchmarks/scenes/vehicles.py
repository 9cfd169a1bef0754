"""Cars and vans of drawn scenes: a side profile, extruded to a body that narrows towards the roof."""

from dataclasses import dataclass

from scenes.canvas import CAR, Canvas, Color, Point, disc, rectangle
from scenes.street import Random, between, pick

PAINTS: tuple[Color, ...] = (
    (178, 182, 186), (120, 124, 130), (52, 54, 60), (30, 32, 36), (206, 208, 206), (40, 52, 92), (120, 28, 30),
    (36, 66, 56), (70, 88, 112), (140, 130, 112),
)  # fmt: skip
GLASS: Color = (40, 46, 52)
BLACK: Color = (18, 18, 20)

# (metres from the tail, metres above the road) from the tail's lower edge over the roof to the nose's;
# the faces between them are: bumper, tailgate, rear window, roof, windscreen, bonnet, grille, bumper.
HATCHBACK = (
    (0.02, 0.26), (0.0, 0.56), (0.10, 0.98), (0.55, 1.40), (2.30, 1.42),
    (3.0, 1.0), (3.85, 0.82), (4.0, 0.52), (3.96, 0.24),
)  # fmt: skip
SALOON = (
    (0.02, 0.28), (0.0, 0.58), (0.12, 1.0), (1.05, 1.38), (2.45, 1.40),
    (3.3, 0.98), (4.3, 0.80), (4.45, 0.52), (4.4, 0.25),
)  # fmt: skip
ESTATE = (
    (0.02, 0.28), (0.0, 0.60), (0.05, 1.0), (0.32, 1.62), (2.60, 1.66),
    (3.35, 1.08), (4.2, 0.92), (4.35, 0.55), (4.3, 0.27),
)  # fmt: skip
VAN = (
    (0.02, 0.34), (0.0, 0.60), (0.02, 1.15), (0.12, 2.05), (3.55, 2.1),
    (4.3, 1.22), (4.75, 1.05), (4.9, 0.55), (4.85, 0.3),
)  # fmt: skip


@dataclass(frozen=True)
class Vehicle:
    """A vehicle whose middle is `x` metres to the right and whose near end is `z` metres ahead."""

    x: float
    z: float
    oncoming: bool
    profile: tuple[tuple[float, float], ...]
    paint: Color
    half: float  # metres, half its width
    lamps: bool

    @property
    def length(self) -> float:
        """Metres."""
        return max(along for along, _ in self.profile)

    def shadow(self) -> list[Point]:
        """Its outline on the ground."""
        a, b, near, far = self.x - self.half, self.x + self.half, self.z - 0.25, self.z + self.length
        return [(a - 0.2, 0, near), (b + 0.2, 0, near), (b + 0.3, 0, far), (a - 0.3, 0, far)]


def make_vehicle(random: Random, x: float, z: float, oncoming: bool, lamps: bool) -> Vehicle:
    """A vehicle of random build and paint."""
    profile = (HATCHBACK, HATCHBACK, SALOON, ESTATE, VAN)[int(random.integers(5))]
    paint = (210.0, 212.0, 210.0) if profile is VAN and random.random() < 0.6 else pick(random, PAINTS)
    half = between(random, 0.82, 0.9) + (0.1 if profile is VAN else 0)
    return Vehicle(x, z, oncoming, profile, paint, half, lamps)


def draw_vehicle(canvas: Canvas, car: Vehicle) -> None:
    """Draw the faces that the camera sees, the far ones first."""
    points = [_section(car, index) for index in range(len(car.profile))]
    _underside(canvas, car)
    order = range(len(points) - 1) if car.oncoming else range(len(points) - 2, -1, -1)
    _flank(canvas, car, points)
    for index in order:
        _face(canvas, car, index, points)
    _lights(canvas, car)


def _section(car: Vehicle, index: int) -> tuple[Point, Point]:
    """Left and right ends of a corner of the profile."""
    along, height = car.profile[index]
    z = car.z + (car.length - along if car.oncoming else along)
    narrow = 0.74 if index in (3, 4) and car.profile is not VAN else 0.9 if index in (3, 4) else 0.97
    narrow = 0.9 if index in (0, 8) else narrow
    return (car.x - narrow * car.half, height, z), (car.x + narrow * car.half, height, z)


def _face(canvas: Canvas, car: Vehicle, index: int, points: list[tuple[Point, Point]]) -> None:
    """One of the faces across the vehicle, if it is turned towards the camera."""
    near, far = (points[index], points[index + 1]) if index < 4 else (points[index + 1], points[index])
    corners = [near[0], near[1], far[1], far[0]]
    (_, low), (_, high) = canvas.project([near[0], far[0]])
    if high >= low:  # seen from behind or edge-on
        return
    tail_side = index < 4
    if tail_side == car.oncoming and index != 3:
        return
    gain = (0.55, 0.82, 1.0, 1.25, 1.0, 1.2, 0.8, 0.5)[index]
    canvas.fill(corners, car.paint, CAR, gain)
    if index in (2, 4) and (car.profile is not VAN or car.oncoming):
        inner = _inset(corners, 0.08)
        canvas.fill(inner, GLASS, CAR)
        shine = [inner[2], inner[3], _mix(inner[3], inner[0], 0.45), _mix(inner[2], inner[1], 0.2)]
        canvas.fill(shine, (96, 106, 114), CAR)
    elif index in (1, 6):
        low_edge = [corners[0], corners[1], _mix(corners[1], corners[2], 0.35), _mix(corners[0], corners[3], 0.35)]
        canvas.fill(low_edge, car.paint, CAR, gain * 0.82)


def _flank(canvas: Canvas, car: Vehicle, points: list[tuple[Point, Point]]) -> None:
    """The side that the camera sees: body, windows, wheels."""
    side = 1 if car.x + car.half < 0 else 0 if car.x - car.half > 0 else -1
    if side < 0:
        return
    outline = [point[side] for point in points]
    canvas.fill(outline, car.paint, CAR, 0.78)
    canvas.fill([outline[i] for i in (0, 1, 7, 8)], car.paint, CAR, 0.55)
    if car.profile is VAN:
        window = [_mix(outline[5], outline[2], t) for t in (0.04, 0.28)]
        top = [_mix(outline[4], outline[3], t) for t in (0.05, 0.22)]
        canvas.fill([window[0], window[1], _mix(window[1], top[1], 0.8), _mix(window[0], top[0], 0.8)], GLASS, CAR)
    else:
        canvas.fill(_inset([outline[i] for i in (2, 5, 4, 3)], 0.1), GLASS, CAR)
        post = [_mix(outline[2], outline[5], t) for t in (0.5, 0.55)]
        roof = [_mix(outline[3], outline[4], t) for t in (0.5, 0.55)]
        canvas.fill([post[0], post[1], roof[1], roof[0]], car.paint, CAR, 0.7)
    x = car.x + (car.half if side else -car.half) * 0.97
    for along in (0.19 * car.length, 0.8 * car.length):
        z = car.z + (car.length - along if car.oncoming else along)
        for radius, color in ((0.38, BLACK), (0.31, (26, 26, 28)), (0.19, (120, 122, 124)), (0.07, BLACK)):
            if radius * canvas.scale(z) < 1:
                break
            wheel = [(x, 0.31 + py, z + px) for px, py, _ in disc(0, 0, 0, radius)]
            canvas.fill([(px, max(py, 0.0), pz) for px, py, pz in wheel], color, CAR)


def _underside(canvas: Canvas, car: Vehicle) -> None:
    """The dark below the body, and the tyres that stand in it."""
    z = car.z + 0.25
    canvas.fill(rectangle((car.x - 0.85 * car.half, car.x + 0.85 * car.half), (0.08, 0.45), z), (14, 14, 15), CAR)
    for sign in (-1, 1):
        inner, outer = car.x + sign * 0.64 * car.half, car.x + sign * 0.9 * car.half
        canvas.fill(rectangle((inner, outer), (0.0, 0.4), z), BLACK, CAR)


def _lights(canvas: Canvas, car: Vehicle) -> None:
    """Lamps, number plate, grille and bumper of the near end."""
    low, high = car.profile[1][1], car.profile[2][1]
    z, half = car.z - 0.01, 0.93 * car.half
    if car.oncoming:
        low, high = car.profile[7][1], car.profile[6][1]
        lamp: Color = (255, 250, 226) if car.lamps else (206, 210, 214)
        canvas.fill(rectangle((car.x - 0.5 * half, car.x + 0.5 * half), (low, high - 0.06), z), BLACK, CAR)
    else:
        lamp = (255, 60, 40) if car.lamps else (138, 26, 26)
    gain = 1.9 if car.lamps else 1.0
    for sign in (-1, 1):
        inner, outer = car.x + sign * half * (0.55 if car.oncoming else 0.76), car.x + sign * half
        bottom = low + (0.05 if car.oncoming else 0.12)
        canvas.fill(rectangle((inner, outer), (bottom, high - 0.04), z), lamp, CAR, gain)
    plate: Color = (220, 220, 212) if car.oncoming else (214, 180, 60)
    middle = low - 0.08 if car.oncoming else low + 0.12
    canvas.fill(rectangle((car.x - 0.26, car.x + 0.26), (middle, middle + 0.11), z), plate, CAR)
    canvas.fill(rectangle((car.x - half, car.x + half), (0.26, 0.34), z), (24, 24, 26), CAR)


def _mix(a: Point, b: Point, t: float) -> Point:
    return a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t


def _inset(corners: list[Point], amount: float) -> list[Point]:
    """The quadrilateral, drawn towards its middle."""
    middle = _mix(_mix(corners[0], corners[2], 0.5), _mix(corners[1], corners[3], 0.5), 0.5)
    return [_mix(corner, middle, amount) for corner in corners]
