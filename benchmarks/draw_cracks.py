"""Draw photographs of concrete with cracks, and masks of 0 and 255, as crack data sets come.

python benchmarks/draw_cracks.py cracks        # cracks/images/NNN.jpg, cracks/masks/NNN.png

Cracks are crooked, branch, fade and are one to five pixels wide. Joints, stains, pores and shadows are none of them.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

HEIGHT, WIDTH = 256, 320
PICTURES = 250

Array = NDArray[np.float32]


def main() -> None:
    """Write the pictures and masks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="where to write them")
    folder = parser.parse_args().folder
    random = np.random.default_rng(0)
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for number in range(PICTURES):
        picture, mask = draw(random)
        PIL.Image.fromarray(picture).save(folder / f"images/{number:03}.jpg", quality=90)
        PIL.Image.fromarray(mask).save(folder / f"masks/{number:03}.png")


def draw(random: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A picture, (HEIGHT, WIDTH, 3), and its mask of 0 and 255."""
    grey = (
        random.uniform(120, 190)
        + 10 * smooth(random, 40)
        + 5 * smooth(random, 6)
        + random.normal(0, 5, (HEIGHT, WIDTH))
    )
    wall = np.repeat(grey[..., None], 3, axis=2) * random.uniform(0.94, 1.04, 3)
    wall *= 1 - 0.25 * np.clip(smooth(random, 25) - 0.8, 0, 1)[..., None]  # stains
    wall[joints(random)] *= 0.6
    wall[pores(random)] *= 0.55
    opening = np.zeros((HEIGHT, WIDTH), np.uint8)
    depth = np.zeros((HEIGHT, WIDTH), np.float32)
    for _ in range(random.choice([0, 1, 2, 3], p=[0.1, 0.5, 0.3, 0.1])):
        grow(
            random,
            opening,
            depth,
            random.uniform(0, (WIDTH, HEIGHT)),
            random.uniform(0, 2 * np.pi),
            random.uniform(2, 5),
        )
    shade = cv2.GaussianBlur(depth, (0, 0), 0.7)[..., None]
    wall = wall * (1 - shade) + 35 * shade
    if random.random() < 0.3:  # a shadow falls on the wall
        wall[:, : random.integers(30, WIDTH)] *= random.uniform(0.6, 0.85)
    return np.clip(wall, 0, 255).astype(np.uint8), opening


def grow(
    random: np.random.Generator,
    opening: NDArray[np.uint8],
    depth: Array,
    place: NDArray[np.float64],
    course: float,
    width: float,
) -> None:
    """Walk a crack through the wall, narrowing, with branches."""
    strength = random.uniform(0.45, 0.9)
    for _ in range(random.integers(30, 90)):
        course += random.normal(0, 0.28)
        step = place + random.uniform(4, 8) * np.array([np.cos(course), np.sin(course)])
        start, end = ([int(x), int(y)] for x, y in (place, step))
        cv2.line(opening, start, end, 255, max(1, round(width)))
        cv2.line(depth, start, end, strength, max(1, round(width)))
        place, width = step, max(1.0, width * random.uniform(0.955, 1.02))
        if random.random() < 0.03 and width > 1.5:
            grow(random, opening, depth, place, course + random.choice([-0.8, 0.8]), 0.7 * width)
        if not (0 <= place[0] < WIDTH and 0 <= place[1] < HEIGHT):
            return


def joints(random: np.random.Generator) -> NDArray[np.bool_]:
    """Straight seams of the formwork, dark and thin like cracks."""
    seams = np.zeros((HEIGHT, WIDTH), np.uint8)
    if random.random() < 0.4:
        x, lean = int(random.integers(WIDTH)), int(random.integers(-15, 15))
        cv2.line(seams, (x, 0), (x + lean, HEIGHT), 1, int(random.integers(2, 5)))
    return seams > 0


def pores(random: np.random.Generator) -> NDArray[np.bool_]:
    """Round holes of air bubbles."""
    holes = np.zeros((HEIGHT, WIDTH), np.uint8)
    for _ in range(random.integers(0, 40)):
        center = int(random.integers(WIDTH)), int(random.integers(HEIGHT))
        cv2.circle(holes, center, int(random.integers(1, 4)), 1, -1)
    return holes > 0


def smooth(random: np.random.Generator, scale: float) -> Array:
    """Noise without detail finer than `scale` pixels, of standard deviation 1."""
    noise = cv2.GaussianBlur(random.normal(size=(HEIGHT, WIDTH)).astype(np.float32), (0, 0), scale)
    return np.asarray((noise - noise.mean()) / noise.std(), np.float32)


if __name__ == "__main__":
    main()
