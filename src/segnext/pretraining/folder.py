"""A folder of pictures sorted by class, as ImageNet is kept, and Tiny-ImageNet as it is published."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segnext.errors import SegNextError
from segnext.files import walk
from segnext.pillow import SUFFIXES

ANNOTATIONS = "val_annotations.txt"  # Tiny-ImageNet's: a picture's name, a tab, its class, and more


@dataclass(frozen=True)
class Pictures:
    """The pictures of one split: files (strings, which a million of take little memory) and labels (N,) int64."""

    files: tuple[str, ...]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.files)


@dataclass(frozen=True)
class ImageFolder:
    """Class names, in the order of their labels, and the pictures of both splits.

    Layouts: DIR/train/CLASS/** and DIR/val/CLASS/**; or Tiny-ImageNet's, with the classes of the pictures in
    DIR/val/images named in DIR/val/val_annotations.txt. Whatever is not a picture is passed over.
    """

    classes: tuple[str, ...]
    train: Pictures
    val: Pictures

    @classmethod
    def open(cls, folder: Path) -> "ImageFolder":
        """Look through the folder; no picture is opened.

        Raises:
            SegNextError: when a split or a class has no pictures, or val has classes that train does not have.
        """
        for split in ("train", "val"):
            if not (folder / split).is_dir():
                raise SegNextError(
                    f"{folder / split}: no such folder; pictures are expected as {folder}/train/CLASS/** and "
                    f"{folder}/val/CLASS/**"
                )
        train = _by_class(folder / "train")
        annotations = folder / "val" / ANNOTATIONS
        val = _by_annotations(annotations) if annotations.is_file() else _by_class(folder / "val")
        classes = tuple(sorted(train))
        if len(classes) < 2:
            raise SegNextError(f"{folder / 'train'}: {len(classes)} classes; a classifier needs at least two folders")
        foreign = sorted(val.keys() - train.keys())
        if foreign:
            raise SegNextError(
                f"{folder / 'val'}: class '{foreign[0]}' is not in {folder / 'train'} ({len(foreign)} such classes); "
                "both need the same classes"
            )
        return cls(classes, _pictures(train, classes), _pictures(val, classes))


def _by_class(folder: Path) -> dict[str, list[str]]:
    """Class -> its pictures, sorted, at any depth below the class's folder."""
    found = {}
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and not entry.name.startswith("."):
            found[entry.name] = [str(file) for file in walk(entry) if file.suffix.lower() in SUFFIXES]
            if not found[entry.name]:
                raise SegNextError(f"{entry}: a class without pictures; remove the folder or fill it")
    return found


def _by_annotations(file: Path) -> dict[str, list[str]]:
    """Class -> its pictures, as Tiny-ImageNet's list gives them."""
    found: dict[str, list[str]] = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        fields = line.split("\t")
        if len(fields) < 2:
            raise SegNextError(f"{file}: line {number} is not 'PICTURE<tab>CLASS...'; restore the published file")
        found.setdefault(fields[1], []).append(str(file.parent / "images" / fields[0]))
    return found


def _pictures(by_class: dict[str, list[str]], classes: tuple[str, ...]) -> Pictures:
    files = tuple(file for name in classes for file in by_class.get(name, ()))
    labels = np.repeat(np.arange(len(classes)), [len(by_class.get(name, ())) for name in classes])
    return Pictures(files, labels)
