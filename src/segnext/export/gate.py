"""Whether an exported file says what our network says."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from segnext.data.folder import Pair
from segnext.evaluation.metrics import Metrics, confusion_matrix
from segnext.export.deployed import Interface
from segnext.export.formats import Run
from segnext.inference.segmenter import Segmenter
from segnext.kernels.classify import classify
from segnext.model.config import corner_pixels

AGREEMENT = {"fp32": 0.999, "fp16": 0.995}  # share of pixels with our label
MIOU = 0.1  # points that it may move
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

    @property
    def passed(self) -> bool:
        """Whether it moved little enough."""
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


def measure(segmenter: Segmenter, provider: str, run: Run, interface: Interface, pairs: list[Pair]) -> Accuracy:
    """MIoU of both on pictures with labels, each in its own resolution."""
    labels = segmenter.labels
    totals = [np.zeros((len(labels),) * 2, np.int64) for _ in range(2)]
    for pair in pairs:
        image, truth = segmenter.read(pair.image), pair.read_mask(labels)
        masks = segmenter.segment(image).mask, labels_by(run, interface, segmenter, image[None])[0]
        for total, mask in zip(totals, masks, strict=True):
            total += confusion_matrix(truth, mask, len(labels), labels.ignore)
    ours, theirs = (100 * Metrics(total, labels.classes, len(pairs)).miou for total in totals)
    return Accuracy(provider, len(pairs), ours, theirs)


def labels_by(run: Run, interface: Interface, segmenter: Segmenter, batch: NDArray[Any]) -> NDArray[np.uint8]:
    """The file's labels of a batch of pictures, (N, H, W)."""
    preprocess = segmenter.preprocess
    if interface.input == "float":
        batch = np.stack([preprocess.normalise(image).transpose(1, 2, 0) for image in batch])
    outputs = run(np.ascontiguousarray(batch))
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
