"""Masks and mistakes as pictures."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from segnext.labels import Labels
from segnext.preprocess import Image

Mask: TypeAlias = NDArray[np.uint8]  # H x W labels; multi-label classes x H x W of 0, 1 and the ignore label

WRONG = (235, 20, 20)


def paint_mask(mask: Mask, labels: Labels) -> Image:
    """A mask -> H x W x 3 in the classes' colours; white where ignored.

    Of multi-label masks, colours are mixed where several classes are, and black where none is.
    """
    if mask.ndim == 3:
        present = mask == 1
        total = np.einsum("chw,cd->hwd", present.astype(np.float32), np.asarray(labels.colors, np.float32))
        mixed = total / np.maximum(present.sum(0), 1)[..., None]
        mixed[mask[0] == labels.ignore] = 255
        return np.asarray(mixed, np.uint8)
    palette = np.full((256, 3), 255, np.uint8)
    palette[: len(labels)] = labels.colors
    painted: Image = palette[mask]
    return painted


def paint_errors(photo: Image, truth: Mask, prediction: Mask, ignore: int) -> Image:
    """The photo (H x W x 3) in pale grey, wrong pixels red, ignored ones dark."""
    grey = photo.mean(2, keepdims=True).repeat(3, 2)
    picture = 0.5 * grey + 110
    wrong, ignored = wrong_and_ignored(truth, prediction, ignore)
    picture[wrong] = 0.3 * grey[wrong] + 0.7 * np.array(WRONG)
    picture[ignored] = 0.25 * grey[ignored]
    errors: Image = picture.astype(np.uint8)
    return errors


def wrong_and_ignored(truth: Mask, prediction: Mask, ignore: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where the label, or that of any class, is wrong, and where truth or prediction are ignored; both H x W."""
    if truth.ndim == 3:
        ignored = truth[0] == ignore
        return (truth != prediction).any(0) & ~ignored, ignored
    ignored = (truth == ignore) | (prediction == ignore)
    return (truth != prediction) & ~ignored, ignored


def shrink_mask(mask: Mask, height: int, width: int) -> Mask:
    """The mask at another size, by nearest neighbour."""
    rows = (np.arange(height) + 0.5) * mask.shape[-2] // height
    columns = (np.arange(width) + 0.5) * mask.shape[-1] // width
    return np.asarray(mask[..., rows.astype(int)[:, None], columns.astype(int)], np.uint8)
