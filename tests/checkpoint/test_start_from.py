"""Encoder weights from every layout, into networks that fit and that do not."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from segnext.checkpoint.checkpoint import read_checkpoint
from segnext.checkpoint.convert import convert_to_official
from segnext.checkpoint.provenance import Provenance
from segnext.checkpoint.start import inflate_stem, load_state, start_encoder
from segnext.checkpoint.weights import Weights, load_weights, save_encoder, save_weights
from segnext.errors import SegNextError
from segnext.labels import Labels
from segnext.model.config import ModelConfig
from segnext.model.families import build
from segnext.preprocess import Preprocess

pytest_plugins = ["official_files"]

Save = Callable[[object], Path]


def test_every_layout_starts_the_encoder_and_leaves_the_decoder(
    layouts: Any, ours: Any, tiny: ModelConfig, saved: Save
) -> None:
    for layout, state in layouts.items():
        model = build(replace(tiny, num_classes=5))
        before = {name: x.clone() for name, x in model.state_dict().items()}
        checkpoint = read_checkpoint(saved({"state_dict": state}))
        coverage = start_encoder(model, checkpoint)
        assert checkpoint.layout == layout
        for name, x in model.state_dict().items():
            assert torch.equal(x, (ours if name.startswith("encoder.") else before)[name]), name
        parts = coverage.by_part()
        assert sum(parts[f"encoder stage {i}"][0] for i in (1, 2, 3, 4)) == sum(n.startswith("encoder.") for n in ours)
        assert parts["classifier"] == (0, 2, 0, 0)
        assert parts.get("ImageNet classifier", (0, 0, 0, 0)) == (0, 0, 0, 2 * layout.endswith("only"))


def test_our_files_start_it_too(ours: Any, tiny: ModelConfig, tmp_path: Path) -> None:
    labels = Labels("toy", tuple(map(str, range(19))), ((0, 0, 0),) * 19)
    save_weights(Weights(tiny, labels, Preprocess(), ours), tmp_path / "whole.safetensors")
    encoder = {name: x for name, x in ours.items() if name.startswith("encoder.")}
    save_encoder(encoder, Provenance(licence="MIT"), tmp_path / "encoder.safetensors")
    for name, layout in (("whole", "our own layout"), ("encoder", "our own layout, encoder only")):
        model = build(tiny)
        checkpoint = read_checkpoint(tmp_path / f"{name}.safetensors")
        start_encoder(model, checkpoint)
        assert checkpoint.layout == layout
        assert torch.equal(model.state_dict()["encoder.stages.3.norm.bias"], ours["encoder.stages.3.norm.bias"])
    assert read_checkpoint(tmp_path / "encoder.safetensors").provenance == Provenance(licence="MIT")
    with pytest.raises(SegNextError, match=r"encoder\.safetensors: holds an encoder alone.*--encoder_weights"):
        load_weights(tmp_path / "encoder.safetensors")


def test_another_model_is_refused_and_the_right_one_named(layouts: Any, tiny: ModelConfig, saved: Save) -> None:
    model = build(replace(tiny, channels=(8, 16, 24, 40)))
    before = {name: x.clone() for name, x in model.state_dict().items()}
    with pytest.raises(SegNextError, match=r"of wrong shape \(encoder stage 4; .*encoder of segnext_tiny, choose it"):
        start_encoder(model, read_checkpoint(saved(layouts["OpenMMLab's layout, encoder only"])))
    assert all(torch.equal(x, before[name]) for name, x in model.state_dict().items())


def test_less_than_an_encoder_is_refused(layouts: Any, tiny: ModelConfig, saved: Save) -> None:
    state = dict(layouts["the authors' layout, encoder only"])
    del state["block2.1.attn.proj_1.bias"]
    with pytest.raises(SegNextError, match=r"1 missing \(encoder stage 2; 'encoder\.stages\.1\.blocks\.1\.attention"):
        start_encoder(build(tiny), read_checkpoint(saved(state)))
    with pytest.raises(SegNextError, match=r"holds no encoder of a SegNeXt .* among its 2 tensors"):
        start_encoder(build(tiny), read_checkpoint(saved({"conv1.weight": torch.ones(1), "fc.weight": torch.ones(1)})))
    with pytest.raises(SegNextError, match=r"1 unexpected \(encoder stage 1"):
        start_encoder(
            build(tiny),
            read_checkpoint(saved(layouts["the authors' layout"] | {"backbone.block1.0.extra": torch.ones(1)})),
        )


def test_an_encoder_with_other_strips_starts_its_like(tiny: ModelConfig, tmp_path: Path) -> None:
    config = replace(tiny, strips=(7,))
    source, model = build(config), build(config)
    state = {name: x for name, x in source.state_dict().items() if name.startswith("encoder.")}
    save_encoder(state, Provenance(), tmp_path / "encoder.safetensors")
    start_encoder(model, read_checkpoint(tmp_path / "encoder.safetensors"))
    assert all(torch.equal(model.state_dict()[name], x) for name, x in state.items())
    with pytest.raises(SegNextError, match="of another network than the published one"):
        convert_to_official(tmp_path / "encoder.safetensors", tmp_path / "official.pth")
    with pytest.raises(SegNextError, match=r"missing \(encoder stage 1, encoder stage 2"):
        start_encoder(build(tiny), read_checkpoint(tmp_path / "encoder.safetensors"))


def test_lost_counters_are_made_up_for(layouts: Any, tiny: ModelConfig, saved: Save) -> None:
    state = {n: x for n, x in layouts["the authors' layout"].items() if not n.endswith("num_batches_tracked")}
    start_encoder(build(tiny), read_checkpoint(saved(state)))


def test_whole_states_with_a_new_classifier(ours: Any, tiny: ModelConfig) -> None:
    model = build(replace(tiny, num_classes=5))
    with pytest.raises(SegNextError, match=r"2 of wrong shape \(classifier; 'decoder\.classifier\.weight' first\)"):
        load_state(model, ours, "w")
    coverage = load_state(model, ours, "w", new=("classifier",))
    assert len(coverage.wrong_shape) == 2
    assert torch.equal(model.state_dict()["decoder.squeeze.conv.weight"], ours["decoder.squeeze.conv.weight"])
    with pytest.raises(SegNextError, match="nothing in it fits"):
        load_state(model, {}, "w", new=(*(f"encoder stage {i}" for i in (1, 2, 3, 4)), "decoder", "classifier"))


def test_stem_for_other_bands_by_hand() -> None:
    weight = torch.tensor([[1.0, 2.0, 6.0]])[..., None, None]
    assert inflate_stem(weight, 3) is weight
    assert inflate_stem(weight, 1).flatten().tolist() == [9.0]
    assert inflate_stem(weight, 2).flatten().tolist() == [4.5, 4.5]
    assert inflate_stem(weight, 4).flatten().tolist() == [0.5, 2.0, 6.0, 0.5]


@pytest.mark.parametrize("bands", [1, 2, 4, 13])
def test_replicated_bands_give_the_response_of_before(bands: int) -> None:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(8, 3, 3, 3, generator=generator)
    image = torch.randn(2, 3, 9, 11, generator=generator)
    if bands < 3:
        image = image[:, :1].expand(-1, 3, -1, -1)  # only a grey picture can have fewer bands and lose nothing
    replicated = image[:, torch.arange(bands) % 3]
    inflated = inflate_stem(weight, bands)
    assert inflated.shape == (8, bands, 3, 3)
    torch.testing.assert_close(F.conv2d(replicated, inflated), F.conv2d(image, weight), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("bands", [1, 4, 13])
def test_a_network_of_other_bands_starts_from_three(bands: int, layouts: Any, tiny: ModelConfig, saved: Save) -> None:
    path = saved(layouts["the authors' layout"])
    three, other = build(tiny).eval(), build(replace(tiny, in_channels=bands)).eval()
    start_encoder(three, read_checkpoint(path))
    start_encoder(other, read_checkpoint(path))
    grey = torch.randn(1, 1, 40, 48, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        maps = three.encoder(grey.expand(-1, 3, -1, -1)), other.encoder(grey.expand(-1, bands, -1, -1))
    torch.testing.assert_close(maps[0], maps[1], atol=1e-3, rtol=1e-4)
