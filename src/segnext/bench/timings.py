"""What was measured, with what follows from it: for programs and as tables."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from segnext.bench.limits import Limits
from segnext.bench.measure import Measured
from segnext.bench.stages import STAGES
from segnext.bench.ways import OURS
from segnext.bench.work import Operation
from segnext.kernels.threads import cores
from segnext.tables import figures_table


@dataclass(frozen=True)
class Timings:
    """A benchmark's result.

    Attributes:
        model: name of the network or of the weights.
        size: height and width of the picture.
        classes: how many are told apart.
        limits: what the machine can do.
        measured: of every way, the plain one first if there is one.
        work: the operations of our network, by precision.
        profile: seconds of OpenVINO by kind of operation, and their precision; None without OpenVINO.
    """

    model: str
    size: tuple[int, int]
    classes: int
    limits: Limits
    measured: list[Measured]
    work: dict[str, list[Operation]]
    profile: tuple[str, dict[str, float]] | None

    @property
    def title(self) -> str:
        """What was measured, in short."""
        rounds = len(self.measured[0].rounds)
        return f"{self.model}, {self.size[0]} x {self.size[1]}, {self.classes} classes, median of {rounds} rounds"

    def floor(self, precision: str) -> float:
        """Seconds of the network if all its multiply-adds ran at the peak of matrix products."""
        return sum(operation.multiply_adds for operation in self.work[precision]) / self.limits.gemm[precision]

    def bound(self, precision: str, kind: str | None = None) -> float:
        """Seconds of the network, or one kind of its operations, if each ran at its own limit; see `Operation`."""
        operations = [operation for operation in self.work[precision] if kind in (None, operation.kind)]
        return sum(operation.seconds(self.limits) for operation in operations)

    def speedup(self, way: Measured) -> float:
        """How many times faster than plain, or without it than the first, `way` is, from the input to labels."""
        return self.measured[0].seconds("network", "labels") / way.seconds("network", "labels")

    def to_dict(self) -> dict[str, Any]:
        """For programs; times in seconds, memory in bytes, speeds per second."""
        return {
            "model": self.model,
            "height": self.size[0],
            "width": self.size[1],
            "classes": self.classes,
            "processor": processor(),
            "threads": cores(),
            "limits": {
                "multiply_adds": dict(self.limits.gemm),
                "copy_bytes": {str(size): speed for size, speed in self.limits.copy.items()},
            },
            "multiply_adds": sum(operation.multiply_adds for operation in next(iter(self.work.values()))),
            "floor": {precision: self.floor(precision) for precision in self.work},
            "bound": {precision: self.bound(precision) for precision in self.work},
            "ways": [self._way(way) for way in self.measured],
            "profile": self.profile and {"precision": self.profile[0], "seconds": self.profile[1]},
        }

    def _way(self, way: Measured) -> dict[str, Any]:
        return {
            "name": way.way.name,
            "network": way.way.network,
            "engine": way.way.engine,
            "precision": way.way.precision,
            "seconds": {stage: way.seconds(stage) for stage in STAGES},
            "network_and_labels": way.seconds("network", "labels"),
            "speedup": self.speedup(way),
            "peak_rss": way.peak_rss,
            "agreement": way.agreement,
            "rounds": way.rounds,
        }

    def tables(self) -> list[Table]:
        """Stages; what they amount to; where OpenVINO's time goes."""
        found = [self._stages(), self._comparison()]
        return found if self.profile is None else [*found, self._profile(*self.profile)]

    def machine(self) -> str:
        """The processor and its limits, in two lines."""
        gemm = ", ".join(f"{name} {2e-9 * speed:.0f}" for name, speed in self.limits.gemm.items())
        copy = ", ".join(f"{speed / 1e9:.0f} ({size >> 20} MiB)" for size, speed in self.limits.copy.items())
        return f"{processor()}, {cores()} threads\nmatrix products {gemm} GFLOP/s; copies {copy} GB/s"

    def _stages(self) -> Table:
        table = figures_table(f"{self.title}, ms", "", (*STAGES, "all"))
        for way in self.measured:
            times = [way.seconds(stage) for stage in STAGES] + [way.seconds()]
            table.add_row(way.way.name, *(_ms(seconds) for seconds in times))
        return table

    def _comparison(self) -> Table:
        columns = (
            "network\n+ labels\nms",
            f"times\n{'plain' if self.measured[0].way.engine == 'plain' else 'first'}",
            "peak\nMB",
            "same\nlabels\n%",
            "network\n/ floor",
            "/ bound",
        )
        table = figures_table("From the network's input to labels", "", columns)
        for way in self.measured:
            far = ["", ""]
            if way.way.network == OURS:
                network = way.seconds("network")
                precision = way.way.precision
                far = [f"{network / self.floor(precision):.2f}", f"{network / self.bound(precision):.2f}"]
            memory = "" if way.peak_rss is None else f"{way.peak_rss / 1e6:.0f}"
            speedup = f"{self.speedup(way):.2f}"
            same = f"{100 * way.agreement:.3f}"
            table.add_row(way.way.name, _ms(way.seconds("network", "labels")), speedup, memory, same, *far)
        return table

    def _profile(self, precision: str, seconds: dict[str, float]) -> Table:
        """The bound beside what was measured, kind by kind."""
        table = figures_table(
            f"Where openvino {precision} spends it", "kind of operation", ("ms", "share %", "bound ms")
        )
        whole = sum(seconds.values())
        for kind, value in sorted(seconds.items(), key=lambda item: -item[1]):
            table.add_row(kind, _ms(value), f"{100 * value / whole:.0f}", _ms(self.bound(precision, kind)))
        table.add_section()
        table.add_row("all", _ms(whole), "100", _ms(self.bound(precision)))
        return table


def processor() -> str:
    """The processor's name."""
    file = Path("/proc/cpuinfo")
    if file.exists():
        names = [
            line.split(":", 1)[1].strip() for line in file.read_text().splitlines() if line.startswith("model name")
        ]
        if names:
            return names[0]
    return platform.processor() or os.uname().machine


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.1f}"
