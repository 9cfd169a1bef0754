"""A network of the user's own, with what every network has around it."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from segnext.errors import SegNextError
from segnext.model.encoders.encoder import Encoder, Layers
from segnext.model.functions import FunctionConfig, function_of
from segnext.model.network import Network


class Own(Encoder):
    """The user's module: image -> its logits, enlarged to the image, as the only map."""

    strides = (1,)

    def __init__(self, module: nn.Module, num_classes: int) -> None:
        super().__init__()
        self.channels = (num_classes,)
        self.module = module

    def forward(self, image: Tensor) -> list[Tensor]:
        logits = self.module(image)
        if not isinstance(logits, Tensor) or logits.shape[:2] != (image.shape[0], self.channels[0]):
            found = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise SegNextError(
                f"the network of {type(self.module).__name__} gives {found}; it must give logits, "
                f"(batch, {self.channels[0]}, height, width)"
            )
        return [F.interpolate(logits, size=image.shape[2:], mode="bilinear", align_corners=False)]

    def layers(self) -> list[Layers]:
        """All of it is one."""
        return [[[self.module]]]


class Only(nn.Module):
    """The decoder of a network that needs none."""

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        return maps[0]


def own_encoder(config: FunctionConfig) -> Own:
    """What the function gives.

    Raises:
        SegNextError: when it is not allowed or not there, fails, or gives no module.
    """
    function = function_of(config)
    try:
        module = function(num_classes=config.num_classes, in_channels=config.in_channels)
    except TypeError as error:
        raise SegNextError(f"{config.function} cannot be called with num_classes and in_channels ({error})") from error
    except Exception as error:
        raise SegNextError(f"{config.function} fails with {type(error).__name__}: {error}") from error
    if not isinstance(module, nn.Module):
        raise SegNextError(f"{config.function} gives a {type(module).__name__}, not a torch module")
    return Own(module, config.num_classes)


def own_network(config: FunctionConfig) -> Network:
    """The whole network."""
    return Network(own_encoder(config), Only(), config)
