"""Small data sets, in order and in disorder."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segnext.data.doctor.check import check
from segnext.data.doctor.findings import Finding


class Folder:
    """A folder of pictures and masks in the making: three classes and 255 to ignore, 48 x 64 pixels."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.generator = np.random.Generator(np.random.PCG64(5))
        self.pairs = 0

    def picture(self, height: int = 48, width: int = 64) -> NDArray[np.uint8]:
        """A smooth random picture, unlike every other."""
        coarse = self.generator.integers(0, 256, (5, 6, 3), dtype=np.uint8)
        return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))

    def mask(self, height: int = 48, width: int = 64) -> NDArray[np.uint8]:
        """Three vertical stripes of 0, 1 and 2, and one row to ignore."""
        mask = np.zeros((height, width), np.uint8)
        mask[:, width // 3 :], mask[:, 2 * width // 3 :], mask[0] = 1, 2, 255
        return mask

    def save(self, name: str, pixels: NDArray[np.uint8] | Image.Image) -> Path:
        """Write a picture; JPEG and PNG by the suffix."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
        picture.save(path)
        return path

    def pair(self, stem: str, split: str = "train", mask: NDArray[np.uint8] | Image.Image | None = None) -> None:
        """Write images/SPLIT/STEM.png and masks/SPLIT/STEM.png; by default each ignores another row."""
        self.pairs += 1
        self.save(f"images/{split}/{stem}.png", self.picture())
        self.save(f"masks/{split}/{stem}.png", np.roll(self.mask(), self.pairs, axis=0) if mask is None else mask)

    def classes(self, count: int = 3, ignore: int = 255) -> None:
        """Write dataset.yaml with grass, road, ... in fixed colours."""
        names = ("grass", "road", "house", "water", "car")[:count]
        colors = ((0, 128, 0), (128, 64, 128), (128, 0, 0), (0, 0, 128), (64, 0, 128))
        entries = [f"  - {{name: {name}, color: {list(color)}}}\n" for name, color in zip(names, colors, strict=False)]
        self.root.mkdir(exist_ok=True)
        text = f"name: drawn\nclasses:\n{''.join(entries)}ignore: {ignore}\n"
        (self.root / "dataset.yaml").write_text(text, encoding="utf-8")

    def clean(self, pairs: int = 4) -> None:
        """A data set with nothing to mend."""
        self.classes()
        for index in range(pairs):
            self.pair(f"a{index}")
            self.pair(f"b{index}", "val")

    def found(self) -> dict[str, Finding]:
        """What the doctor finds, by code."""
        return {finding.code: finding for finding in check(self.root).findings}
