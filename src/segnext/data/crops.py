"""Training samples as a pure function of their number, so that any run can go on from any step."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from segnext.data.folder import Pair
from segnext.data.transforms import Augment, augment
from segnext.errors import SegNextError
from segnext.labels import Labels
from segnext.preprocess import Preprocess

BATCHES_AHEAD = 4


@dataclass(frozen=True)
class Crops:
    """Sample n of a run: which picture, and how it is augmented, follow from (seed, n) alone.

    Every picture occurs once in each pass over the data, in an order drawn anew for each pass.

    Item n: image (3, crop height, crop width) float32, normalised; mask (crop height, crop width) int64.
    """

    pairs: tuple[Pair, ...]
    labels: Labels
    preprocess: Preprocess
    crop: tuple[int, int]
    augment: Augment
    seed: int

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        cv2.setNumThreads(1)  # the cores are the network's
        epoch, position = divmod(number, len(self.pairs))
        pair = self.pairs[epoch_order(self.seed, epoch, len(self.pairs))[position]]
        image, mask = pair.read_image(), pair.read_mask(self.labels)
        if image.shape[:2] != mask.shape:
            raise SegNextError(
                f"{pair.mask}: is {mask.shape[1]} x {mask.shape[0]}, its picture {image.shape[1]} x {image.shape[0]}; "
                "both must have the same size"
            )
        image, mask = augment(
            image,
            mask,
            base_size=self.preprocess.size(*mask.shape),
            crop=self.crop,
            ignore=self.labels.ignore,
            mean=self.preprocess.mean,
            options=self.augment,
            random=np.random.Generator(np.random.PCG64([self.seed, 1, number])),
        )
        normal = np.ascontiguousarray(self.preprocess.normalise(image))
        return torch.from_numpy(normal), torch.from_numpy(mask.astype(np.int64))


@lru_cache(maxsize=2)
def epoch_order(seed: int, epoch: int, length: int) -> NDArray[np.int64]:
    """The order of the pictures in one pass."""
    return np.random.Generator(np.random.PCG64([seed, 0, epoch])).permutation(length)


def batches(crops: Crops, first: int, last: int, batch_size: int, workers: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of the samples [first, last), prepared ahead of time by `workers` threads.

    Threads suffice, because decoding, resizing and colour conversion run outside Python's lock, and an
    error keeps the name of its file.
    """
    with ThreadPoolExecutor(workers, thread_name_prefix="data") as pool:
        pending: deque[Future[tuple[Tensor, Tensor]]] = deque()
        upcoming = iter(range(first, last))

        def submit(count: int) -> None:
            pending.extend(pool.submit(crops.__getitem__, number) for number in islice(upcoming, count))

        submit(BATCHES_AHEAD * batch_size)
        try:
            while pending:
                samples = [pending.popleft().result() for _ in range(min(batch_size, len(pending)))]
                submit(batch_size)
                images, masks = zip(*samples, strict=True)
                yield torch.stack(images), torch.stack(masks)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
