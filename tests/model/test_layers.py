"""The small building blocks."""

import numpy as np
import pytest
import torch

from segnext.model.layers import ChannelDropout, ChannelNorm, ConvNorm, DropPath, LayerScale


def test_layer_scale_multiplies_each_channel() -> None:
    layer = LayerScale(3)
    assert layer.factor.tolist() == pytest.approx([0.01] * 3)
    with torch.no_grad():
        layer.factor.copy_(torch.tensor([1.0, 2.0, -3.0]))
    scaled = layer(torch.ones(2, 3, 4, 5))
    assert scaled.shape == (2, 3, 4, 5)
    assert scaled[1, :, 2, 3].tolist() == [1.0, 2.0, -3.0]


@pytest.mark.parametrize(("probability", "training"), [(0.5, False), (0.0, True)])
def test_drop_path_is_the_identity_when_there_is_nothing_to_drop(probability: float, training: bool) -> None:
    x = torch.randn(4, 2, 3, 3)
    assert DropPath(probability).train(training)(x) is x


def test_drop_path_drops_whole_samples_and_keeps_the_expectation() -> None:
    torch.manual_seed(0)
    dropped = DropPath(0.25).train()(torch.ones(20_000, 2, 1, 2)).flatten(1)
    assert torch.equal(dropped.amin(1), dropped.amax(1))
    assert sorted(set(dropped[:, 0].tolist())) == pytest.approx([0.0, 1 / 0.75])
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.02)  # four standard errors


@pytest.mark.parametrize("probability", [-0.1, 1.0])
def test_drop_path_refuses_impossible_probabilities(probability: float) -> None:
    with pytest.raises(ValueError, match=r"must be in \[0, 1\)"):
        DropPath(probability)


def test_channel_dropout_is_torchs() -> None:
    x = torch.randn(3, 5, 2, 2)
    torch.manual_seed(0)
    expected = torch.nn.Dropout2d(0.4)(x)
    torch.manual_seed(0)
    assert torch.equal(ChannelDropout(0.4)(x), expected)
    assert ChannelDropout(0.4).eval()(x) is x


@pytest.mark.parametrize("layer", [DropPath(0.5), ChannelDropout(0.5)])
def test_parts_of_a_batch_drop_what_the_whole_batch_drops(layer: ChannelDropout) -> None:
    x = torch.ones(6, 4, 1, 1)
    torch.manual_seed(0)
    whole = layer(x)
    for part in range(3):
        layer.share = (part, 3)
        torch.manual_seed(0)
        assert torch.equal(layer(x[:2]), whole[2 * part : 2 * part + 2])


def test_channel_norm_normalises_every_position_on_its_own() -> None:
    x = torch.randn(2, 8, 3, 5, dtype=torch.float64) * 7 + 3
    normal = ChannelNorm(8).double()(x)
    values = x.numpy()
    expected = (values - values.mean(1, keepdims=True)) / np.sqrt(values.var(1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(normal.detach().numpy(), expected, rtol=1e-10, atol=1e-10)


def test_conv_norm_normalises_groups_of_channels() -> None:
    x = torch.randn(2, 5, 6, 7)
    out = ConvNorm(5, 64)(x).detach()
    groups = out.reshape(2, 32, -1)
    assert out.shape == (2, 64, 6, 7)
    torch.testing.assert_close(groups.mean(2), torch.zeros(2, 32), atol=1e-5, rtol=0)
    torch.testing.assert_close(groups.var(2, correction=0), torch.ones(2, 32), atol=1e-2, rtol=0)
