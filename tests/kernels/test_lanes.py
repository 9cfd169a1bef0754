"""Functions of lanes against those of torch in float64."""

from typing import Any

import numba
import numpy as np
import torch
import torch.nn.functional as F

from segnext.kernels.lanes import WIDTH, gelu, gelu_slope, load, store


@numba.njit
def both(x: Any, values: Any, slopes: Any) -> None:
    for n in range(0, x.size, WIDTH):
        store(values, n, gelu(load(x, n)))
        store(slopes, n, gelu_slope(load(x, n)))


def test_gelu_and_its_slope() -> None:
    x = np.linspace(-12, 12, 4096, dtype=np.float32)
    values, slopes = np.empty((2, x.size), np.float32)
    both(x, values, slopes)
    exact = torch.from_numpy(x).double().requires_grad_()
    F.gelu(exact).sum().backward()  # type: ignore[no-untyped-call]
    assert exact.grad is not None
    assert abs(values - F.gelu(exact).detach().numpy()).max() < 4e-6
    assert abs(slopes - exact.grad.numpy()).max() < 1.2e-5


def test_what_is_no_number_stays_so() -> None:
    values, slopes = np.empty((2, WIDTH), np.float32)
    both(np.full(WIDTH, np.nan, np.float32), values, slopes)
    assert np.isnan(values).all()
    assert np.isnan(slopes).all()
