"""How many pixels of each class a split's masks hold."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segnext.data.folder import Pair
from segnext.labels import Labels


@dataclass(frozen=True, eq=False)
class ClassCounts:
    """Pixels of every class in every picture.

    Attributes:
        pixels: (pictures, classes).
        labelled: (pictures,) pixels that are not ignored.
    """

    pixels: NDArray[np.int64]
    labelled: NDArray[np.int64]

    @property
    def frequencies(self) -> NDArray[np.float64]:
        """Share of each class among the labelled pixels, (classes,); with one label per pixel the sum is 1."""
        shares: NDArray[np.float64] = self.pixels.sum(0) / max(self.labelled.sum(), 1)
        return shares


def label_counts(mask: NDArray[np.uint8], labels: Labels) -> NDArray[np.int64]:
    """Pixels of each label, (256,), of what `Pair.read_mask` gives; one of several classes counts for each of them."""
    if mask.ndim == 2:
        return np.bincount(mask.ravel(), minlength=256).astype(np.int64)
    counts = np.zeros(256, np.int64)
    counts[: len(labels)] = (mask == 1).sum((1, 2))
    counts[labels.ignore] = (mask[0] == labels.ignore).sum()
    return counts


def count_classes(pairs: Sequence[Pair], labels: Labels, workers: int) -> ClassCounts:
    """Read the masks of `pairs` in `workers` threads and count.

    Raises:
        SegNextError: for a mask that cannot be read.
    """

    def count(pair: Pair) -> tuple[NDArray[np.int64], int]:
        mask = pair.read_mask(labels)
        counts = label_counts(mask, labels)
        return counts[: len(labels)], int(np.prod(mask.shape[-2:]) - counts[labels.ignore])

    with ThreadPoolExecutor(workers, thread_name_prefix="counts") as pool:
        pixels, labelled = zip(*pool.map(count, pairs), strict=True)
    return ClassCounts(np.stack(pixels), np.array(labelled, np.int64))
