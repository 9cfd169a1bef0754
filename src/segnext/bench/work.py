"""What the network has to do: multiply-adds, and bytes that have to be moved, operation by operation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from segnext.bench.limits import DTYPES, Limits
from segnext.model.config import NetworkConfig
from segnext.model.families import build
from segnext.model.fold import fold
from segnext.model.unfilled import unfilled

KINDS = {
    "convolution": "",  # told apart by groups and kernel
    "mm": "matrix products",
    "bmm": "matrix products",
    "addmm": "matrix products",
    "baddbmm": "matrix products",
    "native_layer_norm": "norms",
    "native_group_norm": "norms",
    "upsample_bilinear2d": "resizes",
}
DEPTHWISE = "depthwise convolutions"


@dataclass(frozen=True)
class Operation:
    """One operation of the folded network on one picture.

    Attributes:
        kind: such as "1x1 convolutions".
        precision: fp32 or bf16, of the whole network. (In torch the decomposition stays in float32; not in OpenVINO.)
        multiply_adds: of convolutions and matrix products.
        bytes: of its inputs, weights and results, each once.
    """

    kind: str
    precision: str
    multiply_adds: int
    bytes: int

    def seconds(self, limits: Limits) -> float:
        """The least time: its arithmetic or its memory traffic at the machine's peak, whichever takes longer.

        A depthwise convolution is no matrix product and runs on the vector units, whose peak is that of float32.
        """
        peak = limits.gemm["fp32" if self.kind == DEPTHWISE else self.precision]
        return max(self.multiply_adds / peak, self.bytes / limits.copy_speed(self.bytes))


def operations(config: NetworkConfig, height: int, width: int, precision: str) -> list[Operation]:
    """The convolutions, matrix products, norms and resizes of the folded network.

    What works element by element (activations, sums, gates) is left out, as a good compiler computes it while the
    operation before it writes its result. Nothing is computed: the network runs on torch's "meta" device.

    Args:
        config: the network.
        height: of the input, in pixels, a multiple of 32.
        width: of the input, in pixels, a multiple of 32.
        precision: fp32 or bf16.
    """
    with unfilled():
        network = fold(build(config)).to("meta", DTYPES[precision])
        image = torch.empty(1, height, width, config.in_channels, dtype=DTYPES[precision])
    found: list[Operation] = []
    with torch.no_grad(), _Record(found, precision):
        network(image)
    return found


class _Record(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes what is computed while it is active."""

    def __init__(self, operations: list[Operation], precision: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations = operations
        self.precision = precision

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        packet = func._overloadpacket
        if packet.__name__ in KINDS:
            outputs = result if isinstance(result, tuple) else (result,)
            tensors = [x for x in (*args, *outputs) if isinstance(x, Tensor)]
            count = (
                flop_registry[packet](*args, **(kwargs or {}), out_val=result) // 2 if packet in flop_registry else 0
            )
            kind = KINDS[packet.__name__] or _kind(args[1].shape, groups=args[8])
            size = DTYPES[self.precision].itemsize * sum(x.numel() for x in tensors)
            self.operations.append(Operation(kind, self.precision, count, size))
        return result


def _kind(weight: Sequence[int], groups: int) -> str:
    """Of a convolution with weights (out, in / groups, height, width)."""
    if groups > 1:
        return DEPTHWISE
    return "1x1 convolutions" if tuple(weight[2:]) == (1, 1) else "3x3 convolutions"
