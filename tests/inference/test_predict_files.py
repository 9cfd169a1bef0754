"""Many files: outputs, records, failures, and the same bytes in any company."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from segnext.errors import SegNextError
from segnext.files import replacing
from segnext.inference.outputs import Record, open_outputs
from segnext.inference.predict import predict_files
from segnext.inference.segmenter import Segmenter
from segnext.labels import Labels

KEYS = ["file", "ok", "error", "width", "height", "shares", "mean_confidence", "seconds", "files"]


def lines(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]


def test_outputs(segmenter: Segmenter, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    summary = predict_files(segmenter, [pictures], out)
    assert (summary.done, summary.failed) == (3, 0)
    assert sorted(file.name for file in out.iterdir()) == sorted(
        [*(f"{name}.{kind}.png" for name in "abc" for kind in ("mask", "overlay")), "classes.json", "results.jsonl"]
    )
    for line, record, name in zip(lines(out), summary.records(), "abc", strict=True):
        assert list(line) == KEYS
        result = segmenter(pictures / f"{name}.png")
        mask = np.asarray(PIL.Image.open(out / f"{name}.mask.png"))
        np.testing.assert_array_equal(mask, result.mask)
        assert line["file"] == record.file == str(pictures / f"{name}.png")
        assert (line["ok"], line["error"]) == (True, None)
        assert (line["height"], line["width"]) == mask.shape
        assert line["shares"] == result.shares
        assert sum(result.shares.values()) == pytest.approx(1)
        assert line["mean_confidence"] == pytest.approx(result.mean_confidence)
        assert isinstance(line["seconds"], float)
        assert line["files"] == {"mask": f"{name}.mask.png", "overlay": f"{name}.overlay.png"}


def test_bad_ones_do_not_stop_the_rest(segmenter: Segmenter, pictures: Path, tmp_path: Path) -> None:
    (pictures / "aa.png").write_bytes(b"not a picture")
    (pictures / "bb.png").write_bytes((pictures / "b.png").read_bytes()[:100])
    seen: list[tuple[Record, int]] = []
    paths: list[Path | str] = [pictures, tmp_path / "missing.jpg", f"{tmp_path}/*.bmp"]
    summary = predict_files(segmenter, paths, tmp_path / "out", lambda *x: seen.append(x))
    assert (summary.done, summary.failed) == (3, 4)
    assert [record.ok for record in summary.records()] == [True, False, True, False, True, False, False]
    assert [record for record, _ in seen] == list(summary.records())
    assert {total for _, total in seen} == {7}
    bad = lines(tmp_path / "out")[1]
    assert list(bad) == KEYS
    assert bad == dict.fromkeys(KEYS) | {
        "file": str(pictures / "aa.png"),
        "ok": False,
        "error": "not an image that can be read; give a JPEG, PNG, WebP, TIFF or similar file",
    }
    assert not (tmp_path / "out" / "aa.mask.png").exists()


def test_a_full_disk_ends_the_run_which_goes_on_later(
    segmenter: Segmenter, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> AbstractContextManager[Path]:
        if path.name.startswith("b."):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return replacing(path)

    out = tmp_path / "out"
    seen: list[Record] = []
    monkeypatch.setattr("segnext.inference.result.replacing", full)
    with pytest.raises(SegNextError, match=r"cannot write 'b' \(No space left on device\); free space"):
        predict_files(segmenter, [pictures], out, lambda record, total: seen.append(record))
    monkeypatch.undo()
    assert [record.ok for record in seen] == [True]
    assert not (out / "results.jsonl").exists()
    assert predict_files(segmenter, [pictures], out).before == 1
    assert [line["ok"] for line in lines(out)] == [True] * 3


def test_equal_names_do_not_overwrite_each_other(segmenter: Segmenter, pictures: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    PIL.Image.new("RGB", (20, 10)).save(other / "a.png")
    predict_files(segmenter, [pictures, other], tmp_path / "out")
    assert np.asarray(PIL.Image.open(tmp_path / "out" / "pictures_a.mask.png")).shape == (40, 61)
    assert np.asarray(PIL.Image.open(tmp_path / "out" / "other_a.mask.png")).shape == (10, 20)
    assert (tmp_path / "out" / "b.mask.png").exists()


def test_same_bytes_alone_in_a_folder_and_in_another_process(
    segmenter: Segmenter, weights_file: Path, pictures: Path, tmp_path: Path
) -> None:
    predict_files(segmenter, [pictures], tmp_path / "folder")
    code = (
        "import sys; from pathlib import Path; import torch; torch.set_num_threads(int(sys.argv[4]))\n"
        "from segnext.inference.load import load; from segnext.inference.predict import predict_files\n"
        "predict_files(load(sys.argv[1], 'cpu', engine='torch', precision='fp32'), [sys.argv[2]], Path(sys.argv[3]))"
    )
    import torch

    threads = str(torch.get_num_threads())
    other = [str(weights_file), str(pictures / "b.png"), str(tmp_path / "process"), threads]
    subprocess.run([sys.executable, "-c", code, *other], check=True)
    for name in "abc":
        predict_files(segmenter, [pictures / f"{name}.png"], tmp_path / "alone")
        for kind in ("mask", "overlay"):
            file = f"{name}.{kind}.png"
            assert (tmp_path / "alone" / file).read_bytes() == (tmp_path / "folder" / file).read_bytes()
    for kind in ("mask", "overlay"):
        file = f"b.{kind}.png"
        assert (tmp_path / "process" / file).read_bytes() == (tmp_path / "folder" / file).read_bytes()


def test_interruption_keeps_what_is_done(segmenter: Segmenter, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def interrupt(record: Record, total: int) -> None:
        if record.file.endswith("b.png"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_files(segmenter, [pictures], out, interrupt)
    part = (out / "results.jsonl.part").read_text().splitlines()
    assert [Path(json.loads(line)["file"]).name for line in part] == ["a.png", "b.png"]
    assert not (out / "results.jsonl").exists()
    predict_files(segmenter, [pictures], out)
    assert len(lines(out)) == 3
    assert not (out / "results.jsonl.part").exists()


def test_out_cannot_be_made(segmenter: Segmenter, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(SegNextError, match="cannot write the results there"):
        predict_files(segmenter, [pictures], tmp_path / "out")


def test_nothing_to_do(segmenter: Segmenter, tmp_path: Path) -> None:
    summary = predict_files(segmenter, [tmp_path / "none.png"], tmp_path / "out")
    assert (summary.done, summary.failed) == (0, 1)
    assert lines(tmp_path / "out")[0]["error"] == "no such file; check the path"


def test_folders_are_mirrored(segmenter: Segmenter, pictures: Path, tmp_path: Path) -> None:
    (pictures / "sub" / "er").mkdir(parents=True)
    (pictures / "b.png").rename(pictures / "sub" / "er" / "a.png")
    predict_files(segmenter, [pictures], tmp_path / "out")
    assert (tmp_path / "out" / "sub" / "er" / "a.mask.png").is_file()
    assert [line["files"]["overlay"] for line in lines(tmp_path / "out")] == [  # type: ignore[index]
        "a.overlay.png",
        "c.overlay.png",
        "sub/er/a.overlay.png",
    ]


def test_a_second_run_adds(segmenter: Segmenter, pictures: Path, tmp_path: Path) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    other.mkdir()
    PIL.Image.new("RGB", (20, 10)).save(other / "a.png")
    predict_files(segmenter, [pictures / "a.png", pictures / "b.png"], out)
    first = (out / "a.mask.png").read_bytes()
    summary = predict_files(segmenter, [other, pictures / "b.png"], out)
    assert (summary.done, summary.again) == (2, 1)
    assert (out / "a.mask.png").read_bytes() == first
    assert [(line["file"], line["files"]["mask"]) for line in lines(out)] == [  # type: ignore[index]
        (str(pictures / "a.png"), "a.mask.png"),
        (str(other / "a.png"), "a_2.mask.png"),
        (str(pictures / "b.png"), "b.mask.png"),
    ]
    assert [record.file for record in summary.records()] == [str(other / "a.png"), str(pictures / "b.png")]


def test_files_of_others_are_not_written_over(segmenter: Segmenter, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.mask.png").write_bytes(b"mine")
    predict_files(segmenter, [pictures / "a.png"], out)
    assert (out / "a.mask.png").read_bytes() == b"mine"
    assert (out / "a_2.mask.png").is_file()


def test_lines_of_a_run_that_was_broken_off_are_kept(segmenter: Segmenter, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    predict_files(segmenter, [pictures / "a.png"], out)
    line = (out / "results.jsonl").read_text()
    (out / "results.jsonl").rename(out / "results.jsonl.part")
    with (out / "results.jsonl.part").open("a") as part:
        part.write('{"file": "cut o')
    predict_files(segmenter, [pictures / "b.png"], out)
    assert (out / "results.jsonl").read_text().startswith(line)
    assert len(lines(out)) == 2


def test_masks_of_other_classes_are_not_mixed(segmenter: Segmenter, pictures: Path, tmp_path: Path) -> None:
    predict_files(segmenter, [pictures], tmp_path)
    classes = json.loads((tmp_path / "classes.json").read_text())
    assert classes["classes"][1] == {"label": 1, "name": "road", "color": [100, 60, 100]}
    assert classes["ignore"] == segmenter.labels.ignore
    other = Labels("other", ("a", "b"), ((0, 0, 0), (1, 1, 1)))
    with (
        pytest.raises(SegNextError, match=r"classes\.json: the folder holds masks of other classes"),
        open_outputs(tmp_path, other),
    ):
        pass


def test_two_processes_do_not_write_into_one_folder(
    segmenter: Segmenter, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segnext.files.PATIENCE", 0.1)
    with (
        open_outputs(tmp_path, segmenter.labels),
        pytest.raises(SegNextError, match="another process writes its results there"),
    ):
        predict_files(segmenter, [pictures], tmp_path)


def test_grey_masks_hold_the_same_labels(segmenter: Segmenter, pictures: Path, tmp_path: Path) -> None:
    predict_files(segmenter, [pictures / "a.png"], tmp_path / "palette")
    predict_files(segmenter, [pictures / "a.png"], tmp_path / "grey", mask="grey")
    with (
        PIL.Image.open(tmp_path / "grey" / "a.mask.png") as grey,
        PIL.Image.open(tmp_path / "palette" / "a.mask.png") as palette,
    ):
        assert (grey.mode, palette.mode) == ("L", "P")
        np.testing.assert_array_equal(np.asarray(grey), np.asarray(palette))


def test_further_pages_are_told(segmenter: Segmenter, pictures: Path, tmp_path: Path) -> None:
    frames = [PIL.Image.new("RGB", (40, 40), color) for color in ("red", "blue")]
    frames[0].save(pictures / "two.tif", save_all=True, append_images=frames[1:])
    summary = predict_files(segmenter, [pictures], tmp_path / "out")
    assert summary.more_pages == [str(pictures / "two.tif")]


def everything(out: Path) -> dict[str, bytes]:
    return {str(file.relative_to(out)): file.read_bytes() for file in sorted(out.rglob("*")) if file.is_file()}


def stop_after(count: int) -> Callable[[Record, int], None]:
    def stop(record: Record, total: int) -> None:
        nonlocal count
        count -= 1
        if not count:
            raise KeyboardInterrupt

    return stop


def test_a_run_that_was_broken_off_goes_on(segmenter: Segmenter, pictures: Path, tmp_path: Path) -> None:
    (pictures / "bad.png").write_bytes(b"no picture")
    whole, out = tmp_path / "whole", tmp_path / "out"
    predict_files(segmenter, [pictures], whole)
    with pytest.raises(KeyboardInterrupt):
        predict_files(segmenter, [pictures], out, stop_after(2))
    (out / "c.mask.png").write_bytes(b"")  # as if it had been killed before its line
    (out / f".segnext-{'0' * 16}.png").write_bytes(b"")  # or while it wrote
    with (out / "results.jsonl.part").open("a") as part:
        part.write('{"file": "cut o')
    done: list[str] = []
    summary = predict_files(segmenter, [pictures], out, lambda record, total: done.append(Path(record.file).name))
    assert done == ["bad.png", "c.png"]
    assert (summary.before, summary.whole, summary.again) == (2, True, 0)
    assert everything(out).keys() == everything(whole).keys()
    for name, content in everything(whole).items():
        if name.endswith(".png"):
            assert (out / name).read_bytes() == content
    assert [Path(line["file"]).name for line in lines(out)] == ["a.png", "b.png", "bad.png", "c.png"]  # type: ignore[arg-type]


@pytest.mark.parametrize("damage", ["", "{", "[1]", '{"names": 3}', None])
def test_a_damaged_plan_is_made_anew(damage: str | None, segmenter: Segmenter, pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        predict_files(segmenter, [pictures], tmp_path, stop_after(1))
    plan = tmp_path / ".results.jsonl.parts/plan.json"
    if damage is None:
        plan.unlink()
    else:
        plan.write_text(damage)
    assert predict_files(segmenter, [pictures], tmp_path).done == 3
    assert [Path(str(line["file"])).name for line in lines(tmp_path)] == ["a.png", "b.png", "c.png"]


@pytest.mark.parametrize("count", [2, 5])
def test_shares_do_not_change_a_byte(segmenter: Segmenter, pictures: Path, tmp_path: Path, count: int) -> None:
    predict_files(segmenter, [pictures], tmp_path / "one", share=(0, 1))
    out = tmp_path / "many"
    done = [predict_files(segmenter, [pictures], out, share=(number, count)) for number in range(count)]
    assert not done[0].whole
    assert done[-1].whole
    assert everything(out) == everything(tmp_path / "one")


def test_shares_may_change_their_number(segmenter: Segmenter, pictures: Path, tmp_path: Path) -> None:
    predict_files(segmenter, [pictures], tmp_path / "one", share=(0, 1))
    out = tmp_path / "out"
    assert not predict_files(segmenter, [pictures], out, share=(1, 3)).whole
    assert not (out / "results.jsonl").exists()
    last = predict_files(segmenter, [pictures], out, share=(0, 1))
    assert (last.whole, last.before, last.done) == (True, 1, 2)
    assert everything(out) == everything(tmp_path / "one")


def test_shares_in_processes_at_once(weights_file: Path, pictures: Path, tmp_path: Path, segmenter: Segmenter) -> None:
    predict_files(segmenter, [pictures], tmp_path / "one", share=(0, 1))
    out = tmp_path / "many"
    command = [sys.executable, "-m", "segnext", "predict", str(pictures), "--out", str(out)]
    options = ["--weights", str(weights_file), "--engine", "torch", "--precision", "fp32"]
    running = [subprocess.Popen([*command, *options, "--share", f"{number}/2"]) for number in (1, 2)]
    assert [process.wait(120) for process in running] == [0, 0]
    assert everything(out).keys() == everything(tmp_path / "one").keys()
    assert (out / "results.jsonl").read_text().count("\n") == 3


def test_another_run_waits_for_the_shares(segmenter: Segmenter, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def intrude(record: Record, total: int) -> None:
        with pytest.raises(SegNextError, match="of other inputs or with other settings"):
            predict_files(segmenter, [pictures / "a.png"], out)

    predict_files(segmenter, [pictures], out, intrude, share=(0, 1))
    assert len(lines(out)) == 3


def test_what_was_killed_and_then_changed_leaves_no_second_names(
    segmenter: Segmenter, pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        predict_files(segmenter, [pictures], out, stop_after(1))
    for name in ("b.mask.png", "b.overlay.png", "c.overlay.png"):  # written before their lines, which never were
        (out / name).write_bytes(b"old")
    (pictures / "c.png").unlink()
    (pictures / "b.png").write_bytes((pictures / "a.png").read_bytes())
    predict_files(segmenter, [pictures], out)
    predict_files(segmenter, [pictures], tmp_path / "fresh")
    assert everything(out).keys() == everything(tmp_path / "fresh").keys()
    assert (out / "b.mask.png").read_bytes() == (tmp_path / "fresh" / "b.mask.png").read_bytes()


def test_a_picture_that_breaks_keeps_its_name_and_what_was_done(
    segmenter: Segmenter, pictures: Path, tmp_path: Path
) -> None:
    predict_files(segmenter, [pictures], tmp_path)
    before, content = everything(tmp_path), (pictures / "b.png").read_bytes()
    (pictures / "b.png").write_bytes(b"no picture")
    for _ in range(2):
        assert predict_files(segmenter, [pictures], tmp_path).failed == 1
        assert everything(tmp_path).keys() == before.keys()
        assert everything(tmp_path)["b.mask.png"] == before["b.mask.png"]
        (line,) = (line for line in lines(tmp_path) if not line["ok"])
        assert line["files"] == {"mask": "b.mask.png", "overlay": "b.overlay.png"}
    (pictures / "b.png").write_bytes(content)
    predict_files(segmenter, [pictures], tmp_path)
    assert everything(tmp_path).keys() == before.keys()
