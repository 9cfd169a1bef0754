"""What this machine can do at most: matrix products and copies, measured with torch beside everything else."""

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter

import torch

from segnext.kernels.threads import cores

SIDE = 2048  # of the square matrices: large enough for the peak, small enough for a tenth of a second
COPIES = (2 << 20, 16 << 20, 1 << 30)  # bytes read and written by one copy: caches near and far, memory
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Limits:
    """The machine's peaks.

    Attributes:
        gemm: multiply-adds per second of a matrix product, by precision.
        copy: bytes per second, read and written together, by how many bytes a copy touches; the larger they are, the
            further from the cores is the memory that holds them.
    """

    gemm: Mapping[str, float]
    copy: Mapping[int, float]

    @classmethod
    def of(cls, seconds: Mapping[str, float]) -> "Limits":
        """From what `Probe.round` measured."""
        gemm = {name: SIDE**3 / seconds[name] for name in DTYPES if name in seconds}
        return cls(gemm, {size: size / seconds[str(size)] for size in COPIES})

    def copy_speed(self, size: int) -> float:
        """Bytes per second for work that touches `size` bytes."""
        return self.copy[min((touched for touched in self.copy if size <= touched), default=max(self.copy))]


class Probe:
    """Measures the limits, a round at a time, and the best round counts."""

    def __init__(self, precisions: tuple[str, ...]) -> None:
        torch.set_num_threads(cores())
        self.matrices = {name: [torch.rand(SIDE, SIDE).to(DTYPES[name]) for _ in range(3)] for name in precisions}
        self.buffers = {size: torch.zeros(2, size // 2, dtype=torch.uint8) for size in COPIES}

    @torch.inference_mode()
    def round(self) -> dict[str, float]:
        """Seconds of a matrix product in each precision, and of a copy of each size."""
        seconds = {}
        for name, (a, b, out) in self.matrices.items():
            start = perf_counter()
            torch.mm(a, b, out=out)
            seconds[name] = perf_counter() - start
        for size, (source, target) in self.buffers.items():
            repeats = max(1, (64 << 20) // size)
            target.copy_(source)  # into the cache, where it fits
            start = perf_counter()
            for _ in range(repeats):
                target.copy_(source)
            seconds[str(size)] = (perf_counter() - start) / repeats
        return seconds
