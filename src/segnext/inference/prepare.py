"""From a picture to the network's input, in as few passes over its pixels as can be."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segnext.preprocess import Image, Preprocess, Raster


def resized(image: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """The picture at another height and width; itself where these are its own."""
    height, width, bands = image.shape
    if size == (height, width):
        return image
    how = cv2.INTER_AREA if size[0] * size[1] < height * width else cv2.INTER_LINEAR
    changed = np.asarray(cv2.resize(image, size[::-1], interpolation=how), image.dtype)
    return changed.reshape(*size, bands)  # OpenCV drops a single band's axis


def prepare(image: Image | Raster, preprocess: Preprocess, size: tuple[int, int]) -> NDArray[np.float32]:
    """Normalise and pad.

    Args:
        image: (H, W, 3) uint8, or (H, W, bands) float32 in the units of the data, NaN where not measured.
        preprocess: how.
        size: height and width to fill up to, below and on the right, with the mean.

    Returns:
        (1, *size, bands).
    """
    height, width, bands = image.shape
    x = np.zeros((1, *size, bands), np.float32)
    if image.dtype == np.uint8:
        cv2.LUT(image, _table(preprocess), dst=x[0, :height, :width])
    else:
        x[0, :height, :width] = preprocess.normalise(image).transpose(1, 2, 0)
    return x


def _table(preprocess: Preprocess) -> NDArray[np.float32]:
    """The normalised value of each of the 256 values of each band, (1, 256, bands)."""
    values = np.arange(256, dtype=np.uint8)[None, :, None].repeat(len(preprocess.mean), axis=2)
    return np.ascontiguousarray(preprocess.normalise(values).transpose(1, 2, 0))
