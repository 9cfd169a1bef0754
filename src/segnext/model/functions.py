"""Networks of the user's own code: what is stored of them, and which of them may be called; plain data."""

import importlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from segnext.errors import SegNextError

ALLOWED = "SEGNEXT_ALLOW"  # variable of the environment: functions that the user allows, separated by commas


@dataclass(frozen=True, kw_only=True)
class FunctionConfig:
    """A network that a function makes, called with num_classes and in_channels: image -> logits, at any size.

    Attributes:
        function: module:function.
        num_classes: channels of the logits.
        in_channels: bands of the image.
    """

    function: str
    num_classes: int = 150
    in_channels: int = 3

    decoders: ClassVar[tuple[str, ...]] = ()
    strides: ClassVar[tuple[int, ...]] = (1, 32)  # what its inputs are a multiple of
    logits_stride: ClassVar[int] = 1

    def check(self) -> None:
        """Refuse what the user has not allowed in this process: a weights file may name any function.

        Raises:
            SegNextError: that says how to allow it.
        """
        if self.function not in _allowed():
            raise SegNextError(
                f"this network is made by the function {self.function}, which is not segnext's; if you trust it, allow "
                f"it: segnext.model.functions.allow({self.function!r}) in Python, or {ALLOWED}={self.function}"
            )


def allow(function: str) -> None:
    """Let networks be made by `function`, module:function, in this process and those that it starts."""
    os.environ[ALLOWED] = ",".join({*_allowed(), function})


def _allowed() -> set[str]:
    return set(filter(None, os.environ.get(ALLOWED, "").split(",")))


def function_of(config: FunctionConfig) -> Callable[..., Any]:
    """The function itself; modules of the current folder are found too.

    Raises:
        SegNextError: when it is not allowed, or not there.
    """
    config.check()
    module, _, name = config.function.partition(":")
    here = os.getcwd()  # noqa: PTH109  # as Python itself puts it there
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise SegNextError(f"{config.function}: there is no such function ({error}); give module:function") from error
    if not callable(found):
        raise SegNextError(f"{config.function} cannot be called; give module:function")
    return found  # type: ignore[no-any-return]
