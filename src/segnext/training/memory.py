"""When memory runs out: saying what helps, a smaller batch first of all."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

import torch

from segnext.errors import SegNextError
from segnext.inference.segmenter import NO_MEMORY
from segnext.training.config import Settings

C = TypeVar("C", bound=Settings)


class OutOfMemoryError(SegNextError):
    """A step that did not fit in memory.

    Attributes:
        less: settings that take less of it, with as many pictures in a step; None where a pass has a single one.
    """

    def __init__(self, message: str, less: Any) -> None:
        super().__init__(message)
        self.less = less


@contextmanager
def watching_memory(config: Settings, smaller_input: str, step: int, kept: str) -> Iterator[None]:
    """Turn the ways in which memory runs out in a step into one sentence that says what helps.

    Args:
        config: the run, with its precision decided.
        smaller_input: which setting makes the network's input smaller.
        step: number of the step, from 1.
        kept: which checkpoint there is, in words.

    Raises:
        OutOfMemoryError: when memory ran out.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        text = str(error).lower()
        if not isinstance(error, MemoryError) and not any(words in text for words in NO_MEMORY):
            raise
        less = _with_less(config)
        knobs = [] if less is None else [f"--batch_size {less.batch_size} --accumulate {less.accumulate}"]
        if less is not None and not config.fit_memory:
            knobs[0] += " (the same pictures in a step; --fit_memory true does it by itself)"
        knobs.append(smaller_input)
        knobs += ["--precision bf16"] if config.precision == "fp32" else []
        raise OutOfMemoryError(
            f"{config.out}: out of memory in step {step} with batch_size {config.batch_size} on {config.device}; "
            f"use {', or '.join(knobs)}; {kept}",
            less,
        ) from error


def _with_less(config: C) -> C | None:
    """`config` with fewer pictures in a pass and as many in a step; None where a pass has a single one."""
    per_step = config.batch_size * config.accumulate
    smaller = (size for size in range(config.batch_size // 2, 0, -1) if per_step % size == 0)
    size = next(smaller, None)
    if size is None:
        return None
    return replace(config, batch_size=size, accumulate=per_step // size)


def free_memory() -> None:
    """Give back what a failed attempt has left."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
