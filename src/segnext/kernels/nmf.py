"""Non-negative matrix factorisation in training, its gradient written out.

Autograd adds up the features' gradient thirteen times, a whole map each time. All of these terms are products of a
matrix with R columns and one with R rows, so side by side they are one product; and of the features times the bases the
first is needed twice and made once.

Shapes: B batch, N positions, D channels, R rank. X (B, N, D) features, C (B, N, R) coefficients, V (B, D, R) bases.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from segnext.kernels.launch import FORMATS, flat, launch, usable

WIDTH = 16  # rank that kernels are for: one of `lanes`


def quick(rank: int, channels: int) -> bool:
    """Whether the products with the features are taken by kernels."""
    return rank == WIDTH and channels % WIDTH == 0 and usable()


def factorise(x_BND: Tensor, bases_BDR: Tensor, steps: int, eps: float) -> Tensor:
    """The reconstruction C V^T (B, N, D) after `steps` multiplicative updates of C and V and one more of C.

    C starts as softmax(X V). The updates are C <- C * (X V) / (C V^T V + eps), V <- V * (X^T C) / (V C^T C + eps) (Lee
    and Seung, 2001). The gradient runs through all of them to X, not to the first bases.

    X may be bfloat16 for ranks that `quick` takes; the result has its format, and the factors are float32.
    """
    return _Factorise.apply(x_BND, bases_BDR, steps, eps)  # type: ignore[no-any-return, no-untyped-call]


def _gram(a: Tensor) -> Tensor:
    return a.transpose(1, 2) @ a


def _product(x_BND: Tensor, bases_BDR: Tensor) -> Tensor:
    """X V."""
    if not _by_kernel(x_BND, bases_BDR):
        return x_BND @ bases_BDR
    from segnext.kernels.nmf_numba import PARTS, times_bases

    batch, positions, channels = x_BND.shape
    result = torch.empty(batch, positions, WIDTH)
    launch(times_bases, batch * PARTS, flat(x_BND), flat(bases_BDR.contiguous()), flat(result), positions, channels)
    return result


def _transposed_product(x_BND: Tensor, coef_BNR: Tensor) -> Tensor:
    """X^T C, in the order that is quicker."""
    if not _by_kernel(x_BND, coef_BNR):
        return (coef_BNR.transpose(1, 2) @ x_BND).transpose(1, 2)
    from segnext.kernels.nmf_numba import PARTS, times_coefficients

    batch, positions, channels = x_BND.shape
    shares = np.zeros((batch * PARTS, channels * WIDTH), np.float32)
    launch(times_coefficients, len(shares), flat(x_BND), flat(coef_BNR.contiguous()), shares, positions, channels)
    return torch.from_numpy(shares).view(batch, PARTS, channels, WIDTH).sum(1)


def _by_kernel(x_BND: Tensor, columns: Tensor) -> bool:
    return x_BND.dtype in FORMATS and columns.dtype == torch.float32 and quick(columns.shape[2], x_BND.shape[2])


class _Factorise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, bases: Tensor, steps: int, eps: float) -> Tensor:
        product = _product(x, bases)
        coef = product.softmax(-1)
        saved: list[Tensor] = []
        first = coef
        for step in range(steps + 1):
            if step:
                product = _product(x, bases)
            divisor = coef @ _gram(bases) + eps
            coef, old = coef * product / divisor, coef
            saved += [bases, old, product, divisor]
            if step < steps:
                product, divisor = _transposed_product(x, coef), bases @ _gram(coef) + eps
                bases = bases * product / divisor
                saved += [product, divisor]
        ctx.save_for_backward(x, first, coef, bases, *saved)
        return (coef @ bases.transpose(1, 2)).to(x.dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, first, coef, bases, *saved = ctx.saved_tensors
        of_coef, of_bases = _product(grad, bases), _transposed_product(grad, coef)
        left: list[Tensor] = []
        right: list[Tensor] = []  # the gradient of x is the sum of left @ right^T
        while saved:
            if len(saved) > 4 and len(left) > 0:  # the update of the bases that came after this one of the coefficients
                product, divisor = saved[-2:]
                del saved[-2:]
                old = saved[-4]
                of_product = of_bases * old / divisor
                of_divisor = -of_bases * bases / divisor
                gram = old.transpose(1, 2) @ of_divisor
                of_coef = of_coef + coef @ (gram + gram.transpose(1, 2)) + _product(x, of_product)
                of_bases = of_bases * product / divisor + of_divisor @ _gram(coef)
                bases = old
                left.append(coef)
                right.append(of_product)
            old_bases, old, product, divisor = saved[-4:]
            del saved[-4:]
            of_product = of_coef * old / divisor
            of_divisor = -of_coef * coef / divisor
            gram = old.transpose(1, 2) @ of_divisor
            of_coef = of_coef * product / divisor + of_divisor @ _gram(old_bases)
            if not saved:  # the start
                of_product = of_product + first * (of_coef - (of_coef * first).sum(-1, keepdim=True))
            else:
                of_bases = of_bases + old_bases @ (gram + gram.transpose(1, 2)) + _transposed_product(x, of_product)
            coef = old
            left.append(of_product)
            right.append(old_bases)
        # the one large product, in the format of its result
        left_BNK, right_BDK = torch.cat(left, -1).to(x.dtype), torch.cat(right, -1).to(x.dtype)
        return left_BNK @ right_BDK.transpose(1, 2), None, None, None
