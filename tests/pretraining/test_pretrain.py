"""Pre-training in this process, with a tiny network."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from drawn_classes import write_classes
from safetensors.torch import load_file

from segnext.checkpoint.checkpoint import read_checkpoint
from segnext.checkpoint.find import weights_path
from segnext.checkpoint.module import create_model
from segnext.checkpoint.start import start_encoder
from segnext.errors import SegNextError
from segnext.model.config import PRESETS, ModelConfig
from segnext.pretraining.classification import Classification, lr_factor, pretrain, total_steps
from segnext.pretraining.config import CosineSchedule, PictureAugment, PretrainConfig
from segnext.training.config import Optimizer
from segnext.training.step import Step, Taken

TINY = ModelConfig((8, 16, 24, 32), (1, 1, 1, 1), decoder_channels=64, rank=4, expansions=(2, 2, 2, 2))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_classes(tmp_path_factory.mktemp("pretrain") / "data", {"train": 8, "val": 3})


@pytest.fixture(autouse=True)
def tiny_preset(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A network called tiny, one thread, no picture of the curves."""
    monkeypatch.setitem(PRESETS, "tiny", TINY)
    monkeypatch.setattr(Classification, "draw", lambda self: None)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def run(data: Path, out: Path, **changes: Any) -> PretrainConfig:
    """24 pictures, two passes of three steps."""
    settings: dict[str, Any] = {
        "data": str(data),
        "out": str(out),
        "model": "tiny",
        "epochs": 2,
        "batch_size": 4,
        "accumulate": 2,
        "size": 32,
        "precision": "fp32",
        "device": "cpu",
        "save_every": 2,
        "log_every": 2,
    }
    return PretrainConfig(**{**settings, **changes})


def records(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def test_learning_rates_by_hand() -> None:
    schedule = CosineSchedule(warmup_start=0.1, floor=0.2)
    assert lr_factor(0, 100, 10, schedule) == pytest.approx(0.1)
    assert lr_factor(5, 100, 10, schedule) == pytest.approx(0.55)
    assert lr_factor(50, 100, 10, schedule) == pytest.approx(0.2 + 0.8 * 0.5)
    assert lr_factor(100, 100, 10, schedule) == pytest.approx(0.2)
    assert lr_factor(0, 100, 0, schedule) == pytest.approx(1.0)


def test_a_run_and_what_it_leaves(data: Path, tmp_path: Path) -> None:
    out = pretrain(run(data, tmp_path / "run", precision="bf16"))
    names = {path.name for path in out.iterdir()}
    assert names == {*("config.yaml", "best.safetensors", "last.safetensors", "state.pt", "log.jsonl", "tensorboard")}
    assert [(record["kind"], record["step"]) for record in records(out)] == [
        *(("train", 2), ("val", 3), ("train", 4), ("train", 6), ("val", 6))
    ]
    for record in records(out):
        if record["kind"] == "val":
            assert 0 <= record["top1"] <= record["top5"] == 1.0  # of three classes
    assert yaml.safe_load((out / "config.yaml").read_text())["augment"]["magnitude"] == 9.0
    weights = read_checkpoint(out / "last.safetensors")
    assert weights.layout == "our own layout, encoder only"
    assert weights.provenance.classes == ("blue", "green", "red")
    assert weights.provenance.step == 6
    assert weights.provenance.to_dict()["metrics"]["top5"] == 1.0
    assert "data" not in weights.provenance.to_dict()["recipe"]


def test_colours_are_learnt(data: Path, tmp_path: Path) -> None:
    plain = PictureAugment(scale=(0.5, 1.0), operations=0, erase=0.0, mixup=0.0, cutmix=0.0)
    config = run(data, tmp_path / "run", augment=plain, epochs=6, accumulate=1, eval_every=6, ema=0.0, drop_path=0.0)
    out = pretrain(dataclasses.replace(config, optimizer=Optimizer(lr=3e-3), smoothing=0.0))
    assert records(out)[-1]["top1"] == 1.0
    assert records(out)[-1]["loss"] < 0.5


def test_a_run_that_is_interrupted_twice_ends_with_the_same_bits(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Saved at steps 2 and 4, broken off in steps 2 and 6; with everything random that there is."""
    options = {"augment": PictureAugment(color_jitter=0.4), "drop_path": 0.3, "ema": 0.9}
    whole = pretrain(run(data, tmp_path / "whole", **options))
    step = Step.__call__
    breaks = [1, 5]  # steps from 0

    def interrupted(self: Step, parts: Any, number: int) -> Taken:
        if breaks and number == breaks[0]:
            breaks.pop(0)
            raise KeyboardInterrupt
        return step(self, parts, number)

    config = run(data, tmp_path / "broken", **options)
    monkeypatch.setattr(Step, "__call__", interrupted)
    for resume in (False, True):
        with pytest.raises(KeyboardInterrupt):
            pretrain(config, resume=resume)
        torch.manual_seed(99)
    broken = pretrain(config, resume=True)

    for name in ("best.safetensors", "last.safetensors"):
        expected, found = load_file(whole / name), load_file(broken / name)
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[key], tensor) for key, tensor in expected.items())
    without_time = [
        [{**record, "seconds_per_image": 0, "waiting": 0} for record in records(out)] for out in (whole, broken)
    ]
    assert without_time[0] == without_time[1]


def test_the_result_fills_the_encoder_of_a_segmentation_model(data: Path, tmp_path: Path) -> None:
    out = pretrain(run(data, tmp_path / "run", epochs=1, eval_every=1))
    model = create_model("tiny", num_classes=5)
    decoder = {name: tensor.clone() for name, tensor in model.decoder.state_dict().items()}
    coverage = start_encoder(model, read_checkpoint(weights_path(str(out))))
    state = model.encoder.state_dict()
    assert set(coverage.loaded) == {f"encoder.{name}" for name in state}
    assert set(coverage.unexpected) == {"head.weight", "head.bias"}
    assert not coverage.wrong_shape
    trained = load_file(out / "best.safetensors")
    assert all(torch.equal(trained[f"encoder.{name}"], tensor) for name, tensor in state.items())
    assert all(torch.equal(decoder[name], tensor) for name, tensor in model.decoder.state_dict().items())


def test_a_step_sees_the_samples_in_order_and_mixes_each_pass_in_its_own_way(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers: list[list[list[int]]] = []

    def note(self: Step, parts: Any, number: int) -> Taken:
        assert all(images.shape == (4, 3, 32, 32) and targets.shape == (4, 2) for images, targets in parts)
        numbers.append([targets[:, 1].tolist() for _, targets in parts])
        return Taken(1.0, 0.1, 1.0)

    monkeypatch.setattr(Step, "__call__", note)
    pretrain(run(data, tmp_path / "run", eval_every=2))
    assert numbers == [[[*range(n, n + 4)], [*range(n + 4, n + 8)]] for n in range(0, 48, 8)]


def test_val_is_measured_once_a_pass(data: Path, tmp_path: Path) -> None:
    out = pretrain(run(data, tmp_path / "run", epochs=3, batch_size=7, accumulate=1))  # 72 samples, 10 steps
    assert [record["step"] for record in records(out) if record["kind"] == "val"] == [4, 8, 10]


def test_a_loss_that_is_not_finite_stops_the_run(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Classification, "loss", lambda self, *batch: self.model.head.bias.sum() * float("nan"))
    with pytest.raises(SegNextError, match=r"the loss is nan at step 1, for .*train.*png; there is no checkpoint yet"):
        pretrain(run(data, tmp_path / "run"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 32}, "2 passes over 24 pictures are less than one step of 64; lower batch_size or accumulate"),
        ({"total_batch": 16}, "total_batch is 16, but 1 device x batch_size 4 x accumulate 2 is 8; use --batch_size 4"),
        ({"model": "segnext_x"}, "unknown model 'segnext_x'"),
        ({"epochs": 0}, "epochs is 0; it must be above 0"),
        ({"size": 16}, "size is 16; it must be at least 32"),
        ({"eval_crop": 1.5}, "eval_crop is 1.5; it must be above 0 and at most 1"),
        ({"drop_path": 1.0}, "drop_path is 1.0; it must be at least 0 and below 1, or null"),
        ({"seed": -1}, "seed is -1; it must be from 0 to"),
        ({"smoothing": 1.0}, "smoothing is 1.0; it must be at least 0 and below 1"),
        ({"precision": "fp16"}, "precision is fp16, which processors do not have"),
    ],
)
def test_settings_that_cannot_be_trained_with(
    data: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(SegNextError, match=message):
        pretrain(run(data, tmp_path / "run", **changes))
    assert not (tmp_path / "run").exists()


def test_a_folder_with_a_run_is_not_overwritten(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Step, "__call__", lambda self, parts, number: Taken(1.0, 0.1, 1.0))
    config = run(data, tmp_path / "run", eval_every=2)
    pretrain(config)
    with pytest.raises(SegNextError, match="already holds a run; go on with it by --resume"):
        pretrain(config)
    assert total_steps(dataclasses.replace(config, total_batch=8), 24) == 6
