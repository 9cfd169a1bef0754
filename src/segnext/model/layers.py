"""Small building blocks shared by the encoder and the decoders."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn


class LayerScale(nn.Module):
    """Multiply each channel by a learned factor, small at first (Touvron et al., 2021, eq. 4).

    Input and output: (B, C, H, W).
    """

    def __init__(self, channels: int, init: float = 1e-2) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.full((channels,), init))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor[:, None, None]


class DropPath(nn.Module):
    """Drop a residual branch for whole samples in training (Huang et al., 2016).

    The kept samples are divided by the probability of keeping, so the expectation is unchanged.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        if not 0.0 <= probability < 1.0:
            raise ValueError(f"the drop path probability must be in [0, 1), got {probability}")
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.probability == 0.0:
            return x
        keep = 1.0 - self.probability
        mask = torch.empty((x.shape[0], 1, 1, 1), dtype=x.dtype, device=x.device).bernoulli_(keep)
        return x * mask.div_(keep)

    def extra_repr(self) -> str:
        return f"{self.probability:g}"


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over the channels of a map (B, C, H, W), each position on its own."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNorm(nn.Module):
    """Convolution without bias that keeps height and width, then GroupNorm over 32 groups: the heads' linear unit.

    GroupNorm, as in the released head, rather than the BatchNorm of other papers: it trains with a batch
    of one, on maps of a single position too.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int = 1, dilation: int = 1) -> None:
        super().__init__()
        padding = dilation * (kernel // 2)
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, padding=padding, dilation=dilation, bias=False)
        self.norm = nn.GroupNorm(32, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x))  # type: ignore[no-any-return]


def without_autocast(x: Tensor) -> AbstractContextManager[object]:
    """A context in which operations on x's device keep the number format of their inputs."""
    device = x.device.type
    return nullcontext() if device == "meta" else torch.autocast(device, enabled=False)  # "meta" has no autocast
