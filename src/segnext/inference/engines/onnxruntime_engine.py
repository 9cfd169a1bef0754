"""ONNX Runtime, for where it is what people have."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnxruntime

from segnext.checkpoint.exported import Exported
from segnext.checkpoint.weights import Weights
from segnext.inference.engines.artefacts import artefact
from segnext.inference.engines.engine import PerProcess

INPUT = "picture"  # as `convert.write_onnx` calls it
LARGEST = 2048  # height and width that the export reasons with, in units of the last stride; not a limit when running


class OnnxRuntimeEngine(PerProcess):
    """A network as ONNX, on processors, in float32 or as the file has it; see `Engine`."""

    name = "onnxruntime"
    device = "cpu"
    precision = "fp32"
    streams = 1

    def __init__(self, file: Path) -> None:
        self.file = file
        super().__init__()

    def begin(self) -> Any:
        """A session."""
        return onnxruntime.InferenceSession(self.file, providers=["CPUExecutionProvider"])

    def run(self, x: Any) -> Sequence[Any]:
        """See `PerProcess`."""
        outputs: Sequence[Any] = self.running.run(None, {INPUT: x})
        return outputs


def in_onnx(weights: Weights) -> Path:
    """The network of `weights` in ONNX, from the cache or made now; of an exported one the file itself."""
    if isinstance(weights.state, Exported):
        return weights.state.path
    folder = artefact(weights.digest, "onnxruntime", lambda folder: _export(weights, folder / "network.onnx"))
    return folder / "network.onnx"


def _export(weights: Weights, file: Path) -> None:
    """The folded network as ONNX; number, height and width left open."""
    import torch

    from segnext.inference.engines.convert import write_onnx
    from segnext.model.fold import fold

    stride = weights.config.strides[-1]
    rows, columns = (torch.export.Dim(name, min=2, max=LARGEST) for name in ("rows", "columns"))
    example = torch.zeros(2, 2 * stride, 3 * stride, weights.config.in_channels)
    free = {0: torch.export.Dim.AUTO, 1: stride * rows, 2: stride * columns}
    write_onnx(fold(weights.model()), example, free, file, ["logits"])
