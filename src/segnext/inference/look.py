"""One picture through the network as often as its testing asks for."""

import dataclasses
from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

from segnext.inference.blend import Blend
from segnext.inference.engines.engine import Engine, at_places
from segnext.inference.prepare import prepare, resized
from segnext.inference.testing import Testing
from segnext.inference.tiling import Grid
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
                logits = engine(prepare(seen, preprocess, padded))[0]
            else:
                crop, step = testing.slide
                grid = Grid(*padded, config.logits_stride, crop, crop - step, config.strides[-1])
                logits = _slide(engine, seen, preprocess, grid, config.num_classes)
            yield Look(logits, covered, mirrored, corner_pixels(config))


def _slide(
    engine: Engine, image: Image | Raster, preprocess: Preprocess, grid: Grid, classes: int
) -> NDArray[np.float32]:
    """The mean of the logits of all windows, (h, w, classes) for the padded picture, which `grid` covers.

    Windows begin at multiples of the logits' stride, where the positions of their logits coincide, so that sums are
    kept at the logits' resolution, a 64th of what the released code keeps. Once enlarged, both are the same but within
    half that stride of the windows' edges, where the released code has a step and the logits here go over into each
    other.
    """
    windows = list(product(grid.rows, grid.columns))
    count = engine.together(*grid.size, len(windows))
    down, across = (np.ones(side // grid.step, np.float32) for side in grid.size)
    blend = Blend(grid.width // grid.step, classes, rows=grid.height // grid.step)
    for start in range(0, len(windows), count):
        group = windows[start : start + count]
        prepared = {place: prepare(image[window], preprocess, grid.size)[0] for place, window in enumerate(group)}
        for place, logits in at_places(engine, prepared, count).items():
            top, left = (side.start // grid.step for side in group[place])
            blend.add(top, left, logits, down, across)
    return blend.means(grid.height // grid.step)
