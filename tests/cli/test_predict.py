"""`segnext predict`, called in-process."""

import argparse
import contextlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from segnext.checkpoint.weights import Weights, save_weights
from segnext.cli.predict import add_arguments, run
from segnext.errors import SegNextError
from segnext.labels import Labels
from segnext.model.config import ModelConfig
from segnext.model.families import build
from segnext.preprocess import Preprocess


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = ModelConfig((8, 16, 24, 32), (1, 1, 1, 1), decoder_channels=64, rank=4, num_classes=3)
    labels = Labels("toy", ("sky", "road", "[tree]"), ((10, 20, 250), (100, 60, 100), (0, 130, 0)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        state = build(config).state_dict()
    path = tmp_path_factory.mktemp("weights") / "toy.safetensors"
    save_weights(Weights(config, labels, Preprocess(), state), path)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(2):
        pixels = np.random.default_rng(index).integers(0, 256, (30, 50, 3), dtype=np.uint8)
        PIL.Image.fromarray(pixels).save(folder / f"{index}.png")
    return folder


def call(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args([str(argument) for argument in arguments]))


def test_one_picture(photos: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert call(photos / "0.png", "--weights", weights, "--out", out, "--device", "cpu", "--engine", "torch") == 0
    text, errors = capsys.readouterr()
    assert errors == ""
    assert f"{photos / '0.png'}  50 x 30  " in text.splitlines()[0]
    assert text.splitlines()[0].endswith(" ms")
    assert "[tree]" in text
    assert "share" in text
    assert text.endswith(f"mask: {out}/0.mask.png\noverlay: {out}/0.overlay.png\nresults: {out}/results.jsonl\n")
    assert (out / "0.overlay.png").is_file()


def test_folder_with_a_bad_one(photos: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (photos / "bad.png").touch()
    out, file = tmp_path / "out", tmp_path / "reports" / "all.json"
    assert call(photos, "--weights", weights, "--out", out, "--json", file) == 1
    text, errors = capsys.readouterr()
    assert errors == f"segnext predict: {photos / 'bad.png'}: the file is empty\n"
    assert f"2 masks and overlays: {out}" in text
    assert '1 picture could not be done, see above and "error" in the results' in text
    assert "share" not in text, "the table is for a single picture"
    records = json.loads(file.read_text())
    assert records == [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    assert [record["ok"] for record in records] == [True, True, False]


def test_where_the_one_file_of_all_pictures_lies(
    photos: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rasterio", reason="the package rasterio is not installed")
    out = tmp_path / "out"
    assert call(photos, "--weights", weights, "--out", out, "--engine", "torch", "--format", "coco") == 0
    assert capsys.readouterr().out.endswith(f"coco: {out}/coco.json\n")


def test_the_share_that_ends_last_may_be_one_picture(photos: Path, weights: Path, tmp_path: Path) -> None:
    options = ("--weights", weights, "--out", tmp_path / "out", "--engine", "torch")
    assert [call(photos, *options, "--share", f"{number}/2") for number in (1, 2)] == [0, 0]
    assert len((tmp_path / "out" / "results.jsonl").read_text().splitlines()) == 2


def test_one_good_picture_of_two(
    photos: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "1.png").write_bytes(b"nothing")
    assert call(photos, "--weights", weights, "--out", tmp_path / "out", "--engine", "torch") == 1
    assert f"1 mask and overlay: {tmp_path / 'out'}" in capsys.readouterr().out


def test_ways_of_looking_at_pictures(weights: Path, photos: Path, tmp_path: Path) -> None:
    masks = []
    for name, flags in (("one", []), ("several", ["--tta"]), ("windows", ["--slide", "32", "16"])):
        options = ["--weights", weights, "--out", tmp_path / name, "--device", "cpu", "--engine", "torch"]
        assert call(photos / "0.png", *options, *flags) == 0
        with PIL.Image.open(tmp_path / name / "0.mask.png") as mask:
            masks.append(np.asarray(mask))
    assert {mask.shape for mask in masks} == {(30, 50)}
    with pytest.raises(SegNextError, match="slide is 33 16; the crop must be a multiple of 32"):
        call(photos, "--weights", weights, "--out", tmp_path, "--slide", "33", "16")


def test_nothing_done(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("nowhere.png", "--weights", weights, "--out", tmp_path / "out") == 2
    assert capsys.readouterr() == ("", "segnext predict: nowhere.png: no such file; check the path\n")
    assert (tmp_path / "out" / "results.jsonl").is_file()  # for programs, with the failure


def test_wrong_use(photos: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SegNextError, match="no weights 'nothing'"):
        call(photos, "--weights", "nothing")
    with pytest.raises(SegNextError, match="choose another --json"):
        call(photos, "--weights", weights, "--json", tmp_path)
    for arguments in ([], [photos, "--engine", "tvm"]):
        with pytest.raises(SystemExit):
            call(*arguments)
    with pytest.raises(SegNextError, match="device is 'tpu'"):
        call(photos, "--device", "tpu")


def test_parsing_imports_nothing_heavy() -> None:
    code = "import sys, segnext.cli.predict; print([x for x in ('torch', 'cv2', 'numpy', 'rich') if x in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals here")
def test_progress_on_a_terminal_leaves_a_piped_stdout_alone(photos: Path, weights: Path, tmp_path: Path) -> None:
    import os
    import pty

    code = "import sys; sys.path.insert(0, sys.argv[1]); import test_predict; test_predict.call(*sys.argv[2:])"
    arguments = [Path(__file__).parent, photos, "--weights", weights, "--out", tmp_path / "out"]
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
        check=True,
    )
    os.close(theirs)
    progress = b""
    with contextlib.suppress(OSError):  # at the end of a pseudo-terminal
        while chunk := os.read(ours, 65536):
            progress += chunk
    os.close(ours)
    assert b"2/2" in progress
    assert b"pictures/s" in progress
    assert done.stdout.decode().count(" ms\n") == 2
    assert b"50 x 30" not in progress


def test_json_to_stdout_is_alone_there(photos: Path, weights: Path, tmp_path: Path) -> None:
    code = "import sys; from segnext.cli import main; sys.exit(main(sys.argv[1:]))"
    command: list[str | Path] = [
        sys.executable,
        "-c",
        code,
        "predict",
        photos,
        "--weights",
        weights,
        "--out",
        tmp_path / "out",
    ]
    done = subprocess.run([*command, "--json", "-", "--mask", "grey"], capture_output=True, text=True, check=True)
    records = json.loads(done.stdout)
    assert [record["files"]["mask"] for record in records] == ["0.mask.png", "1.mask.png"]
    assert "2 masks and overlays" in done.stderr
    with PIL.Image.open(tmp_path / "out" / "0.mask.png") as mask:
        assert mask.mode == "L"


def test_what_is_left_out_is_said(
    photos: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "film.mp4").touch()
    for _ in range(2):
        assert call(photos, "--weights", weights, "--out", tmp_path / "out", "--engine", "torch") == 0
    text = capsys.readouterr().out
    assert "2 pictures had been done before: masks and overlays replaced" in text
    assert (
        f"1 file passed over, no pictures, out of reach or called as masks and overlays: {photos / 'film.mp4'}" in text
    )


def test_outs_that_are_no_folders(photos: Path, weights: Path, tmp_path: Path) -> None:
    for path, out, words in (
        (photos, "l.tif", "a folder; --out .*l.tif takes one raster"),
        (photos / "0.png", "l.png", "is the folder of masks and overlays"),
    ):
        with pytest.raises(SegNextError, match=words):
            call(path, "--weights", weights, "--out", tmp_path / out)


@pytest.mark.parametrize("name", ["mask.png", "film.mp4", "film.MKV"])
def test_out_is_a_folder(photos: Path, weights: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(SegNextError, match="is the folder of masks and overlays; name it without"):
        call(photos, "--weights", weights, "--out", tmp_path / name)
    assert not (tmp_path / name).exists()
