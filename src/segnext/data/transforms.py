"""Paired augmentation of picture and mask, as in the paper's recipe (section 4, and the released configuration)."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segnext.errors import require_setting
from segnext.preprocess import Raster

Array = NDArray[np.uint8]
Picture = NDArray[Any]  # H x W x 3 uint8, or H x W x bands float32

PHOTO_STD = 57.6  # mean of ImageNet's three, in 8-bit units: by it the paper's brightness is turned into deviations


@dataclass(frozen=True)
class Augment:
    """What happens to a training picture; the defaults are the paper's.

    Pictures that are read band by band have no hue or saturation. Their brightness and contrast change as in the
    paper, all bands alike, so that the relations between the bands stay: brightness 32 adds up to 32 / 57.6 standard
    deviations of each band, and contrast multiplies its distance from its mean.

    Attributes:
        scale: range of the random resize.
        max_class_share: a crop in which one class covers this share or more is drawn again, up to ten crops in all; 1
            takes any crop, as do multi-label masks, whose classes do not share the crop out among them.
        flip: probability of a horizontal flip.
        brightness: largest addition to all channels, in 8-bit units; this and the three below are each
            applied with probability 1/2, contrast before or after the colours.
        contrast: range of the factor on all channels.
        saturation: range of the factor on HSV saturation.
        hue: largest turn of the hue, in steps of two degrees.
        turn: probability of a turn by 90, 180 or 270 degrees; 0.75 makes all four ways alike, for pictures without an
            upright way, such as those from above.
    """

    scale: tuple[float, float] = (0.5, 2.0)
    max_class_share: float = 0.75
    flip: float = 0.5
    brightness: float = 32.0
    contrast: tuple[float, float] = (0.5, 1.5)
    saturation: tuple[float, float] = (0.5, 1.5)
    hue: int = 18
    turn: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no augmentation."""
        low, high = self.scale
        require_setting(0.0 < low <= high < math.inf, "augment.scale", self.scale, "two numbers above 0, in order")
        for name in ("contrast", "saturation"):
            low, high = getattr(self, name)
            wanted = "two numbers from 0 on, in order"
            require_setting(0.0 <= low <= high < math.inf, f"augment.{name}", getattr(self, name), wanted)
        share, brightness = self.max_class_share, self.brightness
        require_setting(0.0 < share <= 1.0, "augment.max_class_share", share, "above 0 and at most 1")
        for name in ("flip", "turn"):
            probability = getattr(self, name)
            require_setting(0.0 <= probability <= 1.0, f"augment.{name}", probability, "a probability, from 0 to 1")
        require_setting(0.0 <= brightness <= 255.0, "augment.brightness", brightness, "from 0 to 255")
        require_setting(0 <= self.hue <= 90, "augment.hue", self.hue, "from 0 to 90 steps, half a turn")


def augment(
    image: Picture,
    mask: Array,
    *,
    base_size: tuple[int, int],
    crop: tuple[int, int],
    ignore: int,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    options: Augment,
    random: np.random.Generator,
    label: int | None = None,
) -> tuple[Picture, Array]:
    """One training sample: resize, crop, flip, turn, distort colours, pad.

    Args:
        image: H x W x 3 uint8, or H x W x bands float32, NaN where not measured.
        mask: H x W labels, or classes x H x W of 0, 1 and `ignore`.
        base_size: height and width that a scale of 1 means.
        crop: height and width of the result.
        ignore: label of the padding.
        mean: of each band, in the units of the picture; colour of the padding, which is NaN in float32.
        std: of each band, in the same units.
        options: strengths.
        random: where every choice comes from.
        label: the class that the crop is laid over, where the resized mask still has it; None for anywhere.

    Returns:
        Picture and mask of size `crop`.
    """
    scale = random.uniform(*options.scale)
    size = tuple(max(1, round(side * scale)) for side in base_size)
    image = resize(image, size, cv2.INTER_LINEAR)
    mask = _each_plane(mask, lambda plane: resize(plane, size, cv2.INTER_NEAREST))
    quarters = int(random.integers(1, 4)) if options.turn and random.random() < options.turn else 0
    window = crop if quarters % 2 == 0 else crop[::-1]
    rows, columns = choose_crop(mask, window, ignore, options.max_class_share, random, label)
    image, mask = image[rows, columns], mask[..., rows, columns]
    if random.random() < options.flip:
        image, mask = image[:, ::-1], mask[..., ::-1]
    image, mask = np.rot90(image, quarters), np.rot90(mask, quarters, (-2, -1))
    if image.dtype == np.uint8:
        image = distort_colors(np.ascontiguousarray(image), options, random)
        image = pad(image, crop, [round(value) for value in mean])
    else:
        image = distort_bands(image, mean, std, options, random)
        image = pad_bands(image, crop)
    return image, _each_plane(mask, lambda plane: pad(plane, crop, [ignore]))


def _each_plane(mask: Array, change: Callable[[Array], Array]) -> Array:
    """Change a mask of labels, or each plane of a multi-label one."""
    return change(mask) if mask.ndim == 2 else np.stack([change(plane) for plane in mask])


def resize(array: Picture, size: tuple[int, ...], interpolation: int) -> Picture:
    """Resize to `size` (height, width)."""
    resized = cv2.resize(array, (size[1], size[0]), interpolation=interpolation)
    return np.asarray(resized, array.dtype).reshape(*size, *array.shape[2:])  # OpenCV drops a single band's axis


def choose_crop(
    mask: Array,
    crop: tuple[int, int],
    ignore: int,
    max_class_share: float,
    random: np.random.Generator,
    label: int | None = None,
) -> tuple[slice, slice]:
    """Rows and columns of a random window in which no class covers more than `max_class_share`.

    With a `label`, the window lies over one of that class's pixels, drawn evenly from all of them, if there are any.
    """
    height, width = mask.shape[-2:]
    pixels = np.flatnonzero(mask == label if mask.ndim == 2 else mask[label] == 1) if label is not None else np.empty(0)
    window = (slice(0, crop[0]), slice(0, crop[1]))
    for _ in range(10 if max_class_share < 1 else 1):
        row, column = divmod(int(random.choice(pixels)), width) if len(pixels) else (None, None)
        top, left = _start(height, crop[0], row, random), _start(width, crop[1], column, random)
        window = (slice(top, top + crop[0]), slice(left, left + crop[1]))
        if mask.ndim == 3:
            break
        counts = np.bincount(mask[window].ravel(), minlength=256)
        counts[ignore] = 0
        if np.count_nonzero(counts) > 1 and counts.max() < max_class_share * counts.sum():
            break
    return window


def _start(length: int, crop: int, covered: int | None, random: np.random.Generator) -> int:
    """Where a crop begins along one side: anywhere, or anywhere that `covered` lies in it."""
    last = max(length - crop, 0)
    if covered is None:
        return int(random.integers(last + 1))
    return int(random.integers(max(covered - crop + 1, 0), min(covered, last) + 1))


def distort_colors(image: Array, options: Augment, random: np.random.Generator) -> Array:
    """Photometric distortion (Liu et al., SSD, 2016): brightness, contrast, saturation, hue."""
    contrast_first = random.random() < 0.5
    if random.random() < 0.5:
        image = linear(image, 1.0, random.uniform(-options.brightness, options.brightness))
    contrast = random.uniform(*options.contrast) if random.random() < 0.5 else 1.0
    if contrast_first:
        image = linear(image, contrast, 0.0)
    saturation = random.uniform(*options.saturation) if random.random() < 0.5 else 1.0
    hue = int(random.integers(-options.hue, options.hue + 1)) if random.random() < 0.5 else 0
    image = turn_colors(image, saturation, hue)
    return image if contrast_first else linear(image, contrast, 0.0)


def distort_bands(
    image: Raster, mean: tuple[float, ...], std: tuple[float, ...], options: Augment, random: np.random.Generator
) -> Raster:
    """Brightness and contrast of bands of any number and unit, see `Augment`; each with probability 1/2."""
    offset = random.uniform(-options.brightness, options.brightness) / PHOTO_STD if random.random() < 0.5 else 0.0
    contrast = random.uniform(*options.contrast) if random.random() < 0.5 else 1.0
    center, spread = np.asarray(mean, np.float32), np.asarray(std, np.float32)
    return (image - center) * np.float32(contrast) + (center + np.float32(offset) * spread)


def linear(image: Array, factor: float, offset: float) -> Array:
    """Clip(image * factor + offset) to 8 bits."""
    if factor == 1.0 and offset == 0.0:
        return image
    table = np.clip(np.rint(np.arange(256) * factor + offset), 0, 255).astype(np.uint8)
    result: Array = np.asarray(cv2.LUT(image, table), np.uint8)
    return result


def turn_colors(image: Array, saturation: float, hue: int) -> Array:
    """Multiply the saturation and turn the hue (in steps of two degrees)."""
    if saturation == 1.0 and hue == 0:
        return image
    steps = np.arange(256)
    hues = ((steps + hue) % 180).astype(np.uint8)
    saturations = np.clip(np.rint(steps * saturation), 0, 255).astype(np.uint8)
    table = np.stack([hues, saturations, steps.astype(np.uint8)], axis=1)[None]
    hsv = cv2.LUT(cv2.cvtColor(image, cv2.COLOR_RGB2HSV), table)
    result: Array = np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.uint8)
    return result


def pad(array: Array, size: tuple[int, int], value: list[int]) -> Array:
    """Fill up at the bottom and the right to `size` (height, width)."""
    bottom, right = size[0] - array.shape[0], size[1] - array.shape[1]
    if bottom == 0 and right == 0:
        return np.ascontiguousarray(array)
    fill = value if array.ndim == 3 else value[0]
    padded: Array = np.asarray(
        cv2.copyMakeBorder(np.ascontiguousarray(array), 0, bottom, 0, right, cv2.BORDER_CONSTANT, value=fill),
        np.uint8,
    )
    return padded


def pad_bands(image: Raster, size: tuple[int, int]) -> Raster:
    """Fill up with NaN, not measured, at the bottom and the right to `size` (height, width)."""
    padded = np.full((*size, image.shape[2]), np.nan, np.float32)
    padded[: image.shape[0], : image.shape[1]] = image
    return padded
