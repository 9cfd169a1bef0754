"""What can run a network, and which of it is right for this machine."""

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import get_args

import numpy as np

from segnext.checkpoint.weights import Weights
from segnext.errors import SegNextError
from segnext.inference.engines.engine import Engine, PerProcess
from segnext.inference.runtime import EngineName, Runtime
from segnext.kernels.threads import loading
from segnext.model.config import ExportedConfig, ModelConfig, NetworkConfig, inside
from segnext.progress import say

ENGINES = get_args(EngineName)[1:]  # without "auto"
INSTALL = {
    "openvino": ("openvino",),
    "onnxruntime": ("onnxruntime", "onnx", "onnxscript"),  # the last two turn the network into its format
}
RUNS = {"onnx": "onnxruntime", "openvino": "openvino"}  # the engine of each format that is exported


def start(weights: Weights, runtime: Runtime) -> Engine:
    """An engine that runs the network of `weights`.

    Raises:
        SegNextError: when what is asked for is not installed or not possible here.
    """
    if isinstance(weights.config, ExportedConfig):
        return _exported(weights, weights.config, runtime)
    engine, precision = runtime.engine, runtime.precision
    device = _device(runtime.device)
    if engine == "auto":
        engine = _best_engine(device)
    if device == "cpu" and engine != "onnxruntime" and precision != "fp32" and _hangs_in_bf16(weights.config):
        if precision == "bf16":
            say("this network is computed in fp32: oneDNN does not come to an end with its narrow stages in bf16")
        precision = "fp32"
    if engine == "torch":
        return _used_first(_torch(weights, device, precision), weights)
    if device != "cpu":
        raise SegNextError(f"engine {engine} runs on processors, not on {device}; use --device cpu or --engine torch")
    _require_installed(engine, INSTALL[engine])
    if engine == "openvino":
        return _used_first(_openvino(weights, precision, runtime.streams), weights)
    return _used_first(_onnxruntime(weights, precision), weights)


def _exported(weights: Weights, config: ExportedConfig, runtime: Runtime) -> Engine:
    """An exported file as an engine."""
    from segnext.inference.engines.exported_engine import ExportedEngine

    inner = open_exported(weights, runtime)
    with _running(config):
        return _used_first(ExportedEngine(inner, config, weights.preprocess), weights)


def open_exported(weights: Weights, runtime: Runtime) -> PerProcess:
    """What runs an exported file as it is: the runtime that it is for, on this processor.

    Raises:
        SegNextError: when another one is asked for, it is not installed, or cannot run the file.
    """
    config = weights.config
    assert isinstance(config, ExportedConfig)
    engine = RUNS[config.to]
    if runtime.engine not in ("auto", engine) or runtime.device not in ("auto", "cpu"):
        raise SegNextError(f"{config.file}: is run by {engine} on processors; leave --engine and --device out")
    _require_installed(engine, (engine,))
    precision = "fp32" if _hangs_in_bf16(config) else runtime.precision
    with _running(config):
        if engine == "openvino":
            return _openvino(weights, precision, runtime.streams)
        return _onnxruntime(weights, precision)


@contextmanager
def _running(config: ExportedConfig) -> Iterator[None]:
    """Within, what a runtime says of a file that it cannot run is a sentence; each has errors of its own."""
    try:
        yield
    except (SegNextError, MemoryError):
        raise
    except Exception as error:
        problem = " ".join(str(error).split())[:200]
        raise SegNextError(
            f"{config.file}: {RUNS[config.to]} cannot run it ({problem}); export the weights again"
        ) from error


def _require_installed(engine: str, packages: tuple[str, ...]) -> None:
    if not all(map(find_spec, packages)):
        extra = "fast" if engine == "openvino" else engine
        raise SegNextError(f"engine {engine} is not installed; install it with: pip install 'segnext[{extra}]'")


def _hangs_in_bf16(config: NetworkConfig) -> bool:
    """Whether oneDNN, which torch and OpenVINO compute with, would look for a bfloat16 kernel for minutes or for ever.

    It does so (3.x) for depthwise kernels 21 wide, on maps 32 wide or more, with at most 16 channels; not up to 11
    wide, nor from 17 channels on. The published networks have at least 32.
    """
    config = inside(config)
    if not isinstance(config, ModelConfig):
        return False
    return min(config.channels) <= 16 and max(*config.strips, config.square or 0, 0) > 11


def _used_first(engine: Engine, weights: Weights) -> Engine:
    """The engine after its first use, on the smallest picture, which no other thread may share: see `first_use`."""
    stride = weights.config.strides[-1]
    with loading:
        engine(np.zeros((1, stride, stride, weights.config.in_channels), np.float32))
    return engine


def _device(name: str) -> str:
    """The device that `name` stands for; torch is imported only where it may find a CUDA device."""
    if name == "cpu" or (name == "auto" and not _has_cuda_driver()):
        return "cpu"
    from segnext.inference.engines.torch_engine import torch_device

    return torch_device(name)


def _has_cuda_driver() -> bool:
    library = "nvcuda.dll" if platform.system() == "Windows" else "libcuda.so.1"
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _best_engine(device: str) -> EngineName:
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    return "openvino" if device == "cpu" and x86 and find_spec("openvino") else "torch"


def _torch(weights: Weights, device: str, precision: str) -> Engine:
    from segnext.bfloat16 import has_bf16
    from segnext.inference.engines.torch_engine import TorchEngine

    if precision == "auto":
        precision = "bf16" if device == "cpu" and has_bf16(device) else "fp32"
    return TorchEngine(weights.model(), device, precision)


def _openvino(weights: Weights, precision: str, streams: int) -> PerProcess:
    from segnext.inference.engines.openvino_engine import OpenVINOEngine, computes_bf16, in_openvino

    if precision == "auto":
        precision = "bf16" if computes_bf16() else "fp32"
    return OpenVINOEngine(in_openvino(weights), precision, streams)


def _onnxruntime(weights: Weights, precision: str) -> PerProcess:
    from segnext.inference.engines.onnxruntime_engine import OnnxRuntimeEngine, in_onnx

    if precision == "bf16":
        raise SegNextError("engine onnxruntime computes in fp32 on processors; use --precision fp32, or another engine")
    return OnnxRuntimeEngine(in_onnx(weights))
