"""From a picture to the network's input, in as few passes over its pixels as can be."""

import cv2
import numpy as np
from numpy.typing import NDArray

from segnext.preprocess import Image, Preprocess


def prepare(image: Image, preprocess: Preprocess) -> tuple[NDArray[np.float32], tuple[int, int]]:
    """Resize, normalise and pad.

    Args:
        image: (H, W, 3) uint8.
        preprocess: how.

    Returns:
        (1, height, width, 3), both multiples of 32, and the height and width in pixels of the picture that
        they cover; these exceed the picture where it was padded, with the mean colour, below and on the right.
    """
    height, width = image.shape[:2]
    size = preprocess.size(height, width)
    if size != (height, width):
        how = cv2.INTER_AREA if size[0] * size[1] < height * width else cv2.INTER_LINEAR
        image = np.asarray(cv2.resize(image, size[::-1], interpolation=how), np.uint8)
    bottom, right = preprocess.padding(*size)
    x = np.zeros((1, size[0] + bottom, size[1] + right, image.shape[2]), np.float32)
    x[0, : size[0], : size[1]] = cv2.LUT(image, _table(preprocess))
    # Pictures that were resized have the size of a multiple, and are not padded.
    return x, (height + bottom, width + right)


def _table(preprocess: Preprocess) -> NDArray[np.float32]:
    """The normalised value of each of the 256 values of each band, (1, 256, bands)."""
    values = np.arange(256, dtype=np.uint8)[None, :, None].repeat(len(preprocess.mean), axis=2)
    return np.ascontiguousarray(preprocess.normalise(values).transpose(1, 2, 0))
