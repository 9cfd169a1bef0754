"""Multi-label weights: the network says of each class by itself whether it is at a pixel."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from segnext.errors import SegNextError
from segnext.inference.result import MaskKind, Result

if TYPE_CHECKING:
    from segnext.kernels.average import Look

THRESHOLD = 0.5


def presence(looks: "Sequence[Look]", size: tuple[int, int]) -> NDArray[np.float32]:
    """Probability that each class is there: the mean over the looks of sigmoid(logit), (classes, H, W).

    Args:
        looks: at least one; the same classes in each.
        size: height and width of the picture.
    """
    return np.stack([_presence(looks, label, size) for label in range(looks[0].logits.shape[2])])


def find_planes(looks: "Sequence[Look]", size: tuple[int, int], threshold: float) -> NDArray[np.uint8]:
    """Where each class is, by `presence` above `threshold`: (classes, H, W) of 0 and 1."""
    labels = range(looks[0].logits.shape[2])
    return np.stack([(_presence(looks, label, size) > threshold).astype(np.uint8) for label in labels])


def certainty(looks: "Sequence[Look]", size: tuple[int, int], planes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Probability of what `planes` say: that the class is there, or that it is not; (classes, H, W)."""
    chances = presence(looks, size)
    return np.where(planes == 1, chances, 1 - chances)


def _presence(looks: "Sequence[Look]", label: int, size: tuple[int, int]) -> NDArray[np.float32]:
    """Of one class, (H, W)."""
    from segnext.kernels.enlarge import enlarge, host

    total = np.zeros(size, np.float32)
    for look in looks:
        logits = np.ascontiguousarray(host(look.logits)[..., [label]])
        scores = enlarge(logits, look.covered, size, look.corners)[0]
        with np.errstate(over="ignore"):  # then the probability is 0
            total += 1 / (1 + np.exp(-(scores[:, ::-1] if look.mirrored else scores)))
    return total / np.float32(len(looks))


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


@dataclass(frozen=True, eq=False, repr=False)
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

    def where(self, label: int) -> NDArray[np.bool_]:
        """The pixels of a class, (H, W)."""
        where: NDArray[np.bool_] = self.mask[label] == 1
        return where

    def mask_image(self, mask: MaskKind = "palette") -> PIL.Image.Image:
        """Refused: there is a mask for every class, see `mask_images`."""
        raise SegNextError("a multi-label result has a mask for every class; take those of mask_images()")

    def mask_images(self, mask: MaskKind = "palette") -> dict[str, PIL.Image.Image]:
        """For every class that occurs, `.masks/CLASS.png` and its mask of 0 and 255, as training reads them."""
        present = zip(self.classes, self.mask, strict=True)
        return {f".masks/{name}.png": PIL.Image.fromarray(plane * 255) for name, plane in present if plane.any()}

    def files(self, name: str) -> dict[str, Any]:
        """What `save` writes, by kind, as paths below its folder; "planes" has those of the classes."""
        planes = {label: f"{name}.masks/{label}.png" for label, share in self.shares.items() if share > 0}
        return {"planes": planes, "overlay": f"{name}.overlay.png"}

    def save_mask(self, folder: Path, name: str, mask: MaskKind = "palette") -> None:
        """Write `NAME.masks/CLASS.png` for the classes that occur.

        Raises:
            SegNextError: when they cannot be written.
        """
        super().save_mask(folder, name, mask)
        planes = folder / f"{name}.masks"
        planes.mkdir(parents=True, exist_ok=True)
        for label, share in self.shares.items():
            if share == 0:
                (planes / f"{label}.png").unlink(missing_ok=True)  # of an earlier prediction
