"""How quick weights are on this machine, in a few seconds; `segnext bench` measures it at length."""

from statistics import median
from typing import Any

import numpy as np

from segnext.checkpoint.weights import Weights
from segnext.inference.segmenter import Segmenter

ROUNDS, WARM_UP = 7, 2


def pace(weights: Weights, height: int, width: int) -> dict[str, Any]:
    """Seconds from a picture of this size in memory to its labels, the median of a few, and what computed them.

    Returns:
        seconds, height, width (of the picture), engine, precision and device.
    """
    segmenter = Segmenter(weights)
    bands = weights.preprocess.bands
    shape = (height, width, weights.config.in_channels if bands is None else len(bands.names))
    picture = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    seconds = [segmenter(picture).seconds for _ in range(WARM_UP + ROUNDS)][WARM_UP:]
    engine = segmenter.engine
    ran = {"engine": engine.name, "precision": engine.precision, "device": engine.device}
    return {"seconds": median(seconds), "height": height, "width": width, **ran}
