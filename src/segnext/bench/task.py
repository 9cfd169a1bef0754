"""What every way is given: a picture, weights, and folders to write into."""

import os
from dataclasses import dataclass
from pathlib import Path

from segnext.checkpoint.find import weights_path
from segnext.checkpoint.weights import Weights, load_weights, save_weights
from segnext.errors import SegNextError
from segnext.preprocess import Preprocess, padding


@dataclass(frozen=True)
class Task:
    """What all ways do.

    Attributes:
        picture: the file they read.
        weights: of SegNeXt.
        folder: for what they write, and for what the peers' networks become.
        cache: folder for what engines make of the weights; None for the usual one.
    """

    picture: Path
    weights: Path
    folder: Path
    cache: Path | None = None

    def use_cache(self) -> None:
        """Let the engines of this process use the task's cache."""
        if self.cache is not None:
            os.environ["SEGNEXT_CACHE"] = str(self.cache)

    def size(self) -> tuple[int, int]:
        """Height and width of the picture."""
        from segnext.imageio import read_image

        height, width, _ = read_image(self.picture).shape
        return height, width

    def input_size(self) -> tuple[int, int]:
        """Height and width of the network's input."""
        weights = load_weights(self.weights)
        height, width = weights.preprocess.size(*self.size())
        bottom, right = padding(height, width, weights.config.strides[-1])
        return height + bottom, width + right


def with_weights(name: str, picture: Path, folder: Path) -> Task:
    """A task for trained weights; see `checkpoint.find.weights_path`.

    Raises:
        SegNextError: when there are none, or they are not for RGB pictures with one label for each pixel.
    """
    file = weights_path(name)
    weights = load_weights(file)
    if weights.preprocess.bands is not None or weights.config.in_channels != 3 or weights.labels.multi_label:
        raise SegNextError(f"{name}: weights for other bands than RGB, or for several labels a pixel; choose others")
    return Task(picture, file, folder)


def with_random_weights(model: str, classes: int, picture: Path, folder: Path) -> Task:
    """A task for the preset `model` with random weights, of which nothing is kept.

    Raises:
        SegNextError: when there is no such model.
    """
    import torch

    from segnext.data.known import labels_for_count
    from segnext.model.config import preset
    from segnext.model.families import build

    config = preset(model, num_classes=classes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        weights = Weights(config, labels_for_count(classes), Preprocess(), build(config).state_dict())
    file = folder / f"{model}.safetensors"
    save_weights(weights, file)
    return Task(picture, file, folder, cache=folder / "cache")


def drawn_picture(height: int, width: int, folder: Path) -> Path:
    """Coloured clouds of every size, as photographs have, in a JPEG file; the same at every call."""
    import cv2
    import numpy as np
    import PIL.Image

    random = np.random.Generator(np.random.PCG64(0))
    picture = random.normal(128, 6, (height, width, 3)).astype(np.float32)
    for side in (3, 6, 12, 24, 48, 96, 192):
        clouds = random.uniform(-1, 1, (side, side, 3)).astype(np.float32)
        picture += 120 / side**0.5 * cv2.resize(clouds, (width, height), interpolation=cv2.INTER_CUBIC)
    file = folder / "drawn.jpg"
    PIL.Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(file, quality=95)
    return file
