"""From a picture to the network's input, in as few passes over its pixels as can be."""

import cv2
import numpy as np
from numpy.typing import NDArray

from segnext.preprocess import Image, Preprocess


def resized(image: Image, size: tuple[int, int]) -> Image:
    """The picture at another height and width; itself where these are its own."""
    height, width = image.shape[:2]
    if size == (height, width):
        return image
    how = cv2.INTER_AREA if size[0] * size[1] < height * width else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size[::-1], interpolation=how), np.uint8)


def prepare(image: Image, preprocess: Preprocess, size: tuple[int, int]) -> NDArray[np.float32]:
    """Normalise and pad.

    Args:
        image: (H, W, 3) uint8.
        preprocess: how.
        size: height and width to fill up to, below and on the right, with the mean colour.

    Returns:
        (1, *size, 3).
    """
    height, width, bands = image.shape
    x = np.zeros((1, *size, bands), np.float32)
    x[0, :height, :width] = cv2.LUT(image, _table(preprocess))
    return x


def _table(preprocess: Preprocess) -> NDArray[np.float32]:
    """The normalised value of each of the 256 values of each band, (1, 256, bands)."""
    values = np.arange(256, dtype=np.uint8)[None, :, None].repeat(len(preprocess.mean), axis=2)
    return np.ascontiguousarray(preprocess.normalise(values).transpose(1, 2, 0))
