"""MiT, the encoder of SegFormer (Xie et al., 2021, section 3.1): an image becomes four feature maps.

Maps stay (B, C, H, W) between the layers; with the channels last in memory, tokens (B, H * W, C) are views of them.
"""

import itertools
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from segnext.model.encoders.encoder import Depthwise, Stage, Staged, drop_path_rates, init_encoder_weights
from segnext.model.layers import ChannelNorm, DropPath


def tokens(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, H * W, C)."""
    return x.flatten(2).transpose(1, 2)


class ReducedAttention(nn.Module):
    """Self-attention of all positions to the positions of a smaller map (equation 2 there). Keeps (B, C, H, W).

    Args:
        channels: C.
        heads: among which the channels are divided.
        reduction: side of the patch that becomes one key and value.
    """

    def __init__(self, channels: int, heads: int, reduction: int) -> None:
        super().__init__()
        self.heads = heads
        self.reduction = reduction
        self.query = nn.Linear(channels, channels)
        self.key = nn.Linear(channels, channels)
        self.value = nn.Linear(channels, channels)
        self.project = nn.Linear(channels, channels)
        if reduction > 1:
            self.reduce = nn.Conv2d(channels, channels, reduction, stride=reduction)
            self.norm = ChannelNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        others = tokens(self._reduced(x) if self.reduction > 1 else x)
        query, key, value = self.query(tokens(x)), self.key(others), self.value(others)
        mixed = F.scaled_dot_product_attention(self._split(query), self._split(key), self._split(value))
        return self.project(mixed.transpose(1, 2).flatten(2)).transpose(1, 2).view(x.shape)  # type: ignore[no-any-return]

    def _reduced(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        if height < self.reduction or width < self.reduction:  # a picture of a few pixels is less than one patch
            x = F.pad(x, (0, max(0, self.reduction - width), 0, max(0, self.reduction - height)))
        return self.norm(self.reduce(x))  # type: ignore[no-any-return]

    def _split(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, heads, N, C / heads)."""
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)


class MixFFN(nn.Module):
    """Linear expansion, depthwise 3x3, which tells positions, GELU, linear projection. Keeps (B, C, H, W)."""

    def __init__(self, channels: int, expansion: int) -> None:
        super().__init__()
        hidden = channels * expansion
        self.expand = nn.Linear(channels, hidden)
        self.depthwise = Depthwise(hidden, 3, 3)
        self.project = nn.Linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.expand(tokens(x)).transpose(1, 2).unflatten(2, x.shape[2:])
        return self.project(tokens(F.gelu(self.depthwise(hidden)))).transpose(1, 2).view(x.shape)  # type: ignore[no-any-return]


class Block(nn.Module):
    """Attention and Mix-FFN, each behind LayerNorm and before drop path and the residual sum."""

    def __init__(self, channels: int, heads: int, reduction: int, expansion: int, drop_path: float) -> None:
        super().__init__()
        self.norm1 = ChannelNorm(channels)
        self.attention = ReducedAttention(channels, heads, reduction)
        self.norm2 = ChannelNorm(channels)
        self.ffn = MixFFN(channels, expansion)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop_path(self.attention(self.norm1(x)))
        return x + self.drop_path(self.ffn(self.norm2(x)))  # type: ignore[no-any-return]


def embedding(in_channels: int, channels: int, kernel: int, stride: int) -> nn.Sequential:
    """Overlapping patches: a convolution with stride, LayerNorm over channels."""
    convolution = nn.Conv2d(in_channels, channels, kernel, stride=stride, padding=kernel // 2)
    return nn.Sequential(convolution, ChannelNorm(channels))


class MiT(Staged):
    """The mix transformer (section 3.1 and table 6 there).

    Args:
        in_channels: bands of the image.
        channels: width of each stage.
        depths: blocks in each stage.
        heads: of each stage's attention.
        reductions: side of the patch that becomes one key and value, of each stage.
        expansions: Mix-FFN expansion of each stage.
        drop_path: drop path probability of the last block; it grows linearly from 0 over the blocks.

    Forward: see `Staged`.
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        channels: Sequence[int] = (32, 64, 160, 256),
        depths: Sequence[int] = (2, 2, 2, 2),
        heads: Sequence[int] = (1, 2, 5, 8),
        reductions: Sequence[int] = (8, 4, 2, 1),
        expansions: Sequence[int] = (4, 4, 4, 4),
        drop_path: float = 0.1,
    ) -> None:
        rates = drop_path_rates(drop_path, depths)
        embeds = [embedding(in_channels, channels[0], 7, 4)]
        embeds += [embedding(*pair, 3, 2) for pair in itertools.pairwise(channels)]
        stages = []
        shapes = zip(heads, reductions, expansions, strict=True)
        for embed, width, depth, shape in zip(embeds, channels, depths, shapes, strict=True):
            stages.append(Stage(embed, [Block(width, *shape, next(rates)) for _ in range(depth)], width))
        super().__init__(channels, stages)
        self.apply(init_encoder_weights)
        self.apply(_init_linear)


def _init_linear(module: nn.Module) -> None:
    """The released encoder's initialisation of its linear layers."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
