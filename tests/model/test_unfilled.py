"""Networks that are built to be filled."""

import torch
from conftest import TINY

from segnext.model.families import build
from segnext.model.unfilled import unfilled


def test_an_unfilled_network_has_shapes_alone_and_draws_no_numbers() -> None:
    state = torch.get_rng_state()
    with unfilled():
        model = build(TINY)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(parameter.is_meta for parameter in model.parameters())
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    assert shapes == {name: tensor.shape for name, tensor in build(TINY).state_dict().items()}


def test_what_a_network_keeps_elsewhere_is_drawn_as_ever() -> None:
    torch.manual_seed(0)
    expected = torch.nn.init.normal_(torch.empty(3)), torch.empty(3).normal_()
    torch.manual_seed(0)
    with unfilled():
        found = torch.nn.init.normal_(torch.empty(3, device="cpu")), torch.empty(3, device="cpu").normal_()
    assert all(map(torch.equal, found, expected))
