"""MobileNetV2 (Sandler et al., 2018), with strides turned into dilations where its maps shall stay large.

The tensors are named as torchvision's.
"""

import itertools

from torch import Tensor, nn

from segnext.model.encoders.encoder import Encoder, Layers, init_encoder_weights
from segnext.model.layers import conv_bn

# Table 2: expansion, width, blocks, stride of the first.
GROUPS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
TAPS = (3, 6, 13, 17)  # the last block before each halving, and the last of all


class InvertedResidual(nn.Module):
    """1x1 to more channels, depthwise 3x3, linear 1x1; beside a shortcut where the shape stays."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, dilation: int, expansion: int) -> None:
        super().__init__()
        hidden = in_channels * expansion
        expand = [conv_bn(in_channels, hidden, activation=nn.ReLU6)] if expansion > 1 else []
        depthwise = conv_bn(hidden, hidden, 3, dilation, stride=stride, groups=hidden, activation=nn.ReLU6)
        project = conv_bn(hidden, out_channels, activation=None)
        self.conv = nn.Sequential(*expand, depthwise, *project)
        self.shortcut = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return x + y if self.shortcut else y


class MobileNetV2(Encoder):
    """Without its last 1x1, which serves the classifier.

    Args:
        in_channels: bands of the image.
        output_stride: 32, 16 or 8: below 32, the last one or two halvings become dilations.

    Forward: image (B, in_channels, H, W) -> four maps (B, channels[i], H / strides[i], W / strides[i]), sizes
    rounded up.
    """

    channels = (24, 32, 96, 320)

    def __init__(self, *, in_channels: int = 3, output_stride: int = 32) -> None:
        super().__init__()
        self.strides = tuple(min(stride, output_stride) for stride in (4, 8, 16, 32))
        layers: list[nn.Module] = [conv_bn(in_channels, 32, 3, stride=2, activation=nn.ReLU6)]
        before, reached, dilation = 32, 2, 1
        for expansion, width, depth, stride in GROUPS:
            for index in range(depth):
                step, dilated = (stride, dilation) if index == 0 else (1, dilation)
                if step == 2 and reached == output_stride:  # the block itself still has the dilation before
                    step, dilation = 1, 2 * dilation
                reached *= step
                layers.append(InvertedResidual(before, width, step, dilated, expansion))
                before = width
        self.features = nn.Sequential(*layers)
        self.apply(init_encoder_weights)

    def forward(self, image: Tensor) -> list[Tensor]:
        maps = []
        x = image
        for index, block in enumerate(self.features):
            x = block(x)
            if index in TAPS:
                maps.append(x)
        return maps

    def layers(self) -> list[Layers]:
        """The blocks."""
        ends = [0, *(tap + 1 for tap in TAPS)]
        return [[[block] for block in list(self.features)[start:end]] for start, end in itertools.pairwise(ends)]
