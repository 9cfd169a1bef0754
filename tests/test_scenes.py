import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from draw_scenes import main
from PIL import Image
from scenes import draw_scene, write_scenes
from scenes.canvas import BICYCLIST, CAR, PAVEMENT, POLE, ROAD, SKY, TREE, noise_table

from segnext.data.known import known_labels
from segnext.errors import SegNextError
from segnext.labels import Labels

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


def checksum(seed: int) -> int:
    image, labels = draw_scene(seed, 64, 96)
    return zlib.crc32(labels.tobytes(), zlib.crc32(image.tobytes()))


def test_a_seed_gives_the_same_scene_again_and_in_another_process() -> None:
    here = checksum(5)
    assert checksum(5) == here != checksum(6)
    code = (
        "import zlib; from scenes import draw_scene; image, labels = draw_scene(5, 64, 96); "
        "print(zlib.crc32(labels.tobytes(), zlib.crc32(image.tobytes())))"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=BENCHMARKS)
    assert int(there.stdout) == here


@pytest.mark.parametrize(("height", "width"), [(64, 96), (63, 97), (17, 16), (48, 211), (163, 121)])
def test_scenes_come_in_any_size(height: int, width: int) -> None:
    for seed in range(3):
        image, labels = draw_scene(seed, height, width)
        assert image.shape == (height, width, 3)
        assert labels.shape == (height, width)
        assert image.dtype == labels.dtype == np.uint8
        assert labels.max() < 11
        assert image.std() > 10  # a picture, not a plain field


def test_a_scene_too_small_to_draw_is_refused() -> None:
    with pytest.raises(SegNextError, match="8 x 96 pixels is too small"):
        draw_scene(0, 8, 96)


def test_all_classes_occur_and_none_rules() -> None:
    counts = np.zeros(11, np.int64)
    seeds = range(20)
    for seed in seeds:
        counts += np.bincount(draw_scene(seed, 96, 128)[1].reshape(-1), minlength=11)
    shares = counts / counts.sum()
    assert shares.min() > 0.0005
    assert shares.max() < 0.5
    assert shares[ROAD] > shares[PAVEMENT] > shares[BICYCLIST]


def test_scenes_look_like_a_street_from_a_car() -> None:
    labels = np.stack([draw_scene(seed, 96, 128)[1] for seed in range(20)])
    top, bottom = labels[:, :10, 50:78], labels[:, -10:, 50:78]
    assert (top == SKY).mean() > 0.5
    assert (bottom == ROAD).mean() > 0.85
    assert not (labels[:, 60:] == SKY).any()
    assert (labels == POLE).any(axis=(1, 2)).all()


def test_the_image_shows_what_the_labels_say() -> None:
    sky, road, tree, car = [], [], [], []
    for seed in range(12):
        image, labels = draw_scene(seed, 96, 128)
        grey = image.astype(float).mean(-1)
        sky.append(grey[labels == SKY].mean())
        road.append(grey[labels == ROAD].mean())
        if (labels == TREE).any():
            tree.append(image[labels == TREE].astype(float).mean(0))
        if (labels == CAR).any():
            car.append(grey[labels == CAR].std())
    assert (np.array(sky) > np.array(road) + 40).all()
    red, green, blue = np.mean(tree, 0)
    assert green > red > blue
    assert np.mean(car) > 20


def test_noise_has_no_seam() -> None:
    table = noise_table()
    inner = np.abs(np.diff(table, axis=0)).mean()
    seam = np.abs(table[0] - table[-1]).mean()
    assert table.shape == (256, 256)
    assert (table.min(), table.max()) == (0, 1)
    assert seam < 1.5 * inner


def test_written_scenes_are_a_data_set(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "streets"
    write_scenes(folder, {"train": 3, "val": 2}, seed=4, height=32, width=48)
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    numbers = {"train": ("0000", "0001", "0002"), "val": ("0000", "0001")}
    wanted = [f"{part}/{split}/{n}.png" for part in ("images", "masks") for split in numbers for n in numbers[split]]
    assert found == ["dataset.yaml", *wanted]
    content = yaml.safe_load((folder / "dataset.yaml").read_text())
    assert Labels.from_dict(content, "dataset.yaml") == replace(known_labels("camvid"), name="scenes")
    pictures = set()
    for name in wanted[:5]:
        with Image.open(folder / name) as image, Image.open(folder / name.replace("images", "masks")) as mask:
            assert (image.mode, image.size, mask.size) == ("RGB", (48, 32), (48, 32))
            assert mask.mode == "P"
            palette = mask.getpalette()
            assert palette is not None
            assert palette[:6] == [128, 128, 128, 128, 0, 0]
            assert np.asarray(mask).max() < 11
            pictures.add(image.tobytes())
    assert len(pictures) == 5


def test_the_script_draws_a_data_set(tmp_path: Path) -> None:
    main([str(tmp_path / "set"), "--train", "1", "--val", "1", "--size", "40", "60"])
    image, labels = draw_scene(1, 40, 60)
    with (
        Image.open(tmp_path / "set/images/val/0000.png") as drawn,
        Image.open(tmp_path / "set/masks/val/0000.png") as mask,
    ):
        assert (np.asarray(drawn) == image).all()
        assert (np.asarray(mask) == labels).all()


def test_the_script_says_when_it_cannot_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit):
        main([str(tmp_path / "file"), "--size", "16", "16"])
    assert "file" in capsys.readouterr().err
