"""A network as a whole: encoder + decoder, and the configuration that determines it."""

from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import torch.nn.functional as F
from torch import Tensor, nn
from torch.fx import Proxy
from torch.fx.proxy import TraceError

from segnext.errors import SegNextError
from segnext.model.config import NetworkConfig, aligns_corners
from segnext.model.encoders import Encoder
from segnext.model.scripted import Scripted, scripted
from segnext.model.trainable import Trainable

N = TypeVar("N", bound="Network")


class Network(Trainable):
    """Encoder and decoder in a row; the logits are resized to the image.

    Attributes:
        encoder: image -> four maps.
        decoder: four maps -> logits at the size of one of them.
        config: what determines the network's shape.
        kept_as: what the file that it is from says beside the tensors, a `checkpoint.weights.Weights`; None for random
            weights.

    Forward: normalised image (B, bands, H, W), any H and W >= 1 -> logits (B, classes, H, W).
    """

    def __init__(self, encoder: Encoder, decoder: nn.Module, config: NetworkConfig) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.config = config
        self.kept_as: Any = None

    def forward(self, image: Tensor) -> Tensor:
        if self.training and isinstance(image, Proxy):
            raise SegNextError("torch.fx takes the network in evaluation mode alone; call model.eval() before")
        try:
            logits: Tensor = self.decoder(self.encoder(image))
        except (TraceError, TypeError) as error:
            if not isinstance(image, Proxy):
                raise
            raise SegNextError(
                "torch.fx: this network looks at sizes in Python, which symbols do not have; use torch.export"
            ) from error
        return F.interpolate(logits, size=image.shape[2:], mode="bilinear", align_corners=aligns_corners(self.config))

    def __prepare_scriptable__(self) -> Scripted:
        """What `torch.jit.script` asks for."""
        return scripted(self, self.config.in_channels, aligns_corners(self.config))

    @classmethod
    def from_pretrained(cls: type[N], name: str | Path, **options: Any) -> N:
        """The network with weights; see `segnext.checkpoint.module.from_pretrained`.

        Raises:
            SegNextError: also when they are of another family than this class.
        """
        model = _keeping().from_pretrained(name, **options)
        if not isinstance(model, cls):
            raise SegNextError(f"{name}: a {type(model).__name__}, not a {cls.__name__}; use segnext.create_model")
        return model

    def save_pretrained(self, folder: str | Path, **options: Any) -> None:
        """Write a folder that `segnext.load` and `from_pretrained` take; see `segnext.save_pretrained`."""
        _keeping().save_pretrained(self, folder, **options)

    def push_to_hub(self, repo_id: str, **options: Any) -> str:
        """Upload to the Hugging Face repository OWNER/NAME; see `segnext.checkpoint.module.push_to_hub`."""
        return str(_keeping().push_to_hub(self, repo_id, **options))


def _keeping() -> Any:
    """What keeps networks in files; it knows them, so they look for it when they are asked and not before."""
    return import_module("segnext.checkpoint.module")


class SegNeXt(Network):
    """MSCAN and the Hamburger head, or what is compared with them."""


class SegFormer(Network):
    """MiT and the all-MLP head."""
