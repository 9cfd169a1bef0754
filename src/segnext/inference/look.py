"""One picture through the network as often as its testing asks for."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from segnext.inference.engines.engine import Engine, Logits
from segnext.inference.prepare import prepare, resized
from segnext.inference.testing import Testing
from segnext.inference.tiling import windows
from segnext.kernels.average import Look
from segnext.model.config import NetworkConfig, corner_pixels
from segnext.preprocess import Image, Preprocess, Raster, padding


def look(
    engine: Engine, image: Image | Raster, preprocess: Preprocess, testing: Testing, config: NetworkConfig
) -> Iterator[Look]:
    """The network's logits for every scale, and for every scale mirrored if asked for.

    Args:
        engine: runs the network.
        image: (H, W, bands).
        preprocess: how pictures are prepared.
        testing: what is asked for.
        config: of the network, whose strides decide how far a picture is filled up.

    Raises:
        SegNextError: when the windows of `testing` do not fit the network.
    """
    testing.require_fit(config)
    height, width = image.shape[:2]
    if testing.short_side or testing.long_side:
        preprocess = dataclasses.replace(preprocess, short_side=testing.short_side, long_side=testing.long_side)
    for scale in testing.scales:
        size = preprocess.size(height, width, scale)
        bottom, right = padding(*size, config.strides[-1])
        padded = size[0] + bottom, size[1] + right
        if testing.resize == "multiple":
            size = padded
        picture = resized(image, size)
        covered = height * padded[0] / size[0], width * padded[1] / size[1]
        for mirrored in (False, True) if testing.flip else (False,):
            seen = np.ascontiguousarray(picture[:, ::-1]) if mirrored else picture
            if testing.slide is None:
                logits = engine(prepare(seen, preprocess, padded))
            else:
                logits = _slide(engine, seen, preprocess, padded, *testing.slide)
            yield Look(logits, covered, mirrored, corner_pixels(config))


def _slide(
    engine: Engine, image: Image | Raster, preprocess: Preprocess, padded: tuple[int, int], crop: int, stride: int
) -> Logits:
    """The mean of the logits of all windows, (h, w, classes) for the padded picture.

    Windows begin at multiples of the logits' stride, where the positions of their logits coincide, so that sums are
    kept at the logits' resolution, a 64th of what the released code keeps. Once enlarged, both are the same but within
    half that stride of the windows' edges, where the released code has a step and the logits here go over into each
    other.
    """
    total = count = np.zeros(0, np.float32)
    for rows, columns in windows(*padded, crop, stride):
        size = rows.stop - rows.start, columns.stop - columns.start
        logits = engine(prepare(image[rows, columns], preprocess, size))
        step = size[0] // logits.shape[0]
        if not total.size:
            height, width = (side // step for side in padded)
            total, count = (np.zeros((height, width, depth), np.float32) for depth in (logits.shape[2], 1))
        place = tuple(slice(x.start // step, x.stop // step) for x in (rows, columns))
        total[place] += logits
        count[place] += 1
    total /= count
    return total
