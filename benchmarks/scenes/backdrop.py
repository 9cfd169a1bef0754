"""The parts of a drawn scene that are computed pixel by pixel: sky, skyline and house fronts.

Fronts are upright planes along the street, so a pixel's column alone says how far ahead it meets the
plane, and its row then says how high.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes.canvas import (
    BUILDING,
    EYE,
    FENCE,
    SKY,
    TREE,
    Canvas,
    Color,
    Floats,
    noise,
)
from scenes.street import (
    FENCE_PANEL,
    HEDGE,
    OPEN,
    SHOP,
    WALLS,
    Frontage,
    Mood,
    Random,
    Street,
    between,
    pick,
)


def draw_sky(canvas: Canvas, mood: Mood, random: Random) -> None:
    """Fill the picture with sky: paler towards the horizon, with clouds that lie flat above the street."""
    rows, columns = pixel_centres(canvas)
    up = np.clip((canvas.horizon - rows) / canvas.horizon, 0, 1)[:, None]
    zenith, haze, cloud = (np.asarray(color, np.float32) for color in (mood.zenith, mood.haze, mood.cloud))
    sky = haze + (zenith - haze) * up[..., None]
    stretch = 60 / (up + np.float32(0.25))
    u = (columns - canvas.centre) / canvas.focal * stretch + between(random, 0, 256)
    v = 2 * stretch + between(random, 0, 256)
    cover = np.clip((noise(u, v) - (1 - mood.clouds) * 0.7) * 3, 0, 1)
    shape = cover * np.clip(up * 4, 0.15, 1)
    shade = np.float32(1) - (1 - noise(u + 9, v + 14)) * np.float32(0.3 * mood.clouds * mood.clouds)
    sky = sky + (cloud * shade[..., None] - sky) * shape[..., None]
    canvas.image[:] = np.clip(sky, 0, 255)
    canvas.labels[:] = SKY


def draw_skyline(canvas: Canvas, street: Street, random: Random) -> None:
    """Far houses and trees, hazy, where the street meets the sky."""
    rows, columns = pixel_centres(canvas)
    pixel = canvas.scale(street.end + 30)  # of a metre
    metres = (columns - canvas.centre) / pixel
    houses = 4 + 9 * noise(np.floor(metres / 9) * 5, np.full(1, between(random, 0, 256), np.float32))
    trees = 3 + 8 * noise(metres * 1.5, np.full(1, between(random, 0, 256), np.float32))
    trees += 2 * noise(metres * 16, np.full(1, 7, np.float32))
    layers = [(houses, pick(random, WALLS[:5]), BUILDING), (trees, (84.0, 92.0, 76.0), TREE)]
    for height, color, label in layers if random.random() < 0.6 else layers[::-1]:
        inside = (canvas.horizon - rows)[:, None] < (height - EYE) * pixel
        inside &= (rows < canvas.horizon + 2)[:, None]
        texture = 0.6 + 0.7 * noise(metres * 2.5, rows[:, None] / pixel * 2.5)
        haze = np.asarray(street.mood.haze, np.float32) * np.float32(0.42)
        paint = np.asarray(canvas.lit(color), np.float32) * 0.5 * texture[..., None] + haze
        canvas.image[inside] = np.clip(paint[inside], 0, 255)
        canvas.labels[inside] = label


def draw_end_wall(canvas: Canvas, side: Frontage, index: int, sign: int) -> None:
    """The wall that a house turns towards the camera, seen through the gap before it."""
    z, near, far = float(side.edges[index]), sign * side.face, sign * (side.face + 9)
    if z < 2:
        return
    wall, eave, top = _color(side.wall[index]), float(side.eave[index]), float(side.top[index])
    middle = (near + far) / 2
    outline = [(near, 0, z), (far, 0, z), (far, eave, z), (middle, top, z), (near, eave, z)]
    canvas.fill(outline, wall, BUILDING, 0.62)
    for low, high in (((near, eave), (middle, top)), ((far, eave), (middle, top))):
        edge = [(*low, z), (*high, z), (high[0], high[1] + 0.25, z), (low[0], low[1] + 0.25, z)]
        canvas.fill(edge, _color(side.roof[index]), BUILDING, 0.7)
    if z > 50:  # too far for texture and windows to show
        return
    canvas.roughen(outline, 0.45)
    for floor in range(int(eave / 3)):
        x, y = near + sign * 3, 1.2 + 3 * floor
        canvas.fill(
            [(x, y, z), (x + 1.2, y, z), (x + 1.2, y + 1.4, z), (x, y + 1.4, z)], (150, 146, 140), BUILDING, 0.7
        )
        x, y = x + 0.1, y + 0.1
        canvas.fill([(x, y, z), (x + 1, y, z), (x + 1, y + 1.2, z), (x, y + 1.2, z)], (52, 58, 64), BUILDING)


def draw_fronts(canvas: Canvas, street: Street, random: Random) -> None:
    """The rows of houses, shops, walls, hedges and fences on both sides."""
    rows, columns = pixel_centres(canvas)
    side, index, z = _pieces(canvas, street, columns)
    part = {name: _lookup(street, name, side, index) for name in ("kind", "top", "eave", "storey", "bay")}
    y = EYE + (canvas.horizon - rows)[:, None] * (z / canvas.focal)
    top = _visible_top(street, part, side)
    ragged = np.where(part["kind"] == HEDGE, 0.5, 0).astype(np.float32) * (
        noise(z * 12, np.full(1, 3, np.float32)) - 0.5
    )
    solid = (y > 0) & (y < top + ragged) & (part["kind"] != OPEN)
    keep = np.flatnonzero(solid.any(0))  # columns: the rest is open
    if not len(keep):
        return
    lowest = int(np.flatnonzero(solid.any(1))[-1]) + 1
    y, z, solid = y[:lowest, keep], z[keep], solid[:lowest, keep]
    part = {name: values[keep] for name, values in part.items()}
    side, index = side[keep], index[keep]
    wall, trim, roof = (_lookup(street, name, side, index) for name in ("wall", "trim", "roof"))
    paint = _front_paint(y, z, part, (wall, trim, roof), street.mood, random)
    sunlit = np.where(side == (street.mood.sun < 0), 1.12, 0.62 if street.mood.sun else 0.9).astype(np.float32)
    paint *= (np.clip(0.7 + 0.25 * y, 0.7, 1) * sunlit)[..., None]
    paint *= np.asarray(street.mood.light, np.float32)
    haze = np.clip(z / 320, 0, 0.45)[:, None]
    paint += (np.asarray(street.mood.haze, np.float32) * 0.8 - paint) * haze
    rows_of, columns_of = np.nonzero(solid)
    canvas.image[rows_of, keep[columns_of]] = np.clip(paint[solid], 0, 255)
    label = np.full(len(keep), BUILDING, np.uint8)
    label[part["kind"] == HEDGE], label[part["kind"] == FENCE_PANEL] = TREE, FENCE
    canvas.labels[rows_of, keep[columns_of]] = label[columns_of]


def _visible_top(street: Street, part: dict[str, Floats], side: NDArray[np.int64]) -> Floats:
    """How high each piece looks on the plane of the fronts: roofs slope back, chimneys stand on them."""
    face = np.where(side == 0, street.left.face, street.right.face)
    pitch = part["top"] - part["eave"]
    ridge = EYE + (part["top"] - EYE) * face / (face + pitch)
    top: Floats = np.maximum(part["eave"], ridge)
    return top


def _front_paint(
    y: Floats,
    z: Floats,
    part: dict[str, Floats],
    colors: tuple[Floats, Floats, Floats],
    mood: Mood,
    random: Random,
) -> Floats:
    """(rows, columns, 3) colours of the fronts at height `y` and distance `z`, before light and haze."""
    (wall, trim, roof), start = colors, between(random, 0, 256)
    kind, eave = part["kind"], part["eave"]
    texture = (0.6 + 0.36 * noise(z * 7 + start, y * 26) + 0.25 * noise(z * 2.5, y * 2 + start))[..., None]
    paint: Floats = wall * texture
    built, shop = kind <= SHOP, (kind == SHOP) & (y < 3.7)
    across = z / part["bay"]
    aside = np.abs(across - np.floor(across) - 0.5)  # 0 at the middle of a window, 0.5 between two
    floor, up = _storeys(y, part)
    upper = built & (y < eave - 0.35) & ~shop
    frame = upper & (aside < 0.27) & (up > 0.2) & (up < 0.82)
    window = upper & (aside < 0.23) & (up > 0.25) & (up < 0.78) & (np.abs(up - 0.5) > 0.025) & (aside > 0.012)
    window |= shop & (aside < 0.44) & (y > 0.55) & (y < 2.6)
    letters = shop & (y > 2.9) & (y < 3.15) & (aside < 0.4) & (noise(z * 24, _ROW) > 0.52)
    cornice = built & (y > eave - 0.22) & (y < eave)
    glass = _glass(np.floor(across) + start, floor, up, shop, mood)
    leaves = noise(z * 34, y * 34 + start)[..., None]
    for where, color in (
        (frame, 0.5 * wall + 105),
        (shop & (y < 3.3), trim * (0.7 + 0.3 * texture)),
        (window, glass),
        (letters, 255 - 0.6 * trim),
        (cornice, 0.4 * wall + 100),
        (built & (y >= eave), roof * (0.5 + 0.54 * texture)),
        (kind == HEDGE, wall * (0.3 + 1.1 * leaves)),
    ):
        paint = np.where(where[..., None], color, paint)
    paint[built & (y > eave - 0.55) & (y <= eave - 0.22)] *= 0.72  # in the cornice's shade
    paint[:, (kind == FENCE_PANEL) & (np.abs(z * 4 - np.floor(z * 4) - 0.5) > 0.42)] *= 0.55
    return paint


_ROW = np.full(1, 31, np.float32)  # of the noise, where one dimension is enough


def _storeys(y: Floats, part: dict[str, Floats]) -> tuple[Floats, Floats]:
    """Which storey above the ground floor a height belongs to, and where in it, 0 to 1."""
    above = (y - np.where(part["kind"] == SHOP, 3.7, 3.0).astype(np.float32)) / part["storey"]
    floor = np.floor(above)
    return floor, above - floor


def _glass(bay: Floats, floor: Floats, up: Floats, shop: NDArray[np.bool_], mood: Mood) -> Floats:
    """Window panes that mirror more or less of the sky; behind some there is light."""
    glint = np.clip(3 * noise(bay * 37, floor * 53) - 1, 0.05, 1) * (0.15 + 0.5 * np.clip(up, 0, 1))
    pane: Floats = np.asarray((34, 38, 42), np.float32) + np.asarray(mood.haze, np.float32) * 0.6 * glint[..., None]
    lit = (noise(bay * 11, floor * 29) > 0.72) & mood.lamps | shop & (noise(bay * 5, floor * 3) > 0.6)
    pane[lit] += np.asarray((70, 56, 30), np.float32)
    return pane


def _pieces(canvas: Canvas, street: Street, columns: Floats) -> tuple[NDArray[np.int64], Any, Floats]:
    """Per column: 0 for the left side or 1, the piece's index, and metres ahead."""
    side = (columns > canvas.centre).astype(np.int64)
    face = np.where(side == 0, street.left.face, street.right.face).astype(np.float32)
    z = face * canvas.focal / np.maximum(np.abs(columns - canvas.centre), 0.25)
    index = [np.searchsorted(front.edges, z, "right") - 1 for front in (street.left, street.right)]
    return side, np.where(side == 0, index[0], index[1]), z.astype(np.float32)


def _lookup(street: Street, name: str, side: NDArray[np.int64], index: Any) -> Floats:
    """A property of the pieces, per column."""
    left, right = getattr(street.left, name), getattr(street.right, name)
    table: Floats = np.concatenate([left, right])
    values: Floats = table[index + side * len(left)]
    return values


def pixel_centres(canvas: Canvas) -> tuple[Floats, Floats]:
    """The rows' and the columns' centres, in pixels."""
    height, width = canvas.labels.shape
    return np.arange(height, dtype=np.float32) + 0.5, np.arange(width, dtype=np.float32) + 0.5


def _color(values: Floats) -> Color:
    return float(values[0]), float(values[1]), float(values[2])
