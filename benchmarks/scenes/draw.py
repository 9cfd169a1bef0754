"""A scene from its seed, and folders of them."""

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scenes.backdrop import draw_fronts, draw_sky, draw_skyline
from scenes.canvas import Canvas
from scenes.ground import draw_ground
from scenes.layout import draw_gardens, place_things
from scenes.street import Random, between, draw_street
from segnext.data.curate.init import init_dataset
from segnext.data.known import known_labels
from segnext.errors import SegNextError
from segnext.files import replacing

SMALL = 160  # rows: larger scenes are drawn at twice the size and averaged, for smooth edges in the image


def draw_scene(seed: int, height: int = 360, width: int = 480) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw a street scene; the same seed and size always give the same scene.

    Returns:
        The image, height x width x 3 RGB, and the labels, height x width, 0 to 10 in CamVid's order.

    Raises:
        SegNextError: when a side is under 16 pixels.
    """
    if min(height, width) < 16:
        raise SegNextError(f"a scene of {height} x {width} pixels is too small to draw; use at least 16 x 16")
    random = np.random.Generator(np.random.PCG64(seed))
    street = draw_street(random)
    oversampling = 2 if height > SMALL else 1
    rows, columns = height * oversampling, width * oversampling
    canvas = Canvas(
        np.empty((rows, columns, 3), np.uint8),
        np.empty((rows, columns), np.uint8),
        focal=1.25 * rows,
        horizon=rows * between(random, 0.46, 0.53),
        centre=columns * between(random, 0.44, 0.56),
        light=street.mood.light,
    )
    things = place_things(street, random)
    draw_sky(canvas, street.mood, random)
    draw_skyline(canvas, street, random)
    draw_ground(canvas, street, things.shadows, random)
    draw_gardens(canvas, street, random)
    draw_fronts(canvas, street, random)
    things.draw(canvas)
    labels = np.ascontiguousarray(canvas.labels[::oversampling, ::oversampling])
    return _photograph(canvas.image, height, width, random), labels


def write_scenes(folder: Path, splits: Mapping[str, int], seed: int = 0, height: int = 360, width: int = 480) -> None:
    """Write a data set of drawn scenes: `splits` says how many each split holds; no two are alike.

    The folder is created; it gets images/SPLIT/NNNN.png, masks/SPLIT/NNNN.png and dataset.yaml.
    """
    folder.mkdir(parents=True, exist_ok=True)
    init_dataset(folder, "camvid", name="scenes")
    scene = seed * 1_000_000
    for split, count in splits.items():
        for part in ("images", "masks"):
            (folder / part / split).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            image, mask = (folder / part / split / f"{number:04d}.png" for part in ("images", "masks"))
            save_scene(scene, height, width, image, mask)
            scene += 1


def save_scene(seed: int, height: int, width: int, image: Path, mask: Path) -> None:
    """Draw a scene into two files; the mask's palette is CamVid's."""
    drawn, labels = draw_scene(seed, height, width)
    _save(Image.fromarray(drawn), image)
    _save(_painted(labels), mask)


def _photograph(image: NDArray[np.uint8], height: int, width: int, random: Random) -> NDArray[np.uint8]:
    """What a camera makes of the drawing: pixels that average, darker corners, a little blur and noise."""
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint16)
    padded = np.pad(small, ((1, 1), (1, 1), (0, 0)), "edge")
    rows = padded[:-2] + 6 * padded[1:-1] + padded[2:]
    blurred = (rows[:, :-2] + 6 * rows[:, 1:-1] + rows[:, 2:]).astype(np.float32) / 64
    y = (np.arange(height, dtype=np.float32) / np.float32(height) - np.float32(0.5))[:, None]
    x = (np.arange(width, dtype=np.float32) / np.float32(width) - np.float32(0.5))[None]
    photo = blurred * (1 - np.float32(0.3) * (x * x + y * y))[..., None]
    grain = random.integers(0, 256, (3, height, width, 3), np.uint8).astype(np.float32).sum(0) - np.float32(382.5)
    photo += grain * np.float32(0.022)
    bright: NDArray[np.uint8] = np.clip(photo + np.float32(0.5), 0, 255).astype(np.uint8)
    return bright


def _painted(labels: NDArray[np.uint8]) -> Image.Image:
    """Labels as a palette picture in CamVid's colours."""
    picture = Image.fromarray(labels)
    picture.putpalette([channel for color in known_labels("camvid").colors for channel in color])
    return picture


def _save(picture: Image.Image, path: Path) -> None:
    with replacing(path) as temporary:
        picture.save(temporary)
