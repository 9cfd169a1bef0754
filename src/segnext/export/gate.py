"""Whether an exported file says what our network says."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from segnext.data.folder import Pair
from segnext.evaluation.evaluate import source_of
from segnext.evaluation.metrics import Metrics, confusion_matrix
from segnext.export.deployed import Interface
from segnext.export.formats import Run
from segnext.inference.prepare import resized
from segnext.inference.segmenter import Segmenter
from segnext.kernels.classify import classify
from segnext.model.config import corner_pixels
from segnext.preprocess import Preprocess

# Share of pixels with our label; eight bits are judged by mIoU and speed.
AGREEMENT = {"fp32": 0.999, "fp16": 0.995, "bf16": 0.995, "int8": 0.0}
MIOU = 0.1  # points that it may move
DROP = 0.3  # points of mIoU that eight bits may cost
SIZES = ((256, 256), (192, 320), (255, 193))  # a square, one that is none, odd sides
EACH = 7  # pictures of a size
BATCHES = (1, 3)


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        provider: what ran the file.
        size: height and width of the pictures.
        batch: pictures at a time.
        pictures: how many in all.
        agreement: share of pixels with our label, 0..1.
        passed: whether that is enough.
    """

    provider: str
    size: tuple[int, int]
    batch: int
    pictures: int
    agreement: float
    passed: bool


@dataclass(frozen=True)
class Accuracy:
    """mIoU on labelled pictures, in per cent: ours and the file's."""

    provider: str
    pictures: int
    ours: float
    theirs: float
    precision: str = "fp32"

    @property
    def passed(self) -> bool:
        """Whether it moved, or of eight bits dropped, little enough."""
        if self.precision == "int8":
            return self.ours - self.theirs <= DROP
        return abs(self.ours - self.theirs) <= MIOU


def compare(
    segmenter: Segmenter, provider: str, run: Run, interface: Interface, pictures: list[NDArray[Any]], precision: str
) -> Iterator[Row]:
    """Labels of crops of `pictures` by the file and by ours, for every size and batch.

    Args:
        segmenter: ours, in float32, which looks at pictures in their own resolution.
        provider: what runs the file.
        run: the file.
        interface: its.
        pictures: (H, W, bands), at least as large as the largest of SIZES.
        precision: of the file, which says how well it has to agree.
    """
    for size in SIZES:
        crops = list(_crops(pictures, size))
        ours = [segmenter.segment(crop).mask for crop in crops]
        for batch in BATCHES:
            same = 0
            for start in range(0, len(crops), batch):
                labels = labels_by(run, interface, segmenter, np.stack(crops[start : start + batch]))
                same += sum(int((a == b).sum()) for a, b in zip(labels, ours[start : start + batch], strict=True))
            agreement = same / (len(crops) * size[0] * size[1])
            yield Row(provider, size, batch, len(crops), agreement, agreement >= AGREEMENT[precision])


@dataclass(frozen=True)
class Labelled:
    """Pictures with labels, at the size at which weights want to see them.

    Attributes:
        pairs: their files.
        segmenter: ours, in float32, which looks at pictures in their own resolution.
        preprocess: of the weights, with that size.
        interface: of the file.
    """

    pairs: Sequence[Pair]
    segmenter: Segmenter
    preprocess: Preprocess
    interface: Interface

    def picture(self, pair: Pair) -> NDArray[Any]:
        """(H, W, bands), at the size at which the weights look at it."""
        image = self.segmenter.read(source_of(pair))
        return resized(image, self.preprocess.size(*image.shape[:2]))

    def taken(self, pair: Pair) -> NDArray[Any]:
        """The same as the file takes it, (1, H, W, bands)."""
        return taken(self.interface, self.segmenter, self.picture(pair)[None])

    def miou(self, run: Run | None, pairs: Iterable[Pair] | None = None) -> float:
        """Of the file, or without one of our network, in per cent, on all or some of them."""
        labels, segmenter = self.segmenter.labels, self.segmenter
        chosen = [*(self.pairs if pairs is None else pairs)]
        total = np.zeros((len(labels),) * 2, np.int64)
        for pair in chosen:
            image = self.picture(pair)
            mask = labels_by(run, self.interface, segmenter, image[None])[0] if run else segmenter.segment(image).mask
            truth = nearest(pair.read_mask(labels), mask.shape)
            total += confusion_matrix(truth, mask, len(labels), labels.ignore)
        return 100 * Metrics(total, labels.classes, len(chosen)).miou


def measure(labelled: Labelled, provider: str, run: Run, precision: str) -> Accuracy:
    """MIoU of both on pictures with labels."""
    return Accuracy(provider, len(labelled.pairs), labelled.miou(None), labelled.miou(run), precision)


def labels_by(run: Run, interface: Interface, segmenter: Segmenter, batch: NDArray[Any]) -> NDArray[np.uint8]:
    """The file's labels of a batch of pictures, (N, H, W)."""
    outputs = run(taken(interface, segmenter, batch))
    if interface.output != "logits":
        return np.asarray(outputs[0], np.uint8)
    step, size = segmenter.config.logits_stride, (batch.shape[1], batch.shape[2])
    covered = [(logits.shape[0] * step, logits.shape[1] * step) for logits in outputs[0]]
    return np.stack(
        [
            classify(*pair, size, corners=corner_pixels(segmenter.config))[0]
            for pair in zip(outputs[0], covered, strict=True)
        ]
    )


def taken(interface: Interface, segmenter: Segmenter, batch: NDArray[Any]) -> NDArray[Any]:
    """Pictures (N, H, W, bands) as a file takes them."""
    if interface.input == "float":
        batch = np.stack([segmenter.preprocess.normalise(image).transpose(1, 2, 0) for image in batch])
    return np.ascontiguousarray(batch)


def nearest(mask: NDArray[np.uint8], size: tuple[int, ...]) -> NDArray[np.uint8]:
    """A mask at another height and width."""
    if mask.shape == size:
        return mask
    return np.asarray(cv2.resize(mask, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)


def _crops(pictures: list[NDArray[Any]], size: tuple[int, int]) -> Iterator[NDArray[Any]]:
    """EACH crops, from all pictures in turn, at places that a fixed seed draws."""
    random = np.random.default_rng(0)
    for number in range(EACH):
        picture = pictures[number % len(pictures)]
        top, left = (
            int(random.integers(0, side - wanted + 1)) for side, wanted in zip(picture.shape, size, strict=False)
        )
        yield picture[top : top + size[0], left : left + size[1]]


def photograph() -> NDArray[np.uint8]:
    """A photograph that a dependency carries (matplotlib's, of Grace Hopper, public domain)."""
    import matplotlib as mpl

    file = Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    with PIL.Image.open(file, formats=["JPEG"]) as picture:
        return np.asarray(picture.convert("RGB"))
