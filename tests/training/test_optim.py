"""Parameter groups, learning rate over time, averaged weights."""

import pytest
import torch
from torch import nn

from segnext.checkpoint.module import create_model
from segnext.checkpoint.names import to_official
from segnext.model.config import ModelConfig
from segnext.model.families import build
from segnext.model.network import Network
from segnext.model.unfilled import unfilled
from segnext.training.config import Optimizer, Schedule
from segnext.training.optim import Average, build_optimizer, decays, encoder_factors, lr_factor
from segnext.training.segmentation import freeze

TINY = ModelConfig((8, 16, 24, 32), (1, 1, 1, 1), decoder_channels=64, rank=4, expansions=(2, 2, 2, 2), num_classes=3)


@pytest.fixture(scope="module")
def model() -> Network:
    return build(TINY)


def test_warm_up_and_decay_by_hand() -> None:
    schedule = Schedule(warmup=10, warmup_start=0.1, power=1.0)
    assert lr_factor(0, 100, schedule) == pytest.approx(0.1)
    assert lr_factor(5, 100, schedule) == pytest.approx(0.95 * 0.55)
    assert lr_factor(9, 100, schedule) == pytest.approx(0.91 * 0.91)
    assert lr_factor(10, 100, schedule) == pytest.approx(0.9)
    assert lr_factor(50, 100, schedule) == pytest.approx(0.5)
    assert lr_factor(99, 100, schedule) == pytest.approx(0.01)
    assert lr_factor(100, 100, schedule) == 0.0


def test_decay_of_another_power_and_no_warm_up() -> None:
    schedule = Schedule(warmup=0, warmup_start=0.0, power=0.9)
    assert lr_factor(0, 10, schedule) == 1.0
    assert lr_factor(5, 10, schedule) == pytest.approx(0.5**0.9)


def test_a_run_shorter_than_its_warm_up() -> None:
    schedule = Schedule(warmup=100, warmup_start=0.0)
    factors = [lr_factor(step, 20, schedule) for step in range(20)]
    assert factors[:4] == pytest.approx([0.0, 0.95 * 0.5, 0.9, 0.85])


def test_every_parameter_is_in_one_group(model: Network) -> None:
    optimizer = build_optimizer(model, Optimizer())
    grouped = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) == {id(p) for p in model.parameters()}


def test_only_convolution_weights_decay(model: Network) -> None:
    optimizer = build_optimizer(model, Optimizer(weight_decay=0.05))
    decays = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    convolutions = {id(m.weight) for m in model.modules() if isinstance(m, nn.Conv2d)}
    for name, parameter in model.named_parameters():
        assert decays[id(parameter)] == (0.05 if id(parameter) in convolutions else 0.0), name


def test_what_the_released_code_decays() -> None:
    """Mmcv takes the longest of the keys "head" and "norm" that a name has, of equals the first: of 457 tensors of T,
    212 are not treated as by the default.
    """
    with unfilled():
        model = create_model("segnext_t")
    official = to_official({name: torch.tensor(number) for number, name in enumerate(dict(model.named_parameters()))})
    theirs = {int(number): name for name, number in official.items()}
    different = 0
    for number, (name, parameter) in enumerate(model.named_parameters()):
        released = theirs[number]
        assert decays(name, parameter, "released") == ("head" in released or "norm" not in released), name
        different += decays(name, parameter, "released") != decays(name, parameter, "weights")
    assert (different, len(theirs)) == (212, 457)


def test_the_head_has_its_own_rate(model: Network) -> None:
    options = Optimizer(lr=2e-3, head_lr_factor=10.0, betas=(0.8, 0.9))
    optimizer = build_optimizer(model, options)
    rates = {id(p): group["base_lr"] for group in optimizer.param_groups for p in group["params"]}
    assert {rates[id(p)] for p in model.encoder.parameters()} == {2e-3}
    assert {rates[id(p)] for p in model.decoder.parameters()} == {2e-2}
    assert {group["betas"] for group in optimizer.param_groups} == {(0.8, 0.9)}


def test_layer_decay_by_hand(model: Network) -> None:
    factors = {id(p): f for f, module in encoder_factors(model.encoder, 0.5) for p in module.parameters()}
    encoder = dict(model.encoder.named_parameters())
    assert factors.keys() == {id(p) for p in encoder.values()}
    expected = {  # four stages of one block each
        "stages.0.embed.0.weight": 0.5**5,
        "stages.0.blocks.0.norm1.weight": 0.5**4,
        "stages.0.norm.weight": 0.5**4,
        "stages.1.embed.0.weight": 0.5**3,
        "stages.1.blocks.0.ffn.expand.bias": 0.5**3,
        "stages.3.blocks.0.scale2.factor": 0.5,
        "stages.3.norm.bias": 0.5,
    }
    for name, factor in expected.items():
        assert factors[id(encoder[name])] == factor, name
    optimizer = build_optimizer(model, Optimizer(lr=2.0, layer_decay=0.5, head_lr_factor=10.0))
    rates = {id(p): group["base_lr"] for group in optimizer.param_groups for p in group["params"]}
    assert rates[id(encoder["stages.0.embed.0.weight"])] == 2.0 * 0.5**5
    assert {rates[id(p)] for p in model.decoder.parameters()} == {20.0}
    assert {factor for factor, _ in encoder_factors(model.encoder, 1.0)} == {1.0}


def test_frozen_parameters_are_in_no_group() -> None:
    model = build(TINY)
    freeze(model, 2)
    grouped = {id(p) for group in build_optimizer(model, Optimizer()).param_groups for p in group["params"]}
    names = {name for name, parameter in model.named_parameters() if id(parameter) not in grouped}
    assert names == {n for n, _ in model.named_parameters() if n.startswith(("encoder.stages.0.", "encoder.stages.1."))}


def test_the_average_by_hand() -> None:
    norm = nn.BatchNorm1d(1, affine=True)
    average = Average(norm, 0.5)
    with torch.no_grad():
        norm.weight.fill_(2.0)
        norm.running_mean.fill_(8.0)  # type: ignore[union-attr]
        norm.num_batches_tracked.fill_(5)  # type: ignore[union-attr]
    average.update(norm, 0)  # decay min(0.5, 1 / 10): 0.1 * 1 + 0.9 * 2
    assert average.state["weight"].item() == pytest.approx(1.9)
    assert average.state["running_mean"].item() == pytest.approx(7.2)
    assert average.state["num_batches_tracked"].item() == 5
    average.update(norm, 3)  # 4 / 13
    assert average.state["weight"].item() == pytest.approx(2 - 0.1 * 4 / 13)
    average.update(norm, 1000)  # the decay itself
    assert average.state["weight"].item() == pytest.approx(2 - 0.05 * 4 / 13)
    assert norm.weight.item() == 2.0


def test_without_decay_the_average_is_the_model(model: Network) -> None:
    average = Average(model, 0.0)
    other = build(TINY)
    for step in (0, 50):
        average.update(other, step)
        assert all(torch.equal(average.state[name], tensor) for name, tensor in other.state_dict().items())


def test_the_average_does_not_share_memory(model: Network) -> None:
    average = Average(model, 0.9)
    for name, tensor in model.state_dict().items():
        assert average.state[name].data_ptr() != tensor.data_ptr()
        assert not average.state[name].requires_grad
