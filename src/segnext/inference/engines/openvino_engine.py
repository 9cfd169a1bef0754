"""OpenVINO, the quickest on processors of the x86 family; it starts without torch once its files are in the cache."""

import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from segnext.checkpoint.exported import Exported
from segnext.checkpoint.weights import Weights
from segnext.inference.engines.artefacts import adding, artefact
from segnext.inference.engines.engine import PerProcess

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # it would report every import to its maker
import openvino  # noqa: E402

HINTS = {"fp32": "f32", "bf16": "bf16"}
# Its fused attention is made for the first picture: where that had a single position, pictures of 16 or more are
# computed wrongly ever after (2026.4). Networks without attention are as quick without what fuses it.
UNFUSED = {"SNIPPETS_MODE": "DISABLE"}
FILE = "network.xml"


class OpenVINOEngine(PerProcess):
    """A network in OpenVINO's format, compiled for this processor, for pictures of any size; see `Engine`."""

    name = "openvino"
    device = "cpu"

    def __init__(self, file: Path, precision: str, streams: int = 1) -> None:
        self.precision = precision
        self.streams = streams
        self.file = file
        super().__init__()

    def begin(self) -> "SimpleQueue[Any]":
        """The network's requests, as many as streams; each has its own memory."""
        with adding(self.file.parent):
            network = compiled(self.file, self.precision, self.streams)
        free: SimpleQueue[Any] = SimpleQueue()
        for _ in range(self.streams):
            free.put(network.create_infer_request())
        return free

    def run(self, x: Any) -> Sequence[Any]:
        """See `PerProcess`."""
        free = self.running
        request = free.get()
        try:
            outputs: Sequence[Any] = list(request.infer([x], share_inputs=True).values())
        finally:
            free.put(request)
        return outputs


def in_openvino(weights: Weights) -> Path:
    """The network of `weights` in OpenVINO's format, from the cache or made now; of an exported one a copy there,
    since what is compiled is kept beside it.
    """
    if isinstance(weights.state, Exported):
        return artefact(weights.digest, "openvino", weights.state.copy) / weights.state.path.name
    return artefact(weights.digest, "openvino", lambda folder: _export(weights, folder / FILE)) / FILE


def compiled(file: Path, precision: str, streams: int = 1, **options: str) -> Any:
    """A network in OpenVINO's format, compiled for this processor; `streams` requests of it run at the same time.

    What is compiled is kept beside `file`, as it is quicker to load than to compile.
    """
    settings = {
        "NUM_STREAMS": streams,  # among which the cores are divided
        "ENABLE_CPU_PINNING": streams == 1,  # with more, other threads read and write pictures
        "INFERENCE_PRECISION_HINT": HINTS[precision],
        "CACHE_DIR": str(file.parent),
        **options,
    }
    try:
        return _core().compile_model(file, "CPU", {**settings, **UNFUSED})
    except RuntimeError:  # a version that does not know the setting
        return _core().compile_model(file, "CPU", settings)


def computes_bf16() -> bool:
    """Whether this processor computes bfloat16 rather than emulating it."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@cache
def _core() -> Any:
    return openvino.Core()


def _export(weights: Weights, file: Path) -> None:
    """The folded network as OpenVINO's files; number, height and width left open."""
    import torch

    from segnext.inference.engines.convert import to_openvino
    from segnext.model.fold import fold

    stride = weights.config.strides[-1]
    example = torch.zeros(2, 2 * stride, 3 * stride, weights.config.in_channels)
    openvino.save_model(to_openvino(fold(weights.model()), example), file, compress_to_fp16=False)
