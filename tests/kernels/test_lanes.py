"""Functions of lanes against those of torch in float64."""

from typing import Any

import numba
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from segnext.kernels.lanes import WIDTH, gelu, gelu_slope, load, store


@numba.njit
def both(x: Any, values: Any, slopes: Any, array: Any) -> None:
    for n in range(0, x.size, WIDTH):
        store(values, n, gelu(load(x, n), array))
        store(slopes, n, gelu_slope(load(x, n), array))


LIMITS: dict[Any, tuple[float, float]] = {
    np.float32: (4e-6, 1.2e-5),
    np.uint16: (5e-4, 8e-4),
}  # for bfloat16 at |x| = 12 as well


@pytest.mark.parametrize("words", LIMITS)
def test_gelu_and_its_slope(words: Any) -> None:
    x = np.linspace(-12, 12, 4096, dtype=np.float32)
    values, slopes = np.empty((2, x.size), np.float32)
    both(x, values, slopes, np.empty(1, words))
    exact = torch.from_numpy(x).double().requires_grad_()
    F.gelu(exact).sum().backward()  # type: ignore[no-untyped-call]
    assert exact.grad is not None
    assert abs(values - F.gelu(exact).detach().numpy()).max() < LIMITS[words][0]
    assert abs(slopes - exact.grad.numpy()).max() < LIMITS[words][1]


@pytest.mark.parametrize("words", LIMITS)
def test_what_is_no_number_stays_so(words: Any) -> None:
    values, slopes = np.empty((2, WIDTH), np.float32)
    both(np.full(WIDTH, np.nan, np.float32), values, slopes, np.empty(1, words))
    assert np.isnan(values).all()
    assert np.isnan(slopes).all()
