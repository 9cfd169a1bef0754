"""What runs the network."""

import ctypes
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from segnext.kernels.enlarge import Logits, host
from segnext.kernels.threads import loading

Array = NDArray[np.float32]
Batch = Array  # (N, H, W, bands), normalised, H and W multiples of the network's last stride


class Engine(Protocol):
    """The inference form of a network, ready to run; any number, height and width, without preparing anew.

    Attributes:
        name: torch, openvino or onnxruntime.
        precision: fp32 or bf16, in which most of the network is computed; of an exported file with its own before
            it, such as "int8 in bf16".
        device: where, such as cpu or cuda:0.
        streams: pictures that it works on at the same time, for callers in different threads; more of them wait.
    """

    name: str
    precision: str
    device: str
    streams: int

    def __call__(self, x: Batch) -> Logits:
        """Scores of all classes, (N, H / s, W / s, classes), s the network's `logits_stride`; the caller may keep them.

        They are where the engine computes: numpy's array on a processor, torch's tensor elsewhere. Those of a picture
        depend on N within 1e-5 of the largest, since sums are rounded in another order, and on nothing else in the
        batch.
        """
        ...

    def together(self, height: int, width: int, most: int) -> int:
        """How many pictures of this size are best computed at once, a power of two; at most `most`."""
        ...


class PerProcess(ABC):
    """An engine that begins when it is made, and again at its first call in a forked process.

    A child has its parent's memory, but none of its threads, for which what the parent began would wait for ever: in
    its work, and when it is ended.
    """

    name: str
    device: str
    precision: str
    streams: int
    pixels = 0  # that are computed at once where pictures have fewer; 0 where one by one is as quick

    def __init__(self) -> None:
        self.running: Any = None
        self._process = 0
        self._begin()
        _engines.add(self)

    @abstractmethod
    def begin(self) -> object:
        """What runs the network in this process."""

    @abstractmethod
    def run(self, x: Any) -> Sequence[Any]:
        """All that the network gives, the logits first; with `running`, which is what `begin` gave."""

    def outputs(self, x: Any) -> Sequence[Any]:
        """All that the network gives for what it takes, which of an exported one need not be a `Batch` and logits."""
        if self._process != os.getpid():
            self._begin()
        return self.run(x)

    def __call__(self, x: Batch) -> Logits:
        """See `Engine`."""
        logits: Logits = self.outputs(x)[0]
        return logits

    def together(self, height: int, width: int, most: int) -> int:
        """See `Engine`."""
        count = max(min(self.pixels // (height * width), most), 1)
        return 1 << (count.bit_length() - 1)

    def _begin(self) -> None:
        with loading:
            if self._process != os.getpid():
                self.running = self.begin()
                self._process = os.getpid()


def at_places(engine: Engine, pictures: Mapping[int, Array], count: int) -> dict[int, Array]:
    """The logits of pictures of one size (H, W, bands), at their places in a batch of `count`; the others are empty.

    What stands at the other places changes nothing, so that a picture whose place is its own gets the same logits in
    any company.
    """
    if count == 1:
        ((place, only),) = pictures.items()
        return {place: host(engine(only[None]))[0]}
    batch = np.zeros((count, *next(iter(pictures.values())).shape), np.float32)
    for place, picture in pictures.items():
        batch[place] = picture
    logits = host(engine(batch))
    return {place: logits[place] for place in pictures}


_engines: "WeakSet[PerProcess]" = WeakSet()


def _never_end() -> None:
    """Keep what the parent began, also when Python ends and what is left is taken apart."""
    for engine in _engines:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(engine.running))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_never_end)
