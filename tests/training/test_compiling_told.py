"""A training says that its first step waits for kernels to be compiled."""

from typing import Any

import numba
import pytest

from segnext.kernels.launch import available
from segnext.training.compiling import SENTENCE, compiling_told


@pytest.mark.skipif(not available(), reason="no kernels here")
def test_that_something_is_compiled_is_said_once_and_only_then(capsys: pytest.CaptureFixture[str]) -> None:
    compiled: Any = numba.njit
    first, second = compiled(lambda x: x + 1), compiled(lambda x: x + 2)
    with compiling_told():
        assert capsys.readouterr().err == ""
        assert first(1) + second(1) == 5
    assert capsys.readouterr().err == f"{SENTENCE}\n"
    with compiling_told():
        assert first(1) + second(1) == 5  # compiled already
    compiled(lambda x: x + 3)(1)  # outside
    assert capsys.readouterr().err == ""
