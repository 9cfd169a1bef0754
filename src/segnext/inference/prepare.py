"""From a picture to the network's input, in as few passes over its pixels as can be."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segnext.preprocess import Image, Preprocess, Raster


def prepare(image: Image | Raster, preprocess: Preprocess) -> tuple[NDArray[np.float32], tuple[int, int]]:
    """Resize, normalise and pad.

    Args:
        image: (H, W, 3) uint8, or (H, W, bands) float32 in the units of the data, NaN where not measured.
        preprocess: how.

    Returns:
        (1, height, width, bands), both multiples of 32, and the height and width in pixels of the picture that
        they cover; these exceed the picture where it was padded, with the mean, below and on the right.
    """
    height, width = image.shape[:2]
    size = preprocess.size(height, width)
    if size != (height, width):
        how = cv2.INTER_AREA if size[0] * size[1] < height * width else cv2.INTER_LINEAR
        image = _resize(image, size, how)
    bottom, right = preprocess.padding(*size)
    x = np.zeros((1, size[0] + bottom, size[1] + right, image.shape[2]), np.float32)
    if image.dtype == np.uint8:
        x[0, : size[0], : size[1]] = cv2.LUT(image, _table(preprocess))
    else:
        x[0, : size[0], : size[1]] = preprocess.normalise(image).transpose(1, 2, 0)
    # Pictures that were resized have the size of a multiple, and are not padded.
    return x, (height + bottom, width + right)


def _resize(image: NDArray[Any], size: tuple[int, int], how: int) -> NDArray[Any]:
    resized = np.asarray(cv2.resize(image, size[::-1], interpolation=how), image.dtype)
    return resized.reshape(*size, image.shape[2])  # OpenCV drops a single band's axis


def _table(preprocess: Preprocess) -> NDArray[np.float32]:
    """The normalised value of each of the 256 values of each band, (1, 256, bands)."""
    values = np.arange(256, dtype=np.uint8)[None, :, None].repeat(len(preprocess.mean), axis=2)
    return np.ascontiguousarray(preprocess.normalise(values).transpose(1, 2, 0))
