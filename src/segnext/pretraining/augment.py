"""From a batch of crops to what the network is trained on: RandAugment, erasing, mixup, cutmix, soft labels."""

import math
from importlib.util import find_spec

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from segnext.errors import SegNextError
from segnext.preprocess import Preprocess
from segnext.pretraining.config import PictureAugment

ERASED_AREA = (0.02, 1 / 3)  # share of the picture
ERASED_RATIO = 0.3  # the narrowest rectangle; its inverse is the widest


def needs_kornia(options: PictureAugment) -> bool:
    """Whether RandAugment or colour jitter is on, whose operations are kornia's, an optional extra."""
    return options.operations > 0 or options.color_jitter > 0.0


def require_kornia(options: PictureAugment) -> None:
    """Refuse settings that need kornia where it is not installed.

    Raises:
        SegNextError: with what installs it, or does without.
    """
    if needs_kornia(options) and find_spec("kornia") is None:
        raise SegNextError(
            "augment.operations and augment.color_jitter need the package kornia, which is not installed; run: "
            "pip install 'segnext[pretrain]', or set both to 0"
        )


def normalise(images: Tensor, preprocess: Preprocess) -> Tensor:
    """(B, 3, H, W) in 0..1 -> zero mean and unit variance."""
    mean, std = (torch.tensor(values, device=images.device) / 255.0 for values in (preprocess.mean, preprocess.std))
    return (images - mean[:, None, None]) / std[:, None, None]


def augment_batch(
    images: Tensor, preprocess: Preprocess, options: PictureAugment, random: np.random.Generator
) -> Tensor:
    """Colours and shapes changed, normalised, rectangles erased.

    Args:
        images: (B, 3, S, S) uint8.
        preprocess: mean and standard deviation.
        options: what is done.
        random: all that is random follows from its state, and from the kind of device for the noise.

    Returns:
        (B, 3, S, S) float32 on the same device.
    """
    batch = images.float() / 255.0
    if needs_kornia(options):
        from segnext.pretraining.randaugment import color_jitter, rand_augment

        batch = rand_augment(batch, options.operations, options.magnitude, options.magnitude_std, random)
        if options.color_jitter:
            batch = color_jitter(batch, options.color_jitter, random)
    return erase(normalise(batch, preprocess), options.erase, random)


def erase(images: Tensor, probability: float, random: np.random.Generator) -> Tensor:
    """Overwrite a random rectangle of some pictures with normal noise (Zhong et al., 2020).

    Rectangles that would not fit into the picture are left out.
    """
    count, _, height, width = images.shape
    area = height * width * random.uniform(*ERASED_AREA, count)
    ratio = np.exp(random.uniform(math.log(ERASED_RATIO), -math.log(ERASED_RATIO), count))
    tall, wide = np.rint(np.sqrt(area * ratio)), np.rint(np.sqrt(area / ratio))
    top = np.floor(random.random(count) * (height - tall + 1))
    left = np.floor(random.random(count) * (width - wide + 1))
    done = (random.random(count) < probability) & (tall < height) & (wide < width)
    seed = int(random.integers(2**62))
    rows = np.flatnonzero(done)
    if not len(rows):
        return images
    device = images.device
    y, x = torch.arange(height, device=device), torch.arange(width, device=device)
    first_y, end_y, first_x, end_x = (
        torch.from_numpy(values[rows, None]).to(device) for values in (top, top + tall, left, left + wide)
    )
    inside = ((y >= first_y) & (y < end_y))[:, None, :, None] & ((x >= first_x) & (x < end_x))[:, None, None, :]
    generator = torch.Generator(device).manual_seed(seed)
    noise = torch.randn((len(rows), *images.shape[1:]), generator=generator, device=device)
    index = torch.from_numpy(rows).to(device)
    images[index] = torch.where(inside, noise, images[index])
    return images


def mix(images: Tensor, options: PictureAugment, random: np.random.Generator) -> tuple[Tensor, float]:
    """Mix each picture with its partner, the batch read backwards: mixup (Zhang et al., 2018) or cutmix (Yun et al.).

    Returns:
        The pictures, and the weight of their own labels; the partners' have the rest.
    """
    methods = [method for method, beta in ((_mixup, options.mixup), (_cutmix, options.cutmix)) if beta > 0.0]
    if not methods:
        return images, 1.0
    method = methods[random.integers(len(methods))]
    beta = options.mixup if method is _mixup else options.cutmix
    return method(images, float(random.beta(beta, beta)), random)


def _mixup(images: Tensor, weight: float, random: np.random.Generator) -> tuple[Tensor, float]:
    return images.flip(0).lerp_(images, weight), weight


def _cutmix(images: Tensor, weight: float, random: np.random.Generator) -> tuple[Tensor, float]:
    """A rectangle of the partner's, around a random position; `weight` of the area stays, more at the edges."""
    height, width = images.shape[2:]
    tall, wide = (int(side * math.sqrt(1.0 - weight)) for side in (height, width))
    y, x = int(random.integers(height)), int(random.integers(width))
    top, bottom = max(y - tall // 2, 0), min(y + tall // 2, height)
    left, right = max(x - wide // 2, 0), min(x + wide // 2, width)
    mixed = images.clone()
    mixed[:, :, top:bottom, left:right] = images.flip(0)[:, :, top:bottom, left:right]
    return mixed, 1.0 - (bottom - top) * (right - left) / (height * width)


def soft_labels(labels: Tensor, weight: float, num_classes: int, smoothing: float) -> Tensor:
    """(B, classes) probabilities: `weight` of the own label, the rest of the partner's, then label smoothing."""
    own = F.one_hot(labels, num_classes).float()
    mixed = weight * own + (1.0 - weight) * own.flip(0)
    return (1.0 - smoothing) * mixed + smoothing / num_classes
