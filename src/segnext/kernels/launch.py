"""Whether a layer's forward pass is one that the training kernels are for, and how a kernel runs in several threads."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from segnext.kernels.threads import PARTS, share

FORMATS = (torch.float32, torch.bfloat16)
CHANNELS = 32  # of which a map's channels must be a multiple: what kernels take at once
NORM_CHANNELS = 16  # the same for those of norms


_plain: ContextVar[bool] = ContextVar("plain", default=False)


def fused(layer: nn.Module, x: Tensor, multiple: int = CHANNELS) -> bool:
    """Whether `layer`'s forward pass over x (B, C, H, W) is to be taken by a kernel instead of its plain definition.

    The kernel takes maps whose channels are a multiple of `multiple`.

    That is training on a CPU, in float32 or bfloat16, of a map whose channels lie side by side; never evaluation,
    export, tracing, or a transformed function, which see plain torch.
    """
    plain = torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None
    return (
        layer.training
        and torch.is_grad_enabled()
        and not plain  # where sizes may be symbols
        and torch._C._functorch.maybe_current_level() is None
        and x.device.type == "cpu"
        and x.dtype in FORMATS
        and working_type(x) in FORMATS
        and x.ndim == 4
        and x.shape[1] % multiple == 0
        and x.numel() > 0
        and x.is_contiguous(memory_format=torch.channels_last)
        and usable()
    )


def working_type(x: Tensor) -> torch.dtype:
    """The number format in which convolutions of x are computed."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype


def usable() -> bool:
    """Whether kernels may be taken: they compile here, and `definitions` has not ruled them out."""
    return not _plain.get() and available()


@contextmanager
def definitions() -> Iterator[None]:
    """Within, every layer takes its plain definition: what kernels are compared with."""
    token = _plain.set(True)
    try:
        yield
    finally:
        _plain.reset(token)


@cache
def available() -> bool:
    """Whether numba compiles kernels here, for a processor with vectors of eight numbers at least."""
    try:
        from llvmlite import binding

        from segnext.kernels import (  # noqa: F401
            affine_numba,
            ffn_numba,
            loss_numba,
            msca_numba,
            nmf_numba,
            squeeze_numba,
        )

        features = binding.get_host_cpu_features()
    except (ImportError, RuntimeError, OSError):  # no place for what is compiled, or a platform without numba
        return False
    return bool(features.get("fma") or features.get("neon"))


def launch(kernel: Callable[..., None], tasks: int, *arguments: Any) -> None:
    """Run kernel(*arguments, first, last) over parts of range(tasks), in torch's number of threads."""

    def run(worker: int, workers: int) -> None:
        kernel(*arguments, tasks * worker // workers, tasks * (worker + 1) // workers)

    share(run, max(1, min(torch.get_num_threads(), tasks)))


def over(x: Tensor, kernel: str, *arguments: Any) -> None:
    """Run a kernel of `affine_numba` over all parts of the map x."""
    from segnext.kernels import affine_numba

    positions = x.shape[2] * x.shape[3]
    launch(getattr(affine_numba, kernel), x.shape[0] * PARTS, *arguments, positions, x.shape[1])


def rows(x: Tensor, *tables: NDArray[Any]) -> list[NDArray[Any]]:
    """Tables that broadcast to (B, C) of the map x, as (B, C) float32."""
    return [np.ascontiguousarray(np.broadcast_to(t, x.shape[:2]), np.float32) for t in tables]


def flat(x: Tensor) -> Any:
    """(B, C, H, W) channels_last, or any other tensor as it lies in memory, as a flat array; bfloat16 as its words."""
    x = x.detach()
    words = (x.view(torch.uint16) if x.dtype == torch.bfloat16 else x).numpy()
    return (words.transpose(0, 2, 3, 1) if x.ndim == 4 else words).reshape(-1)


def empty_map(x: Tensor, dtype: torch.dtype) -> Tensor:
    """An uninitialised map like x, channels side by side."""
    return torch.empty_like(x, dtype=dtype, memory_format=torch.channels_last)


def channels_last(x: Tensor) -> Tensor:
    """The map x with its channels side by side, copied if they are not."""
    return x.contiguous(memory_format=torch.channels_last)


def table(weight: Tensor) -> Any:
    """Depthwise weights (C, 1, kh, kw) as (kh * kw, C) float32."""
    return np.ascontiguousarray(weight.detach().float().flatten(1).T.numpy())
