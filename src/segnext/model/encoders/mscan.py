"""MSCAN, the encoder of SegNeXt (Guo et al., 2022, section 3.1): an image becomes four feature maps.

Shapes: B batch, C channels, H x W positions of the current stage (1/4, 1/8, 1/16, 1/32 of the image).
"""

import itertools
from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor, nn

from segnext.kernels.attention import attention_residual
from segnext.kernels.ffn import ffn_residual
from segnext.kernels.launch import fused
from segnext.model.encoders.encoder import Depthwise, Stage, Staged, drop_path_rates, init_encoder_weights
from segnext.model.layers import DropPath, LayerScale, Row, batch_normalised

STRIPS = (7, 11, 21)


class MSCA(nn.Module):
    """Multi-scale convolutional attention (section 3.1, equations 1 and 2).

    A depthwise 5x5 gathers the neighbourhood; three pairs of depthwise strips (1xk, then kx1) look
    further; the identity and the three scales are summed; a 1x1 convolution mixes the channels into
    an attention map that multiplies the input. (B, C, H, W) -> (B, C, H, W).

    Args:
        channels: C.
        strips: odd lengths k of the strip pairs; none of them is a scale the less.
        square: odd side of one more scale, a full depthwise kernel; with strips=() it stands in their place.
        mix: whether the 1x1 convolution mixes the channels.
        gate: whether the attention map multiplies the input; without, it is the output.
    """

    def __init__(
        self,
        channels: int,
        *,
        strips: Sequence[int] = STRIPS,
        square: int | None = None,
        mix: bool = True,
        gate: bool = True,
    ) -> None:
        super().__init__()
        self.local = Depthwise(channels, 5, 5)
        self.strips = nn.ModuleList(nn.Sequential(Depthwise(channels, 1, k), Depthwise(channels, k, 1)) for k in strips)
        if square is not None:
            self.strips.append(Depthwise(channels, square, square))
        self.mix = nn.Conv2d(channels, channels, 1) if mix else nn.Identity()
        self.gate = gate
        self.published = bool(strips) and square is None and mix and gate

    def forward(self, x: Tensor) -> Tensor:
        local = self.local(x)
        scales: Tensor = sum((strip(local) for strip in self.strips), start=local)
        attention: Tensor = self.mix(scales)
        return attention * x if self.gate else attention


class LKA(nn.Module):
    """Large kernel attention, VAN's part in place of MSCA (Guo et al., 2022, "Visual Attention Network").

    A 21x21 convolution taken apart: depthwise 5x5, depthwise 7x7 with dilation 3, 1x1; the result multiplies
    the input. (B, C, H, W) -> (B, C, H, W).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.local = Depthwise(channels, 5, 5)
        self.dilated = Depthwise(channels, 7, 7, dilation=3)
        self.mix = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        attention = self.mix(self.dilated(self.local(x)))
        return attention * x  # type: ignore[no-any-return]


SpatialAttention = Callable[[int], nn.Module]  # channels -> MSCA, one with ablations, or LKA


class Attention(nn.Module):
    """1x1, GELU, MSCA, 1x1 with an inner shortcut, which the released code has and figure 2 does not show."""

    def __init__(self, channels: int, spatial: SpatialAttention = MSCA) -> None:
        super().__init__()
        self.proj_in = nn.Conv2d(channels, channels, 1)
        self.gelu = nn.GELU()
        self.msca = spatial(channels)
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.proj_out(self.msca(self.gelu(self.proj_in(x))))  # type: ignore[no-any-return]


class FFN(nn.Module):
    """1x1 expansion, depthwise 3x3, GELU, 1x1 projection. (B, C, H, W) -> (B, C, H, W)."""

    def __init__(self, channels: int, expansion: int) -> None:
        super().__init__()
        hidden = channels * expansion
        self.expand = nn.Conv2d(channels, hidden, 1)
        self.depthwise = Depthwise(hidden, 3, 3)
        self.gelu = nn.GELU()
        self.project = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.project(self.gelu(self.depthwise(self.expand(x))))  # type: ignore[no-any-return]


def parameters(layer: nn.Module) -> tuple[Tensor, Tensor]:
    """A convolution's weight and bias."""
    return layer.weight, layer.bias  # type: ignore[return-value]


class Block(nn.Module):
    """Attention and FFN, each behind BatchNorm and before layer scale, drop path and the residual sum."""

    def __init__(self, channels: int, expansion: int, drop_path: float, spatial: SpatialAttention = MSCA) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.attention = Attention(channels, spatial)
        self.scale1 = LayerScale(channels)
        self.norm2 = nn.BatchNorm2d(channels)
        self.ffn = FFN(channels, expansion)
        self.scale2 = LayerScale(channels)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        return self._feed_forward(self._attend(x))

    def _attend(self, x: Tensor) -> Tensor:
        """The first half."""
        (normal, x), msca = batch_normalised(self.norm1, x), self.attention.msca
        if not (isinstance(msca, MSCA) and msca.published and fused(self, x)):
            return x + self.drop_path(self.scale1(self.attention(normal)))  # type: ignore[no-any-return]
        layers = [parameters(x) for x in (self.attention.proj_in, msca.mix, self.attention.proj_out, msca.local)]
        strips = [(parameters(across), parameters(down)) for across, down in map(nn.Module.children, msca.strips)]
        return attention_residual(x, normal, layers, strips, self.scale1.factor, self.drop_path.mask(x))

    def _feed_forward(self, x: Tensor) -> Tensor:
        """The second half."""
        normal, x = batch_normalised(self.norm2, x)
        if not fused(self, x):
            return x + self.drop_path(self.scale2(self.ffn(normal)))  # type: ignore[no-any-return]
        expand, depthwise, project = map(parameters, (self.ffn.expand, self.ffn.depthwise, self.ffn.project))
        return ffn_residual(x, normal, expand, depthwise, project, self.scale2.factor, self.drop_path.mask(x))


def stem(in_channels: int, channels: int) -> Row:
    """Image to the first stage: two stride-2 3x3 convolutions with BatchNorm, GELU between."""
    return Row(
        nn.Conv2d(in_channels, channels // 2, 3, stride=2, padding=1),
        nn.BatchNorm2d(channels // 2),
        nn.GELU(),
        nn.Conv2d(channels // 2, channels, 3, stride=2, padding=1),
        nn.BatchNorm2d(channels),
    )


def downsampling(in_channels: int, channels: int) -> Row:
    """Between stages: a stride-2 3x3 convolution and BatchNorm."""
    return Row(nn.Conv2d(in_channels, channels, 3, stride=2, padding=1), nn.BatchNorm2d(channels))


class MSCAN(Staged):
    """The multi-scale convolutional attention network (section 3.1, table 2).

    Args:
        in_channels: bands of the image.
        channels: width of each stage.
        depths: blocks in each stage.
        expansions: FFN expansion of each stage.
        drop_path: drop path probability of the last block; it grows linearly from 0 over the blocks.
        strips: see `MSCA`, as for the next three; the published network has their defaults.
        square: see `MSCA`.
        mix: see `MSCA`.
        gate: see `MSCA`.
        lka: whether VAN's `LKA` takes the place of MSCA, whose arguments then say nothing.

    Forward: image (B, in_channels, H, W) -> four maps (B, channels[i], H / 2**(i + 2), W / 2**(i + 2)),
    sizes rounded up.
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        channels: Sequence[int] = (32, 64, 160, 256),
        depths: Sequence[int] = (3, 3, 5, 2),
        expansions: Sequence[int] = (8, 8, 4, 4),
        drop_path: float = 0.1,
        strips: Sequence[int] = STRIPS,
        square: int | None = None,
        mix: bool = True,
        gate: bool = True,
        lka: bool = False,
    ) -> None:
        spatial = LKA if lka else partial(MSCA, strips=strips, square=square, mix=mix, gate=gate)
        rates = drop_path_rates(drop_path, depths)
        embeds = [stem(in_channels, channels[0])]
        embeds += [downsampling(*pair) for pair in itertools.pairwise(channels)]
        stages = [
            Stage(embed, [Block(width, expansion, next(rates), spatial) for _ in range(depth)], width)
            for embed, width, depth, expansion in zip(embeds, channels, depths, expansions, strict=True)
        ]
        super().__init__(channels, stages)
        self.apply(init_encoder_weights)
