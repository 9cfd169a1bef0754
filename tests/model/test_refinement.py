"""Logits corrected at stage 1's resolution."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from segnext.checkpoint.checkpoint import Checkpoint
from segnext.checkpoint.provenance import Provenance
from segnext.checkpoint.start import start_network
from segnext.errors import SegNextError
from segnext.model.config import ModelConfig
from segnext.model.families import build
from segnext.model.network import Network

TINY = ModelConfig((8, 16, 24, 32), (1, 1, 1, 1), decoder_channels=64, rank=4, num_classes=3)
CLASSES = ("sky", "road", "tree")


def network(refine: int = 32, num_classes: int = 3, seed: int = 0) -> Network:
    torch.manual_seed(seed)
    return build(replace(TINY, refine=refine, num_classes=num_classes)).eval()


def low(model: Network, image: Tensor) -> Tensor:
    logits: Tensor = model.decoder(model.encoder(image))
    return logits


def last(model: Network) -> Tensor:
    """The weights that start at zero."""
    return model.get_parameter("decoder.refinement.classifier.weight")


@pytest.mark.parametrize(("height", "width"), [(37, 53), (1, 1), (64, 96)])
def test_logits_have_the_size_of_the_first_stage(height: int, width: int) -> None:
    image = torch.randn(2, 3, height, width)
    assert low(network(), image).shape == (2, 3, -(-height // 4), -(-width // 4))
    assert network()(image).shape == (2, 3, height, width)
    assert replace(TINY, refine=32).logits_stride == 4


def test_a_new_refinement_adds_nothing_and_a_trained_one_does() -> None:
    refined, published = network(32), network(0)
    published.load_state_dict(refined.state_dict(), strict=False)
    image = torch.randn(1, 3, 64, 96)
    enlarged = torch.nn.functional.interpolate(low(published, image), size=(16, 24), mode="bilinear")
    assert torch.equal(low(refined, image), enlarged)
    torch.nn.init.normal_(last(refined))
    assert not torch.allclose(low(refined, image), enlarged, atol=1e-2)


def test_it_learns_from_the_first_step() -> None:
    model = network().train()
    (gradient,) = torch.autograd.grad(low(model, torch.randn(2, 3, 64, 96)).square().sum(), last(model))
    assert gradient.abs().max() > 0


def held(state: dict[str, Tensor], classes: tuple[str, ...]) -> Checkpoint:
    return Checkpoint(Path("there"), state, Provenance(), classes)


def from_file(model: Network, classes: tuple[str, ...], into: Network, wanted: tuple[str, ...]) -> dict[str, Tensor]:
    start_network(into, held(dict(model.state_dict()), classes), wanted)
    return dict(into.state_dict())


def test_weights_without_a_refinement_start_a_network_with_one() -> None:
    published, refined = network(0), network(32, seed=1)
    before = refined.state_dict()["decoder.refinement.mix.conv.weight"].clone()
    found = from_file(published, CLASSES, refined, CLASSES)
    assert all(torch.equal(found[name], x) for name, x in published.state_dict().items())
    assert torch.equal(found["decoder.refinement.mix.conv.weight"], before)


def test_other_classes_renew_what_has_their_shape_alone() -> None:
    old = network(32)
    found = from_file(old, CLASSES, network(32, 5, seed=1), ("a", "b", "c", "d", "e"))
    for name in ("decoder.refinement.mix.conv.weight", "decoder.refinement.detail.conv.weight"):
        assert torch.equal(found[name], old.state_dict()[name])
    assert found["decoder.refinement.classifier.weight"].shape[0] == 5


def test_a_damaged_refinement_is_refused() -> None:
    state = dict(network(32).state_dict())
    del state["decoder.refinement.mix.conv.weight"]
    with pytest.raises(SegNextError, match="refinement"):
        start_network(network(32), held(state, CLASSES), CLASSES)
