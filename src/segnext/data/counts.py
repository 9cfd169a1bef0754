"""How many pixels of each class a split's masks hold."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segnext.data.folder import Pair
from segnext.labels import Labels

AT_ONCE = 1024  # masks that wait for a thread; each takes a kilobyte meanwhile


@dataclass(frozen=True, eq=False)
class ClassCounts:
    """Pixels of every class in every picture.

    Attributes:
        pixels: (pictures, classes).
        labelled: (pictures,) pixels that are not ignored.
    """

    pixels: NDArray[np.uint32]
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
    pixels = np.zeros((len(pairs), len(labels)), np.uint32)
    labelled = np.zeros(len(pairs), np.int64)

    def count(number: int) -> None:
        mask = pairs[number].read_mask(labels)
        counts = label_counts(mask, labels)
        pixels[number] = counts[: len(labels)]
        labelled[number] = np.prod(mask.shape[-2:]) - counts[labels.ignore]

    with ThreadPoolExecutor(workers, thread_name_prefix="counts") as pool:
        for start in range(0, len(pairs), AT_ONCE):
            list(pool.map(count, range(start, min(start + AT_ONCE, len(pairs)))))
    return ClassCounts(pixels, labelled)
