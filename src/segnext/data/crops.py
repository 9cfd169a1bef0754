"""Training samples as a pure function of their number, so that any run can go on from any step."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from segnext.data.folder import Pair
from segnext.data.sampling import ClassSampler
from segnext.data.transforms import Augment, augment
from segnext.errors import SegNextError
from segnext.labels import Labels
from segnext.preprocess import Preprocess

BATCHES_AHEAD = 4


class Samples(Protocol):
    """Samples by number, each a picture and what is to be learnt about it, all of the same shape."""

    def __getitem__(self, number: int, /) -> tuple[Tensor, Tensor]: ...


@dataclass(frozen=True)
class Crops:
    """Sample n of a run: which picture, and how it is augmented, follow from (seed, n) alone.

    Every picture occurs once in each pass over the data, in an order drawn anew for each pass; between them lie, evenly
    spread, the samples that `sampler` draws for a class.

    Item n: image (bands, crop height, crop width) float32, normalised; mask (crop height, crop width) int64, or of
    multi-label data (classes, crop height, crop width) uint8.
    """

    pairs: tuple[Pair, ...]
    labels: Labels
    preprocess: Preprocess
    crop: tuple[int, int]
    augment: Augment
    seed: int
    sampler: ClassSampler | None = None

    def name(self, number: int) -> str:
        """The file of sample `number`."""
        return str(self.pair(number).image)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        cv2.setNumThreads(1)  # the cores are the network's
        pair, label = self.choice(number)
        image, mask = pair.read_image(self.preprocess.bands), pair.read_mask(self.labels)
        height, width = image.shape[:2]
        if mask.shape[-2:] != (height, width):
            raise SegNextError(
                f"{pair.mask}: is {mask.shape[-1]} x {mask.shape[-2]}, its picture {width} x {height}; "
                "both must have the same size"
            )
        if self.preprocess.bands is not None:
            mask = np.where(np.isnan(image).all(2), np.uint8(self.labels.ignore), mask)  # nothing was measured there
        image, mask = augment(
            image,
            mask,
            base_size=self.preprocess.size(height, width),
            crop=self.crop,
            ignore=self.labels.ignore,
            mean=self.preprocess.mean,
            std=self.preprocess.std,
            options=self.augment,
            random=np.random.Generator(np.random.PCG64([self.seed, 1, number])),
            label=label,
        )
        normal = np.ascontiguousarray(self.preprocess.normalise(image))
        truth = torch.from_numpy(mask)
        return torch.from_numpy(normal), truth if self.labels.multi_label else truth.long()

    def pair(self, number: int) -> Pair:
        """The picture of sample `number`, and its mask."""
        return self.choice(number)[0]

    def choice(self, number: int) -> tuple[Pair, int | None]:
        """The picture of sample `number`, and the class that its crop is laid over, if any."""
        sampler = self.sampler
        if sampler is not None:
            drawn = sampler.before(number)
            if sampler.before(number + 1) > drawn:
                label, picture = sampler.draw(np.random.Generator(np.random.PCG64([self.seed, 2, number])))
                return self.pairs[picture], label
            number -= drawn
        epoch, position = divmod(number, len(self.pairs))
        return self.pairs[epoch_order(self.seed, epoch, len(self.pairs))[position]], None


@lru_cache(maxsize=2)
def epoch_order(seed: int, epoch: int, length: int) -> NDArray[np.int64]:
    """The order of the pictures in one pass."""
    order: NDArray[np.int64] = np.random.Generator(np.random.PCG64([seed, 0, epoch])).permutation(length)
    return order


def batches(samples: Samples, numbers: Iterable[int], batch_size: int, workers: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of samples by their numbers, prepared ahead of time by `workers` threads.

    Threads suffice, because decoding, resizing and colour conversion run outside Python's lock, and an
    error keeps the name of its file.
    """
    with ThreadPoolExecutor(workers, thread_name_prefix="data") as pool:
        pending: deque[Future[tuple[Tensor, Tensor]]] = deque()
        upcoming = iter(numbers)

        def submit(count: int) -> None:
            pending.extend(pool.submit(samples.__getitem__, number) for number in islice(upcoming, count))

        submit(BATCHES_AHEAD * batch_size)
        try:
            while pending:
                batch = [pending.popleft().result() for _ in range(min(batch_size, len(pending)))]
                submit(batch_size)
                images, targets = zip(*batch, strict=True)
                yield torch.stack(images), torch.stack(targets)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
