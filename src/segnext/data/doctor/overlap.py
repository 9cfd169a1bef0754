"""Whether several masks of a picture say the same, as those of several people do, or divide it between them."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

from segnext.data.masks import read_grey
from segnext.errors import SegNextError


def measure_overlap(groups: Sequence[Sequence[Path]]) -> float:
    """The middle intersection over union of every two masks of a picture; 0 where none can be compared."""
    found = []
    for masks in groups:
        try:
            regions = [read_grey(mask) > 0 for mask in masks]
        except SegNextError:
            continue
        for one, two in combinations(regions, 2):
            if one.shape == two.shape and (one | two).any():
                found.append(np.count_nonzero(one & two) / np.count_nonzero(one | two))
    return float(np.median(found)) if found else 0.0
