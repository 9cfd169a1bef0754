"""Networks without numbers: built to be filled from a file, or for their shapes alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

DRAWING = (torch.Tensor.normal_, nn.init.normal_)


class _NothingDrawn(TorchFunctionMode):
    """Normal numbers for the meta device, which has none, are left out: torch would load its compiler to draw them."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = kwargs or {}
        if func in DRAWING and (tensor := args[0] if args else named["tensor"]).is_meta:
            return tensor
        return func(*args, **named)


@contextmanager
def unfilled() -> Iterator[None]:
    """Within, networks are built on the meta device: no random start takes time or disturbs the random numbers."""
    with torch.device("meta"), _NothingDrawn():
        yield
