"""What a data set holds: sizes, class pixels, means and deviations of the bands."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import SAMPLESPERPIXEL, TiffImageFile

from segnext.data.counts import label_counts
from segnext.data.folder import Pair
from segnext.data.readers.open import DataSet
from segnext.errors import SegNextError
from segnext.imageio import read_image
from segnext.labels import Labels

Watch = Callable[[str, int, int], None]


@dataclass
class Stats:
    """Sums over the pairs of one or several splits.

    Attributes:
        labels: what the labels mean.
        sizes: pictures of each (height, width).
        pixels: (classes,) pixels of each class.
        pictures: (classes,) pictures that hold each class.
        ignored: pixels with the ignore label.
        moments: for each number of bands: pixels, sums and sums of squares of the bands, in 8-bit units.
        failures: one sentence for each pair that could not be read.
    """

    labels: Labels
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    pixels: NDArray[np.int64] = field(init=False)
    pictures: NDArray[np.int64] = field(init=False)
    ignored: int = 0
    moments: dict[int, NDArray[np.float64]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start from zero."""
        self.pixels = np.zeros(len(self.labels), np.int64)
        self.pictures = np.zeros(len(self.labels), np.int64)

    @property
    def count(self) -> int:
        """Number of pairs."""
        return self.sizes.total()

    def bands(self) -> tuple[list[float], list[float]]:
        """Mean and standard deviation of each band over all pixels, in 8-bit units.

        Of pictures with different numbers of bands, those of the most frequent number are told.
        """
        if not self.moments:
            return [], []
        count, sums, squares = np.split(max(self.moments.values(), key=lambda moments: moments[0, 0]), 3)
        mean = sums[0] / count[0]
        deviation = np.sqrt(np.maximum(squares[0] / count[0] - mean**2, 0))
        return [round(float(x), 3) for x in mean], [round(float(x), 3) for x in deviation]

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
        stats = result[split] = Stats(folder.labels)
        for found in _examined(entries, folder.labels):
            _add(stats, found)
            done += 1
            watch("pairs", done, total)
    return result


def together(parts: Sequence[Stats]) -> Stats:
    """The statistics of several splits as one."""
    whole = Stats(parts[0].labels)
    for part in parts:
        whole.sizes.update(part.sizes)
        whole.pixels += part.pixels
        whole.pictures += part.pictures
        whole.ignored += part.ignored
        whole.failures += part.failures
        for bands, moments in part.moments.items():
            whole.moments[bands] = whole.moments.get(bands, 0) + moments
    return whole


@dataclass(frozen=True)
class _Pair:
    size: tuple[int, int]
    counts: NDArray[np.int64]  # (256,) pixels of each label
    moments: NDArray[np.float64]  # (3, bands): pixels, sums, sums of squares


def _examined(pairs: Sequence[Pair], labels: Labels) -> Iterator[_Pair | str]:
    def examine(pair: Pair) -> _Pair | str:
        try:
            image, mask = _bands_of(pair), pair.read_mask(labels)
        except SegNextError as error:
            return str(error)
        size = mask.shape[-2:]
        if image.shape[:2] != size:
            return f"{pair.mask}: the mask has another size than its picture; 'segnext data check' says more"
        bands = [cv2.meanStdDev(np.ascontiguousarray(image[..., band])) for band in range(image.shape[2])]
        unit = 1.0 if image.dtype == np.uint8 else 256.0  # of 16 bits the upper eight count
        mean, deviation = (np.array(values, np.float64).ravel() / unit for values in zip(*bands, strict=True))
        moments = size[0] * size[1] * np.stack([np.ones_like(mean), mean, deviation**2 + mean**2])
        return _Pair((size[0], size[1]), label_counts(mask, labels), moments)

    with ThreadPoolExecutor(2) as pool:
        try:
            yield from pool.map(examine, pairs)
        finally:
            pool.shutdown(cancel_futures=True)


def _bands_of(pair: Pair) -> NDArray[Any]:
    """The pair's picture; of a part of one, RGB alone."""
    return read_bands(pair.image) if pair.window is None else pair.read_image()


def _add(stats: Stats, found: _Pair | str) -> None:
    if isinstance(found, str):
        stats.failures.append(found)
        return
    classes = found.counts[: len(stats.labels)]
    stats.sizes[found.size] += 1
    stats.pixels += classes
    stats.pictures += classes > 0
    stats.ignored += int(found.counts[stats.labels.ignore])
    bands = found.moments.shape[1]
    stats.moments[bands] = stats.moments.get(bands, 0) + found.moments


def read_bands(path: Path) -> NDArray[Any]:
    """A picture with the bands it has: H x W x 3 uint8 RGB, or H x W x N uint8 or uint16 of a TIFF with more bands.

    Raises:
        SegNextError: when it cannot be read.
    """
    try:
        image: NDArray[Any] = read_image(path)
    except SegNextError:
        raster = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)  # five bands and more, which Pillow does not know
        if raster is None or raster.dtype not in (np.uint8, np.uint16):
            raise
        return np.atleast_3d(raster)
    if _tiff_bands(path) > 3:  # Pillow takes the fourth for transparency
        raster = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if raster is not None and raster.dtype in (np.uint8, np.uint16):
            return np.asarray(cv2.cvtColor(raster, cv2.COLOR_BGRA2RGBA) if raster.shape[2] == 4 else raster)
    return image


def _tiff_bands(path: Path) -> int:
    """Bands of a TIFF; 0 for other files and for CMYK."""
    with Image.open(path) as file:
        if not isinstance(file, TiffImageFile) or file.mode == "CMYK":
            return 0
        return int(file.tag_v2.get(SAMPLESPERPIXEL, 1))
