"""PyTorch, on a processor or a CUDA device."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import NamedTuple

import torch

from segnext.errors import SegNextError
from segnext.inference.engines.engine import Batch, PerProcess
from segnext.kernels.enlarge import Logits
from segnext.model.fold import fold
from segnext.model.network import Network


class Turns(NamedTuple):
    """Calls take turns, as each takes all cores; in a thread of their own, if there is one."""

    lock: "Lock"
    apart: ThreadPoolExecutor | None


class TorchEngine(PerProcess):
    """The folded network in eager mode; see `Engine`."""

    name = "torch"
    streams = 1

    def __init__(self, model: Network, device: str, precision: str) -> None:
        self.device = device
        self.precision = precision
        self.dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        self.network = fold(model).to(device, self.dtype)
        # On a processor small pictures gain, larger ones lose; elsewhere, as much memory as one picture of that size.
        self.pixels = 4 * 128 * 128 if device == "cpu" else 1024 * 2048
        self.made_in = os.getpid()
        super().__init__()

    def begin(self) -> Turns:
        """See `Turns`; a forked process takes calls to a thread of their own.

        The threads that OpenMP shares work with belong to the thread that it shares the work of; a new one gets its
        own, whereas those of the caller's may have stayed in the parent.
        """
        forked = os.getpid() != self.made_in
        if forked and self.device != "cpu":
            raise SegNextError(
                f"a forked process cannot use {self.device} after its parent; load the segmenter in the process that "
                "uses it, or start processes with multiprocessing's 'spawn'"
            )
        return Turns(Lock(), ThreadPoolExecutor(1, thread_name_prefix="torch") if forked else None)

    def run(self, x: Batch) -> Sequence[Logits]:
        """See `PerProcess`."""
        turns: Turns = self.running
        with turns.lock:
            return [turns.apart.submit(self._forward, x).result() if turns.apart else self._forward(x)]

    @torch.inference_mode()
    def _forward(self, x: Batch) -> Logits:
        logits: torch.Tensor = self.network(torch.from_numpy(x).to(self.device, self.dtype)).float()
        return logits.numpy() if self.device == "cpu" else logits


def torch_device(name: str) -> str:
    """The device that `name` stands for: "auto", "cpu", "cuda" or "cuda:N".

    Raises:
        SegNextError: when it is not there.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise SegNextError(f"device '{name}' is not there, or torch was built without CUDA; use auto or cpu")
    return name
