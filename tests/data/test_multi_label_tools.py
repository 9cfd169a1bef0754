"""The tools for data sets on multi-label folders."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from drawn_shapes import SHAPES, draw_shapes, write_shapes

from segnext.cli import main
from segnext.data.curate.stats import survey
from segnext.data.doctor.check import quick_check
from segnext.data.folder import Folder
from segnext.training.losses.class_weights import balanced_weights


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tools") / "shapes"
    write_shapes(folder, {"train": 8}, height=40, width=60)
    return folder


@pytest.fixture
def data(shapes: Path, tmp_path: Path) -> Path:
    return shutil.copytree(shapes, tmp_path / "shapes")


def test_stats_count_each_class(data: Path) -> None:
    planes = np.stack([draw_shapes(number, 40, 60)[1] for number in range(8)])
    stats = survey(Folder.open(data), ["train"], lambda what, done, total: None)["train"]
    assert stats.pixels.tolist() == planes.sum((0, 2, 3)).tolist()
    assert stats.pictures.tolist() == planes.any((2, 3)).sum(0).tolist()
    assert stats.total == stats.to_dict(0.5)["pixels"] == 8 * 40 * 60
    shares = planes.mean((0, 2, 3))
    assert stats.shares().tolist() == pytest.approx(shares.tolist())
    for power in (0.5, 1.0):
        expected = balanced_weights(np.stack([1 - shares, shares]), power)[1]
        assert stats.weights(power).tolist() == pytest.approx(expected.tolist(), rel=1e-6)


def test_split_moves_folders_of_masks(data: Path) -> None:
    before = Folder.open(data)
    masks = {pair.image.name: pair.read_mask(before.labels) for pair in before.pairs("train")}
    assert main(["data", "split", str(data), "--val", "0.25"]) == 0
    folder = Folder.open(data)
    assert [len(folder.pairs(split)) for split in ("train", "val")] == [6, 2]
    for pair in folder.pairs("train") + folder.pairs("val"):
        assert (pair.read_mask(folder.labels) == masks[pair.image.name]).all()


def test_the_quick_check_reads_masks(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Folder.open(data)
    assert quick_check(folder, ["train"]) == []
    pair = next(pair for pair in folder.pairs("train") if (pair.mask / f"{SHAPES[0]}.png").exists())
    (pair.mask / f"{SHAPES[0]}.png").rename(pair.mask / "disk.png")
    (finding,) = quick_check(folder, ["train"])
    assert finding.title == "1 mask cannot be read"
    assert "disk.png: is the mask of no class" in finding.files[0]
    assert main(["data", "check", str(data)]) == 1
    assert "1 mask cannot be read" in capsys.readouterr().out
