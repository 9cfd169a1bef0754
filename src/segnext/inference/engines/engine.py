"""What runs the network."""

import ctypes
import os
from abc import ABC, abstractmethod
from typing import Any, Protocol
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from segnext.kernels.threads import loading

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


class PerProcess(ABC):
    """An engine that begins when it is made, and again at its first call in a forked process.

    A child has its parent's memory, but none of its threads, for which what the parent began would wait for ever: in
    its work, and when it is ended.
    """

    def __init__(self) -> None:
        self.running: Any = None
        self._process = 0
        self._begin()
        _engines.add(self)

    @abstractmethod
    def begin(self) -> object:
        """What runs the network in this process."""

    @abstractmethod
    def run(self, x: Batch) -> Logits:
        """See `Engine`; with `running`, which is what `begin` gave."""

    def __call__(self, x: Batch) -> Logits:
        """See `Engine`."""
        if self._process != os.getpid():
            self._begin()
        return self.run(x)

    def _begin(self) -> None:
        with loading:
            if self._process != os.getpid():
                self.running = self.begin()
                self._process = os.getpid()


_engines: "WeakSet[PerProcess]" = WeakSet()


def _never_end() -> None:
    """Keep what the parent began, also when Python ends and what is left is taken apart."""
    for engine in _engines:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(engine.running))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_never_end)
