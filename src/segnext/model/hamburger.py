"""The Hamburger block (Geng et al., 2021): global context as a low-rank reconstruction of the features.

Shapes: B batch, D channels, N = H * W positions, R rank.
"""

from abc import ABC, abstractmethod
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segnext.kernels.launch import fused
from segnext.kernels.nmf import factorise, quick
from segnext.model.layers import ConvNorm, RowRandom, convolved, without_autocast

EPS = 1e-6
TRAIN_STEPS = 6
EVAL_STEPS = 7
RIDGE = 0.1  # beta of the Hamburger paper's concept decomposition


def fixed_bases(channels: int, rank: int, *, signed: bool = False) -> Tensor:
    """Bases used in evaluation: (1, D, R), random numbers of PCG64(7), l2-normalised over D.

    Drawn with numpy, whose streams are the same on every machine: uniform in [0, 1), or, with `signed`, normal.
    """
    generator = np.random.Generator(np.random.PCG64(7))
    shape = (1, channels, rank)
    values = generator.standard_normal(shape) if signed else generator.random(shape)
    return F.normalize(torch.from_numpy(values.astype(np.float32)), dim=1)


class Decomposition(RowRandom, ABC):
    """The features as few bases, X = D C^T, found by an iterative algorithm: what a Hamburger has inside.

    In evaluation the bases start from a fixed buffer, the same for every sample, so the result
    depends on the picture alone; the buffer is part of the state dict. In training they are drawn
    anew for every sample, as in the released code, from `generator`, a CPU generator whose state can
    be seeded, saved and restored.

    Args:
        channels: D.
        rank: R.
        one_step_gradient: whether the gradient runs through the last update of the coefficients alone, as
            in the Hamburger paper, instead of through all steps, as in SegNeXt's released code.

    Forward: (B, D, H, W) -> its reconstruction (B, D, H, W), computed in float32 under any autocast.
    """

    bases: Tensor
    signed = True  # whether features and bases may be negative

    def __init__(self, channels: int, rank: int, *, one_step_gradient: bool = False) -> None:
        super().__init__()
        self.one_step_gradient = one_step_gradient
        self.register_buffer("bases", fixed_bases(channels, rank, signed=self.signed))
        self.generator = torch.Generator().manual_seed(0)

    def __getstate__(self) -> dict[str, Any]:
        """Of the generator its state as bytes: torch cannot send one to a process that is spawned."""
        return {**self.__dict__, "generator": self.generator.get_state().numpy().tobytes()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        generator = torch.Generator()
        generator.set_state(torch.frombuffer(bytearray(state["generator"]), dtype=torch.uint8))
        super().__setstate__({**state, "generator": generator})  # type: ignore[no-untyped-call]

    def initial_bases(self, batch: int) -> Tensor:
        """(B, D, R): new ones in training; in evaluation the fixed bases, (1, D, R) for all samples."""
        if not self.training:
            return self.bases.float()
        draw = torch.randn if self.signed else torch.rand
        generator = None if torch.compiler.is_compiling() else self.generator  # which compilers do not take
        drawn = self.own(lambda rows: draw((rows, *self.bases.shape[1:]), generator=generator), batch)
        return F.normalize(drawn, dim=1).to(self.bases.device)

    @abstractmethod
    def start(self, x_BDN: Tensor, bases_BDR: Tensor) -> Tensor:
        """The first coefficients C (B, N, R)."""

    @abstractmethod
    def step(self, x_BDN: Tensor, bases_BDR: Tensor, coef_BNR: Tensor) -> tuple[Tensor, Tensor]:
        """One iteration: new bases and coefficients."""

    @abstractmethod
    def finish(self, x_BDN: Tensor, bases_BDR: Tensor, coef_BNR: Tensor) -> Tensor:
        """The coefficients for the final bases."""

    def forward(self, x_BDHW: Tensor) -> Tensor:
        with without_autocast(x_BDHW):
            x = x_BDHW.flatten(2).float()
            bases = self.initial_bases(x.shape[0])
            with torch.no_grad() if self.one_step_gradient else nullcontext():
                coef = self.start(x, bases)
                for _ in range(TRAIN_STEPS if self.training else EVAL_STEPS):
                    bases, coef = self.step(x, bases, coef)
            coef = self.finish(x, bases, coef)
            reconstruction = bases @ coef.transpose(1, 2)
        return reconstruction.view(x_BDHW.shape).to(x_BDHW.dtype)


def update_coefficients(x_BDN: Tensor, bases_BDR: Tensor, coef_BNR: Tensor) -> Tensor:
    """Multiplicative update of C in X = D C^T (Lee and Seung, 2001)."""
    numerator = x_BDN.transpose(1, 2) @ bases_BDR
    denominator = coef_BNR @ (bases_BDR.transpose(1, 2) @ bases_BDR)
    return coef_BNR * numerator / (denominator + EPS)


def update_bases(x_BDN: Tensor, bases_BDR: Tensor, coef_BNR: Tensor) -> Tensor:
    """Multiplicative update of D in X = D C^T."""
    numerator = x_BDN @ coef_BNR
    denominator = bases_BDR @ (coef_BNR.transpose(1, 2) @ coef_BNR)
    return bases_BDR * numerator / (denominator + EPS)


class NMF(Decomposition):
    """Non-negative matrix factorisation by multiplicative updates; the features must not be negative."""

    signed = False

    def forward(self, x_BDHW: Tensor) -> Tensor:
        if self.one_step_gradient or not fused(self, x_BDHW):
            return super().forward(x_BDHW)
        batch, channels, height, width = x_BDHW.shape
        with without_autocast(x_BDHW):
            x_BND = x_BDHW.permute(0, 2, 3, 1).flatten(1, 2)
            if not quick(self.bases.shape[2], channels):
                x_BND = x_BND.float()
            reconstruction = factorise(x_BND, self.initial_bases(batch), TRAIN_STEPS, EPS)
        return reconstruction.view(batch, height, width, channels).permute(0, 3, 1, 2).to(x_BDHW.dtype)

    def start(self, x_BDN: Tensor, bases_BDR: Tensor) -> Tensor:
        return F.softmax(x_BDN.transpose(1, 2) @ bases_BDR, dim=-1)

    def step(self, x_BDN: Tensor, bases_BDR: Tensor, coef_BNR: Tensor) -> tuple[Tensor, Tensor]:
        coef = update_coefficients(x_BDN, bases_BDR, coef_BNR)
        return update_bases(x_BDN, bases_BDR, coef), coef

    def finish(self, x_BDN: Tensor, bases_BDR: Tensor, coef_BNR: Tensor) -> Tensor:
        return update_coefficients(x_BDN, bases_BDR, coef_BNR)


class VQ(Decomposition):
    """Vector quantisation, softened: every position is a mixture of the bases to which it points.

    Args:
        channels: D.
        rank: R.
        one_step_gradient: see `Decomposition`.
        inverse_temperature: sharpness of the assignment; 10 or 100 in the Hamburger paper.
    """

    def __init__(
        self, channels: int, rank: int, *, one_step_gradient: bool = False, inverse_temperature: float = 100.0
    ) -> None:
        super().__init__(channels, rank, one_step_gradient=one_step_gradient)
        self.inverse_temperature = inverse_temperature

    def start(self, x_BDN: Tensor, bases_BDR: Tensor) -> Tensor:
        """Assign the positions to bases: softmax over R of the cosines."""
        cosines = F.normalize(x_BDN, dim=1).transpose(1, 2) @ F.normalize(bases_BDR, dim=1, eps=EPS)
        return F.softmax(self.inverse_temperature * cosines, dim=-1)

    def step(self, x_BDN: Tensor, bases_BDR: Tensor, coef_BNR: Tensor) -> tuple[Tensor, Tensor]:
        """Each base becomes the mean of its positions; the positions are assigned again."""
        bases = x_BDN @ (coef_BNR / (EPS + coef_BNR.sum(dim=1, keepdim=True)))
        return bases, self.start(x_BDN, bases)

    def finish(self, x_BDN: Tensor, bases_BDR: Tensor, coef_BNR: Tensor) -> Tensor:
        return self.start(x_BDN, bases_BDR)


class CD(VQ):
    """Concept decomposition (Dhillon and Modha, 2001): spherical k-means, then ridge regression onto the means.

    C = X^T D (D^T D + beta I)^-1 with beta 0.1. Arguments as of `VQ`.
    """

    def step(self, x_BDN: Tensor, bases_BDR: Tensor, coef_BNR: Tensor) -> tuple[Tensor, Tensor]:
        means, _ = super().step(x_BDN, bases_BDR, coef_BNR)
        bases = F.normalize(means, dim=1, eps=EPS)
        return bases, self.start(x_BDN, bases)

    def finish(self, x_BDN: Tensor, bases_BDR: Tensor, coef_BNR: Tensor) -> Tensor:
        gram = bases_BDR.transpose(1, 2) @ bases_BDR
        ridge = RIDGE * torch.eye(gram.shape[-1], device=gram.device)
        inverse: Tensor = torch.linalg.inv(gram + ridge)
        return x_BDN.transpose(1, 2) @ bases_BDR @ inverse


class Hamburger(nn.Module):
    """Upper bread, ham, lower bread: 1x1, ReLU, matrix decomposition, 1x1 with GroupNorm, residual, ReLU.

    The first ReLU is there for decompositions of non-negative features alone. (B, D, H, W) -> (B, D, H, W).
    """

    def __init__(self, channels: int, ham: Decomposition) -> None:
        super().__init__()
        self.upper = nn.Conv2d(channels, channels, 1)
        self.ham = ham
        self.lower = ConvNorm(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        features = convolved(self.upper, x)
        context = self.lower(self.ham(features if self.ham.signed else F.relu(features)))
        return F.relu(x + context)
