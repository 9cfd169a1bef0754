"""Masks in files: one of labels, or a folder of binary ones, a file per class, where pixels may be of several."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segnext.errors import SegNextError
from segnext.imageio import unbound_pillow
from segnext.labels import IGNORED, Labels

Planes = NDArray[np.uint8]  # classes x H x W: 1 where the class is, 0 where not, the ignore label where ignored


def read_grey(path: Path) -> NDArray[np.uint8]:
    """The values of a grey or palette picture of up to 8 bits, H x W.

    Raises:
        SegNextError: when the file cannot be read or has more than one channel.
    """
    try:
        with unbound_pillow, Image.open(path) as file:
            if file.mode not in ("L", "P", "1"):
                raise SegNextError(
                    f"{path}: a mask of mode {file.mode}; masks hold one 8-bit label per pixel, as grey or palette PNG"
                )
            return np.asarray(file, dtype=np.uint8)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise SegNextError(f"{path}: cannot be read as a mask ({error}); write it again") from error


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
    masks = {name: _read_binary(file) for name, file in files.items()}
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


def _read_binary(path: Path) -> NDArray[np.bool_]:
    mask = read_grey(path)
    values = set(np.flatnonzero(np.bincount(mask.ravel(), minlength=256)).tolist())
    if not (values <= {0, 1} or values <= {0, 255}):
        strange = min(values - {0, 1, 255}, default=1)
        raise SegNextError(
            f"{path}: holds the value {strange}; the mask of one class is 0 where it is not and 255 (or 1) where it "
            "is, so round others (edges smoothed by a drawing tool, say) to those"
        )
    return mask > 0
