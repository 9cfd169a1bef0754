"""The training kernels against their plain definitions in float64."""

import copy
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segnext.checkpoint.module import create_model
from segnext.kernels import launch, threads
from segnext.kernels.launch import fused
from segnext.kernels.nmf import factorise
from segnext.model.decoders import HamDecoder
from segnext.model.encoders.mscan import MSCA, Block
from segnext.model.hamburger import EPS, NMF, Hamburger, update_bases, update_coefficients
from segnext.model.layers import ConvNorm, batch_normalised

Found = dict[str, Tensor]


@pytest.fixture
def restored_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the kernels that ran."""
    names: list[str] = []
    plain = threads.share

    def counted(work: Callable[[int, int], None], workers: int) -> None:
        names.append(work.__qualname__)
        plain(work, workers)

    monkeypatch.setattr(launch, "share", counted)
    return names


def map_of(*shape: int, seed: int = 0) -> Tensor:
    """A channels_last map, of mean 1 and deviation 2."""
    values = torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 2 + 1
    return values.contiguous(memory_format=torch.channels_last)


def run(module: nn.Module, x: Tensor, bf16: bool = False) -> Found:
    """Result, gradients and buffers of a copy of `module`."""
    module = copy.deepcopy(module).train()
    x = x.clone().requires_grad_()
    torch.manual_seed(1)  # of drop path
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        y = module(x)
    y.backward(map_of(*y.shape, seed=2).to(y.dtype))
    assert x.grad is not None
    gradients = {name: parameter.grad for name, parameter in module.named_parameters() if parameter.grad is not None}
    return {"y": y.detach(), "x": x.grad, **gradients, **dict(module.named_buffers())}


def errors(found: Found, exact: Found) -> dict[str, float]:
    """Distance of each tensor from the exact one, relative to its norm."""
    assert found.keys() == exact.keys()
    return {
        name: ((found[name].double() - truth.double()).norm() / truth.double().norm().clamp(min=1e-6)).item()
        for name, truth in exact.items()
    }


class Normed(nn.Module):
    """A BatchNorm as blocks take it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        normal, x = batch_normalised(self.norm, x)
        return normal + 0.5 * x


class Squeezed(nn.Module):
    """A head's squeeze of maps of three sizes."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head = HamDecoder(encoder_channels=[32] * 4, channels=64, context=nn.Identity(), num_classes=3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head._squeezed([F.avg_pool2d(x, side, ceil_mode=True) for side in (1, 2, 4)])


def block(channels: int, drop_path: float = 0.0, **options: Any) -> Block:
    """A block whose layer scale does not make its branches small."""
    torch.manual_seed(0)
    made = Block(channels, 2, drop_path, partial(MSCA, **options))
    for scale in (made.scale1, made.scale2):
        nn.init.uniform_(scale.factor, 0.5, 1.0)
    return made


CASES = {
    "block": (block(32), (2, 32, 9, 13)),
    "smaller than the kernels": (block(64), (2, 64, 2, 1)),
    "wider than the rings": (block(32), (1, 32, 31, 29)),
    "drop path": (block(32, drop_path=0.4), (4, 32, 5, 6)),
    "other strips": (block(32, strips=(3, 9)), (2, 32, 12, 7)),
    "batch norm": (Normed(32), (3, 32, 7, 11)),
    "squeeze": (ConvNorm(32, 64), (2, 32, 6, 5)),
    "a group for each channel": (ConvNorm(32, 32), (2, 32, 6, 5)),
    "maps of several sizes": (Squeezed(), (2, 32, 9, 13)),
    "hamburger": (Hamburger(64, NMF(64, 16)), (2, 64, 6, 5)),
}


@pytest.mark.parametrize("case", CASES)
def test_float32_results_gradients_and_statistics(case: str, calls: list[str]) -> None:
    module, shape = CASES[case]
    found = run(module, map_of(*shape))
    assert calls
    calls.clear()
    exact = run(copy.deepcopy(module).double(), map_of(*shape).double())
    assert not calls  # float64 is left to the definition
    assert max(errors(found, exact).values()) < 1e-5


@pytest.mark.parametrize("case", CASES)
def test_bfloat16_autocast(case: str, calls: list[str]) -> None:
    module, shape = CASES[case]
    found = run(module, map_of(*shape), bf16=True)
    assert calls
    exact = run(copy.deepcopy(module).double(), map_of(*shape).double())
    limit = 0.1 if case == "hamburger" else 0.02  # whose steps enlarge the rounding of what goes in
    assert max(errors(found, exact).values()) < limit


@pytest.mark.usefixtures("restored_threads")
def test_the_same_bits_for_any_number_of_threads() -> None:
    model = create_model("segnext_t", num_classes=5).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    found = []
    for count in (1, 2, 3):
        torch.set_num_threads(count)
        found.append(run(model.encoder.stages[1].blocks[0], map_of(2, 64, 16, 12), bf16=True))
    torch.set_num_threads(1)
    again = run(model.encoder.stages[1].blocks[0], map_of(2, 64, 16, 12), bf16=True)
    assert all(torch.equal(again[name], found[0][name]) for name in again)
    depthwise = [name for name in again if "depthwise" in name or "strips" in name or "local" in name]
    assert len(depthwise) == 16
    for other in found[1:]:
        assert max(errors(other, {n: t.double() for n, t in found[0].items()}).values()) < 0.01


@pytest.mark.parametrize("channels", [24, 36])
def test_other_numbers_of_channels_are_left_to_the_definition(channels: int, calls: list[str]) -> None:
    module = block(channels)
    found, exact = run(module, map_of(2, channels, 5, 6)), run(module.double(), map_of(2, channels, 5, 6).double())
    assert max(errors(found, exact).values()) < 1e-5
    assert not [name for name in calls if "launch" in name]


@pytest.mark.filterwarnings("ignore")  # of the tracer
def test_only_training_takes_kernels(calls: list[str]) -> None:
    x, module = map_of(2, 32, 6, 5), block(32)
    assert fused(module.train(), x)
    assert not fused(module.eval(), x)
    module.train()
    with torch.no_grad():
        assert not fused(module, x)
    assert not fused(module, x.contiguous())
    assert not fused(module, x.double())
    assert not fused(module, x.to("meta"))
    with torch.autocast("cpu", torch.float16):
        assert not fused(module, x)
    torch.jit.trace(module, x, check_trace=False)  # type: ignore[no-untyped-call]
    torch.export.export(module, (x,))
    torch.func.vmap(lambda x: x.relu() if not fused(module, x) else x.nope())(x[None])
    module.eval()(x)
    assert not calls


def test_without_a_compiler_for_kernels_training_is_plain(monkeypatch: pytest.MonkeyPatch, calls: list[str]) -> None:
    monkeypatch.setattr(launch, "available", lambda: False)
    assert run(block(32), map_of(2, 32, 6, 5))
    assert not calls


def test_a_frozen_block_passes_its_gradient_on(calls: list[str]) -> None:
    module = block(32).requires_grad_(False)
    found, exact = run(module, map_of(2, 32, 6, 5)), run(module.double(), map_of(2, 32, 6, 5).double())
    assert found.keys() == exact.keys()
    assert max(errors(found, exact).values()) < 1e-5


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_factorisation(steps: int) -> None:
    torch.manual_seed(0)
    x = torch.rand(2, 5, 7, dtype=torch.float64, requires_grad=True)
    start = torch.rand(2, 7, 3, dtype=torch.float64)
    coef, bases, features = (x @ start).softmax(-1), start, x.transpose(1, 2)
    for _ in range(steps):
        coef = update_coefficients(features, bases, coef)
        bases = update_bases(features, bases, coef)
    plain = update_coefficients(features, bases, coef) @ bases.transpose(1, 2)
    torch.testing.assert_close(factorise(x, start, steps, EPS), plain)
    assert torch.autograd.gradcheck(lambda x: factorise(x, start, steps, EPS), (x,))
