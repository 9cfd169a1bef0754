"""The ground of a drawn scene, pixel by pixel: road with its marks, kerbs, pavements, verges, shadows."""

import cv2
import numpy as np

from scenes.backdrop import pixel_centres
from scenes.canvas import EYE, PAVEMENT, ROAD, TREE, Canvas, Floats, Point, grain, noise
from scenes.street import OPEN, Frontage, Random, Street, between


def draw_ground(canvas: Canvas, street: Street, shadows: list[list[Point]], random: Random) -> None:
    """Everything below the horizon; `shadows` are outlines on the ground, darkened softly."""
    rows, columns = pixel_centres(canvas)
    first = int(canvas.horizon) + 1
    z = (EYE * canvas.focal / (rows[first:] - canvas.horizon))[:, None]
    x = (columns - canvas.centre)[None] * (z / canvas.focal)
    left, right = _sides(street.left, z), _sides(street.right, z)
    out_left, out_right = -left[0] - x, x - right[0]  # metres beyond the kerb
    outside = np.maximum(out_left, out_right)
    verge = np.where(out_left > out_right, street.left.verge, street.right.verge)
    garden = np.maximum(-left[1] - x, x - right[1]) > 0
    off_road = outside > 0
    grass = off_road & ((outside < verge + 0.15) & (outside > 0.15) & (verge > 0) | garden)
    paint = _road_paint(x, z, outside, street, random)
    paint = np.where(off_road[..., None], _pavement_paint(x, z, outside), paint)
    paint = np.where(grass[..., None], _grass_paint(x, z), paint)
    light = _sunlight(x, z, street) * _soft_shadows(canvas, shadows, first)
    paint *= light[..., None] * np.asarray(street.mood.light, np.float32)
    haze = np.clip(z / 400, 0, 0.4)[..., None]
    paint += (np.asarray(street.mood.haze, np.float32) * 0.7 - paint) * haze
    canvas.image[first:] = np.clip(paint, 0, 255)
    canvas.labels[first:] = np.where(grass, TREE, np.where(off_road, PAVEMENT, ROAD))


def _sides(side: Frontage, z: Floats) -> tuple[Floats, Floats]:
    """Metres to the kerb and to the gardens at each distance; far away where a street turns off."""
    index = np.searchsorted(side.edges, z, "right") - 1
    turning = (side.kind[index] == OPEN) & (index < len(side.kind) - 1)
    kerb = np.where(turning, 60, side.kerb).astype(np.float32)
    return kerb, np.where(turning, 60, side.face).astype(np.float32)


def _road_paint(x: Floats, z: Floats, outside: Floats, street: Street, random: Random) -> Floats:
    start = between(random, 0, 200)
    near = np.clip(7 / z, 0.1, 1)
    asphalt = 98 + 46 * near * grain(x * 70 + start, z * 45) + 14 * (noise(x * 5, z * 1.5 + start) - 0.5)
    lane = np.abs(np.abs(x - street.middle) - street.middle)  # metres from a lane's middle
    asphalt -= 7 * np.clip(1 - np.abs(lane - 0.75) * 3, 0, 1)  # where tyres run
    asphalt -= 12 * (noise(x * 1.3 + start, z * 0.35) > 0.68)  # mended
    asphalt -= 16 * np.clip(1 + outside * 3, 0, 1)  # gutter
    paint: Floats = asphalt[..., None] * np.asarray((0.97, 1.0, 1.05), np.float32)
    worn = noise(x * 30, z * 9 + start) + np.clip(z / 60, 0, 0.4) > 0.3
    phase = (z + start) / 6
    dash = (np.abs(x - street.middle) < 0.06) & (phase - np.floor(phase) < 0.45)
    if street.zebra:
        dash &= np.abs(z - street.zebra) > 3
        dash |= (np.abs(z - street.zebra) < 1.4) & (x - np.floor(x) < 0.5) & (outside < -0.2)
    paint[dash & worn] = (206, 208, 206)
    if street.yellow_lines:
        double = (outside < -0.18) & (outside > -0.25) | (outside < -0.36) & (outside > -0.43)
        paint[double & worn] = (176, 152, 74)
    return paint


def _pavement_paint(x: Floats, z: Floats, outside: Floats) -> Floats:
    stone = 112 + 45 * np.clip(9 / z, 0.1, 1) * grain(x * 40, z * 40) + 24 * (noise(x * 3, z * 2) - 0.5)
    joint = (np.abs(x * 1.6 - np.floor(x * 1.6)) < 0.05) | (np.abs(z * 1.6 - np.floor(z * 1.6)) < 0.07)
    stone -= 14 * np.clip(6 / z, 0, 1) * joint
    stone += np.where(outside < 0.16, 22, 0)  # kerb stone
    stone -= np.where(outside < 0.03, 50, 0)  # its face, in shade
    paint: Floats = stone[..., None].astype(np.float32) * np.asarray((1.0, 0.98, 0.95), np.float32)
    return paint


def _grass_paint(x: Floats, z: Floats) -> Floats:
    blades = 0.85 + 0.9 * grain(x * 50, z * 20) + 0.5 * (noise(x * 4, z * 3) - 0.5)
    paint: Floats = blades[..., None] * np.asarray((86, 100, 52), np.float32)
    return paint


def _sunlight(x: Floats, z: Floats, street: Street) -> Floats:
    """Darkness of the shadow that the houses on the sun's side throw on the street."""
    if not street.mood.sun:
        return np.ones_like(x)
    side = street.left if street.mood.sun < 0 else street.right
    top = side.top[np.searchsorted(side.edges, z + 0.5 * np.abs(x), "right") - 1]  # the sun stands ahead
    reach = np.where(top > 3, 0.55 * top + 0.6, 0.6 * top) - side.face
    past = x * (1 if street.mood.sun < 0 else -1) - reach + 0.5 * (noise(z * 6, x * 3) - 0.5)
    shade: Floats = np.clip(0.55 + past * 1.5, 0.55, 1.08).astype(np.float32)
    return shade


def _soft_shadows(canvas: Canvas, shadows: list[list[Point]], first: int) -> Floats:
    mask = np.zeros(canvas.labels.shape, np.uint8)
    for outline in shadows:
        cv2.fillPoly(mask, [canvas.project(outline)], (255,))
    size = max(3, canvas.labels.shape[0] // 60 | 1)
    soft = cv2.blur(mask[first:], (2 * size + 1, size)).astype(np.float32)
    return np.float32(1) - soft * np.float32(0.68 / 255)
