"""The encoder against the paper's equations, written out."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from segnext.model.encoders.encoder import Depthwise
from segnext.model.encoders.mscan import FFN, LKA, MSCA, MSCAN, Attention, Block

Array = NDArray[np.float64]


def depthwise(x: Array, weight: Array, bias: Array) -> Array:
    """Zero-padded depthwise convolution of (C, H, W), tap by tap."""
    channels, height, width = x.shape
    kh, kw = weight.shape[2:]
    out = np.empty_like(x)
    for c, y, z in np.ndindex(channels, height, width):
        total = bias[c]
        for i, j in np.ndindex(kh, kw):
            row, column = y + i - kh // 2, z + j - kw // 2
            if 0 <= row < height and 0 <= column < width:
                total += weight[c, 0, i, j] * x[c, row, column]
        out[c, y, z] = total
    return out


def pointwise(x: Array, weight: Array, bias: Array) -> Array:
    """1x1 convolution of (C, H, W)."""
    return np.asarray(np.einsum("oc,chw->ohw", weight[:, :, 0, 0], x) + bias[:, None, None])


def gelu(x: Array) -> Array:
    return np.asarray(x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2))))


def randomised(module: torch.nn.Module) -> dict[str, Array]:
    """Fill a module with random numbers; its parameters by name, float64."""
    torch.manual_seed(1)
    module.double()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return {name: tensor.detach().numpy() for name, tensor in module.named_parameters()}


def msca(x: Array, p: dict[str, Array], prefix: str = "") -> Array:
    """Equations 1 and 2: Att = Conv1x1(sum_i Scale_i(DW(F))), out = Att * F."""

    def conv(name: str, values: Array) -> Array:
        return depthwise(values, p[f"{prefix}{name}.weight"], p[f"{prefix}{name}.bias"])

    local = conv("local", x)
    total = local.copy()
    for branch in range(3):
        total += conv(f"strips.{branch}.1", conv(f"strips.{branch}.0", local))
    return pointwise(total, p[f"{prefix}mix.weight"], p[f"{prefix}mix.bias"]) * x


def test_msca_is_the_papers_equation() -> None:
    module = MSCA(3)
    p = randomised(module)
    x = np.random.default_rng(0).normal(size=(3, 5, 9))
    assert p["strips.0.0.weight"].shape == (3, 1, 1, 7)
    assert p["strips.2.1.weight"].shape == (3, 1, 21, 1)
    np.testing.assert_allclose(module(torch.from_numpy(x)[None])[0].detach().numpy(), msca(x, p), rtol=1e-10)


def test_attention_has_the_inner_shortcut() -> None:
    module = Attention(3)
    p = randomised(module)
    x = np.random.default_rng(0).normal(size=(3, 4, 6))
    inner = gelu(pointwise(x, p["proj_in.weight"], p["proj_in.bias"]))
    expected = x + pointwise(msca(inner, p, "msca."), p["proj_out.weight"], p["proj_out.bias"])
    np.testing.assert_allclose(module(torch.from_numpy(x)[None])[0].detach().numpy(), expected, rtol=1e-9)


def test_ffn_is_expand_depthwise_gelu_project() -> None:
    module = FFN(3, 4)
    p = randomised(module)
    x = np.random.default_rng(0).normal(size=(3, 4, 6))
    hidden = pointwise(x, p["expand.weight"], p["expand.bias"])
    hidden = gelu(depthwise(hidden, p["depthwise.weight"], p["depthwise.bias"]))
    expected = pointwise(hidden, p["project.weight"], p["project.bias"])
    np.testing.assert_allclose(module(torch.from_numpy(x)[None])[0].detach().numpy(), expected, rtol=1e-9)


def test_block_adds_two_scaled_branches() -> None:
    block = Block(4, 2, drop_path=0.9).eval()
    torch.manual_seed(0)
    for norm in (block.norm1, block.norm2):
        torch.nn.init.uniform_(norm.running_mean)  # type: ignore[arg-type]
        torch.nn.init.uniform_(norm.running_var, 0.5, 1.5)  # type: ignore[arg-type]
    x = torch.randn(2, 4, 5, 6)
    middle = x + 0.01 * block.attention(block.norm1(x))
    expected = middle + 0.01 * block.ffn(block.norm2(middle))
    torch.testing.assert_close(block(x), expected)


@pytest.mark.parametrize(("height", "width"), [(37, 53), (1, 1), (33, 64), (64, 32)])
@pytest.mark.parametrize("in_channels", [1, 4])
def test_maps_have_the_sizes_of_the_paper_rounded_up(height: int, width: int, in_channels: int) -> None:
    encoder = MSCAN(
        in_channels=in_channels, channels=(8, 16, 24, 32), depths=(1, 1, 1, 1), expansions=(2, 2, 2, 2)
    ).eval()
    maps = encoder(torch.randn(2, in_channels, height, width))
    sizes = [(-(-height // factor), -(-width // factor)) for factor in (4, 8, 16, 32)]
    assert [tuple(x.shape) for x in maps] == [
        (2, channels, *size) for channels, size in zip((8, 16, 24, 32), sizes, strict=True)
    ]


def test_drop_path_grows_linearly_over_the_blocks() -> None:
    encoder = MSCAN(channels=(8, 8, 8, 8), depths=(1, 2, 1, 1), expansions=(1, 1, 1, 1), drop_path=0.2)
    rates = [module.drop_path.probability for module in encoder.modules() if isinstance(module, Block)]
    assert rates == pytest.approx([0.0, 0.05, 0.1, 0.15, 0.2])


def test_convolutions_start_normal_with_variance_two_over_fan_out() -> None:
    torch.manual_seed(0)
    encoder = MSCAN()
    stage = encoder.stages[3]
    block = stage.blocks[0]
    assert isinstance(block, Block)
    expand = block.ffn.expand
    assert expand.weight.std().item() == pytest.approx(math.sqrt(2 / 1024), rel=0.02)
    depth = block.ffn.depthwise
    assert depth.weight.std().item() == pytest.approx(math.sqrt(2 / 9), rel=0.05)
    assert not depth.bias.any()


def scales(module: MSCA, x: torch.Tensor) -> torch.Tensor:
    """The sum before the 1x1, from the module's own convolutions."""
    local = module.local(x)
    return torch.stack([local, *(strip(local) for strip in module.strips)]).sum(dim=0)


@pytest.mark.parametrize("strips", [(7,), (11, 21), ()])
def test_any_strips_are_summed(strips: tuple[int, ...]) -> None:
    module = MSCA(3, strips=strips)
    p = randomised(module)
    x = torch.randn(1, 3, 5, 9, dtype=torch.float64)
    assert [p[f"strips.{i}.0.weight"].shape[3] for i in range(len(strips))] == list(strips)
    torch.testing.assert_close(module(x), module.mix(scales(module, x)) * x)


def test_one_large_kernel_stands_in_the_strips_place() -> None:
    module = MSCA(3, strips=(), square=21)
    p = randomised(module)
    assert p["strips.0.weight"].shape == (3, 1, 21, 21)
    x = np.random.default_rng(0).normal(size=(3, 5, 9))
    local = depthwise(x, p["local.weight"], p["local.bias"])
    total = local + depthwise(local, p["strips.0.weight"], p["strips.0.bias"])
    expected = pointwise(total, p["mix.weight"], p["mix.bias"]) * x
    np.testing.assert_allclose(module(torch.from_numpy(x)[None])[0].detach().numpy(), expected, rtol=1e-10)


def test_without_mixing_and_without_gating() -> None:
    x = torch.randn(1, 3, 5, 9)
    unmixed, ungated = MSCA(3, mix=False), MSCA(3, gate=False)
    torch.testing.assert_close(unmixed(x), scales(unmixed, x) * x)
    torch.testing.assert_close(ungated(x), ungated.mix(scales(ungated, x)))
    assert not any(name.startswith("mix") for name in unmixed.state_dict())


def test_lka_reaches_eleven_positions_each_way() -> None:
    module = LKA(2).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(1.0)
    x = torch.zeros(1, 2, 31, 31, dtype=torch.float64)
    x[0, 0, 15, 15] = 1.0
    difference = (module.mix(module.dilated(module.local(x))) - module.mix(module.dilated(module.local(0 * x))))[0, 0]
    reached = difference.nonzero()
    assert (reached.amin(0).tolist(), reached.amax(0).tolist()) == ([4, 4], [26, 26])  # 2 of the 5x5, 9 of the 7x7
    assert difference[15, 15] == 1.0
    assert difference[14, 14] == 4.0  # within 2 of the taps at 0 and, in the 7x7, at -3: twice two


def test_depthwise_with_dilation_keeps_the_size() -> None:
    layer = Depthwise(2, 7, 7, dilation=3).double()
    x = torch.randn(1, 2, 11, 8, dtype=torch.float64)
    spread = torch.zeros(2, 1, 19, 19, dtype=torch.float64)
    spread[..., ::3, ::3] = layer.weight.detach()
    expected = depthwise(x[0].numpy(), spread.numpy(), layer.bias.detach().numpy())
    np.testing.assert_allclose(layer(x)[0].detach().numpy(), expected, rtol=1e-10)


def test_every_block_has_the_asked_attention() -> None:
    tiny = {"channels": (8, 8, 8, 8), "depths": (1, 1, 1, 1), "expansions": (1, 1, 1, 1)}
    encoder = MSCAN(**tiny, strips=(7, 21), mix=False)  # type: ignore[arg-type]
    assert [len(module.strips) for module in encoder.modules() if isinstance(module, MSCA)] == [2] * 4
    encoder = MSCAN(**tiny, lka=True)  # type: ignore[arg-type]
    assert sum(isinstance(module, LKA) for module in encoder.modules()) == 4
