"""The compiled kernel, loaded while an engine starts."""

from functools import cache
from importlib import import_module

import numpy as np


@cache
def load_kernel() -> None:
    """Import numba and its compiled code, which takes as long as starting an engine; wait if another thread does so."""
    import_module("segnext.kernels.classify").classify(np.zeros((1, 1, 1), np.float32), (1, 1), (1, 1))
