"""A torch module in the formats of other runtimes, for our own engines and for exported files."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from segnext.silence import silenced

OPSET = 18  # of ONNX
INPUT = "picture"


def write_onnx(module: nn.Module, example: Tensor, free: dict[int, Any], file: Path, outputs: Sequence[str]) -> None:
    """Write `module` as ONNX.

    Args:
        module: in its inference form, of one tensor.
        example: an input to trace with; what is free is to be 2 or more.
        free: the dimensions of the input that may have any size, with what is known of each (torch.export.Dim).
        file: to write.
        outputs: their names.
    """
    with quiet():
        torch.onnx.export(
            module,
            (example,),
            file,
            input_names=[INPUT],
            output_names=list(outputs),
            dynamo=True,
            opset_version=OPSET,
            dynamic_shapes=(free,),
            external_data=False,
            verbose=False,
        )


def to_openvino(module: nn.Module, example: Tensor) -> Any:
    """A model of OpenVINO's that takes any number of pictures (H, W, bands), of any height and width."""
    import openvino

    with quiet(), torch.no_grad():
        # OpenVINO would trace twice, to compare; our tests hold what comes out against torch.
        traced = torch.jit.trace(module, example, strict=False, check_trace=False)  # type: ignore[no-untyped-call]
        return openvino.convert_model(traced, example_input=example, input=[-1, -1, -1, example.shape[-1]])


@contextmanager
def quiet() -> Iterator[None]:
    """Exporters' messages about themselves, and warnings of what they use that is deprecated, are silenced."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with silenced:
            yield
    finally:
        logger.setLevel(level)
