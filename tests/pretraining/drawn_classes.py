"""Tiny pictures in classes that are told apart by colour, drawn by a seeded generator."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import PIL.Image

COLORS = {"blue": (30, 60, 200), "green": (40, 180, 60), "red": (210, 40, 30)}


def draw(path: Path, color: tuple[int, int, int], number: int, height: int = 40, width: int = 48) -> Path:
    """A noisy picture of this colour."""
    random = np.random.default_rng([number, *color])
    noise = random.normal(0, 25, (height, width, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray((np.asarray(color) + noise).clip(0, 255).astype(np.uint8)).save(path)
    return path


def write_classes(folder: Path, counts: Mapping[str, int]) -> Path:
    """folder/SPLIT/CLASS/N.png for each of `COLORS`, with so many pictures in each class of a split."""
    for split, count in counts.items():
        for name, color in COLORS.items():
            for number in range(count):
                draw(folder / split / name / f"{number}.png", color, number + 1000 * (split == "val"))
    return folder


def write_tiny_imagenet(folder: Path) -> Path:
    """Tiny-ImageNet's own layout, with two training pictures and one val picture of each class."""
    lines = []
    for position, (name, color) in enumerate(COLORS.items()):
        for number in range(2):
            draw(folder / "train" / name / "images" / f"{name}_{number}.JPEG", color, number)
        (folder / "train" / name / f"{name}_boxes.txt").write_text(f"{name}_0.JPEG\t0\t0\t39\t39\n")
        file = f"val_{2 - position}.JPEG"
        draw(folder / "val" / "images" / file, color, 9)
        lines.append(f"{file}\t{name}\t0\t0\t39\t39\n")
    (folder / "val" / "val_annotations.txt").write_text("".join(lines))
    (folder / "wnids.txt").write_text("\n".join(COLORS))
    return folder
