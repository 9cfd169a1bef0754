"""OpenVINO, the quickest on processors of the x86 family; it starts without torch once its files are in the cache."""

import sys
import warnings
from functools import cache
from pathlib import Path
from typing import Any

from segnext.inference.engines.artefacts import artefact
from segnext.inference.engines.engine import Batch, Logits
from segnext.inference.engines.source import Source

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # it would report every import to its maker
import openvino  # noqa: E402

HINTS = {"fp32": "f32", "bf16": "bf16"}


class OpenVINOEngine:
    """The folded network, compiled for this processor, for pictures of any size; see `Engine`."""

    name = "openvino"
    device = "cpu"

    def __init__(self, source: Source, precision: str) -> None:
        self.precision = precision
        folder = artefact(source.digest, "openvino", lambda folder: _export(source, folder / "network.xml"))
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": HINTS[precision],
            "CACHE_DIR": str(folder),  # compiled for this processor and precision; quicker to load than to compile
        }
        self.request = _core().compile_model(folder / "network.xml", "CPU", options).create_infer_request()

    def __call__(self, x: Batch) -> Logits:
        logits: Logits = self.request.infer([x], share_inputs=True)[0][0]
        return logits


def computes_bf16() -> bool:
    """Whether this processor computes bfloat16 rather than emulating it."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@cache
def _core() -> Any:
    return openvino.Core()


def _export(source: Source, file: Path) -> None:
    """The folded network as OpenVINO's files, height and width left open."""
    import torch

    from segnext.model.fold import fold

    config = source.config
    network = fold(source.load().model())
    example = torch.zeros(1, 64, 96, config.in_channels)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the converter's own use of what is deprecated
        model = openvino.convert_model(network, example_input=example, input=[1, -1, -1, config.in_channels])
    openvino.save_model(model, file, compress_to_fp16=False)
