"""The network with everything around it: pictures in, results out."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, overload

import cv2
import numpy as np
import PIL.Image
import torch
import torch.nn.functional as F
from torch import Tensor

from segnext.checkpoint.file import Weights, load_weights
from segnext.checkpoint.hub import fetch_repository, push, save_folder
from segnext.errors import SegNextError
from segnext.imageio import Source, read_image
from segnext.inference.load import weights_path
from segnext.inference.result import Result
from segnext.preprocess import Image

NO_MEMORY = ("not enough memory", "can't allocate memory", "out of memory", "insufficient memory")


class Segmenter:
    """Segments pictures, each in a forward pass of its own, so its mask never depends on its company.

    Args:
        weights: the network, the meaning of its labels and its preprocessing.
        device: "auto" (a CUDA device if there is one, else the CPU), "cpu", "cuda" or "cuda:N".

    Attributes:
        model: the network, float32, in evaluation mode; it has `.encoder` and `.decoder`.
        config: what determines the network's shape.
        provenance: where the weights come from.
        labels: what the labels mean.
        preprocess: how pictures are prepared.
        device: where the network is.

    Raises:
        SegNextError: when the device is absent or the weights are not for RGB pictures.
    """

    def __init__(self, weights: Weights, device: str = "auto") -> None:
        if weights.config.in_channels != 3:
            raise SegNextError(
                f"these weights take {weights.config.in_channels} bands, but pictures have 3; choose RGB weights"
            )
        if weights.config.num_classes != len(weights.labels):
            raise SegNextError(
                f"these weights tell {weights.config.num_classes} classes apart, but name {len(weights.labels)}; "
                "save them with one name per class"
            )
        self.device = _device(device)
        self.model = weights.model().to(self.device)
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # quicker on processors
        self.config = weights.config
        self.provenance = weights.provenance
        self.labels = weights.labels
        self.preprocess = weights.preprocess

    @overload
    def __call__(self, source: Source) -> Result: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, source: Iterable[Source]) -> Iterator[Result]: ...
    def __call__(self, source: Source | Iterable[Source]) -> Result | Iterator[Result]:
        """Segment a picture, or several.

        Args:
            source: a path, a PIL image, an array (H x W x 3 or H x W, uint8) or an encoded file's bytes;
                or a list or iterator of those.

        Returns:
            The picture's result; for a list or iterator, an iterator that segments each picture when
            its result is asked for and keeps none.

        Raises:
            SegNextError: when a picture cannot be read or does not fit in memory.
        """
        if isinstance(source, str | bytes | Path | PIL.Image.Image | np.ndarray) or not isinstance(source, Iterable):
            return self._segment(source)
        return map(self._segment, source)

    def logits(self, source: Source) -> Tensor:
        """Scores before the softmax at the picture's own size, (classes, H, W) float32, on the device."""
        image = read_image(source)
        with torch.inference_mode(), _fitting(image):
            logits, covered = self._network(image)
            return _enlarge(logits, covered, image)[0]

    @classmethod
    def from_pretrained(
        cls, name: str | Path, *, revision: str | None = None, token: str | None = None, device: str = "auto"
    ) -> "Segmenter":
        """What `segnext.load` gives; of a Hugging Face repository also another revision, or one that needs a token.

        Args:
            name: see `segnext.load`.
            revision: branch, tag or commit of a Hugging Face repository; None for the newest.
            token: of an account that may read the repository; None takes the one logged in with, if any.
            device: see `Segmenter`.
        """
        hub = (revision or token) and not Path(name).exists()
        path = fetch_repository(str(name), revision=revision, token=token) if hub else weights_path(name)
        return cls(load_weights(path), device)

    def weights(self) -> Weights:
        """The network's present weights with everything around them, as a file holds them."""
        return Weights(self.config, self.labels, self.preprocess, self.model.state_dict(), self.provenance)

    def save_pretrained(self, folder: str | Path, *, half: bool = False, licence: str | None = None) -> None:
        """Write a folder that `segnext.load` takes and the Hugging Face Hub shows; see `checkpoint.hub.save_folder`."""
        save_folder(self.weights(), Path(folder), half=half, licence=licence)

    def push_to_hub(self, repo_id: str, *, private: bool = False, token: str | None = None, **options: Any) -> str:
        """Upload to the Hugging Face repository OWNER/NAME; its address. For `options` see `checkpoint.hub.push`."""
        return push(self.weights(), repo_id, private=private, token=token, **options)

    def _segment(self, source: Source) -> Result:
        start = time.perf_counter()
        image = read_image(source)
        with torch.inference_mode(), _fitting(image):
            logits, covered = self._network(image)
            mask, confidence = _classify(logits, covered, image)
        seconds = time.perf_counter() - start
        name = Path(source).stem if isinstance(source, str | Path) else "image"
        return Result(image, mask.cpu().numpy(), confidence.cpu().numpy(), self.labels, seconds, name)

    def _network(self, image: Image) -> tuple[Tensor, tuple[int, int]]:
        """The decoder's logits, (1, classes, h, w), and how many rows and columns of the picture they cover.

        They cover more than the picture when it was padded; below it and to its right.
        """
        height, width = covered = image.shape[:2]
        new_height, new_width = self.preprocess.size(height, width)
        if (new_height, new_width) != (height, width):
            smaller = new_height * new_width < height * width
            how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
            image = np.asarray(cv2.resize(image, (new_width, new_height), interpolation=how), np.uint8)
        bottom, right = self.preprocess.padding(new_height, new_width)
        if bottom or right:  # only pictures at their own size; others were resized to a multiple
            covered = (height + bottom, width + right)
        x = torch.from_numpy(self.preprocess.normalise(image))[None].to(self.device)
        x = F.pad(x, (0, right, 0, bottom)).contiguous(memory_format=torch.channels_last)
        logits: Tensor = self.model.decoder(self.model.encoder(x))
        return logits.contiguous(), covered


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise SegNextError(f"unknown device '{name}'; choose auto, cpu or cuda") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise SegNextError(f"device '{name}' is not there, or torch was built without CUDA; use auto or cpu")
    return device


def _enlarge(logits: Tensor, covered: tuple[int, int], image: Image) -> Tensor:
    """Logits at the picture's resolution, without those of the padding."""
    height, width = image.shape[:2]
    return F.interpolate(logits, size=covered, mode="bilinear", align_corners=False)[..., :height, :width]


def _classify(logits: Tensor, covered: tuple[int, int], image: Image) -> tuple[Tensor, Tensor]:
    """Low-resolution logits -> mask (H, W) uint8 and softmax probability of the chosen class, (H, W) float32.

    The classes are enlarged one after the other, with a running maximum and a running sum of
    exponentials relative to it, so that memory does not grow with the number of classes.
    """
    best = _enlarge(logits[:, :1], covered, image)[0, 0]
    mask = torch.zeros(best.shape, dtype=torch.uint8, device=best.device)
    total = torch.ones_like(best)
    for label in range(1, logits.shape[1]):
        score = _enlarge(logits[:, label : label + 1], covered, image)[0, 0]
        mask[score > best] = label
        top = torch.maximum(best, score)
        total.mul_(best.sub_(top).exp_()).add_(score.sub_(top).exp_())
        best = top
    return mask, total.reciprocal_()


@contextmanager
def _fitting(image: Image) -> Iterator[None]:
    """Turn the ways in which memory runs out into one sentence."""
    try:
        yield
    except (MemoryError, RuntimeError, cv2.error) as error:
        text = str(error).lower()
        if not isinstance(error, MemoryError) and not any(words in text for words in NO_MEMORY):
            raise
        height, width = image.shape[:2]
        raise SegNextError(
            f"a picture of {width} x {height} pixels does not fit in memory; make it smaller or cut it into pieces"
        ) from error
