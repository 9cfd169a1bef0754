"""Counted operations against hand-computed ones."""

import pytest

from segnext.model.complexity import count, published_decoders, published_models
from segnext.model.config import ModelConfig, preset

TINY = ModelConfig((32, 64, 96, 128), (1, 1, 1, 1), decoder_channels=64, rank=4, num_classes=5, expansions=(2, 2, 2, 2))


def block(channels: int, expansion: int) -> int:
    """Multiply-adds of a block at one position."""
    attention = 3 * channels**2 + channels * (25 + 2 * (7 + 11 + 21))
    hidden = channels * expansion
    return attention + 2 * channels * hidden + 9 * hidden


def test_every_part_by_hand() -> None:
    parts = {part.name: part.operations for part in count(TINY, 64, 96)}
    positions = 16 * 24
    stem = 4 * positions * 27 * 16 + positions * 9 * 16 * 32
    assert parts["encoder stage 1"] == stem + positions * block(32, 2)
    assert parts["encoder stage 2"] == positions // 4 * (9 * 32 * 64 + block(64, 2))
    eighth = positions // 4
    assert parts["decoder squeeze"] == eighth * (64 + 96 + 128) * 64
    large, small = 64 * 4 * eighth, 4 * 4 * (64 + eighth)  # with X, and among D, C and their Gram matrices
    nmf = large + 15 * (large + small) + large  # start, seven updates of each factor and one more of C, rebuild
    assert parts["decoder hamburger"] == 2 * eighth * 64 * 64 + nmf
    assert parts["decoder align"] == eighth * 64 * 64
    assert parts["decoder classifier"] == eighth * 64 * 5
    assert list(parts) == [
        *(f"encoder stage {stage}" for stage in (1, 2, 3, 4)),
        *(f"decoder {layer}" for layer in ("squeeze", "hamburger", "align", "classifier")),
    ]


@pytest.mark.parametrize(
    ("changes", "part", "expected"),
    [
        ({"strips": ()}, "encoder stage 1", -384 * 32 * 2 * (7 + 11 + 21)),
        ({"strips": (), "square": 21}, "encoder stage 1", 384 * 32 * (441 - 2 * (7 + 11 + 21))),
        ({"mix": False}, "encoder stage 1", -384 * 32 * 32),
        ({"lka": True}, "encoder stage 1", 384 * 32 * (49 - 2 * (7 + 11 + 21))),
        ({"gate": False}, "encoder stage 1", 0),
        ({"refine": 32}, "decoder classifier", 0),
    ],
)
def test_what_an_ablation_saves(changes: dict[str, object], part: str, expected: int) -> None:
    def operations(config: ModelConfig) -> int:
        return next(counted.operations for counted in count(config, 64, 96) if counted.name == part)

    changed = ModelConfig(**{**TINY.__dict__, **changes})
    assert operations(changed) - operations(TINY) == expected


@pytest.mark.parametrize("context", ["nl", "cc"])
def test_attention_counts_its_products(context: str) -> None:
    changed = ModelConfig(**{**TINY.__dict__, "context": context})
    parts = {part.name: part.operations for part in count(changed, 64, 96)}
    n, height, width = 96, 8, 12
    non_local = 3 * n * 64 * 32 + 2 * n * n * 32 + n * 32 * 64
    criss_cross = 2 * (n * 64 * (8 + 8 + 64) + n * (height + width) * (8 + 64))
    assert parts["decoder hamburger"] == (non_local if context == "nl" else criss_cross)


def test_tiny_preset_has_the_published_figures() -> None:
    parts = count(preset("segnext_t"), 512, 512)
    assert sum(part.parameters for part in parts) == 4_263_414
    assert sum(part.operations for part in parts) == pytest.approx(6.404e9, rel=1e-4)


def test_decoders_lie_near_the_published_figures() -> None:
    for line in published_decoders():
        if isinstance(line.config, ModelConfig) and line.config.decoder in ("mlp", "ham"):
            giga = sum(part.operations for part in count(line.config, 512, 512)) / 1e9
            assert giga == pytest.approx(line.giga, rel=0.035), line.title


def test_published_lines() -> None:
    lines = [(line.height, line.width, line.giga) for line in published_models()]
    assert lines[0] == (512, 512, 6.6)
    assert lines[-1] == (1024, 2048, 577.5)
    assert [line.config.num_classes for line in published_models()] == [150] * 4 + [19] * 4
