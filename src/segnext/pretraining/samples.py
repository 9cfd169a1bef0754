"""Training and val samples as a pure function of their number, so that any run can go on from any step."""

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from segnext.data.crops import epoch_order
from segnext.imageio import read_image
from segnext.preprocess import Image
from segnext.pretraining.config import PictureAugment
from segnext.pretraining.folder import Pictures

TRIES = 10  # draws of a crop that fits, before the whole picture's middle is taken


@dataclass(frozen=True)
class TrainSamples:
    """Sample n of a run: which picture, its crop and its mirroring follow from (seed, n) alone.

    Every picture occurs once in each pass over the data, in an order drawn anew for each pass. What is done to whole
    batches is in `augment`.

    Item n: picture (3, size, size) uint8; label and n, (2,) int64.
    """

    pictures: Pictures
    size: int
    augment: PictureAugment
    seed: int

    def index(self, number: int) -> int:
        """Which of the pictures sample `number` is."""
        epoch, position = divmod(number, len(self.pictures))
        return int(epoch_order(self.seed, epoch, len(self.pictures))[position])

    def name(self, number: int) -> str:
        """The file of sample `number`."""
        return self.pictures.files[self.index(number)]

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        index = self.index(number)
        random = np.random.Generator(np.random.PCG64([self.seed, 1, number]))
        cv2.setNumThreads(1)  # the cores are the network's
        image = read_image(Path(self.pictures.files[index]))
        top, left, height, width = random_box(image.shape[0], image.shape[1], self.augment, random)
        image = _resize(image[top : top + height, left : left + width], self.size)
        if random.random() < self.augment.flip:
            image = image[:, ::-1]
        return _to_tensor(image), torch.tensor([self.pictures.labels[index], number])


@dataclass(frozen=True)
class ValSamples:
    """Picture n of val: its middle square, `eval_crop` of the short side, resized.

    Item n: picture (3, size, size) uint8, label () int64.
    """

    pictures: Pictures
    size: int
    eval_crop: float

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        image = read_image(Path(self.pictures.files[number]))
        height, width = image.shape[:2]
        side = max(1, round(min(height, width) * self.eval_crop))
        top, left = (height - side) // 2, (width - side) // 2
        image = _resize(image[top : top + side, left : left + side], self.size)
        return _to_tensor(image), torch.tensor(self.pictures.labels[number])


def random_box(
    height: int, width: int, options: PictureAugment, random: np.random.Generator
) -> tuple[int, int, int, int]:
    """Top, left, height and width of a crop of random area and shape (Szegedy et al., 2015, section 6)."""
    for _ in range(TRIES):
        area = height * width * random.uniform(*options.scale)
        ratio = math.exp(random.uniform(math.log(options.ratio[0]), math.log(options.ratio[1])))
        h, w = round(math.sqrt(area / ratio)), round(math.sqrt(area * ratio))
        if 0 < h <= height and 0 < w <= width:
            return int(random.integers(height - h + 1)), int(random.integers(width - w + 1)), h, w
    h = min(height, round(width / options.ratio[0]))  # the middle, with the nearest allowed shape
    w = min(width, round(height * options.ratio[1]))
    return (height - h) // 2, (width - w) // 2, h, w


def _resize(image: Image, side: int) -> Image:
    """To side x side; pixels are averaged where the picture shrinks, else interpolated."""
    smaller = max(image.shape[:2]) > side
    method = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return cv2.resize(image, (side, side), interpolation=method)  # type: ignore[return-value]


def _to_tensor(image: Image) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
