"""The Hamburger head's place in the network."""

import pytest
import torch
from torch import Tensor

from segnext.model.decoders import HamDecoder
from segnext.model.hamburger import NMF, Hamburger

CHANNELS = (8, 16, 24, 32)


def head(num_classes: int = 5) -> HamDecoder:
    torch.manual_seed(0)
    context = Hamburger(64, NMF(64, 4))
    return HamDecoder(encoder_channels=CHANNELS, channels=64, context=context, num_classes=num_classes).eval()


def maps(height: int, width: int) -> list[Tensor]:
    """As the encoder gives them for a picture of this size."""
    sizes = [(-(-height // factor), -(-width // factor)) for factor in (4, 8, 16, 32)]
    return [torch.randn(2, channels, *size) for channels, size in zip(CHANNELS, sizes, strict=True)]


@pytest.mark.parametrize(("height", "width"), [(37, 53), (1, 1), (33, 64)])
@pytest.mark.parametrize("num_classes", [1, 7])
def test_logits_have_the_size_of_the_second_stage(height: int, width: int, num_classes: int) -> None:
    logits = head(num_classes)(maps(height, width))
    assert logits.shape == (2, num_classes, -(-height // 8), -(-width // 8))


def test_first_stage_is_not_used() -> None:
    decoder, given = head(), maps(64, 64)
    changed = [torch.full_like(given[0], torch.nan), *given[1:]]
    assert torch.equal(decoder(given), decoder(changed))


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_the_other_stages_are(stage: int) -> None:
    decoder, given = head(), maps(64, 64)
    changed = [x + 1 if number == stage else x for number, x in enumerate(given)]
    assert not torch.allclose(decoder(given), decoder(changed))


def test_channels_are_dropped_in_training_only() -> None:
    decoder, given = head(), maps(64, 64)
    seen: list[Tensor] = []
    decoder.classifier.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    decoder.dropout.p = 0.5
    decoder(given)
    decoder.train()(given)
    empty = [(x.flatten(2) == 0).all(dim=2).float().mean().item() for x in seen]
    assert empty[0] < 0.2
    assert 0.3 < empty[1] < 0.7
