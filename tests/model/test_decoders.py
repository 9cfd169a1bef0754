"""The heads: which maps they use, and what they make of them."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segnext.model.decoders import ASPPDecoder, DANetDecoder, HamDecoder, MLPDecoder, PSPDecoder
from segnext.model.decoders.danet import ChannelAttention, PositionAttention
from segnext.model.hamburger import NMF, Hamburger

CHANNELS = (8, 16, 24, 32)


def head(num_classes: int = 5, stages: tuple[int, ...] = (2, 3, 4)) -> HamDecoder:
    torch.manual_seed(0)
    return HamDecoder(
        encoder_channels=CHANNELS,
        channels=64,
        context=Hamburger(64, NMF(64, 4)),
        num_classes=num_classes,
        stages=stages,
    ).eval()


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
    decoder.dropout.probability = 0.5
    decoder(given)
    decoder.train()(given)
    empty = [(x.flatten(2) == 0).all(dim=2).float().mean().item() for x in seen]
    assert empty[0] < 0.2
    assert 0.3 < empty[1] < 0.7


def used_stages(decoder: nn.Module) -> list[int]:
    """The stages on which the logits depend."""
    given = maps(64, 64)
    logits = decoder(given)
    changes = ([x + 1 if number == stage else x for number, x in enumerate(given)] for stage in range(4))
    return [stage + 1 for stage, changed in enumerate(changes) if not torch.equal(decoder(changed), logits)]


@pytest.mark.parametrize("stages", [(1, 2, 3, 4), (3, 4), (2,)])
def test_ham_uses_the_stages_it_is_given(stages: tuple[int, ...]) -> None:
    decoder = head(stages=stages)
    assert used_stages(decoder) == list(stages)
    seen: list[torch.Size] = []
    decoder.squeeze.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    side = 16 >> (stages[0] - 1)
    assert decoder(maps(64, 64)).shape == (2, 5, max(side, 8), max(side, 8))
    assert seen == [(2, sum(CHANNELS[stage - 1] for stage in stages), side, side)]


@pytest.mark.parametrize("kind", [ASPPDecoder, PSPDecoder, DANetDecoder, MLPDecoder])
def test_cnn_heads_use_the_last_map_and_mlp_all(kind: type[ASPPDecoder | MLPDecoder]) -> None:
    decoder = kind(encoder_channels=CHANNELS, channels=64, num_classes=5).eval()
    assert used_stages(decoder) == ([1, 2, 3, 4] if kind is MLPDecoder else [4])


def test_mlp_works_at_stage_1() -> None:
    decoder = MLPDecoder(encoder_channels=CHANNELS, channels=64, num_classes=5).eval()
    given = maps(64, 96)
    enlarged = [
        F.interpolate(unify(x), size=(16, 24), mode="bilinear") for unify, x in zip(decoder.unify, given, strict=True)
    ]
    expected = decoder.classifier(F.relu(decoder.fuse(torch.cat(enlarged, dim=1))))
    assert expected.shape == (2, 5, 16, 24)
    torch.testing.assert_close(decoder(given), expected)


def test_aspp_fuses_pointwise_dilated_and_pooled() -> None:
    decoder = ASPPDecoder(encoder_channels=CHANNELS, channels=64, num_classes=5, rates=(2, 5)).eval()
    given = maps(256, 192)
    last = given[-1]
    dilated = [
        layer.norm(F.conv2d(last, layer.conv.weight, padding=rate, dilation=rate))  # type: ignore[operator, union-attr, arg-type]
        for layer, rate in zip(decoder.dilated, (2, 5), strict=True)
    ]
    pooled = decoder.pooled(F.adaptive_avg_pool2d(last, 1)).expand(-1, -1, 8, 6)
    fused = decoder.project(torch.cat([decoder.pointwise(last), *dilated, pooled], dim=1).relu()).relu()
    expected = F.interpolate(decoder.classifier(fused), size=(32, 24), mode="bilinear", align_corners=False)
    torch.testing.assert_close(decoder(given), expected)


def test_psp_puts_the_means_of_regions_beside_the_map() -> None:
    decoder = PSPDecoder(encoder_channels=CHANNELS, channels=64, num_classes=5, bins=(1, 2)).eval()
    given = maps(128, 128)
    last = given[-1]
    seen: list[Tensor] = []
    decoder.fuse.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    decoder(given)
    mean = decoder.levels[0](last.mean(dim=(2, 3), keepdim=True)).relu()
    quarters = decoder.levels[1](F.avg_pool2d(last, 2)).relu()
    torch.testing.assert_close(seen[0][:, :32], last)
    torch.testing.assert_close(seen[0][:, 32:96], mean.expand(-1, -1, 4, 4))
    torch.testing.assert_close(seen[0][:, 96:, 0, 0], quarters[:, :, 0, 0])


def test_attention_of_danet_over_positions_and_channels() -> None:
    x = torch.randn(2, 16, 3, 4)
    flat = x.flatten(2)
    position, channel = PositionAttention(16), ChannelAttention()
    assert torch.equal(position(x), x)
    assert torch.equal(channel(x), x)
    with torch.no_grad():
        position.gamma.fill_(0.5)
        channel.gamma.fill_(0.5)
    query, key, value = (layer(x).flatten(2) for layer in (position.query, position.key, position.value))
    expected = flat + 0.5 * value @ (query.mT @ key).softmax(dim=2).mT
    torch.testing.assert_close(position(x).flatten(2), expected)
    expected = flat + 0.5 * (-(flat @ flat.mT)).softmax(dim=2) @ flat
    torch.testing.assert_close(channel(x).flatten(2), expected)
