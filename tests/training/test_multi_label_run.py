"""A run on multi-label masks, with losses and sampling of every kind: trained, resumed, measured, used."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from drawn_shapes import SHAPES, draw_shapes, write_shapes
from safetensors.torch import load_file
from torch import Tensor

import segnext
from segnext.checkpoint.weights import load_weights
from segnext.cli import main
from segnext.data.sampling import Sampling
from segnext.errors import SegNextError
from segnext.model.config import PRESETS, ModelConfig
from segnext.training.auxiliary import Auxiliary
from segnext.training.config import Optimizer, Schedule, TrainConfig
from segnext.training.losses.config import Loss
from segnext.training.losses.total import TrainLoss
from segnext.training.train import train

TINY = ModelConfig((8, 16, 24, 32), (1, 1, 1, 1), decoder_channels=64, rank=4, expansions=(2, 2, 2, 2), num_classes=3)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shapes") / "data"
    write_shapes(folder, {"train": 6, "val": 2}, height=64, width=96)
    return folder


@pytest.fixture(scope="module", autouse=True)
def tiny_preset() -> Iterator[None]:
    """A network called tiny, and one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRESETS, "tiny", TINY)
        yield
    torch.set_num_threads(threads)


def config(data: Path, name: str) -> TrainConfig:
    return TrainConfig(
        str(data),
        str(data.parent / name),
        model="tiny",
        iterations=4,
        batch_size=2,
        crop=(64, 64),
        optimizer=Optimizer(lr=3e-3),
        schedule=Schedule(warmup=0),
        loss=Loss(cross_entropy=1.0, dice=0.5, lovasz=0.2, focal=0.3, label_smoothing=0.05),
        class_balance=0.5,
        sampling=Sampling(class_share=0.5, rarity=0.5),
        auxiliary=Auxiliary(stages=(3,), channels=16),
        ema=0.5,
        precision="fp32",
        device="cpu",
        eval_every=2,
        save_every=2,
        log_every=1,
    )


@pytest.fixture(scope="module")
def run(data: Path) -> Path:
    return train(config(data, "run")).folder


def test_what_it_leaves_behind(run: Path) -> None:
    weights = load_weights(run / "best.safetensors")
    assert weights.labels.multi_label
    assert weights.labels.classes == SHAPES
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    measured = [record for record in log if record["kind"] == "val"]
    assert [record["step"] for record in measured] == [2, 4]
    assert all(set(record["iou"]) == set(SHAPES) for record in measured)
    examples = np.asarray(PIL.Image.open(run / "examples.png").convert("RGB"))
    disc = load_weights(run / "best.safetensors").labels.colors[0]
    assert (examples == disc).all(2).sum() > 100


@pytest.mark.usefixtures("undrawn")
def test_a_stopped_run_goes_on_to_the_same_bits(data: Path, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    whole = TrainLoss.__call__

    def stopped(self: TrainLoss, logits: Tensor, target: Tensor, mean: Callable[[Tensor], Tensor]) -> Tensor:
        calls.append(1)
        if len(calls) == 7:  # of step 4; each has a loss of the decoder and one of a head
            raise KeyboardInterrupt
        return whole(self, logits, target, mean)

    again = config(data, "stopped")
    with monkeypatch.context() as patch:
        patch.setattr(TrainLoss, "__call__", stopped)
        with pytest.raises(KeyboardInterrupt):
            train(again)
    assert torch.load(Path(again.out) / "state.pt", weights_only=True)["step"] == 2
    train(again, resume=True)
    found, expected = (load_file(out / "last.safetensors") for out in (Path(again.out), run))
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


def test_from_python(run: Path) -> None:
    segmenter = segnext.load(run, engine="torch", precision="fp32")
    image, _ = draw_shapes(7, 50, 70)
    result = segmenter(image)
    assert result.mask.shape == result.confidence.shape == (3, 50, 70)
    probability = segmenter.logits(image).sigmoid().numpy()
    sure = abs(probability - 0.5) > 1e-5
    assert ((probability > 0.5) == (result.mask == 1))[sure].all()
    low = segnext.load(run, engine="torch", precision="fp32", threshold=0.01)(image)
    assert low.mask.sum() > result.mask.sum()


def test_from_the_command_line(data: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["--weights", str(run), "--engine", "torch", "--threshold", "0.3"]
    picture = data / "images/val/001.png"
    assert main(["predict", str(picture), "--out", str(tmp_path), *common]) == 0
    out = capsys.readouterr().out
    assert f"masks: {tmp_path}/001.masks\noverlay: {tmp_path}/001.overlay.png" in out
    result = segnext.load(run, engine="torch", threshold=0.3)(picture)
    for name, plane in zip(SHAPES, result.mask, strict=True):
        file = tmp_path / f"001.masks/{name}.png"
        assert file.exists() == plane.any()
        if plane.any():
            assert (np.asarray(PIL.Image.open(file)) == 255 * plane).all()

    metrics = tmp_path / "metrics.json"
    assert main(["eval", "--data", str(data), "--json", str(metrics), *common]) == 0
    assert "mIoU" in capsys.readouterr().out
    found = json.loads(metrics.read_text())
    assert np.array(found["confusion"]).shape == (3, 2, 2)
    assert found["images"] == 2
    assert np.array(found["confusion"])[0].sum() == found["pixels"] == 2 * 64 * 96
    assert (tmp_path / "metrics.confusion.png").exists()


def test_ohem_is_refused_before_anything_is_written(data: Path) -> None:
    wrong = replace(config(data, "ohem"), loss=Loss(ohem=1.0))
    with pytest.raises(SegNextError, match=r"loss\.ohem is for masks of one label per pixel"):
        train(wrong)
    assert not Path(wrong.out).exists()
