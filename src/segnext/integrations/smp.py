"""segmentation_models_pytorch: MSCAN, and the other encoders with maps at 1/4 to 1/32, under its decoders.

    import segmentation_models_pytorch as smp
    from segnext.integrations.smp import register

    model = smp.Unet("mscan_t", encoder_weights=None, classes=11)                          # random weights
    model = smp.FPN(register("segnext_t.camvid"), encoder_weights=None, classes=11)        # any weights of ours

Which weights an encoder starts from is said by its name, so that `encoder_weights` is always None.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from segmentation_models_pytorch.encoders import encoders
from segmentation_models_pytorch.encoders._base import EncoderMixin
from torch import Tensor, nn

from segnext.checkpoint.encoders import create_encoder
from segnext.errors import SegNextError
from segnext.model.composed import ENCODERS
from segnext.model.config import STRIDES, preset


class SMPEncoder(nn.Module, EncoderMixin):  # type: ignore[misc]  # of a library without types
    """An encoder of ours as the library's decoders take it.

    Forward: image (B, bands, H, W) -> the image itself, a map of no channels at 1/2, which our encoders do not have,
    and their maps at 1/4, 1/8, 1/16 and 1/32, as far as `depth` says.

    Args:
        name: see `segnext.create_encoder`.
        depth: how many times the maps are halved, from 2 to 5.
        output_stride: 32, of the last map.

    Raises:
        SegNextError: for another depth or output stride.
    """

    def __init__(self, name: str, depth: int = 5, output_stride: int = 32) -> None:
        super().__init__()
        if not 2 <= depth <= 5:
            raise SegNextError(f"encoder_depth is {depth}; the maps of {name} begin at 1/4, so give 2 to 5")
        if output_stride != 32:
            raise SegNextError(f"{name} has no dilated form; leave output_stride at 32, or take another decoder")
        self.name = name
        self._depth, self._output_stride = depth, output_stride
        self._use(create_encoder(name))

    def _use(self, encoder: nn.Module) -> None:
        strides, channels = tuple(encoder.strides), tuple(encoder.channels)  # type: ignore[arg-type]
        if strides != STRIDES:
            raise SegNextError(f"the maps of {self.name} lie at {strides}, and the library's decoders take {STRIDES}")
        self.encoder = encoder
        self._in_channels = next(x for x in encoder.parameters() if x.ndim == 4).shape[1]
        self._out_channels = [self._in_channels, 0, *channels]

    def set_in_channels(self, in_channels: int, pretrained: bool = True) -> None:
        """Take images of other bands; the stem of weights is spread over them."""
        if in_channels != self._in_channels:
            self._use(create_encoder(self.name, in_channels))

    def get_stages(self) -> Mapping[int, Sequence[nn.Module]]:
        """Refused: what the library would dilate."""
        raise SegNextError(f"{self.name} has no dilated form; leave output_stride at 32, or take another decoder")

    def forward(self, x: Tensor) -> list[Tensor]:
        batch, _, height, width = x.shape
        half = torch.empty([batch, 0, height // 2, width // 2], dtype=x.dtype, device=x.device)
        return [x, half, *self.encoder(x)[: self._depth - 1]]


def register(name: str) -> str:
    """Make an encoder known to the library; its name there, which is the same.

    Args:
        name: see `segnext.create_encoder`.
    """
    settings: dict[str, Any] = {"encoder": SMPEncoder, "pretrained_settings": {}, "params": {"name": name}}
    encoders[name] = settings
    return name


for each in ENCODERS:
    if each not in encoders and preset(f"{each}+mlp").strides == STRIDES:
        register(each)
