"""Drawing: the classes painted over the picture, and a legend that hides nothing of it."""

import math
from collections.abc import Mapping

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from segnext.inference.legend import Entry, attached, legend
from segnext.labels import Labels
from segnext.painting import mix, palette
from segnext.preprocess import Image
from segnext.words import percent

OPACITY = 0.5
SMALLEST = 256
UNMEASURED = (0, 0, 0)  # as `paint` has what is no class


def paint(image: Image, mask: NDArray[np.uint8], labels: Labels) -> Image:
    """Blend the classes' colours half and half with the picture and draw the borders between regions.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) uint8 labels; values without a colour are painted black. Or, multi-label, (classes, H, W) of 0
            and 1: where several are, their colours are mixed, and each is outlined in its own.
        labels: the colours.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    if mask.ndim == 3:
        return _paint_planes(image, mask, labels)
    colors = cv2.LUT(cv2.merge([mask] * 3), palette(labels)[None])
    painted = cv2.addWeighted(colors, OPACITY, image, 1 - OPACITY, 0)
    lighter = cv2.LUT(painted, (255 - np.arange(255, -1, -1) // 3).astype(np.uint8))
    cv2.copyTo(lighter, _borders(mask).astype(np.uint8), painted)
    return np.asarray(painted, np.uint8)


def _paint_planes(image: Image, planes: NDArray[np.uint8], labels: Labels) -> Image:
    colors, count = mix(planes, labels)
    painted = np.where(count > 0, OPACITY * colors + (1 - OPACITY) * image, image).astype(np.uint8)
    for plane, color in zip(planes, labels.colors, strict=True):
        painted[_borders(plane)] = color
    return painted


def _borders(mask: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Pixels on the borders between regions, on lines that grow with the picture."""
    line = 1 + round(math.hypot(*mask.shape) / 1200)
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((line + 1, line + 1), np.uint8)) > 0)


def draw_overlay(image: Image, mask: NDArray[np.uint8], labels: Labels, shares: Mapping[str, float]) -> PIL.Image.Image:
    """The painted picture in the top left corner, pixel for pixel, and a legend in a strip of its own.

    Only tiny pictures, at most 128 pixels long, are enlarged, by a whole number. The legend names the
    classes that occur, the largest first, and last what was not measured, below wide pictures and beside
    tall ones.
    """
    factor = max(1, SMALLEST // max(mask.shape[-2:]))
    if factor > 1:
        image = image.repeat(factor, axis=0).repeat(factor, axis=1)
        mask = mask.repeat(factor, axis=-2).repeat(factor, axis=-1)
    height, width = mask.shape[-2:]
    colors = dict(zip(labels.classes, labels.colors, strict=True))
    entries = [
        Entry(name, colors[name], percent(share))
        for name, share in sorted(shares.items(), key=lambda item: -item[1])
        if share > 0
    ]
    unmeasured = 1 - sum(shares.values())
    if mask.ndim == 2 and unmeasured > 0.5 / mask.size:  # a pixel or more, and no matter of rounding
        entries.append(Entry("not measured", UNMEASURED, percent(unmeasured)))
    strip = legend(entries, width, height)
    return PIL.Image.fromarray(attached(paint(image, mask, labels), strip))
