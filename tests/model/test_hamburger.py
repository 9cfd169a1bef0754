"""The matrix decomposition against the multiplicative updates, written out."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from segnext.model import hamburger
from segnext.model.hamburger import CD, NMF, VQ, Decomposition, Hamburger, fixed_bases

Array = NDArray[np.float64]


def nmf(x: Array, bases: Array, steps: int) -> Array:
    """One sample (D, N): the reconstruction after `steps` updates and a last one of the coefficients."""
    logits = x.T @ bases
    coef = np.exp(logits - logits.max(1, keepdims=True))
    coef /= coef.sum(1, keepdims=True)
    for _ in range(steps):
        coef = coef * (x.T @ bases) / (coef @ bases.T @ bases + 1e-6)
        bases = bases * (x @ coef) / (bases @ coef.T @ coef + 1e-6)
    coef = coef * (x.T @ bases) / (coef @ bases.T @ bases + 1e-6)
    return np.asarray(bases @ coef.T)


def features(batch: int = 2, channels: int = 6) -> torch.Tensor:
    """Non-negative, as after a ReLU."""
    return torch.from_numpy(np.random.default_rng(3).normal(size=(batch, channels, 3, 5)).astype(np.float32)).relu()


def test_evaluation_is_seven_updates_from_the_fixed_bases() -> None:
    x = features()
    result = NMF(6, 3).eval()(x)
    uniform = np.random.Generator(np.random.PCG64(7)).random((1, 6, 3))[0]
    bases = uniform / np.linalg.norm(uniform, axis=0)
    for sample in range(2):
        expected = nmf(x[sample].double().flatten(1).numpy(), bases, 7)
        np.testing.assert_allclose(result[sample].flatten(1).numpy(), expected, rtol=1e-4, atol=1e-5)


def test_training_is_six_updates_from_new_bases() -> None:
    module = NMF(6, 3).train()
    x = features()
    drawn = torch.rand((2, 6, 3), generator=torch.Generator().set_state(module.generator.get_state()))
    bases = drawn.double().numpy() / np.linalg.norm(drawn.double().numpy(), axis=1, keepdims=True)
    result = module(x)
    for sample in range(2):
        expected = nmf(x[sample].double().flatten(1).numpy(), bases[sample], 6)
        np.testing.assert_allclose(result[sample].flatten(1).numpy(), expected, rtol=1e-4, atol=1e-5)


def test_rank_one_features_are_reconstructed() -> None:
    x = (torch.arange(1.0, 7.0)[:, None] * torch.linspace(0.1, 1.5, 15)).view(1, 6, 3, 5)
    torch.testing.assert_close(NMF(6, 1).eval()(x), x, rtol=1e-4, atol=1e-4)


def test_bases_of_training_come_from_the_generator_alone() -> None:
    module = NMF(6, 3).train()
    x = features()
    state = module.generator.get_state()
    torch.manual_seed(1)
    first, second = module(x), module(x)
    assert not torch.equal(first, second)
    module.generator.set_state(state)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    assert torch.equal(module(x), first)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(module(x), second)


def test_evaluation_draws_nothing() -> None:
    module = NMF(6, 3).eval()
    state = module.generator.get_state()
    assert torch.equal(module(features()), module(features()))
    assert torch.equal(module.generator.get_state(), state)


def test_bases_are_part_of_the_state() -> None:
    assert torch.equal(NMF(6, 3).state_dict()["bases"], fixed_bases(6, 3))
    torch.testing.assert_close(fixed_bases(6, 3).norm(dim=1), torch.ones(1, 3))


@pytest.mark.parametrize("training", [True, False])
def test_updates_stay_in_float32_under_autocast(monkeypatch: pytest.MonkeyPatch, training: bool) -> None:
    seen: set[torch.dtype] = set()
    update = hamburger.update_coefficients

    def spy(x: torch.Tensor, bases: torch.Tensor, coef: torch.Tensor) -> torch.Tensor:
        updated = update(x, bases, coef)
        seen.update(tensor.dtype for tensor in (x, bases, coef, updated))
        return updated

    monkeypatch.setattr(hamburger, "update_coefficients", spy)
    block = Hamburger(32, NMF(32, 4)).train(training)
    lower: list[torch.dtype] = []
    block.lower.register_forward_pre_hook(lambda _, inputs: lower.append(inputs[0].dtype))
    with torch.autocast("cpu", torch.bfloat16):
        block(torch.randn(2, 32, 4, 4))
    assert seen == {torch.float32}
    assert lower == [torch.bfloat16]  # what goes on into the network has the type that came in


def test_half_precision_features_are_decomposed_in_float32() -> None:
    x = features().bfloat16()
    module = NMF(6, 3).eval()
    assert module(x).dtype == torch.bfloat16
    assert torch.equal(module(x), module(x.float()).bfloat16())


def test_gradient_runs_through_all_steps() -> None:
    x = features(1).double().float().requires_grad_()
    module = NMF(6, 3).eval()
    weight = torch.from_numpy(np.random.default_rng(5).normal(size=(1, 6, 3, 5)).astype(np.float32))
    (module(x) * weight).sum().backward()
    assert x.grad is not None
    direction = torch.from_numpy(np.random.default_rng(6).random((1, 6, 3, 5)))
    uniform = np.random.Generator(np.random.PCG64(7)).random((1, 6, 3))[0]
    bases = uniform / np.linalg.norm(uniform, axis=0)
    values = x.detach().double()

    def objective(step: float) -> float:
        moved = (values + step * direction)[0].flatten(1).numpy()
        return float((nmf(moved, bases, 7) * weight[0].flatten(1).numpy()).sum())

    slope = (objective(1e-5) - objective(-1e-5)) / 2e-5
    assert (x.grad.double() * direction).sum().item() == pytest.approx(slope, rel=1e-3)


def softmax(x: Array) -> Array:
    powers = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True))


def clustering(x: Array, bases: Array, steps: int, inverse_temperature: float, concepts: bool) -> Array:
    """One sample (D, N): VQ, or with `concepts` CD, from the Hamburger paper's appendix."""

    def unit(values: Array) -> Array:
        return np.asarray(values / np.linalg.norm(values, axis=0))

    def assign() -> Array:
        return softmax(inverse_temperature * (unit(x).T @ unit(bases)))

    for _ in range(steps):
        coef = assign()
        bases = x @ (coef / (1e-6 + coef.sum(0)))
        if concepts:
            bases = unit(bases)
    coef = x.T @ bases @ np.linalg.inv(bases.T @ bases + 0.1 * np.eye(bases.shape[1])) if concepts else assign()
    return np.asarray(bases @ coef.T)


@pytest.mark.parametrize("concepts", [False, True])
@pytest.mark.parametrize("inverse_temperature", [10.0, 100.0])
def test_clustering_is_seven_rounds_from_the_fixed_bases(concepts: bool, inverse_temperature: float) -> None:
    x = torch.from_numpy(np.random.default_rng(3).normal(size=(2, 6, 3, 5)).astype(np.float32))
    module = (CD if concepts else VQ)(6, 3, inverse_temperature=inverse_temperature).eval()
    result = module(x)
    normal = np.random.Generator(np.random.PCG64(7)).standard_normal((1, 6, 3))[0]
    bases = normal / np.linalg.norm(normal, axis=0)
    for sample in range(2):
        expected = clustering(x[sample].double().flatten(1).numpy(), bases, 7, inverse_temperature, concepts)
        np.testing.assert_allclose(result[sample].flatten(1).numpy(), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", [VQ, CD])
def test_bases_of_clustering_are_normal_numbers_of_the_generator(kind: type[VQ]) -> None:
    module = kind(6, 3).train()
    state = module.generator.get_state()
    drawn = module.initial_bases(2)
    normal = torch.randn((2, 6, 3), generator=torch.Generator().set_state(state))
    torch.testing.assert_close(drawn, torch.nn.functional.normalize(normal, dim=1))


def test_hard_assignment_gives_every_position_its_cluster_mean() -> None:
    first, second = torch.tensor([3.0, 0.1]), torch.tensor([0.1, 2.0])
    x = torch.stack([first, first * 2, second], dim=1).view(1, 2, 1, 3)
    module = VQ(2, 2, inverse_temperature=1000.0).eval()
    module.bases.copy_(torch.eye(2)[None])
    expected = torch.stack([first * 1.5, first * 1.5, second], dim=1).view(1, 2, 1, 3)
    torch.testing.assert_close(module(x), expected)


@pytest.mark.parametrize("kind", [NMF, VQ, CD])
def test_one_step_gradient_sees_the_iterations_as_constant(kind: type[Decomposition]) -> None:
    x = features(1).add(0.1).requires_grad_()
    module = kind(6, 3, one_step_gradient=True).eval()
    module(x).square().sum().backward()
    with torch.no_grad():
        flat = x.flatten(2)
        bases = module.initial_bases(1)
        coef = module.start(flat, bases)
        for _ in range(7):
            bases, coef = module.step(flat, bases, coef)
    again = x.detach().clone().requires_grad_()
    rebuilt = bases @ module.finish(again.flatten(2), bases, coef).mT
    (expected,) = torch.autograd.grad(rebuilt.square().sum(), again)
    assert x.grad is not None
    torch.testing.assert_close(x.grad, expected)
    whole = x.detach().clone().requires_grad_()
    kind(6, 3).eval()(whole).square().sum().backward()
    assert not torch.allclose(whole.grad, x.grad)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [NMF, VQ, CD])
def test_only_non_negative_decompositions_sit_behind_a_relu(kind: type[Decomposition]) -> None:
    torch.manual_seed(0)
    ham = kind(32, 4)
    seen: list[torch.Tensor] = []
    ham.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    Hamburger(32, ham).eval()(torch.randn(1, 32, 4, 4))
    assert bool((seen[0] >= 0).all()) == (kind is NMF)
