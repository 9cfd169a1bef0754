"""Masks and mistakes in colours: the one place that knows how labels become a picture."""

from typing import TypeAlias

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from segnext.labels import Color, Labels
from segnext.preprocess import Image

Mask: TypeAlias = NDArray[np.uint8]  # H x W labels; multi-label classes x H x W of 0, 1 and the ignore label

WRONG = (235, 20, 20)
WHITE = (255, 255, 255)


def palette(labels: Labels, others: Color = (0, 0, 0)) -> NDArray[np.uint8]:
    """The colour of each of 256 labels, (256, 3); `others` for those that are no class."""
    table = np.full((256, 3), others, np.uint8)
    table[: len(labels)] = labels.colors
    return table


def indexed(mask: NDArray[np.uint8], table: NDArray[np.uint8]) -> PIL.Image.Image:
    """A picture whose values are labels, shown in the colours of `table`.

    All 256 entries are given, because with fewer, PNGs are written with less than 8 bits per pixel.
    """
    picture = PIL.Image.fromarray(mask)
    picture.putpalette(table.tobytes())
    return picture


def mix(planes: NDArray[np.uint8], labels: Labels) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The mean colour of the classes that are (1) at each pixel, H x W x 3, and how many these are, H x W x 1."""
    total = np.zeros((*planes.shape[1:], 3), np.float32)
    count = np.zeros((*planes.shape[1:], 1), np.float32)
    for plane, color in zip(planes, labels.colors, strict=True):
        total[plane == 1] += color
        count[plane == 1] += 1
    total /= np.maximum(count, 1)
    return total, count


def paint_mask(mask: Mask, labels: Labels) -> Image:
    """A mask -> H x W x 3 in the classes' colours; white where ignored.

    Of multi-label masks, colours are mixed where several classes are, and black where none is.
    """
    if mask.ndim == 3:
        mixed, _ = mix(mask, labels)
        mixed[mask[0] == labels.ignore] = 255
        return mixed.astype(np.uint8)
    painted: Image = palette(labels, WHITE)[mask]
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
