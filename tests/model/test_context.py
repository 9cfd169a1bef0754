"""The modules compared with the Hamburger, against their equations written out."""

import numpy as np
import torch
from numpy.typing import NDArray

from segnext.model.context import EMA, CrissCross, NonLocal

Array = NDArray[np.float64]


def softmax(x: Array) -> Array:
    powers = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True))


def randomised(module: torch.nn.Module) -> dict[str, Array]:
    """Fill a module with random numbers; its parameters by name, float64."""
    torch.manual_seed(1)
    module.double()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return {name: tensor.detach().numpy() for name, tensor in module.named_parameters()}


def pointwise(p: dict[str, Array], name: str, x: Array) -> Array:
    """1x1 convolution of (C, H, W)."""
    return np.asarray(np.einsum("oc,chw->ohw", p[f"{name}.weight"][:, :, 0, 0], x) + p[f"{name}.bias"][:, None, None])


def test_non_local_averages_values_over_all_positions() -> None:
    module = NonLocal(32)
    assert not module.project.norm.weight.any()
    p = randomised(module)
    x = np.random.default_rng(0).normal(size=(32, 3, 4))
    query, key, value = (pointwise(p, name, x).reshape(16, 12) for name in ("query", "key", "value"))
    mixed = value @ softmax(query.T @ key / 4.0).T
    given = torch.from_numpy(x)[None]
    expected = given + module.project(torch.from_numpy(mixed.reshape(1, 16, 3, 4)))
    torch.testing.assert_close(module(given), expected)


def test_criss_cross_attends_to_row_and_column_twice() -> None:
    module = CrissCross(16)
    assert not module.gamma.any()
    p = randomised(module)
    x = np.random.default_rng(0).normal(size=(16, 3, 4))
    expected = x
    for _ in range(2):
        query, key, value = (pointwise(p, name, expected) for name in ("query", "key", "value"))
        context = np.empty_like(expected)
        for h, w in np.ndindex(3, 4):
            path = [(h, j) for j in range(4)] + [(i, w) for i in range(3) if i != h]
            weights = softmax(np.array([query[:, h, w] @ key[:, i, j] for i, j in path]))
            context[:, h, w] = sum(weight * value[:, i, j] for weight, (i, j) in zip(weights, path, strict=True))
        expected = expected + p["gamma"] * context
    np.testing.assert_allclose(module(torch.from_numpy(x)[None])[0].detach().numpy(), expected, rtol=1e-10)


def em(x: Array, bases: Array) -> tuple[Array, Array]:
    """One sample (C, N): fitted bases and the positions rebuilt from them."""
    for _ in range(3):
        share = softmax(x.T @ bases)
        bases = x @ (share / (1e-6 + share.sum(0)))
        bases = bases / np.linalg.norm(bases, axis=0)
    return bases, bases @ softmax(x.T @ bases).T


def test_ema_rebuilds_the_positions_from_fitted_bases() -> None:
    module = EMA(32, 4).eval()
    x = torch.randn(2, 32, 3, 4)
    seen: list[torch.Tensor] = []
    module.project.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    result = module(x)
    embedded = module.embed(x).detach()
    bases = module.bases[0].double().numpy()
    for sample in range(2):
        _, rebuilt = em(embedded[sample].double().flatten(1).numpy(), bases)
        np.testing.assert_allclose(seen[0][sample].flatten(1).detach().numpy(), rebuilt.clip(0), atol=1e-4)
    torch.testing.assert_close(result, torch.relu(x + module.project(seen[0])))


def test_ema_bases_follow_the_fitted_ones_in_training_only() -> None:
    module = EMA(32, 4)
    x = torch.randn(2, 32, 3, 4)
    before = module.bases[0].double().numpy().copy()
    module.eval()(x)
    np.testing.assert_array_equal(module.bases[0].numpy(), before.astype(np.float32))
    embedded = module.embed(x).detach().double().flatten(2).numpy()
    module.train()(x)
    mean = np.mean([em(sample, before)[0] for sample in embedded], axis=0)
    mean /= np.linalg.norm(mean, axis=0)
    np.testing.assert_allclose(module.bases[0].numpy(), 0.9 * before + 0.1 * mean, atol=1e-5)
