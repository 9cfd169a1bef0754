"""What a report shows of weights on a split."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scenes import write_scenes

from segnext.checkpoint.provenance import Provenance
from segnext.checkpoint.weights import Weights
from segnext.data.folder import Folder
from segnext.data.known import known_labels
from segnext.evaluation.examine import examine
from segnext.evaluation.gather import gather
from segnext.inference.runtime import Runtime
from segnext.inference.segmenter import Segmenter
from segnext.model.config import ModelConfig
from segnext.model.families import build
from segnext.preprocess import Preprocess

CONFIG = ModelConfig((8, 16, 24, 32), (1, 1, 1, 1), decoder_channels=64, rank=4, num_classes=11)
PROVENANCE = Provenance(
    recipe={"model": "segnext_x", "iterations": 2000, "crop": (32, 64)},
    data={"name": "camvid", "split": "train", "pictures": 1234},
    step=1500,
)


@pytest.fixture
def segmenter() -> Segmenter:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        state = build(CONFIG).state_dict()
    return Segmenter(Weights(CONFIG, known_labels("camvid"), Preprocess(), state, PROVENANCE), Runtime("torch", "cpu"))


def test_measured_and_drawn(segmenter: Segmenter, tmp_path: Path) -> None:
    write_scenes(tmp_path, {"train": 3, "val": 2}, height=40, width=56)
    folder = Folder.open(tmp_path)
    measured = examine(lambda source: segmenter(source).mask, folder.pairs("val"), folder.labels)
    page = gather(segmenter, folder, "val", "weights", measured)
    assert page.metrics is measured[0]
    assert sorted(example.name for example in page.examples) == ["images/val/0000.png", "images/val/0001.png"]
    assert page.examples[0].score.iou <= page.examples[1].score.iou
    assert page.facts == [
        ("data", "scenes"),
        ("model", "segnext_x"),
        ("trained on", "1,234 pictures of camvid"),
        ("step", "1,500 of 2,000"),
    ]
    masks = np.stack([pair.read_mask(folder.labels) for pair in folder.pairs("train")])
    assert page.shares["train"] == pytest.approx([(masks == label).mean() for label in range(11)])
    assert sum(page.shares["val"]) == pytest.approx(1)
    assert page.details["recipe"]["crop"] == (32, 64)
    assert page.details["provenance"]["step"] == 1500


def test_broken_masks_of_train_do_not_keep_val_from_its_page(segmenter: Segmenter, tmp_path: Path) -> None:
    write_scenes(tmp_path, {"train": 1, "val": 1}, height=40, width=56)
    next((tmp_path / "masks" / "train").iterdir()).write_bytes(b"")
    folder = Folder.open(tmp_path)
    measured = examine(lambda source: segmenter(source).mask, folder.pairs("val"), folder.labels)
    assert list(gather(segmenter, folder, "val", "weights", measured).shares) == ["val"]
