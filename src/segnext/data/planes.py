"""Masks in files: one of labels, or a folder of binary ones, a file per class, where pixels may be of several."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segnext.data.masks import read_binary
from segnext.errors import SegNextError
from segnext.labels import IGNORED, Labels

Planes = NDArray[np.uint8]  # classes x H x W: 1 where the class is, 0 where not, the ignore label where ignored


def read_planes(folder: Path, labels: Labels, size: Callable[[], tuple[int, ...]]) -> Planes:
    """The masks in `folder`: CLASS.png, 0 where the class is not and 1 or 255 where it is; no file where it is nowhere.

    Pixels that ignore.png marks in the same way count for no class.

    Args:
        folder: of one picture.
        labels: the classes.
        size: called for height and width when there is no file to tell them.

    Raises:
        SegNextError: for a file that is no such mask, or of no class, or of another size than its neighbours.
    """
    names = (*labels.classes, IGNORED)
    files = {file.stem: file for file in sorted(folder.iterdir()) if file.is_file() and file.name[0] != "."}
    for name, file in files.items():
        if name not in names or file.suffix != ".png":
            raise SegNextError(
                f"{file}: is the mask of no class; its folder holds CLASS.png for the classes in the picture "
                f"({', '.join(labels.classes)}) and {IGNORED}.png: rename it or mend dataset.yaml"
            )
    masks = {name: read_binary(file) for name, file in files.items()}
    shape = next((mask.shape for mask in masks.values()), None) or tuple(size())
    planes = np.zeros((len(labels), *shape), np.uint8)
    for name, mask in masks.items():
        if mask.shape != shape:
            raise SegNextError(
                f"{files[name]}: is {mask.shape[1]} x {mask.shape[0]}, other masks of its picture "
                f"{shape[1]} x {shape[0]}; all must have the same size"
            )
        if name != IGNORED:
            planes[labels.classes.index(name)] = mask
    if IGNORED in masks:
        planes[:, masks[IGNORED]] = labels.ignore
    return planes
