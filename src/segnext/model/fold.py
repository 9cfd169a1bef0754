"""The inference form of a network: the same function of the image with fewer operations.

What training needs and inference does not (normalisation by running statistics, layer scale, drop path,
dropout) is folded into the convolutions beside it. The decoder squeezes each stage's map before it is
resized instead of after: both are linear, so they commute, and the resize has fewer channels to move.
Exact up to the rounding of floats.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import skip_init
from torch.nn.utils.fusion import fuse_conv_bn_eval

from segnext.model.decoders import HamDecoder, MLPDecoder
from segnext.model.decoders.parts import resize
from segnext.model.encoders.mscan import Block
from segnext.model.network import Network


@torch.no_grad()
def fold(model: Network) -> "FoldedNetwork":
    """The inference form of `model`, which is left as it is.

    Any encoder, decoder, context and ablation; what has nothing to fold is copied.
    """
    model = copy.deepcopy(model).eval().requires_grad_(False)
    return FoldedNetwork(_folded(model.encoder), _folded(model.decoder)).requires_grad_(False).eval()


def _folded(module: nn.Module) -> nn.Module:
    """Its inference form: that of its kind if there is one, else the module itself with its parts folded."""
    if form := FORMS.get(type(module)):
        return form(module)
    for name, part in module.named_children():
        setattr(module, name, _folded(part))
    return _fold_norms(module) if isinstance(module, nn.Sequential) else module


class FoldedNetwork(nn.Module):
    """Encoder and decoder in a row.

    Forward: normalised image (B, H, W, bands), H and W multiples of the encoder's last stride -> logits (B, H / s,
    W / s, classes), s the network's `logits_stride`. Channels are last outside, as pictures have them, and in memory
    inside.
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
        self.refinement = decoder.refinement

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        squeezed = [squeeze(maps[stage - 1]) for squeeze, stage in zip(self.squeeze, self.stages, strict=True)]
        size = squeezed[0].shape[2:]
        x: Tensor = sum((resize(other, size) for other in squeezed[1:]), start=squeezed[0])
        x = self.hamburger(F.relu(self.norm(x)))
        x = F.relu(self.align(x))
        logits: Tensor = self.classifier(x)
        if self.refinement is not None:
            refined: Tensor = self.refinement(logits, x, maps[0])
            return refined
        return logits if self.stages[0] <= 2 else resize(logits, maps[1].shape[2:])


class FoldedMLPDecoder(nn.Module):
    """`MLPDecoder` that fuses each stage's map before the resize. Four maps -> logits as of that."""

    def __init__(self, decoder: MLPDecoder) -> None:
        super().__init__()
        fuse, *norm = _folded(decoder.fuse).children()
        assert isinstance(fuse, nn.Conv2d)
        self.norm = nn.Sequential(*norm)  # none, where it was a BatchNorm
        self.unify = nn.ModuleList()
        shift = fuse.weight.new_zeros(len(fuse.weight)) if fuse.bias is None else fuse.bias
        parts = torch.split(fuse.weight[:, :, 0, 0], len(fuse.weight), dim=1)
        for part, unify in zip(parts, decoder.unify, strict=True):
            assert isinstance(unify, nn.Conv2d)
            assert unify.bias is not None
            self.unify.append(_pointwise((part @ unify.weight[:, :, 0, 0])[..., None, None], part @ unify.bias + shift))
            shift = torch.zeros_like(shift)  # once is enough
        self.classifier = decoder.classifier

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        unified = [unify(x) for unify, x in zip(self.unify, maps, strict=True)]
        size = unified[0].shape[2:]
        x: Tensor = sum((resize(other, size) for other in unified[1:]), start=unified[0])
        return self.classifier(F.relu(self.norm(x)))  # type: ignore[no-any-return]


FORMS: dict[type[nn.Module], Callable[[Any], nn.Module]] = {
    Block: FoldedBlock,
    HamDecoder: FoldedHamDecoder,
    MLPDecoder: FoldedMLPDecoder,
}


def _fold_norms(row: nn.Sequential) -> nn.Sequential:
    """Layers in a row, the BatchNorms folded into the convolutions before them."""
    layers: list[nn.Module] = []
    for layer in row:
        if isinstance(layer, nn.BatchNorm2d) and layers and isinstance(layers[-1], nn.Conv2d):
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


def _pointwise(weight: Tensor, bias: Tensor | None = None) -> nn.Conv2d:
    """A 1x1 convolution with these weights (out, in, 1, 1) and this bias, if any."""
    # Without a random start, which would disturb the random numbers of a training that measures itself.
    conv = skip_init(nn.Conv2d, weight.shape[1], weight.shape[0], 1, bias=bias is not None, device=weight.device)  # type: ignore[no-untyped-call]
    assert isinstance(conv, nn.Conv2d)
    conv.weight.copy_(weight)
    if conv.bias is not None and bias is not None:
        conv.bias.copy_(bias)
    return conv
