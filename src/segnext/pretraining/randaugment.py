"""RandAugment on whole batches (Cubuk et al., 2020), with the operations and strengths of DeiT's recipe.

The recipe's "rand-m9-mstd0.5-inc1" is timm's: two of fifteen operations for each picture, each done half of the time,
with a strength of 9 on average on a scale to 10, where every operation does more the higher it is.

Each operation: images (N, 3, S, S) in 0..1, square; level (N,) in 0..1; sign (N,) -1 or 1 -> images.
"""

import math
from collections.abc import Callable

import kornia.enhance as enhance
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from segnext.preprocess import Preprocess

Operation = Callable[[Tensor, Tensor, Tensor], Tensor]

PROBABILITY = 0.5  # of doing an operation that was drawn
STRONGEST = 10.0  # end of the scale of strengths
FILL = torch.tensor(Preprocess().mean)[:, None, None] / 255  # where turning and shifting lay bare; the mean colour


def rand_augment(
    images: Tensor, operations: int, magnitude: float, magnitude_std: float, random: np.random.Generator
) -> Tensor:
    """Do `operations` random operations on each picture, in place.

    Args:
        images: (B, 3, S, S) in 0..1.
        operations: how many are drawn for each picture, with replacement.
        magnitude: mean strength.
        magnitude_std: its standard deviation.
        random: drawn from in the same way whatever the device.

    Returns:
        `images`, in 0..1.
    """
    for _ in range(operations):
        chosen = random.integers(len(OPERATIONS), size=len(images))
        done = random.random(len(images)) < PROBABILITY
        strength = random.normal(magnitude, magnitude_std, len(images)).clip(0.0, STRONGEST) / STRONGEST
        level, sign = (
            torch.from_numpy(values.astype(np.float32)).to(images.device)
            for values in (strength, random.choice([-1.0, 1.0], len(images)))
        )
        for number, operation in enumerate(OPERATIONS):
            rows = np.flatnonzero(done & (chosen == number))
            if len(rows):
                index = torch.from_numpy(rows).to(images.device)
                images[index] = operation(images[index], level[index], sign[index]).clamp_(0.0, 1.0)
    return images


def color_jitter(images: Tensor, strength: float, random: np.random.Generator) -> Tensor:
    """Change brightness, contrast and saturation, in random order, by factors from 1 - strength to 1 + strength."""
    for index in random.permutation(3):
        factor = torch.from_numpy(random.uniform(1 - strength, 1 + strength, len(images)).astype(np.float32))
        change = (
            enhance.adjust_brightness_accumulative,
            enhance.adjust_contrast_with_mean_subtraction,
            enhance.adjust_saturation_with_gray_subtraction,
        )[index]
        images = change(images, factor.to(images.device)).clamp_(0.0, 1.0)
    return images


def _factor(level: Tensor, sign: Tensor) -> Tensor:
    """1 does nothing; 0.1 to 1.9."""
    return (1.0 + 0.9 * level * sign).clamp(min=0.1)


def _autocontrast(images: Tensor, level: Tensor, sign: Tensor) -> Tensor:
    flat = images.amax((2, 3), keepdim=True) == images.amin((2, 3), keepdim=True)
    return torch.where(flat, images, enhance.normalize_min_max(images))  # which makes flat channels black


def _posterize(images: Tensor, level: Tensor, sign: Tensor) -> Tensor:
    return enhance.posterize(images, 4 - (4 * level).int())  # bits that are kept


def _solarize(images: Tensor, level: Tensor, sign: Tensor) -> Tensor:
    return torch.where(images < 1.0 - level[:, None, None, None], images, 1.0 - images)


def _solarize_add(images: Tensor, level: Tensor, sign: Tensor) -> Tensor:
    return torch.where(images < 0.5, images + 110 / 255 * level[:, None, None, None], images)


def _warp(images: Tensor, matrix: list[list[Tensor]]) -> Tensor:
    """Each position takes what lies where `matrix` sends it; coordinates (x, y, 1), -1 to 1 from edge to edge."""
    theta = torch.stack([torch.stack(row, -1) for row in matrix], 1)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    fill = FILL.to(images.device)
    return F.grid_sample(images - fill, grid, align_corners=False) + fill


def _rotate(images: Tensor, level: Tensor, sign: Tensor) -> Tensor:
    angle = math.radians(30) * level * sign
    zero = torch.zeros_like(angle)
    return _warp(images, [[angle.cos(), -angle.sin(), zero], [angle.sin(), angle.cos(), zero]])


def _shear(images: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Shear by x and y, relative to the upper left corner."""
    one = torch.ones_like(x)
    return _warp(images, [[one, x, x], [y, one, y]])


def _translate(images: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Shift by shares of the side."""
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    return _warp(images, [[one, zero, 2 * x], [zero, one, 2 * y]])


OPERATIONS: tuple[Operation, ...] = (
    _autocontrast,
    lambda images, level, sign: enhance.equalize(images),
    lambda images, level, sign: 1.0 - images,
    _rotate,
    _posterize,
    _solarize,
    _solarize_add,
    lambda images, level, sign: enhance.adjust_saturation_with_gray_subtraction(images, _factor(level, sign)),
    lambda images, level, sign: enhance.adjust_contrast_with_mean_subtraction(images, _factor(level, sign)),
    lambda images, level, sign: enhance.adjust_brightness_accumulative(images, _factor(level, sign)),
    lambda images, level, sign: enhance.sharpness(images, _factor(level, sign)),
    lambda images, level, sign: _shear(images, 0.3 * level * sign, torch.zeros_like(level)),
    lambda images, level, sign: _shear(images, torch.zeros_like(level), 0.3 * level * sign),
    lambda images, level, sign: _translate(images, 0.45 * level * sign, torch.zeros_like(level)),
    lambda images, level, sign: _translate(images, torch.zeros_like(level), 0.45 * level * sign),
)
