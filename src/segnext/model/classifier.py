"""The encoder with a linear classifier on top, as it is pre-trained on labelled pictures."""

from dataclasses import replace

from torch import Tensor, nn

from segnext.errors import SegNextError
from segnext.model.config import named
from segnext.model.encoders import Encoder
from segnext.model.families import family_of
from segnext.model.functions import FunctionConfig
from segnext.model.trainable import Trainable

DROP_PATH = {"segnext_l": 0.2}  # VAN's training script, which MSCAN's follows; others' as in their segmentation


class Classifier(Trainable):
    """An encoder as a classifier of whole pictures: the last stage's normalised map, its mean over the positions, a
    linear layer. The tensors are named as in our encoder files, `encoder.*` and `head.*`.

    Forward: normalised image (B, bands, H, W) -> logits (B, classes).
    """

    def __init__(self, encoder: Encoder, num_classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.channels[-1], num_classes)
        nn.init.trunc_normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.encoder(image)[-1].mean((2, 3)))  # type: ignore[no-any-return]


def create_classifier(name: str, num_classes: int, drop_path: float | None = None) -> Classifier:
    """The encoder of a model under a classifier, with random weights.

    Args:
        name: the model whose encoder it is: a preset, or ENCODER+DECODER.
        num_classes: number of classes, at least 1.
        drop_path: drop path probability of the last block; None takes the one it was pre-trained with.

    Raises:
        SegNextError: for an unknown name, and a network of the user's own, which has no encoder that we know.
    """
    config = named(name)
    if isinstance(config, FunctionConfig):
        raise SegNextError(f"{name} gives a whole network, with no encoder to pre-train; choose a preset")
    config = replace(config, drop_path=DROP_PATH.get(name, config.drop_path) if drop_path is None else drop_path)
    return Classifier(family_of(config).encoder(config), num_classes)
