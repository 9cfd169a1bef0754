"""Training in this process, with a tiny network."""

import dataclasses
import json
import math
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
import yaml
from scenes import write_scenes
from torch import Tensor

import segnext
from segnext.checkpoint.weights import load_weights
from segnext.data.crops import Crops
from segnext.data.folder import Folder
from segnext.errors import SegNextError
from segnext.labels import Labels
from segnext.model.config import PRESETS, ModelConfig
from segnext.model.families import build
from segnext.model.network import Network
from segnext.preprocess import Preprocess
from segnext.training import segmentation
from segnext.training.compiling import SENTENCE
from segnext.training.config import Optimizer, Schedule, TrainConfig
from segnext.training.data import class_counts
from segnext.training.losses.total import TrainLoss, training_loss
from segnext.training.segmentation import Segmentation
from segnext.training.step import NotFiniteError, Step, Taken
from segnext.training.task import Forward
from segnext.training.train import train
from segnext.training.trainer import better

TINY = ModelConfig((8, 16, 24, 32), (1, 1, 1, 1), decoder_channels=64, rank=4, expansions=(2, 2, 2, 2), num_classes=3)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("loop") / "data"
    write_scenes(folder, {"train": 3, "val": 2}, height=64, width=96)
    return folder


@pytest.fixture
def data(scenes: Path, tmp_path: Path) -> Path:
    return shutil.copytree(scenes, tmp_path / "data")


@pytest.fixture(autouse=True)
def tiny_preset(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A network called tiny, and one thread."""
    monkeypatch.setitem(PRESETS, "tiny", TINY)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def run(data: Path, **changes: Any) -> TrainConfig:
    settings: dict[str, Any] = {
        "data": str(data),
        "out": str(data.parent / "run"),
        "model": "tiny",
        "iterations": 4,
        "batch_size": 2,
        "crop": (32, 32),
        "schedule": Schedule(warmup=2, warmup_start=0.5),
        "precision": "fp32",
        "device": "cpu",
        "log_every": 1,
        "eval_every": 2,
        "save_every": 2,
    }
    return TrainConfig(**{**settings, **changes})


def crops_of(config: TrainConfig) -> Crops:
    folder = Folder.open(Path(config.data))
    assert config.crop is not None
    return Crops(tuple(folder.pairs("train")), folder.labels, Preprocess(), config.crop, config.augment, config.seed)


def records(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def test_what_a_run_leaves_behind(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = train(run(data, crop=None, precision="auto", short_side=40, optimizer=Optimizer(lr=0.01))).folder
    assert sorted(path.name for path in out.iterdir()) == [
        "best.safetensors",
        "config.yaml",
        "curves.png",
        "examples.png",
        "last.safetensors",
        "log.jsonl",
        "report.html",
        "state.pt",
        "tensorboard",
    ]
    printed, err = capsys.readouterr()
    assert printed == ""
    about, *lines, last = [line for line in err.splitlines() if line != SENTENCE]  # while stderr is not a terminal
    what = "scenes: 3 train and 2 val pictures, 11 classes; tiny on cpu in (bf16|fp32)"
    assert re.fullmatch(f"{what}; 4 steps of 2 crops of 32 x 32; into {re.escape(str(out))}", about)
    assert [line.split("  ")[0] for line in lines] == ["step 2/4", "step 4/4"]
    assert all(re.search(r"  loss \d\.\d{3}  mIoU \d+\.\d\d % \(best \d+\.\d\d %\)", line) for line in lines)
    assert last == "measuring val with the best weights, 2 pictures, for report.html"

    report = (out / "report.html").read_text(encoding="utf-8")
    for heading in ("training loss", "IoU of each class on val", "The worst pictures", "Class histogram", "versions"):
        assert heading in report
    (events,) = (out / "tensorboard").iterdir()
    assert b"val/example_2" in events.read_bytes()

    recipe = yaml.safe_load((out / "config.yaml").read_text())
    assert recipe["crop"] == [32, 32]  # 40 x 60, down to multiples of 32
    assert recipe["precision"] in ("fp32", "bf16")
    assert list(recipe) == [field.name for field in dataclasses.fields(TrainConfig)]

    log = records(out)
    assert [(r["kind"], r["step"]) for r in log] == [
        ("train", 1),
        ("train", 2),
        ("val", 2),
        ("train", 3),
        ("train", 4),
        ("val", 4),
    ]
    rates = [record["lr"] for record in log if record["kind"] == "train"]
    assert rates == pytest.approx([0.01, 0.0075, 0.005, 0.0025])  # too short for a warm-up
    steps = [record for record in log if record["kind"] == "train"]
    assert all(record["seconds_per_image"] > 0 and 0 <= record["waiting"] <= 1 for record in steps)

    best = max((record for record in log if record["kind"] == "val"), key=lambda record: float(record["miou"]))
    provenance = load_weights(out / "best.safetensors").provenance
    assert provenance.step == best["step"]
    assert provenance.to_dict()["metrics"]["miou"] == best["miou"]
    assert provenance.to_dict()["recipe"]["optimizer"]["lr"] == 0.01
    assert provenance.data == {"name": "scenes", "split": "train", "pictures": 3}
    assert str(data.parent) not in json.dumps(provenance.to_dict())

    segmenter = segnext.load(out, engine="torch")
    assert segmenter.preprocess.short_side == 40
    picture = np.zeros((64, 96, 3), np.uint8)
    assert segmenter(picture).mask.shape == (64, 96)


@pytest.mark.usefixtures("undrawn")
def test_the_same_run_gives_the_same_weights_and_another_seed_others(data: Path) -> None:
    states = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        out = train(run(data, out=str(data.parent / name), seed=seed, val_split=None, iterations=2)).folder
        states.append(load_weights(out / "last.safetensors").state)
    assert all(torch.equal(tensor, states[1][name]) for name, tensor in states[0].items())
    assert not torch.equal(states[0]["decoder.classifier.weight"], states[2]["decoder.classifier.weight"])


@pytest.mark.usefixtures("undrawn")
def test_a_folder_with_a_run_is_not_overwritten(data: Path) -> None:
    config = run(data, iterations=1, val_split=None)
    out = train(config).folder
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    with pytest.raises(SegNextError, match="already holds a run; go on with it by --resume"):
        train(config)
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()} == before


def test_resuming_a_finished_run_changes_nothing(data: Path) -> None:
    config = run(data)
    out = train(config).folder
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    (out / "examples.png").unlink()
    train(config, resume=True)
    after = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    assert after.keys() == before.keys()
    for name in ("last.safetensors", "best.safetensors", "log.jsonl", "state.pt", "config.yaml"):
        assert after[name] == before[name], name


def test_a_finished_run_is_drawn_once(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    again = run(data, iterations=1)
    out = train(again).folder
    page = (out / "report.html").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(segmentation, "examine", None)  # val is not measured again
        train(again, resume=True)
    (out / "report.html").unlink()  # as when the run was killed while drawing
    train(again, resume=True)
    assert len((out / "report.html").read_bytes()) == len(page)


def test_without_a_val_split(data: Path) -> None:
    out = train(run(data, val_split=None, iterations=1)).folder
    assert not (out / "best.safetensors").exists()
    assert not (out / "examples.png").exists()
    assert len(segnext.load(out, engine="torch").labels) == 11


def test_a_val_split_without_labelled_pixels(data: Path) -> None:
    for file in (data / "masks" / "val").iterdir():
        PIL.Image.new("L", (96, 64), 11).save(file)
    out = train(run(data)).folder
    assert [record["miou"] for record in records(out) if record["kind"] == "val"] == [None, None]
    assert load_weights(out / "best.safetensors").provenance.to_dict()["metrics"]["miou"] is None
    (out / "best.safetensors").unlink()
    train(dataclasses.replace(run(data), iterations=6), resume=True)


@pytest.mark.usefixtures("undrawn")
def test_masks_without_labelled_pixels_teach_nothing_and_break_nothing(data: Path) -> None:
    for file in (data / "masks" / "train").iterdir():
        PIL.Image.new("L", (96, 64), 11).save(file)
    out = train(run(data, val_split=None, iterations=2, class_balance=0.5)).folder
    assert [record["loss"] for record in records(out)] == [0.0, 0.0]


@pytest.mark.parametrize("split", ["train_split", "val_split"])
def test_a_missing_split_leaves_no_folder(data: Path, split: str) -> None:
    with pytest.raises(SegNextError, match="images/test: no such split"):
        train(run(data, **{split: "test"}))
    assert not (data.parent / "run").exists()


def test_a_mask_of_another_size_stops_the_run_with_its_name(data: Path) -> None:
    for file in (data / "masks" / "train").iterdir():
        PIL.Image.new("L", (64, 96)).save(file)
    with pytest.raises(SegNextError, match=r"masks/train/000\d\.png: is 64 x 96, its picture 96 x 64"):
        train(run(data, check_data=False))
    assert not (data.parent / "run" / "state.pt").exists()


@pytest.mark.usefixtures("undrawn")
def test_a_loss_that_is_not_finite_stops_the_run(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loss = Segmentation.loss
    calls = iter(range(8))

    def broken(self: Segmentation, forward: Forward, images: Tensor, masks: Tensor) -> Tensor:
        return loss(self, forward, images, masks) * (math.nan if next(calls) == 5 else 1.0)

    monkeypatch.setattr(Segmentation, "loss", broken)
    config = run(data, accumulate=2, batch_size=1, crop=(64, 32))
    sixth = crops_of(config).pair(5).image
    what = f"the loss is nan at step 3, for {sixth}; the checkpoint of step 2 is kept: look at"
    with pytest.raises(SegNextError, match=re.escape(what)):
        train(config)
    assert torch.load(data.parent / "run" / "state.pt", weights_only=True)["step"] == 2


def test_a_gradient_that_is_not_finite_changes_nothing(data: Path) -> None:
    config = run(data, optimizer=Optimizer(clip_norm=None))
    model = build(TINY).train()

    def steep(forward: Forward, images: Tensor, masks: Tensor) -> Tensor:
        logits: Tensor = forward(images)
        return (logits - logits.detach()).abs().sqrt().sum()

    step = Step(config, model, steep, lambda step: 1.0)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    with pytest.raises(NotFiniteError) as raised:
        step([batch(2), batch(2)], 0)
    assert (raised.value.what, raised.value.parts) == ("gradient", [0, 1])
    assert all(torch.equal(parameter, before[name]) for name, parameter in model.named_parameters())


@pytest.mark.parametrize(("accumulate", "batch_size"), [(1, 4), (2, 2), (4, 1)])
def test_samples_of_each_step(data: Path, monkeypatch: pytest.MonkeyPatch, accumulate: int, batch_size: int) -> None:
    seen: list[Tensor] = []

    def spy(self: Step, parts: Any, number: int) -> Taken:
        assert [len(masks) for _, masks in parts] == [batch_size] * accumulate
        seen.extend(image for images, _ in parts for image in images)
        if number == 2:
            raise KeyboardInterrupt
        return Taken(1.0, 0.1, 1.0)

    monkeypatch.setattr(Step, "__call__", spy)
    config = run(data, accumulate=accumulate, batch_size=batch_size, eval_every=9, save_every=9)
    with pytest.raises(KeyboardInterrupt):
        train(config)
    crops = crops_of(config)
    assert len(seen) == 12
    assert all(torch.equal(image, crops[number][0]) for number, image in enumerate(seen))


def sgd_step(config: TrainConfig, parts: list[tuple[Tensor, Tensor]]) -> tuple[Network, float, list[Tensor]]:
    """A plain gradient step on a network without randomness: the network, the loss, each parameter's change."""
    torch.manual_seed(0)
    model = build(TINY).eval()
    labels = Labels("three", ("a", "b", "c"), ((0, 0, 0),) * 3)
    criterion = TrainLoss(config.loss, labels, None)
    step = Step(config, model, lambda forward, images, masks: criterion(forward(images), masks), lambda step: 1.0)
    groups = [{"params": list(model.parameters()), "base_lr": 1.0}]
    step.optimizer = torch.optim.SGD(groups, lr=1.0)  # type: ignore[assignment]
    before = [parameter.detach().clone() for parameter in model.parameters()]
    loss = step(parts, 0).loss
    return model, loss, [p.detach() - b for p, b in zip(model.parameters(), before, strict=True)]


def batch(count: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    images = torch.randn((count, 3, 32, 32), generator=generator)
    return images, torch.randint(0, 3, (count, 32, 32), generator=generator)


def test_accumulated_gradients_are_those_of_the_whole_batch(data: Path) -> None:
    config = run(data, schedule=Schedule(warmup=0), optimizer=Optimizer(clip_norm=None))
    images, masks = batch(4)
    _, loss, whole = sgd_step(config, [(images, masks)])
    parts = [(images[:2], masks[:2]), (images[2:], masks[2:])]
    model, accumulated_loss, accumulated = sgd_step(config, parts)
    assert accumulated_loss == pytest.approx(loss, rel=1e-5)
    for found, expected in zip(accumulated, whole, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_gradients_are_clipped(data: Path) -> None:
    config = run(data, schedule=Schedule(warmup=0), optimizer=Optimizer(clip_norm=0.01))
    _, _, changes = sgd_step(config, [batch(2)])
    norm = torch.sqrt(sum((change.square().sum() for change in changes), torch.zeros(())))
    assert norm.item() == pytest.approx(0.01, rel=1e-2)


def test_class_weights_come_from_the_training_masks(data: Path) -> None:
    for number, file in enumerate(sorted((data / "masks" / "train").iterdir())):
        PIL.Image.new("L", (96, 64), (0, 0, 3)[number]).save(file)
    config = run(data, class_balance=1.0)
    crops = crops_of(config)
    counts = class_counts(config, crops.pairs, crops.labels)
    assert counts is not None
    loss = training_loss(config, crops.labels, counts)
    weights = [0.75, 0, 0, 1.5, 0, 0, 0, 0, 0, 0, 0]
    logits, target = torch.randn(1, 11, 4, 4), torch.tensor([0, 3] * 8).view(1, 4, 4)
    expected = torch.nn.functional.cross_entropy(logits, target, torch.tensor(weights))
    assert loss(logits, target).item() == pytest.approx(expected.item())
    assert class_counts(run(data), crops.pairs, crops.labels) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"iterations": 0}, "iterations is 0; it must be at least 1"),
        ({"workers": 0}, "workers is 0; it must be at least 1"),
        ({"crop": (64, 16)}, r"crop is \(64, 16\); both sides must be at least 32"),
        ({"ema": 1.0}, "ema is 1.0; it must be at least 0 and below 1"),
        ({"model": "segnext_x"}, "unknown model 'segnext_x'"),
        ({"precision": "fp16"}, "precision is fp16, which processors do not have"),
    ],
)
def test_settings_that_cannot_be_trained_with(data: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SegNextError, match=message):
        train(run(data, **changes))
    assert not (data.parent / "run").exists()


def test_an_out_that_cannot_be_made(data: Path) -> None:
    (data.parent / "file").touch()
    with pytest.raises(SegNextError, match="file/run: cannot be written"):
        train(run(data, out=str(data.parent / "file" / "run")))


@pytest.mark.parametrize(
    ("miou", "best", "expected"),
    [
        (0.0, -1.0, True),
        (0.3, 0.3, False),
        (0.4, 0.3, True),
        (math.nan, -1.0, True),
        (math.nan, math.nan, True),
        (math.nan, 0.0, False),
        (0.0, math.nan, True),
    ],
)
def test_a_measurement_of_nothing_is_the_best_of_its_like_alone(miou: float, best: float, expected: bool) -> None:
    assert better(miou, best) is expected
