"""A data set as a folder: dataset.yaml, images/SPLIT/** and masks/SPLIT/** with the same stems.

A mask is STEM.png with one label per pixel, or, where dataset.yaml says `multi_label: true`, a folder STEM/ with a
binary CLASS.png for each class in the picture.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from segnext.bands import bands_from_dict, picture_size, read_picture, read_values
from segnext.choices import meant, nearest
from segnext.data.coding import Coding, Window
from segnext.data.masks import Mask, read_labels
from segnext.data.planes import read_planes
from segnext.documents import read_yaml
from segnext.errors import SegNextError
from segnext.files import beside, walk
from segnext.labels import Labels
from segnext.pillow import SUFFIXES
from segnext.preprocess import Bands, Raster
from segnext.preprocess import Image as Picture
from segnext.words import quoted

FIELDS = (
    "name",
    "classes",
    "ignore",
    "multi_label",
    "bands",
    "nodata",
    "rasters",
    "block",
)  # of dataset.yaml; others are the user's own


@dataclass(frozen=True)
class Pair:
    """A picture and its mask, or a part of both.

    Attributes:
        image: the picture's file.
        mask: the mask's file, or the folder of its classes' masks when they are multi-label.
        coding: what the mask's pixels mean; None when they are the labels.
        window: the part that is meant; None for the whole.
    """

    image: Path
    mask: Path
    coding: Coding | None = None
    window: Window | None = None

    def read_image(self, bands: Bands | None = None) -> Picture | Raster:
        """The picture, H x W x 3, or its bands where files are to be read so.

        Raises:
            SegNextError: when it cannot be read.
        """
        if self.window is None:
            return read_picture(self.image, bands)
        return self.window.cut(_whole_image(self.image, bands))

    def dtype(self) -> str:
        """The type of the picture's values, as its file holds them."""
        return str(read_values(self.image)[0].dtype)

    def read_mask(self, labels: Labels) -> Mask:
        """The labels of the mask, H x W; of multi-label masks, classes x H x W of 0, 1 and the ignore label.

        Raises:
            SegNextError: when it cannot be read, or holds anything but labels and the ignore label.
        """
        if labels.multi_label:
            return read_planes(self.mask, labels, lambda: picture_size(self.image))
        if self.window is not None:
            return self.window.cut(_whole_mask(self.mask, self.coding, labels))
        return read_mask(self.mask, labels) if self.coding is None else self.coding.decode(self.mask)


class DataSet(Protocol):
    """A data set by its splits: a folder of ours, or a public one in its original layout."""

    @property
    def path(self) -> Path: ...
    @property
    def labels(self) -> Labels: ...
    @property
    def bands(self) -> Bands | None: ...
    def splits(self) -> list[str]: ...
    def pairs(self, split: str, /) -> list[Pair]: ...


@lru_cache(maxsize=2)
def _whole_image(path: Path, bands: Bands | None) -> NDArray[Any]:
    """A picture that is kept, because the next window is probably one of it."""
    return read_picture(path, bands)


@lru_cache(maxsize=2)
def _whole_mask(path: Path, coding: Coding | None, labels: Labels) -> Mask:
    return Pair(path, path, coding).read_mask(labels)


@dataclass(frozen=True)
class Folder:
    """A data set's folder, what its labels mean, and the bands of its files; None for 8-bit RGB pictures."""

    path: Path
    labels: Labels
    bands: Bands | None = None

    @classmethod
    def open(cls, path: Path) -> "Folder":
        """Read `path`/dataset.yaml.

        Raises:
            SegNextError: when the folder or its dataset.yaml is missing or wrong.
        """
        file = path / "dataset.yaml"
        if not path.is_dir():
            raise SegNextError(
                f"{path}: no such data set folder{beside(path)}; give the folder that holds images/ and masks/"
            )
        if not file.is_file():
            raise SegNextError(
                f"{path}: there is no dataset.yaml; to know what the folder holds and how it becomes a data set: "
                f"segnext data check {quoted(path)}; where it is laid out as one, write it (name, classes, ignore), or "
                f"for a known label set: segnext data init {quoted(path)} --like NAME"
            )
        content = read_yaml(file)
        labels = Labels.from_dict(content, str(file))
        if len(labels) == 1 and not labels.multi_label:
            raise SegNextError(
                f"{file}: '{labels.classes[0]}' is its only class, so every pixel would be of it; add the class of the "
                "other pixels, as background, first where masks hold 0 for them"
            )
        for word in content:
            near = nearest(str(word), FIELDS, 0.8)
            if near and word != near[0]:
                raise SegNextError(f"{file}: says '{word}', which means nothing; write '{near[0]}' if it is that")
        return cls(path, labels, bands_from_dict(content, str(file)))

    def splits(self) -> list[str]:
        """Names of the folders under images/, sorted."""
        images = self.path / "images"
        return sorted(entry.name for entry in images.iterdir() if entry.is_dir()) if images.is_dir() else []

    def pairs(self, split: str) -> list[Pair]:
        """The pictures of a split with their masks, sorted by path.

        Raises:
            SegNextError: when the split is missing or empty, or a picture has no mask.
        """
        images, masks = self.path / "images" / split, self.path / "masks" / split
        if not split or not images.is_dir():
            known = self.splits()
            said = meant(split, known) if known else "there is none in this data set"
            raise SegNextError(f"{images}: no such split; {said}")
        files = [file for file in walk(images) if file.suffix.lower() in SUFFIXES]
        multi_label = self.labels.multi_label
        suffix = "" if multi_label else ".png"
        pairs = [Pair(file, masks / file.relative_to(images).with_suffix(suffix)) for file in files]
        if not pairs:
            raise SegNextError(f"{images}: there is no picture in this split; put its images there")
        missing = [pair for pair in pairs if not (pair.mask.is_dir() if multi_label else pair.mask.is_file())]
        if missing:
            raise SegNextError(
                f"{missing[0].image}: has no {'folder of masks' if multi_label else 'mask'} {missing[0].mask} "
                f"({len(missing)} of {len(pairs)} pictures "
                f"of split '{split}' have none); add the masks or remove the pictures"
            )
        return pairs


def read_mask(path: Path, labels: Labels) -> Mask:
    """Labels of a mask, H x W.

    Raises:
        SegNextError: when the file cannot be read, has more than one channel, or holds labels that are
            neither a class nor the ignore label.
    """
    mask = read_labels(path)
    used = np.flatnonzero(np.bincount(mask.ravel(), minlength=256))
    unknown = [int(label) for label in used if label >= len(labels) and label != labels.ignore]
    if unknown:
        raise SegNextError(
            f"{path}: holds label {unknown[0]}, which is neither one of the {len(labels)} classes "
            f"(0 to {len(labels) - 1}) nor the ignore label {labels.ignore}; mend the mask or dataset.yaml"
        )
    return mask
