"""The formats: how each is written, and how its own runtime runs what was written."""

import errno
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from segnext.choices import either
from segnext.errors import SegNextError
from segnext.export.deployed import NAMES, Deployed
from segnext.inference.engines.convert import INPUT, quiet, to_openvino, write_onnx

Arrays = list[NDArray[Any]]
Run = Callable[[NDArray[Any]], Arrays]  # a batch to all outputs
FREE = dict.fromkeys(range(3), torch.export.Dim.AUTO)  # batch, height and width
# Of float16, reductions and norms overflow and the decomposition loses its bases: these stay in float32.
ISLANDS = (
    *("MatMul", "Softmax", "Div", "ReduceMean", "ReduceSum", "Sqrt", "Pow", "Reciprocal", "Resize", "ArgMax"),
    *("InstanceNormalization", "GroupNormalization", "LayerNormalization", "Einsum"),
)
EIGHT = "eight bits are made for OpenVINO, --to openvino"


class Kind(NamedTuple):
    """A format.

    Attributes:
        suffix: of its file.
        packages: that writing or running it needs.
        extra: of ours that installs them.
        precisions: that it can be written in.
        instead: why it cannot be written in some others.
        write: the graph, its precision and metadata into a file.
        providers: what runs the file on this machine, by name.
    """

    suffix: str
    packages: tuple[str, ...]
    extra: str
    precisions: tuple[str, ...]
    instead: Mapping[str, str]
    write: Callable[[Deployed, Path, str, dict[str, Any]], None]
    providers: Callable[[Path], Iterator[tuple[str, Run]]]

    def require(self, name: str, precision: str) -> None:
        """Refuse what cannot be done here.

        Raises:
            SegNextError: when packages are missing, or the format has no such precision.
        """
        if missing := [package for package in self.packages if find_spec(package) is None]:
            raise SegNextError(
                f"--to {name} needs {missing[0]}, which is not installed; run: pip install 'segnext[{self.extra}]'"
            )
        if precision not in self.precisions:
            why = f": {self.instead[precision]}" if precision in self.instead else ""
            raise SegNextError(f"--to {name} is written in {either(list(self.precisions))}, not in {precision}{why}")
        if precision == "int8" and find_spec("nncf") is None:
            raise SegNextError("--precision int8 needs nncf, which is not installed; run: pip install 'segnext[int8]'")


def _write_onnx(graph: Deployed, file: Path, precision: str, about: dict[str, Any]) -> None:
    import onnx

    write_onnx(graph, graph.example(), FREE, file, NAMES[graph.interface.output])
    with quiet():
        model = onnx.load(file)
        if precision == "fp16":
            from onnxruntime.transformers.float16 import convert_float_to_float16

            model = convert_float_to_float16(model, keep_io_types=True, op_block_list=list(ISLANDS))
    for key, value in about.items():
        model.metadata_props.add(key=key, value=value if isinstance(value, str) else json.dumps(value))
    onnx.save(model, file)


def _run_onnx(file: Path) -> Iterator[tuple[str, Run]]:
    import onnxruntime

    for provider in onnxruntime.get_available_providers():
        if provider == "AzureExecutionProvider":  # calls a service, and runs no file
            continue
        session = onnxruntime.InferenceSession(file, providers=[provider])

        def run(x: NDArray[Any], session: Any = session) -> Arrays:
            outputs: Arrays = session.run(None, {INPUT: x})
            return outputs

        yield provider, run


def _write_openvino(graph: Deployed, file: Path, precision: str, about: dict[str, Any]) -> None:
    import openvino

    model = to_openvino(graph, graph.example())
    model.inputs[0].get_tensor().set_names({INPUT})
    for output, name in zip(model.outputs, NAMES[graph.interface.output], strict=True):
        output.get_tensor().set_names({name})
    for key, value in about.items():
        model.set_rt_info(value if isinstance(value, str) else json.dumps(value), ["segnext", key])
    try:
        openvino.save_model(model, file, compress_to_fp16=precision == "fp16")
    except RuntimeError as error:
        if "iostream" not in str(error):
            raise
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file)) from error  # it says no more


def _run_openvino(file: Path) -> Iterator[tuple[str, Run]]:
    import openvino

    model = openvino.Core().compile_model(file, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    yield "CPU", lambda x: [np.array(output) for output in model([x]).values()]


def _write_torch(graph: Deployed, file: Path, precision: str, about: dict[str, Any]) -> None:
    if precision == "bf16":
        graph.narrow()
    with quiet():
        program = torch.export.export(graph, (graph.example(),), dynamic_shapes=(FREE,))
        content = io.BytesIO()  # torch's own writer ends the process when a disk is full
        torch.export.save(program, content, extra_files={"segnext.json": json.dumps(about)})
    file.write_bytes(content.getbuffer())


def _run_torch(file: Path) -> Iterator[tuple[str, Run]]:
    program = torch.export.load(file).module()

    def run(x: NDArray[Any]) -> Arrays:
        with torch.no_grad():
            outputs = program(torch.from_numpy(x))
        return [output.numpy() for output in (outputs if isinstance(outputs, tuple) else (outputs,))]

    yield "torch", run


KINDS = {
    "onnx": Kind(
        ".onnx",
        ("onnx", "onnxscript", "onnxruntime"),
        "onnxruntime",
        ("fp32", "fp16"),
        {"bf16": "ONNX Runtime has no kernels for it on processors", "int8": EIGHT},
        _write_onnx,
        _run_onnx,
    ),
    "openvino": Kind(
        ".xml",
        ("openvino",),
        "fast",
        ("fp32", "fp16", "int8"),
        {"bf16": "it is how OpenVINO computes, not what its files hold; segnext predict --precision bf16 asks for it"},
        _write_openvino,
        _run_openvino,
    ),
    "torch": Kind(".pt2", (), "", ("fp32", "bf16"), {"int8": EIGHT}, _write_torch, _run_torch),
}
