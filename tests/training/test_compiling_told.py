"""A training says that its first step waits for kernels to be compiled."""

import numba
import pytest

from segnext.kernels.launch import available
from segnext.training.compiling import SENTENCE, compiling_told


@pytest.mark.skipif(not available(), reason="no kernels here")
def test_that_something_is_compiled_is_said_once_and_only_then(capsys: pytest.CaptureFixture[str]) -> None:
    def one(x: int) -> int:
        return x + 1

    def two(x: int) -> int:
        return x + 2

    first, second = numba.njit(one), numba.njit(two)
    with compiling_told():
        assert capsys.readouterr().err == ""
        assert first(1) + second(1) == 5
    assert capsys.readouterr().err == f"{SENTENCE}\n"
    with compiling_told():
        assert first(1) + second(1) == 5  # compiled already
    numba.njit(one)(1)  # outside
    assert capsys.readouterr().err == ""
