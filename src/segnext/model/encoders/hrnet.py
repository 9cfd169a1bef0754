"""HRNet (Wang et al., 2020): branches of falling resolution side by side, again and again fused into each other.

The tensors are named as in the authors' code.
"""

from collections.abc import Callable, Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from segnext.model.encoders.encoder import Encoder, Layers, init_encoder_weights
from segnext.model.encoders.resnet import BasicBlock, Bottleneck, layer
from segnext.model.layers import conv_bn

Branch = Callable[[int, int], nn.Module]  # a branch's number, a unit's number in the whole network -> its blocks
Enlarge = Callable[[Tensor, Sequence[int]], Tensor]  # a map, height and width -> the map of that size


def halving(in_channels: int, out_channels: int, *, last: bool) -> nn.Sequential:
    """A 3x3 of stride 2; the last one of a path ends in the sum and has no ReLU."""
    return conv_bn(in_channels, out_channels, 3, stride=2, activation=None if last else nn.ReLU)


def bilinear(x: Tensor, size: Sequence[int]) -> Tensor:
    """(B, C, H, W) -> (B, C, *size)."""
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=False)


class Unit(nn.Module):
    """Blocks in each branch; then every branch gets the sum of all, halved or enlarged to its size.

    Maps (B, widths[i], H_i, W_i) -> maps of the same shapes.
    """

    def __init__(
        self, branches: Sequence[nn.Module], widths: Sequence[int], halve: Callable[..., nn.Module], enlarge: Enlarge
    ) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        numbers = range(len(widths))
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_path(widths, source, target, halve) for source in numbers) for target in numbers
        )
        self.enlarge = enlarge

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        maps = [branch(x) for branch, x in zip(self.branches, maps, strict=True)]
        fused = []
        for target, paths in enumerate(self.fuse_layers):
            assert isinstance(paths, nn.ModuleList)
            parts = [path(x) for path, x in zip(paths, maps, strict=True)]
            larger = [self.enlarge(x, maps[target].shape[2:]) for x in parts[target + 1 :]]
            fused.append(F.relu(sum([*parts[1 : target + 1], *larger], start=parts[0])))
        return fused


def _path(widths: Sequence[int], source: int, target: int, halve: Callable[..., nn.Module]) -> nn.Module:
    """From one branch to another. Only the last halving changes the width."""
    if source == target:
        return nn.Identity()
    if source > target:
        return conv_bn(widths[source], widths[target], activation=None)
    steps = [halve(widths[source], widths[source], last=False) for _ in range(target - source - 1)]
    return nn.Sequential(*steps, halve(widths[source], widths[target], last=True))


class HRNet(Encoder):
    """Two 3x3 to 1/4, bottlenecks, then stages of two, three and four branches.

    Args:
        widths: of the branches, the largest map's first.
        units: units in each of the three stages.
        branch: makes the blocks of a branch.
        halve: makes a halving step of the exchange.
        enlarge: brings a smaller map to a larger one's size.
        stem: width and number of the bottlenecks.
        in_channels: bands of the image.

    Forward: image (B, in_channels, H, W) -> four maps (B, widths[i], H / strides[i], W / strides[i]), sizes rounded up.
    """

    def __init__(
        self,
        *,
        widths: Sequence[int],
        units: Sequence[int],
        branch: Branch,
        halve: Callable[..., nn.Module] = halving,
        enlarge: Enlarge = bilinear,
        stem: tuple[int, int] = (64, 4),
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        self.channels = tuple(widths)
        self.conv1 = nn.Conv2d(in_channels, 64, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.conv2 = nn.Conv2d(64, 64, 3, 2, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(64)
        self.layer1 = layer(Bottleneck, 64, *stem)
        before = [stem[0] * Bottleneck.expansion]
        number = 0
        for stage, repeats in enumerate(units, start=1):
            now = list(widths[: stage + 1])
            self.add_module(f"transition{stage}", _transition(before, now))
            made = []
            for _ in range(repeats):
                made.append(Unit([branch(index, number) for index in range(len(now))], now, halve, enlarge))
                number += 1
            self.add_module(f"stage{stage + 1}", nn.Sequential(*made))
            before = now
        self.apply(init_encoder_weights)

    def forward(self, image: Tensor) -> list[Tensor]:
        x = F.relu(self.bn1(self.conv1(image)))
        maps = [self.layer1(F.relu(self.bn2(self.conv2(x))))]
        for stage in (1, 2, 3):
            transition = self.get_submodule(f"transition{stage}")
            maps = [step(x) for step, x in zip(transition.children(), [*maps, maps[-1]], strict=True)]
            maps = self.get_submodule(f"stage{stage + 1}")(maps)
        return maps

    def layers(self) -> list[Layers]:
        """The units; a stage's transition goes with the first of them."""
        found: list[Layers] = [[[self.conv1, self.bn1, self.conv2, self.bn2], *([block] for block in self.layer1)]]
        for stage in (1, 2, 3):
            first, *others = self.get_submodule(f"stage{stage + 1}").children()
            found.append([[self.get_submodule(f"transition{stage}"), first], *([unit] for unit in others)])
        return found


def _transition(before: Sequence[int], now: Sequence[int]) -> nn.ModuleList:
    """To the next stage's widths, and one branch more, made of the smallest map."""
    same = [nn.Identity() if old == new else conv_bn(old, new, 3) for old, new in zip(before, now, strict=False)]
    return nn.ModuleList([*same, nn.Sequential(conv_bn(before[-1], now[-1], 3, stride=2))])


def hrnet(
    *,
    widths: Sequence[int],
    units: Sequence[int] = (1, 4, 3),
    blocks: int = 4,
    stem: tuple[int, int] = (64, 4),
    in_channels: int = 3,
) -> HRNet:
    """The convolutional HRNet, with `blocks` basic blocks in each branch of each unit."""

    def branch(index: int, number: int) -> nn.Module:
        return layer(BasicBlock, widths[index], widths[index], blocks)

    return HRNet(widths=widths, units=units, branch=branch, stem=stem, in_channels=in_channels)
