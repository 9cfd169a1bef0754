"""PyTorch, on a processor or a CUDA device."""

from threading import Lock

import torch

from segnext.errors import SegNextError
from segnext.inference.engines.engine import Batch, Logits
from segnext.model.fold import fold
from segnext.model.network import Network


class TorchEngine:
    """The folded network in eager mode; see `Engine`."""

    name = "torch"
    streams = 1

    def __init__(self, model: Network, device: str, precision: str) -> None:
        self.device = device
        self.turn = Lock()  # each call takes all cores
        self.precision = precision
        self.dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        self.network = fold(model).to(device, self.dtype)

    def __call__(self, x: Batch) -> Logits:
        with self.turn, torch.inference_mode():
            logits: Logits = self.network(torch.from_numpy(x).to(self.device, self.dtype))[0].float().cpu().numpy()
        return logits


def torch_device(name: str) -> str:
    """The device that `name` stands for: "auto", "cpu", "cuda" or "cuda:N".

    Raises:
        SegNextError: when it is not there.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise SegNextError(f"unknown device '{name}'; choose auto, cpu or cuda") from error
    if device.type not in ("cpu", "cuda"):
        raise SegNextError(f"device '{name}': only processors and CUDA devices are supported; use auto, cpu or cuda")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise SegNextError(f"device '{name}' is not there, or torch was built without CUDA; use auto or cpu")
    return name


def has_bf16(device: str) -> bool:
    """Whether `device` computes bfloat16 instead of emulating it."""
    if torch.device(device).type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
