"""What runs the network."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Batch = NDArray[np.float32]  # (1, H, W, bands), normalised, H and W multiples of the network's last stride
Logits = NDArray[np.float32]  # (H / s, W / s, classes), s the network's `logits_stride`


class Engine(Protocol):
    """The inference form of a network, ready to run; every height and width, without preparing anew.

    Attributes:
        name: torch, openvino or onnxruntime.
        precision: fp32 or bf16, in which most of the network is computed.
        device: where, such as cpu or cuda:0.
        streams: pictures that it works on at the same time, for callers in different threads; more of them wait.
    """

    name: str
    precision: str
    device: str
    streams: int

    def __call__(self, x: Batch) -> Logits:
        """Scores of all classes at the resolution of `Logits`; the caller may keep the array."""
        ...
