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


def count_classes(pairs: Sequence[Pair], labels: Labels, workers: int) -> ClassCounts:
    """Read the masks of `pairs` in `workers` threads and count.

    Raises:
        SegNextError: for a mask that cannot be read.
    """

    def count(pair: Pair) -> tuple[NDArray[np.int64], int]:
        truth = pair.read_mask(labels)
        if labels.multi_label:
            return (truth == 1).sum((1, 2)), int((truth[0] != labels.ignore).sum())
        counts = np.bincount(truth.ravel(), minlength=256)[: len(labels)]
        return counts.astype(np.int64), int(counts.sum())

    with ThreadPoolExecutor(workers, thread_name_prefix="counts") as pool:
        pixels, labelled = zip(*pool.map(count, pairs), strict=True)
    return ClassCounts(np.stack(pixels), np.array(labelled, np.int64))
