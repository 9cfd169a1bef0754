"""Masks and mistakes as pictures."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from segnext.labels import Labels
from segnext.preprocess import Image

Mask: TypeAlias = NDArray[np.uint8]  # H x W labels

WRONG = (235, 20, 20)


def paint_mask(mask: Mask, labels: Labels) -> Image:
    """H x W labels -> H x W x 3 in the classes' colours; white where ignored."""
    palette = np.full((256, 3), 255, np.uint8)
    palette[: len(labels)] = labels.colors
    painted: Image = palette[mask]
    return painted


def paint_errors(photo: Image, truth: Mask, prediction: Mask, ignore: int) -> Image:
    """The photo (H x W x 3) in pale grey, wrong pixels red, ignored ones dark."""
    grey = photo.mean(2, keepdims=True).repeat(3, 2)
    picture = 0.5 * grey + 110
    ignored = truth == ignore
    wrong = (truth != prediction) & ~ignored
    picture[wrong] = 0.3 * grey[wrong] + 0.7 * np.array(WRONG)
    picture[ignored] = 0.25 * grey[ignored]
    errors: Image = picture.astype(np.uint8)
    return errors
