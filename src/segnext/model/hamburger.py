"""The Hamburger block (Geng et al., 2021): global context as a low-rank reconstruction of the features.

Shapes: B batch, D channels, N = H * W positions, R rank.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segnext.model.layers import ConvNorm

EPS = 1e-6
TRAIN_STEPS = 6
EVAL_STEPS = 7


def fixed_bases(channels: int, rank: int) -> Tensor:
    """Bases used in evaluation: (1, D, R), uniform numbers of PCG64(7), l2-normalised over D.

    Drawn with numpy, whose streams are the same on every machine and in every version.
    """
    uniform = np.random.Generator(np.random.PCG64(7)).random((1, channels, rank))
    return F.normalize(torch.from_numpy(uniform.astype(np.float32)), dim=1)


def update_coefficients(x_BDN: Tensor, bases_BDR: Tensor, coef_BNR: Tensor) -> Tensor:
    """Multiplicative update of C in X = D C^T (Lee and Seung, 2001)."""
    numerator = x_BDN.mT @ bases_BDR
    denominator = coef_BNR @ (bases_BDR.mT @ bases_BDR)
    return coef_BNR * numerator / (denominator + EPS)


def update_bases(x_BDN: Tensor, bases_BDR: Tensor, coef_BNR: Tensor) -> Tensor:
    """Multiplicative update of D in X = D C^T."""
    numerator = x_BDN @ coef_BNR
    denominator = bases_BDR @ (coef_BNR.mT @ coef_BNR)
    return bases_BDR * numerator / (denominator + EPS)


class NMF(nn.Module):
    """Non-negative matrix factorisation of the features, X = D C^T, by multiplicative updates.

    In evaluation the bases start from a fixed buffer, the same for every sample, so the result
    depends on the picture alone; the buffer is part of the state dict. In training they are drawn
    anew for every sample, as in the released code, from `generator`, a CPU generator whose state can
    be seeded, saved and restored; the gradient runs through all steps.

    Forward: non-negative (B, D, H, W) -> its reconstruction (B, D, H, W), computed in float32 under
    any autocast.
    """

    bases: Tensor

    def __init__(self, channels: int, rank: int) -> None:
        super().__init__()
        self.register_buffer("bases", fixed_bases(channels, rank))
        self.generator = torch.Generator().manual_seed(0)

    def initial_bases(self, batch: int) -> Tensor:
        """(B, D, R): the fixed bases in evaluation, new ones in training."""
        if not self.training:
            return self.bases.float().expand(batch, -1, -1)
        uniform = torch.rand((batch, *self.bases.shape[1:]), generator=self.generator)
        return F.normalize(uniform, dim=1).to(self.bases.device)

    def forward(self, x_BDHW: Tensor) -> Tensor:
        with torch.autocast(x_BDHW.device.type, enabled=False):
            x = x_BDHW.flatten(2).float()
            bases = self.initial_bases(x.shape[0])
            coef = F.softmax(x.mT @ bases, dim=-1)
            for _ in range(TRAIN_STEPS if self.training else EVAL_STEPS):
                coef = update_coefficients(x, bases, coef)
                bases = update_bases(x, bases, coef)
            coef = update_coefficients(x, bases, coef)
            reconstruction = bases @ coef.mT
        return reconstruction.view(x_BDHW.shape).to(x_BDHW.dtype)


class Hamburger(nn.Module):
    """Upper bread, ham, lower bread: 1x1, ReLU, matrix decomposition, 1x1 with GroupNorm, residual, ReLU.

    (B, D, H, W) -> (B, D, H, W).
    """

    def __init__(self, channels: int, ham: nn.Module) -> None:
        super().__init__()
        self.upper = nn.Conv2d(channels, channels, 1)
        self.ham = ham
        self.lower = ConvNorm(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        context = self.lower(self.ham(F.relu(self.upper(x))))
        return F.relu(x + context)
