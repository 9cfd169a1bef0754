"""What a data set holds: sizes, class pixels, means and deviations of the bands."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segnext.bands import require_picture
from segnext.data.band_stats import combined, moments
from segnext.data.counts import label_counts
from segnext.data.folder import DataSet, Pair
from segnext.errors import SegNextError
from segnext.labels import Labels
from segnext.preprocess import Bands
from segnext.progress import Watch

RGB = ("red", "green", "blue")


@dataclass
class Stats:
    """Sums over the pairs of one or several splits.

    Attributes:
        labels: what the labels mean.
        names: of the bands.
        sizes: pictures of each (height, width).
        pixels: (classes,) pixels of each class.
        pictures: (classes,) pictures that hold each class.
        ignored: pixels with the ignore label.
        unmeasured: other pixels at which no band was measured; they are left out where predictions are measured.
        moments: (3, bands), see `band_stats.moments`; in 8-bit units, or those of the data where bands have names.
        failures: one sentence for each pair that could not be read.
    """

    labels: Labels
    names: tuple[str, ...] = RGB
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    pixels: NDArray[np.int64] = field(init=False)
    pictures: NDArray[np.int64] = field(init=False)
    ignored: int = 0
    unmeasured: int = 0
    moments: NDArray[np.float64] = field(init=False)
    failures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start from zero."""
        self.pixels = np.zeros(len(self.labels), np.int64)
        self.pictures = np.zeros(len(self.labels), np.int64)
        self.moments = np.zeros((3, len(self.names)))

    @property
    def count(self) -> int:
        """Number of pairs."""
        return self.sizes.total()

    def bands(self) -> tuple[list[float], list[float]]:
        """Mean and standard deviation of each band over all pixels, in the units of `moments`; empty before any."""
        count, mean, squares = self.moments
        if not count.any():
            return [], []
        deviation = np.sqrt(squares / np.maximum(count, 1))
        return [float(f"{x:.6g}") for x in mean], [float(f"{x:.6g}") for x in deviation]

    @property
    def total(self) -> int:
        """Number of pixels."""
        return sum(height * width * count for (height, width), count in self.sizes.items())

    def shares(self) -> NDArray[np.float64]:
        """Share of each class among the labelled pixels, (classes,)."""
        return np.asarray(self.pixels / max(1, self.total - self.ignored), np.float64)

    def weights(self, power: float) -> NDArray[np.float64]:
        """Class weights of training with `class_balance: power`: mean 1 over the pixels, 0 for absent classes.

        Of multi-label classes, those of the pixels where they are.
        """
        shares = self.shares()
        weights = np.zeros_like(shares)
        weights[shares > 0] = shares[shares > 0] ** -power
        mean = weights * shares
        if self.labels.multi_label:  # of each class, where it is against where it is not
            mean += np.where(shares < 1, (1 - shares) ** (1 - power), 0)
            return np.asarray(weights / np.maximum(mean, 1e-12), np.float64)
        return np.asarray(weights / max(mean.sum(), 1e-12), np.float64)

    def to_dict(self, power: float) -> dict[str, Any]:
        """For programs; shares are 0..1."""
        mean, deviation = self.bands()
        shares, weights = self.shares(), self.weights(power)
        return {
            "pictures": self.count,
            "sizes": [
                {"height": height, "width": width, "pictures": count}
                for (height, width), count in sorted(self.sizes.items(), key=lambda item: (-item[1], item[0]))
            ],
            "pixels": self.total,
            "ignored": self.ignored,
            "unmeasured": self.unmeasured,
            "bands": list(self.names),
            "mean": mean,
            "std": deviation,
            "classes": [
                {
                    "name": name,
                    "pixels": int(self.pixels[label]),
                    "share": float(shares[label]),
                    "pictures": int(self.pictures[label]),
                    "weight": round(float(weights[label]), 4),
                }
                for label, name in enumerate(self.labels.classes)
            ],
            "failures": self.failures,
        }


def survey(folder: DataSet, splits: Sequence[str], watch: Watch) -> dict[str, Stats]:
    """Statistics of each split; pairs that cannot be read are named in them, and the others are counted.

    Raises:
        SegNextError: when a split is missing or empty.
    """
    pairs = {split: folder.pairs(split) for split in splits}
    total, done = sum(map(len, pairs.values())), 0
    result = {}
    for split, entries in pairs.items():
        stats = result[split] = Stats(folder.labels, folder.bands.names if folder.bands else RGB)
        for found in _examined(entries, folder):
            _add(stats, found)
            done += 1
            watch("pairs", done, total)
    return result


def together(parts: Sequence[Stats]) -> Stats:
    """The statistics of several splits as one."""
    whole = Stats(parts[0].labels, parts[0].names)
    for part in parts:
        whole.sizes.update(part.sizes)
        whole.pixels += part.pixels
        whole.pictures += part.pictures
        whole.ignored += part.ignored
        whole.unmeasured += part.unmeasured
        whole.failures += part.failures
        whole.moments = combined(whole.moments, part.moments)
    return whole


@dataclass(frozen=True)
class _Pair:
    size: tuple[int, int]
    counts: NDArray[np.int64]  # (256,) pixels of each label
    moments: NDArray[np.float64]  # (3, bands)
    unmeasured: int


def _examined(pairs: Sequence[Pair], data: DataSet) -> Iterator[_Pair | str]:
    def examine(pair: Pair) -> _Pair | str:
        try:
            found, missing = _moments(pair, data.bands)
            mask = pair.read_mask(data.labels)
        except SegNextError as error:
            return str(error)
        size = mask.shape[-2:]
        if missing.shape != size:
            return f"{pair.mask}: the mask has another size than its picture; 'segnext data check' says more"
        plane = mask if mask.ndim == 2 else mask[0]
        unmeasured = int(np.count_nonzero(missing & (plane != data.labels.ignore)))
        return _Pair((size[0], size[1]), label_counts(mask, data.labels), found, unmeasured)

    with ThreadPoolExecutor(2) as pool:
        try:
            yield from pool.map(examine, pairs)
        finally:
            pool.shutdown(cancel_futures=True)


def _moments(pair: Pair, bands: Bands | None) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The moments of a picture's bands, and where none of them was measured, H x W."""
    if bands is None:
        require_picture(pair.image)
    image = pair.read_image(bands)
    if image.dtype != np.uint8:
        return moments(image), np.asarray(np.isnan(image).all(2), np.bool_)
    mean, deviation = (values.ravel() for values in cv2.meanStdDev(image))  # quicker than numpy
    count = np.full(3, image.shape[0] * image.shape[1], np.float64)
    return np.stack([count, mean, deviation**2 * count]), np.zeros(image.shape[:2], np.bool_)


def _add(stats: Stats, found: _Pair | str) -> None:
    if isinstance(found, str):
        stats.failures.append(found)
        return
    classes = found.counts[: len(stats.labels)]
    stats.sizes[found.size] += 1
    stats.pixels += classes
    stats.pictures += classes > 0
    stats.ignored += int(found.counts[stats.labels.ignore])
    stats.unmeasured += found.unmeasured
    stats.moments = combined(stats.moments, found.moments)
