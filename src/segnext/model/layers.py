"""Small building blocks shared by the encoder and the decoders."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.fx import Proxy

from segnext.kernels.launch import CHANNELS, NORM_CHANNELS, fused
from segnext.kernels.norms import batch_norm, group_norm
from segnext.kernels.pointwise import pointwise_conv2d


class LayerScale(nn.Module):
    """Multiply each channel by a learned factor, small at first (Touvron et al., 2021, eq. 4).

    Input and output: (B, C, H, W).
    """

    def __init__(self, channels: int, init: float = 1e-2) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.full((channels,), init))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor[:, None, None]


class RowRandom(nn.Module):
    """A layer that draws random numbers for every sample of a batch, in training.

    Processes that share a batch each draw the numbers of all its samples, from generators in the same state, and
    take those of their own; so a sample's numbers do not depend on how many processes there are.

    Attributes:
        share: which part of the batch is this process's, and how many parts there are, all of the same size.
    """

    share: tuple[int, int] = (0, 1)

    def own(self, draw: Callable[[int], Tensor], batch: int) -> Tensor:
        """This process's rows, (batch, ...), of what `draw` gives for the whole batch."""
        part, parts = self.share
        return draw(batch * parts)[part * batch : (part + 1) * batch]


class _Drop(RowRandom):
    """In training, set parts of a sample to zero and divide the others by the probability of keeping a part.

    So the expectation is unchanged.
    """

    per_channel = False  # whether a channel is a part, or the whole sample

    def __init__(self, probability: float) -> None:
        super().__init__()
        if not 0.0 <= probability < 1.0:
            raise ValueError(f"the probability of dropping must be in [0, 1), got {probability}")
        self.probability = probability

    def mask(self, x: Tensor) -> Tensor | None:
        """The factors (B, 1 or C, 1, 1) that are drawn for x; None for ones."""
        if not self.training or self.probability == 0.0:
            return None
        keep = 1.0 - self.probability
        channels = x.shape[1] if self.per_channel else 1
        rest = [1] * (x.ndim - 2)
        mask = self.own(lambda rows: x.new_empty(rows, channels, *rest).bernoulli_(keep), x.shape[0])
        return mask.div_(keep)

    def forward(self, x: Tensor) -> Tensor:
        mask = self.mask(x)
        return x if mask is None else x * mask

    def extra_repr(self) -> str:
        return f"{self.probability:g}"


class DropPath(_Drop):
    """Drop a residual branch for whole samples in training (Huang et al., 2016). (B, ...) -> (B, ...)."""


class ChannelDropout(_Drop):
    """Drop whole channels in training (Tompson et al., 2015), as torch's Dropout2d. (B, C, H, W) -> (B, C, H, W)."""

    per_channel = True


def batch_normalised(norm: nn.BatchNorm2d, x: Tensor) -> tuple[Tensor, Tensor]:
    """`norm` of x, in training on a CPU by a kernel; and x, for a shortcut around what the norm begins."""
    return batch_norm(x, norm) if type(norm) is nn.BatchNorm2d and fused(norm, x, NORM_CHANNELS) else (norm(x), x)


class Row(nn.Sequential):
    """Layers one after the other, BatchNorm by `batch_normalised`."""

    def forward(self, x: Tensor) -> Tensor:
        for layer in self:
            x = batch_normalised(layer, x)[0] if isinstance(layer, nn.BatchNorm2d) else layer(x)
        return x


def convolved(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """`conv`, of stride 1, of x; if it is a 1x1, in training on a CPU with gradients of ours."""
    if fused(conv, x) and conv.kernel_size == (1, 1) and conv.out_channels % CHANNELS == 0:
        return pointwise_conv2d(x, conv.weight, conv.bias)
    found: Tensor = conv(x)
    return found


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
        return self.normalised(convolved(self.conv, x))

    def normalised(self, x: Tensor) -> Tensor:
        """The norm of the convolution's result."""
        return group_norm(x, self.norm) if fused(self.norm, x) else self.norm(x)


ConvUnit = Callable[..., nn.Module]  # in_channels, out_channels, kernel, dilation -> convolution and norm


def conv_bn(
    in_channels: int,
    out_channels: int,
    kernel: int = 1,
    dilation: int = 1,
    *,
    stride: int = 1,
    groups: int = 1,
    activation: Callable[[], nn.Module] | None = nn.ReLU,
) -> nn.Sequential:
    """Convolution without bias, padded to keep the size (before the stride), BatchNorm, and the activation if any."""
    padding = dilation * (kernel // 2)
    conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding, dilation, groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out_channels), *([activation()] if activation else []))


def plain_conv_bn(in_channels: int, out_channels: int, kernel: int = 1, dilation: int = 1) -> nn.Sequential:
    """`conv_bn` without the activation: in place of `ConvNorm` where a head shall be its paper's."""
    return conv_bn(in_channels, out_channels, kernel, dilation, activation=None)


def separable_conv(in_channels: int, out_channels: int, dilation: int = 1) -> nn.Sequential:
    """A depthwise 3x3, then a 1x1, each with BatchNorm and ReLU."""
    return nn.Sequential(
        conv_bn(in_channels, in_channels, 3, dilation, groups=in_channels), conv_bn(in_channels, out_channels)
    )


def without_autocast(x: Tensor) -> AbstractContextManager[object]:
    """A context in which operations on x's device keep the number format of their inputs."""
    if isinstance(x, Proxy):  # of torch.fx, which has no device
        return nullcontext()
    device = x.device.type
    return nullcontext() if device == "meta" else torch.autocast(device, enabled=False)  # "meta" has no autocast
