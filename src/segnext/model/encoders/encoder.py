"""What every encoder is: stages in a row, each with a map of its own."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from torch import Tensor, nn

from segnext.kernels.depthwise import depthwise_conv2d
from segnext.model.config import STRIDES
from segnext.model.layers import ChannelNorm


class Stage(nn.Module):
    """Smaller map, blocks, LayerNorm over channels; the result is the stage map and feeds the next stage.

    Forward: (B, C_before, H, W) -> (B, channels, H / s, W / s), sizes rounded up.
    """

    def __init__(self, embed: nn.Module, blocks: Sequence[nn.Module], channels: int) -> None:
        super().__init__()
        self.embed = embed
        self.blocks = nn.Sequential(*blocks)
        self.norm = ChannelNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.blocks(self.embed(x)))  # type: ignore[no-any-return]


Layers = list[list[nn.Module]]  # modules that learn at one rate, layer by layer in the order of computation


class Encoder(nn.Module):
    """An image becomes one map for each stage.

    Attributes:
        channels: width of each stage's map.
        strides: pixels of the image for a position of each stage's map.

    Forward: image (B, bands, H, W) -> one map a stage, (B, channels[i], H / strides[i], W / strides[i]), sizes
    rounded up.
    """

    channels: tuple[int, ...]
    strides: tuple[int, ...] = STRIDES

    def layers(self) -> list[Layers]:
        """The layers of each stage; together all that the encoder has."""
        raise NotImplementedError


class Staged(Encoder):
    """Stages in a row.

    Attributes:
        stages: from the one at the highest resolution on.
    """

    def __init__(self, channels: Sequence[int], stages: Sequence[Stage]) -> None:
        super().__init__()
        self.channels = tuple(channels)
        self.stages: Sequence[Stage] = nn.ModuleList(stages)  # type: ignore[assignment]  # which is a sequence of them

    def forward(self, image: Tensor) -> list[Tensor]:
        maps = []
        x = image
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps

    def layers(self) -> list[Layers]:
        """What makes a stage's map smaller goes with its first block, its norm with the last; the stem is alone."""
        found = []
        for number, stage in enumerate(self.stages):
            layers: Layers = [[block] for block in stage.blocks]
            layers[-1].append(stage.norm)
            if number:
                layers[0].insert(0, stage.embed)
            else:
                layers.insert(0, [stage.embed])
            found.append(layers)
        return found


class Depthwise(nn.Conv2d):
    """A depthwise convolution that keeps height and width."""

    bias: Tensor

    def __init__(self, channels: int, height: int, width: int, dilation: int = 1) -> None:
        padding = (dilation * (height // 2), dilation * (width // 2))
        super().__init__(channels, channels, (height, width), padding=padding, dilation=dilation, groups=channels)

    def forward(self, x: Tensor) -> Tensor:
        return depthwise_conv2d(x, self.weight, self.bias, self.dilation[0], training=self.training)


def drop_path_rates(highest: float, depths: Sequence[int]) -> Iterator[float]:
    """Drop path probability of each block: it grows linearly from 0 to that of the last block."""
    return iter(np.linspace(0.0, highest, sum(depths)).tolist())


def init_encoder_weights(module: nn.Module) -> None:
    """The released encoders' initialisation: convolutions normal with variance 2 / fan-out, biases zero."""
    if isinstance(module, nn.Conv2d):
        fan_out = math.prod(module.kernel_size) * module.out_channels // module.groups
        nn.init.normal_(module.weight, std=math.sqrt(2.0 / fan_out))
        if module.bias is not None:
            nn.init.zeros_(module.bias)
