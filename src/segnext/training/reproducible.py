"""The same seed gives the same bits: on processors anyway, on CUDA devices by refusing what would not."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.utils.deterministic

from segnext.errors import SegNextError


@contextmanager
def reproducible(wanted: bool) -> Iterator[None]:
    """Within, if `wanted`, operations whose result may differ between runs take another way or are refused.

    On processors none of ours is such; with the same number of threads the bits are the same either way.

    Raises:
        SegNextError: naming an operation that there is no other way for.
    """
    if not wanted:
        yield
        return
    filling: Any = torch.utils.deterministic  # a module whose attributes are properties
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.backends.cudnn.benchmark,
        filling.fill_uninitialized_memory,
    )
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA's library for matrices is first used
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    filling.fill_uninitialized_memory = False  # a net for code that reads what it never wrote; takes 7 % of a step
    try:
        yield
    except RuntimeError as error:
        refused = re.match(r"(\S+) does not have a deterministic implementation", str(error))
        if refused is None:
            raise
        raise SegNextError(
            f"reproducible is true, but {refused[1]} gives other bits at every run on this device; use "
            "--reproducible false, or --device cpu"
        ) from error
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.benchmark = before[1]
        filling.fill_uninitialized_memory = before[2]
