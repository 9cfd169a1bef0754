"""Whatever is set up at its first use is used first by the thread that loads a segmenter, before others may use it.

Bindings to C++, compilers and registries of plugins set themselves up when they are first used. Several threads that
come to that point together may wait for each other for ever: one holds Python's lock and waits for a C++ guard, whose
holder waits for Python's lock.
"""

import numpy as np
import PIL.Image

from segnext.kernels.average import Look, vote
from segnext.kernels.classify import classify
from segnext.kernels.compiling import in_turn
from segnext.kernels.threads import loading


def use_first() -> None:
    """Load what turns files into pictures and logits into labels."""
    logits = np.zeros((2, 1, 1), np.float32)
    with loading, in_turn():
        PIL.Image.init()
        for confidence in (False, True):
            classify(logits, (2, 1), (2, 1), confidence=confidence)
        vote([Look(logits, (2, 1))], (2, 1))
