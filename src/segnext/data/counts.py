"""Pixels of each class in masks."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from segnext.data.folder import Pair
from segnext.labels import Labels


def class_pixels(pairs: Sequence[Pair], labels: Labels) -> Iterator[NDArray[np.int64]]:
    """For each pair's mask the pixels of each class, (classes,), in order; ignored ones left out.

    Raises:
        SegNextError: when a mask cannot be read.
    """

    def count(pair: Pair) -> NDArray[np.int64]:
        return np.bincount(pair.read_mask(labels).ravel(), minlength=256)[: len(labels)]

    with ThreadPoolExecutor(2) as pool:
        try:
            yield from pool.map(count, pairs)
        finally:
            pool.shutdown(cancel_futures=True)
