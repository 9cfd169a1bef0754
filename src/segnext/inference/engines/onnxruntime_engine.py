"""ONNX Runtime, for where it is what people have."""

from pathlib import Path
from typing import Any

import onnxruntime

from segnext.checkpoint.weights import Weights
from segnext.inference.engines.artefacts import artefact
from segnext.inference.engines.engine import Batch, PerProcess
from segnext.kernels.enlarge import Logits

INPUT = "picture"  # as `convert.write_onnx` calls it
LARGEST = 2048  # height and width that the export reasons with, in units of the last stride; not a limit when running


class OnnxRuntimeEngine(PerProcess):
    """The folded network as ONNX, on processors, in float32; see `Engine`."""

    name = "onnxruntime"
    device = "cpu"
    precision = "fp32"
    streams = 1

    def __init__(self, weights: Weights) -> None:
        folder = artefact(weights.digest, "onnxruntime", lambda folder: _export(weights, folder / "network.onnx"))
        self.file = folder / "network.onnx"
        super().__init__()

    def begin(self) -> Any:
        """A session."""
        return onnxruntime.InferenceSession(self.file, providers=["CPUExecutionProvider"])

    def run(self, x: Batch) -> Logits:
        """See `Engine`."""
        logits: Logits = self.running.run(None, {INPUT: x})[0]
        return logits


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
