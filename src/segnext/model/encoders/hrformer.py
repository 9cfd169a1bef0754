"""HRFormer (Yuan et al., 2021): HRNet with blocks of local-window attention and a convolution in the FFN.

The tensors are named as in the authors' code.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segnext.model.encoders.hrnet import HRNet
from segnext.model.layers import DropPath, conv_bn

BLOCKS = 2  # in each branch of each unit
EXPANSION = 4


def relative_places(window: int, device: torch.device) -> Tensor:
    """For every pair of places in a window, the row of the bias table that belongs to their offset. (L, L)."""
    side = torch.arange(window, device=device)
    rows, columns = torch.meshgrid(side, side, indexing="ij")
    places = torch.stack([rows.flatten(), columns.flatten()])
    offsets = places[:, :, None] - places[:, None, :] + window - 1
    return offsets[0] * (2 * window - 1) + offsets[1]


class WindowAttention(nn.Module):
    """Self-attention within windows, which do not overlap, with a learned bias for every offset.

    The map is padded with zeros on all sides to whole windows, as in the released code; the padding is attended to.
    (B, H, W, C) -> (B, H, W, C).
    """

    def __init__(self, channels: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads, self.window = heads, window
        self.q_proj = nn.Linear(channels, channels)
        self.k_proj = nn.Linear(channels, channels)
        self.v_proj = nn.Linear(channels, channels)
        self.out_proj = nn.Linear(channels, channels)
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[1:3]
        down, right = -height % self.window, -width % self.window
        x = F.pad(x, (0, 0, right // 2, right - right // 2, down // 2, down - down // 2))
        grid = x.shape
        x = self._attend(self._split(x))
        x = self._join(x, grid)
        return x[:, down // 2 : down // 2 + height, right // 2 : right // 2 + width]

    def _split(self, x_BHWC: Tensor) -> Tensor:
        """(windows, L, C), L places in each."""
        batch, height, width, channels = x_BHWC.shape
        side = self.window
        x = x_BHWC.reshape(batch, height // side, side, width // side, side, channels)
        return x.transpose(2, 3).reshape(-1, side * side, channels)

    def _join(self, x: Tensor, grid: Sequence[int]) -> Tensor:
        batch, height, width, channels = grid
        side = self.window
        x = x.view(batch, height // side, width // side, side, side, channels)
        return x.transpose(2, 3).reshape(batch, height, width, channels)

    def _attend(self, x_NLC: Tensor) -> Tensor:
        q, k, v = (
            project(x_NLC).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        table = self.relative_position_bias_table
        bias = table[relative_places(self.window, table.device)].permute(2, 0, 1)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias.to(q.dtype)[None])
        return self.out_proj(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


class FFN(nn.Module):
    """1x1 expansion, depthwise 3x3, 1x1 projection, BatchNorm and GELU after each. (B, C, H, W) -> (B, C, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = EXPANSION * channels
        self.fc1 = nn.Conv2d(channels, hidden, 1)
        self.norm1 = nn.BatchNorm2d(hidden)
        self.dw3x3 = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.norm2 = nn.BatchNorm2d(hidden)
        self.fc2 = nn.Conv2d(hidden, channels, 1)
        self.norm3 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        x = F.gelu(self.norm1(self.fc1(x)))
        x = F.gelu(self.norm2(self.dw3x3(x)))
        return F.gelu(self.norm3(self.fc2(x)))


class Block(nn.Module):
    """Window attention and FFN, each behind LayerNorm and before the residual sum. (B, C, H, W) -> (B, C, H, W)."""

    def __init__(self, channels: int, heads: int, window: int, drop_path: float) -> None:
        super().__init__()
        self.attn = nn.ModuleDict({"attn": WindowAttention(channels, heads, window)})  # twice in the authors' names
        self.norm1 = nn.LayerNorm(channels, eps=1e-6)
        self.norm2 = nn.LayerNorm(channels, eps=1e-6)
        self.mlp = FFN(channels)
        self.drop_path = DropPath(drop_path)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        x = x_BCHW.permute(0, 2, 3, 1)
        x = x + self.drop_path(self.attn["attn"](self.norm1(x)))
        y = self.mlp(self.norm2(x).permute(0, 3, 1, 2))
        return x.permute(0, 3, 1, 2) + self.drop_path(y)  # type: ignore[no-any-return]


def halving(in_channels: int, out_channels: int, *, last: bool) -> nn.Sequential:
    """A depthwise 3x3 of stride 2 and a 1x1; the last one of a path ends in the sum and has no ReLU."""
    depthwise = conv_bn(in_channels, in_channels, 3, stride=2, groups=in_channels, activation=None)
    return nn.Sequential(*depthwise, *conv_bn(in_channels, out_channels, activation=None if last else nn.ReLU))


def repeated(x: Tensor, size: Sequence[int]) -> Tensor:
    """Nearest neighbours by a power of two, then bilinear where that is not the size already; as released."""
    factor = 1
    while factor * x.shape[2] < size[0] or factor * x.shape[3] < size[1]:
        factor *= 2
    x = F.interpolate(x, scale_factor=float(factor), mode="nearest")
    return x if x.shape[2:] == size else F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=True)


def hrformer(
    *,
    widths: Sequence[int],
    heads: Sequence[int],
    units: Sequence[int] = (1, 4, 2),
    window: int = 7,
    drop_path: float = 0.2,
    in_channels: int = 3,
) -> HRNet:
    """HRFormer.

    Args:
        widths: of the branches, the largest map's first.
        heads: of the attention, for each branch.
        units: in each of the three stages.
        window: side of the attention's windows.
        drop_path: drop path probability of the last block; it grows linearly from 0 over the blocks.
        in_channels: bands of the image.
    """
    rates = np.linspace(0.0, drop_path, BLOCKS * sum(units)).tolist()

    def branch(index: int, number: int) -> nn.Module:
        make = partial(Block, widths[index], heads[index], window)
        return nn.Sequential(*(make(rate) for rate in rates[BLOCKS * number : BLOCKS * (number + 1)]))

    return HRNet(
        widths=widths,
        units=units,
        branch=branch,
        halve=halving,
        enlarge=repeated,
        stem=(64, 2),
        in_channels=in_channels,
    )
