"""Heads that are there in training alone."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY
from safetensors.torch import load_file
from torch import Tensor, nn

import segnext
from segnext.errors import SegNextError
from segnext.model.composed import pair
from segnext.model.config import PRESETS, NetworkConfig, SegFormerConfig
from segnext.model.decoders.ocr import OCRDecoder
from segnext.model.families import build
from segnext.model.functions import FunctionConfig, allow
from segnext.model.supervised import HEADS, Supervised, stage_heads
from segnext.model.unfilled import unfilled
from segnext.training.auxiliary import Auxiliary
from segnext.training.config import TrainConfig
from segnext.training.processes import Processes
from segnext.training.segmentation import Segmentation
from segnext.training.step import Step

Train = Callable[..., int]
FAMILIES: dict[str, NetworkConfig] = {
    "segnext": TINY,
    "segformer": SegFormerConfig((16, 32, 48, 64), (1, 1, 1, 1), (1, 2, 3, 4), 32, num_classes=3),
    **{
        name: PRESETS[name] if name in PRESETS else pair(name)
        for name in ("mobilenet_v2+fcn1", "resnet18_d8+ham", "hrnet_w18_small", "setr_pup_vit_b")
    },
}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_encoders_stages_can_have_heads(family: str) -> None:
    config = FAMILIES[family]
    with unfilled():
        network = build(config)
        model = Supervised(network, stage_heads(network, (1, 2, 3, 4), 16, 2, 0.1)).train()
        image = torch.empty(2, 3, 96, 64)
    logits, *others = model.to("meta")(image)
    side = 96 // config.logits_stride
    assert logits.shape == (2, config.num_classes, side, 64 // config.logits_stride)
    sizes = [(2, config.num_classes, 96 // stride, 64 // stride) for stride in config.strides]
    assert [tuple(other.shape) for other in others] == sizes
    own = {name for name in model.state_dict() if not name.startswith(HEADS)}
    assert own == network.state_dict().keys()


def test_coarse_logits_of_ocr_have_a_loss_of_their_own() -> None:
    torch.manual_seed(0)
    network = build(pair("hrnet_w18_small+ocr"))
    model = Supervised(network).eval()
    image = torch.randn(2, 3, 64, 64)
    logits, coarse = model(image)
    assert model.own_weights == (1.0, 0.4)
    assert coarse.shape == logits.shape
    decoder = network.decoder
    assert isinstance(decoder, OCRDecoder)
    torch.testing.assert_close(logits, decoder(network.encoder(image)))
    coarse.sum().backward()
    classifier = decoder.coarse[1].weight.grad
    assert isinstance(classifier, Tensor)
    assert classifier.any()
    assert decoder.classifier.weight.grad is None


def test_a_head_teaches_its_stage_and_those_before() -> None:
    network = build(TINY)
    model = Supervised(network, stage_heads(network, (3,), 16, 1, 0.0)).train()
    model(torch.randn(2, 3, 64, 64))[1].sum().backward()
    reached = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert {name.split(".")[2] for name in reached if name.startswith("encoder.")} == {"0", "1", "2"}
    assert {name for name in reached if not name.startswith("encoder.")} == {
        name for name, _ in model.named_parameters() if name.startswith(HEADS)
    }


def without_module(num_classes: int, in_channels: int) -> nn.Module:
    return nn.Conv2d(in_channels, num_classes, 1)


def test_a_network_of_unknown_stages_has_none() -> None:
    name = f"{__name__}:without_module"
    allow(name)
    network = build(FunctionConfig(function=name, num_classes=3))
    assert stage_heads(network, (), 16, 1, 0.1) == []
    with pytest.raises(SegNextError, match=r"this network has none that are known; leave auxiliary\.stages out"):
        stage_heads(network, (1,), 16, 1, 0.1)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"stages": (5,)}, r"auxiliary\.stages is \(5,\).*some of 1, 2, 3, 4"),
        ({"stages": (3, 2)}, r"auxiliary\.stages is \(3, 2\)"),
        ({"stages": (3, 3)}, r"auxiliary\.stages is \(3, 3\)"),
        ({"stages": (2, 3), "weights": (0.1, 0.2, 0.3)}, r"one number for all heads, or one for each of the stages"),
        ({"stages": (2,), "weights": ()}, r"one number for all heads"),
        ({"stages": (2,), "weights": (0.0,)}, r"auxiliary\.weights is \(0\.0,\)"),
        ({"stages": (2,), "weights": (math.nan,)}, r"auxiliary\.weights is \(nan,\)"),
        ({"channels": 0}, r"auxiliary\.channels is 0"),
        ({"convs": 0}, r"auxiliary\.convs is 0"),
        ({"dropout": 1.0}, r"auxiliary\.dropout is 1\.0"),
    ],
)
def test_heads_that_there_cannot_be(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SegNextError, match=said):
        Auxiliary(**settings)


def test_heads_on_frozen_stages_are_refused() -> None:
    with pytest.raises(SegNextError, match=r"auxiliary\.stages is \(2, 3\), but the first 2 stages are frozen"):
        TrainConfig("data", "run", from_weights="w", freeze=2, auxiliary=Auxiliary(stages=(2, 3)))


def test_the_loss_is_the_weighted_sum(street: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PRESETS, "tiny", TINY)
    config = TrainConfig(
        *(str(street), str(tmp_path / "run")),
        model="tiny",
        device="cpu",
        total_batch=8,
        crop=(64, 64),
        check_data=False,
        auxiliary=Auxiliary(stages=(2, 4), weights=(0.5, 0.25)),
    )
    task = Segmentation(config, Processes(), resume=False)
    image, mask = (x[None] for x in task.samples[0])
    logits = [torch.randn(1, 11, side, side) for side in (8, 8, 2)]
    parts = [task.criterion(one, mask) for one in logits]
    found = task.loss(lambda images: logits, image, mask)
    torch.testing.assert_close(found, parts[0] + 0.5 * parts[1] + 0.25 * parts[2])
    assert Auxiliary(stages=(1, 2, 3)).by_head == (0.4, 0.4, 0.4)
    assert Auxiliary().by_head == ()


def test_a_run_with_heads_saves_the_network_alone_and_goes_on_with_the_same_bits(
    tiny_train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = {"auxiliary__stages": "3", "auxiliary__channels": 16, "save_every": 1, "ema": 0.5}
    assert tiny_train(out=tmp_path / "whole", **flags) == 0
    take = Step.__call__

    def broken(self: Step, parts: Any, number: int) -> Any:
        if number == 2:
            raise KeyboardInterrupt
        return take(self, parts, number)

    monkeypatch.setattr(Step, "__call__", broken)
    assert tiny_train(out=tmp_path / "run", **flags) == 130
    monkeypatch.setattr(Step, "__call__", take)
    assert segnext.cli.main(["train", "--resume", str(tmp_path / "run")]) == 0
    for name in ("best.safetensors", "last.safetensors"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    found, expected = (
        torch.load(tmp_path / name / "state.pt", weights_only=True)["model"] for name in ("run", "whole")
    )
    assert any(name.startswith(HEADS) for name in expected)
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())

    saved = load_file(tmp_path / "whole" / "best.safetensors")
    assert saved.keys() == {name for name in expected if not name.startswith(HEADS)}
    provenance = segnext.load(tmp_path / "whole", "cpu", engine="torch").provenance.to_dict()
    assert provenance["recipe"]["auxiliary"]["stages"] == [3]
    assert tiny_train(**{"out": tmp_path / "more", "from": tmp_path / "whole", "auxiliary__stages": "[1,2,3]"}) == 0


def test_the_network_starts_from_the_same_weights_with_and_without(
    street: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PRESETS, "tiny", TINY)

    def state(**settings: Any) -> dict[str, Tensor]:
        torch.manual_seed(0)
        config = TrainConfig(
            str(street), str(tmp_path), model="tiny", total_batch=8, crop=(64, 64), check_data=False, **settings
        )
        return Segmentation(config, Processes(), resume=False).model.state_dict()

    plain, deep = state(), state(auxiliary=Auxiliary(stages=(1, 4)))
    assert all(torch.equal(deep[name], tensor) for name, tensor in plain.items())
    assert len(deep) > len(plain)
