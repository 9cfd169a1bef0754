"""What can run a network, and which of it is right for this machine."""

import ctypes
import platform
from importlib.util import find_spec
from typing import get_args

import numpy as np

from segnext.checkpoint.weights import Weights
from segnext.errors import SegNextError
from segnext.inference.engines.engine import Engine
from segnext.inference.runtime import EngineName, Runtime
from segnext.kernels.threads import loading
from segnext.model.config import ModelConfig, NetworkConfig
from segnext.progress import say

ENGINES = get_args(EngineName)[1:]  # without "auto"
INSTALL = {
    "openvino": ("openvino",),
    "onnxruntime": ("onnxruntime", "onnx", "onnxscript"),  # the last two turn the network into its format
}


def start(weights: Weights, runtime: Runtime) -> Engine:
    """An engine that runs the network of `weights`.

    Raises:
        SegNextError: when what is asked for is not installed or not possible here.
    """
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
    if not all(map(find_spec, INSTALL[engine])):
        extra = "fast" if engine == "openvino" else engine
        raise SegNextError(f"engine {engine} is not installed; install it with: pip install 'segnext[{extra}]'")
    if engine == "openvino":
        return _used_first(_openvino(weights, precision, runtime.streams), weights)
    return _used_first(_onnxruntime(weights, precision), weights)


def _hangs_in_bf16(config: NetworkConfig) -> bool:
    """Whether oneDNN, which torch and OpenVINO compute with, would look for a bfloat16 kernel for minutes or for ever.

    It does so (3.x) for depthwise kernels 21 wide, on maps 32 wide or more, with at most 16 channels; not up to 11
    wide, nor from 17 channels on. The published networks have at least 32.
    """
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


def _openvino(weights: Weights, precision: str, streams: int) -> Engine:
    from segnext.inference.engines.openvino_engine import OpenVINOEngine, computes_bf16

    if precision == "auto":
        precision = "bf16" if computes_bf16() else "fp32"
    return OpenVINOEngine(weights, precision, streams)


def _onnxruntime(weights: Weights, precision: str) -> Engine:
    from segnext.inference.engines.onnxruntime_engine import OnnxRuntimeEngine

    if precision == "bf16":
        raise SegNextError("engine onnxruntime computes in fp32 on processors; use --precision fp32, or another engine")
    return OnnxRuntimeEngine(weights)
