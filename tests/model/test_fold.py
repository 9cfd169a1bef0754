"""The inference form gives what the trained form gives."""

import pytest
import torch
from torch import nn

from segnext.model.config import CONTEXTS, DECODERS, ModelConfig
from segnext.model.families import build
from segnext.model.fold import fold
from segnext.model.network import Network

TINY = {"channels": (8, 16, 24, 32), "depths": (1, 2, 1, 1), "decoder_channels": 64, "rank": 4, "num_classes": 5}
VARIANTS = [
    *({"decoder": decoder} for decoder in DECODERS),
    *({"context": context} for context in CONTEXTS if context != "nmf"),
    {"stages": (1, 2, 3, 4)},
    {"stages": (3, 4)},
    {"in_channels": 5},
    {"strips": (), "square": 5},
    {"mix": False},
    {"gate": False},
    {"lka": True},
    {"strips": ()},
    {"refine": 32},
]


def trained(**changes: object) -> Network:
    """A network whose norms, scales and biases are far from their start, as after training."""
    torch.manual_seed(0)
    model = build(ModelConfig(**{**TINY, **changes})).eval()  # type: ignore[arg-type]
    for name, tensor in model.state_dict().items():
        if tensor.ndim == 1 and tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5) if name.endswith(("weight", "var", "factor")) else tensor.normal_(std=0.3)
        elif tensor.ndim == 4 and not tensor.any():  # what starts at nothing
            tensor.normal_(std=0.3)
    return model


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_it_is_the_same_function(changes: dict[str, object]) -> None:
    model = trained(**changes)
    image = torch.randn(2, int(changes.get("in_channels", 3)), 64, 96)  # type: ignore[call-overload]
    with torch.inference_mode():
        expected = model.decoder(model.encoder(image))
        folded = fold(model)(image.permute(0, 2, 3, 1))
    assert folded.shape == (2, *expected.shape[2:], 5)
    scale = expected.abs().max() * (5 if changes.get("context") == "vq" else 1)  # its softmax is sharp
    torch.testing.assert_close(folded.permute(0, 3, 1, 2), expected, atol=2e-5 * float(scale), rtol=0)


def test_nothing_is_left_to_fold() -> None:
    model = trained()
    folded = fold(model)
    names = {type(module).__name__ for module in folded.modules()}
    assert names.isdisjoint({"BatchNorm2d", "LayerScale", "DropPath", "Dropout2d"})
    assert not folded.training
    assert sum(p.numel() for p in folded.parameters()) < sum(p.numel() for p in model.parameters())


def test_the_trained_form_stays_as_it_is() -> None:
    model = trained().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    fold(model)
    assert model.training
    assert all(p.requires_grad for p in model.parameters())
    assert any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(tensor, before[name], atol=0, rtol=0)


def test_no_random_number_is_drawn() -> None:
    model = trained()
    before = torch.get_rng_state()
    fold(model)
    torch.testing.assert_close(torch.get_rng_state(), before, atol=0, rtol=0)
