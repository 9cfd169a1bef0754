"""A network as it is trained: with further heads on the maps of its encoder, which inference does without."""

from collections.abc import Sequence

from torch import Tensor, nn

from segnext.errors import SegNextError
from segnext.model.decoders.fcn import FCNDecoder
from segnext.model.decoders.ocr import OCRDecoder
from segnext.model.network import Network
from segnext.model.trainable import Trainable

COARSE = 0.4  # weight of the loss of OCR's coarse logits, as published
HEADS = "auxiliary."  # what the names of the heads' tensors begin with; all others are the network's


class Supervised(Trainable):
    """Encoder and decoder of a network, and heads that give the encoder's stages a loss of their own.

    One such head is the auxiliary one of PSPNet (Zhao et al., 2017, section 3.3); several are deep supervision (Lee et
    al., 2015). OCR's coarse logits always have a loss of their own, without which they would tell nothing of classes
    (Yuan et al., 2020, section 3.2).

    Attributes:
        encoder, decoder: the network's own; training changes them there.
        auxiliary: the heads.

    Forward: normalised image (B, bands, H, W) -> logits, the decoder's, then its coarse ones if it has some, then each
    head's, (B, classes, h, w) at the size where it works.
    """

    def __init__(self, network: Network, heads: Sequence[nn.Module] = ()) -> None:
        super().__init__()
        self.encoder, self.decoder = network.encoder, network.decoder
        self.auxiliary = nn.ModuleList(heads)

    def forward(self, image: Tensor) -> list[Tensor]:
        maps = self.encoder(image)
        decoder = self.decoder
        own = decoder.refined_and_coarse(maps) if isinstance(decoder, OCRDecoder) else (decoder(maps),)
        return [*own, *(head(maps) for head in self.auxiliary)]

    @property
    def own_weights(self) -> tuple[float, ...]:
        """Of the losses of the decoder's logits."""
        return (1.0, COARSE) if isinstance(self.decoder, OCRDecoder) else (1.0,)


def stage_heads(network: Network, stages: Sequence[int], channels: int, convs: int, dropout: float) -> list[nn.Module]:
    """A fully convolutional head on each of these stages (from 1), with random weights; see `FCNDecoder`.

    Raises:
        SegNextError: when the network's encoder has no such stages.
    """
    widths = network.encoder.channels
    if stages and len(widths) < 4:
        raise SegNextError(
            "auxiliary heads stand on the four stages of an encoder, and this network has none that are known; leave "
            "auxiliary.stages out"
        )
    return [
        FCNDecoder(
            encoder_channels=widths,
            channels=channels,
            num_classes=network.config.num_classes,
            convs=convs,
            tap=stage - 1,
            dropout=dropout,
        )
        for stage in stages
    ]
