"""A multi-label data set that is drawn: discs, squares and stripes that lie over each other."""

from pathlib import Path

import cv2
import numpy as np
import PIL.Image

SHAPES = ("disc", "square", "stripe")
YAML = """\
name: shapes
classes:
  - {name: disc, color: [220, 40, 40]}
  - {name: square, color: [40, 90, 220]}
  - {name: stripe, color: [240, 200, 40]}
multi_label: true
"""
TINTS = ((0, 60, 0), (0, 0, -90), (70, -50, 0))  # of red, green and blue, added where a class is


def write_shapes(folder: Path, splits: dict[str, int], height: int, width: int) -> None:
    """Write `splits` (pictures in each) of size `height` x `width` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset.yaml").write_text(YAML)
    for offset, (split, count) in enumerate(splits.items()):
        for number in range(count):
            image, planes = draw_shapes(1000 * offset + number, height, width)
            masks = folder / f"masks/{split}/{number:03}"
            masks.mkdir(parents=True)
            (folder / f"images/{split}").mkdir(parents=True, exist_ok=True)
            PIL.Image.fromarray(image).save(folder / f"images/{split}/{number:03}.png")
            for name, plane in zip(SHAPES, planes, strict=True):
                if plane.any():
                    PIL.Image.fromarray(255 * plane).save(masks / f"{name}.png")


def draw_shapes(seed: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture, H x W x 3, and where each shape is, 3 x H x W of 0 and 1; a shape may be absent."""
    random = np.random.default_rng(seed)
    size = min(height, width)
    planes = np.zeros((3, height, width), np.uint8)
    for _ in range(random.integers(0, 3)):
        centre = int(random.integers(width)), int(random.integers(height))
        cv2.circle(planes[0], centre, int(random.integers(size // 6, size // 3)), 1, -1)
    for _ in range(random.integers(0, 3)):
        left, top, side = (int(random.integers(limit)) for limit in (width, height, size // 2))
        cv2.rectangle(planes[1], (left, top), (left + size // 8 + side, top + size // 8 + side), 1, -1)
    for _ in range(random.integers(0, 2)):
        ends = [(int(random.integers(width)), y) for y in (0, height)]
        cv2.line(planes[2], ends[0], ends[1], 1, max(2, size // 12))
    image = random.normal(120, 12, (height, width, 3)) + random.uniform(-20, 20, 3)
    for plane, tint in zip(planes, TINTS, strict=True):
        image += plane[..., None] * np.array(tint)
    return image.clip(0, 255).astype(np.uint8), planes
