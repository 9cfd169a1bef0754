"""ResNet (He et al., 2016), with strides turned into dilations where its maps shall stay large.

The stride of a bottleneck is in its 3x3, as everyone's weights have it. The tensors are named as torchvision's.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from segnext.model.encoders.encoder import Encoder, Layers, init_encoder_weights

WIDTHS = (64, 128, 256, 512)


class BasicBlock(nn.Module):
    """Two 3x3 beside a shortcut. (B, C, H, W) -> (B, width, H / stride, W / stride)."""

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride, dilation, dilation, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, dilation, dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(in_channels, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.downsample(x))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 beside a shortcut. (B, C, H, W) -> (B, 4 width, H / stride, W / stride)."""

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        out_channels = width * self.expansion
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, dilation, dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample = _shortcut(in_channels, out_channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + self.downsample(x))


Block = type[BasicBlock] | type[Bottleneck]


def _shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels))


def layer(
    block: Block, in_channels: int, width: int, depth: int, stride: int = 1, dilations: tuple[int, int] = (1, 1)
) -> nn.Sequential:
    """`depth` blocks, the first with the stride and the first dilation, the others with the second."""
    first = block(in_channels, width, stride, dilations[0])
    others = (block(width * block.expansion, width, 1, dilations[1]) for _ in range(depth - 1))
    return nn.Sequential(first, *others)


class ResNet(Encoder):
    """A 7x7 and a max-pooling to 1/4, then four layers of blocks.

    Args:
        block: `BasicBlock` (ResNet-18, -34) or `Bottleneck` (-50, -101).
        depths: blocks in each layer.
        in_channels: bands of the image.
        output_stride: 32, 16 or 8: below 32, the last one or two layers are dilated in place of their strides.

    Forward: image (B, in_channels, H, W) -> four maps (B, channels[i], H / strides[i], W / strides[i]), sizes
    rounded up.
    """

    def __init__(self, *, block: Block, depths: Sequence[int], in_channels: int = 3, output_stride: int = 32) -> None:
        super().__init__()
        self.channels = tuple(width * block.expansion for width in WIDTHS)
        self.strides = tuple(min(stride, output_stride) for stride in (4, 8, 16, 32))
        self.conv1 = nn.Conv2d(in_channels, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        before, dilation = 64, 1
        for index, (width, depth) in enumerate(zip(WIDTHS, depths, strict=True)):
            stride = 1 if index == 0 else self.strides[index] // self.strides[index - 1]
            dilated = dilation if index == 0 or stride == 2 else 2 * dilation
            self.add_module(f"layer{index + 1}", layer(block, before, width, depth, stride, (dilation, dilated)))
            before, dilation = width * block.expansion, dilated
        self.apply(init_encoder_weights)

    def forward(self, image: Tensor) -> list[Tensor]:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(image))), 3, 2, 1)
        maps = []
        for index in range(1, 5):
            x = self.get_submodule(f"layer{index}")(x)
            maps.append(x)
        return maps

    def layers(self) -> list[Layers]:
        """The blocks; what comes before them is a layer of the first stage."""
        found = [[[block] for block in self.get_submodule(f"layer{index}").children()] for index in range(1, 5)]
        return [[[self.conv1, self.bn1], *found[0]], *found[1:]]
