"""Multi-label weights: the network says of each class by itself whether it is at a pixel."""

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from segnext.errors import SegNextError
from segnext.inference.engines.engine import Logits
from segnext.inference.result import Result

THRESHOLD = 0.5


def find_planes(
    low: Logits, covered: tuple[int, int], size: tuple[int, int], threshold: float = THRESHOLD
) -> NDArray[np.uint8]:
    """Where each class is: sigmoid(logit) above `threshold`, (classes, H, W) of 0 and 1.

    Args:
        low: the decoder's scores, (h, w, classes).
        covered: height and width in the picture that they cover.
        size: height and width of the picture; its top left corner is theirs.
        threshold: a probability, above 0 and below 1.
    """
    limit = math.log(threshold / (1 - threshold))
    return np.stack([(_enlarge(plane, covered, size) > limit).astype(np.uint8) for plane in np.moveaxis(low, 2, 0)])


def certainty(
    low: Logits, covered: tuple[int, int], size: tuple[int, int], planes: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Probability of what `planes` say: that the class is there, or that it is not; (classes, H, W)."""
    scores = np.stack([_enlarge(plane, covered, size) for plane in np.moveaxis(low, 2, 0)])
    sign = np.where(planes == 1, np.float32(1), np.float32(-1))
    with np.errstate(over="ignore"):  # then the probability is 0
        return np.asarray(1 / (1 + np.exp(-sign * scores)), np.float32)


def _enlarge(plane: NDArray[np.float32], covered: tuple[int, int], size: tuple[int, int]) -> NDArray[np.float32]:
    large = cv2.resize(np.ascontiguousarray(plane, np.float32), covered[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(large[: size[0], : size[1]], np.float32)


def check_threshold(threshold: float | None, multi_label: bool) -> float:
    """The threshold to use; the default where none is given.

    Raises:
        SegNextError: when it is no probability, or given for weights with one label per pixel.
    """
    if threshold is None:
        return THRESHOLD
    if not multi_label:
        raise SegNextError("these weights give each pixel one label; a threshold is for multi-label ones, leave it out")
    if not 0.0 < threshold < 1.0:
        raise SegNextError(f"the threshold is {threshold}; it is a probability, above 0 and below 1")
    return threshold


@dataclass(frozen=True, eq=False)
class MultiLabelResult(Result):
    """One picture segmented by multi-label weights.

    Attributes:
        mask: where each class is, (classes, H, W) uint8 of 0 and 1, at the picture's own size.
    """

    @cached_property
    def confidence(self) -> NDArray[np.float32]:
        """Probability of what the mask says of each class at each pixel, (classes, H, W) float32, 0..1."""
        return self.measure_confidence()

    @cached_property
    def shares(self) -> dict[str, float]:
        """Each class's share of the pixels, 0..1; together they may be more or less than 1."""
        return {name: float(plane.mean()) for name, plane in zip(self.classes, self.mask, strict=True)}

    def mask_image(self) -> PIL.Image.Image:
        """Refused: there is a mask for every class, see `mask_images`."""
        raise SegNextError("a multi-label result has a mask for every class; take those of mask_images()")

    def mask_images(self) -> dict[str, PIL.Image.Image]:
        """For every class that occurs, `.masks/CLASS.png` and its mask of 0 and 255, as training reads them."""
        present = zip(self.classes, self.mask, strict=True)
        return {f".masks/{name}.png": PIL.Image.fromarray(plane * 255) for name, plane in present if plane.any()}

    def save(self, out: Path | str, name: str | None = None) -> None:
        """Write `NAME.masks/CLASS.png` for the classes that occur, and `NAME.overlay.png`, into the folder `out`.

        Raises:
            SegNextError: when they cannot be written.
        """
        super().save(out, name)
        folder = Path(out) / f"{self.name if name is None else name}.masks"
        folder.mkdir(exist_ok=True)
        for label, share in self.shares.items():
            if share == 0:
                (folder / f"{label}.png").unlink(missing_ok=True)  # of an earlier prediction
