"""The inference form of a network: the same function of the image with fewer operations.

What training needs and inference does not (normalisation by running statistics, layer scale, drop path,
dropout) is folded into the convolutions beside it. The decoder squeezes each stage's map before it is
resized instead of after: both are linear, so they commute, and the resize has fewer channels to move.
Exact up to the rounding of floats.
"""

import copy
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import skip_init
from torch.nn.utils.fusion import fuse_conv_bn_eval

from segnext.model.decoders import HamDecoder
from segnext.model.decoders.parts import resize
from segnext.model.mscan import MSCAN, Block, Stage
from segnext.model.network import SegNeXt


@torch.no_grad()
def fold(model: SegNeXt) -> "FoldedSegNeXt":
    """The inference form of `model`, which is left as it is.

    Any decoder, context and ablation; a network without BatchNorm or layer scale has nothing to fold and is copied.
    """
    model = copy.deepcopy(model).eval().requires_grad_(False)
    if isinstance(model.encoder, MSCAN):
        for stage in model.encoder.stages:
            assert isinstance(stage, Stage)
            stage.embed = _fold_norms(stage.embed)
            stage.blocks = nn.Sequential(*(FoldedBlock(block) for block in stage.blocks if isinstance(block, Block)))
    decoder = FoldedHamDecoder(model.decoder) if isinstance(model.decoder, HamDecoder) else model.decoder
    return FoldedSegNeXt(model.encoder, decoder).requires_grad_(False).eval()


class FoldedSegNeXt(nn.Module):
    """Encoder and decoder in a row.

    Forward: normalised image (B, H, W, bands), H and W multiples of 32 -> logits (B, H / 8, W / 8, classes), at a
    quarter where the decoder takes in stage 1. Channels are last outside, as pictures have them, and in memory inside.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.decoder(self.encoder(image.permute(0, 3, 1, 2)))
        return logits.permute(0, 2, 3, 1)


class FoldedBlock(nn.Module):
    """`mscan.Block` without norms and scales: attention and FFN, each before the residual sum.

    The inner shortcut of the attention adds the normalised and scaled input, which makes a factor for each
    channel of the input itself: `gain`.
    """

    def __init__(self, block: Block) -> None:
        super().__init__()
        factor, shift = _affine(block.norm1)
        scale = block.scale1.factor
        attention = block.attention
        self.gain = nn.Parameter((1 + scale * factor)[:, None, None])
        self.proj_in = _after_affine(attention.proj_in, factor, shift)
        self.msca = attention.msca
        self.proj_out = _before_scale(attention.proj_out, scale, extra=shift)
        self.expand = _after_affine(block.ffn.expand, *_affine(block.norm2))
        self.depthwise = block.ffn.depthwise
        self.project = _before_scale(block.ffn.project, block.scale2.factor)

    def forward(self, x: Tensor) -> Tensor:
        x = x * self.gain + self.proj_out(self.msca(F.gelu(self.proj_in(x))))
        return x + self.project(F.gelu(self.depthwise(self.expand(x))))  # type: ignore[no-any-return]


class FoldedHamDecoder(nn.Module):
    """`HamDecoder` that squeezes each stage before the resize. Four maps -> logits as of that."""

    def __init__(self, decoder: HamDecoder) -> None:
        super().__init__()
        self.stages = decoder.stages
        widths = [decoder.encoder_channels[stage - 1] for stage in decoder.stages]
        self.squeeze = nn.ModuleList(map(_pointwise, torch.split(decoder.squeeze.conv.weight, widths, dim=1)))
        self.norm = decoder.squeeze.norm
        self.hamburger = decoder.hamburger
        self.align = decoder.align
        self.classifier = decoder.classifier

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        squeezed = [squeeze(maps[stage - 1]) for squeeze, stage in zip(self.squeeze, self.stages, strict=True)]
        size = squeezed[0].shape[2:]
        x: Tensor = sum((resize(other, size) for other in squeezed[1:]), start=squeezed[0])
        x = self.hamburger(F.relu(self.norm(x)))
        logits: Tensor = self.classifier(F.relu(self.align(x)))
        return logits if self.stages[0] <= 2 else resize(logits, maps[1].shape[2:])


def _fold_norms(embed: nn.Module) -> nn.Module:
    """A stem or down-sampling whose BatchNorms are folded into the convolutions before them."""
    layers: list[nn.Module] = []
    for layer in embed.children():
        if isinstance(layer, nn.BatchNorm2d):
            layer = fuse_conv_bn_eval(layers.pop(), layer)  # type: ignore[type-var]
        layers.append(layer)
    return nn.Sequential(*layers)


def _affine(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Factor and shift of each channel to which a BatchNorm amounts in evaluation."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    factor = norm.weight / (norm.running_var + norm.eps).sqrt()
    return factor, norm.bias - factor * norm.running_mean


def _after_affine(conv: nn.Conv2d, factor: Tensor, shift: Tensor) -> nn.Conv2d:
    """A 1x1 convolution of factor * x + shift, as one of x."""
    folded = copy.deepcopy(conv)
    assert folded.bias is not None
    folded.bias += conv.weight[:, :, 0, 0] @ shift
    folded.weight *= factor[:, None, None]
    return folded


def _before_scale(conv: nn.Conv2d, scale: Tensor, extra: Tensor | float = 0.0) -> nn.Conv2d:
    """A convolution whose result, plus `extra`, is multiplied by `scale`, as one convolution."""
    folded = copy.deepcopy(conv)
    assert folded.bias is not None
    folded.bias.add_(extra).mul_(scale)
    folded.weight *= scale[:, None, None, None]
    return folded


def _pointwise(weight: Tensor) -> nn.Conv2d:
    """A 1x1 convolution without bias with these weights (out, in, 1, 1)."""
    # Without a random start, which would disturb the random numbers of a training that measures itself.
    conv = skip_init(nn.Conv2d, weight.shape[1], weight.shape[0], 1, bias=False, device=weight.device)  # type: ignore[no-untyped-call]
    assert isinstance(conv, nn.Conv2d)
    conv.weight.copy_(weight)
    return conv
