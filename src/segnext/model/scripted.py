"""What `torch.jit.script` makes of a network. It reads Python code, and ours says more than it understands; so the two
parts are traced, and held to the network at another size before they are given away.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segnext.errors import SegNextError
from segnext.model.trainable import Trainable


class Scripted(nn.Module):
    """A network in evaluation mode, for good: the same tensors under the same names, and the same forward pass."""

    def __init__(self, model: Trainable, image: Tensor, align_corners: bool) -> None:
        super().__init__()
        decoder, maps = model.get_submodule("decoder"), model.encoder(image)
        self.encoder = torch.jit.trace(model.encoder, image, check_trace=False)  # type: ignore[no-untyped-call]
        self.decoder = torch.jit.trace(decoder, (maps,), check_trace=False)  # type: ignore[no-untyped-call]
        self.align_corners = align_corners

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.decoder(self.encoder(image))
        return F.interpolate(logits, size=image.shape[2:], mode="bilinear", align_corners=self.align_corners)


@torch.no_grad()
def scripted(model: Trainable, bands: int, align_corners: bool) -> Scripted:
    """The form of `model` that `torch.jit.script` takes.

    Args:
        model: encoder and decoder.
        bands: of the image.
        align_corners: how the logits are enlarged.

    Raises:
        SegNextError: in training mode, and for a network whose trace holds for a single size.
    """
    if model.training:
        raise SegNextError("torch.jit.script takes the network in evaluation mode alone; call model.eval() before")
    like = next(model.parameters())
    first, second = (torch.rand(*size, device=like.device).to(like) for size in _sizes(bands))
    found = Scripted(model, first, align_corners)
    try:
        same = torch.allclose(found(second), model(second), atol=1e-4, rtol=1e-3)
    except RuntimeError:  # a shape that was taken for a number
        same = False
    if not same:
        raise SegNextError(
            "torch.jit.script: this network looks at the picture's size in ways that a trace does not hold; use "
            "torch.jit.trace for a single size, or torch.export"
        )
    return found


def _sizes(bands: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return (1, bands, 64, 96), (2, bands, 160, 97)
