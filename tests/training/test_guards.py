"""What ends a run early, or lets it go on: lack of memory, a full disk, a vanished file, and no progress on val."""

import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
import yaml
from torch import Tensor

from segnext import files
from segnext.cli import main
from segnext.files import claimed
from segnext.training.config import Settings
from segnext.training.folder import RunFolder
from segnext.training.log import Log
from segnext.training.segmentation import Segmentation
from segnext.training.state import State
from segnext.training.step import Step
from segnext.training.task import Forward

Train = Callable[..., int]
Capture = pytest.CaptureFixture[str]


def state(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(run / "state.pt", weights_only=True)
    return content


@pytest.fixture
def small_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory for two pictures at once."""
    loss = Segmentation.loss

    def limited(self: Segmentation, forward: Forward, images: Tensor, masks: Tensor) -> Tensor:
        if len(images) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return loss(self, forward, images, masks)

    monkeypatch.setattr(Segmentation, "loss", limited)


@pytest.mark.usefixtures("small_memory")
def test_out_of_memory_says_what_helps(tiny_train: Train, tmp_path: Path, capsys: Capture) -> None:
    assert tiny_train(batch_size=6) == 2
    about, err = capsys.readouterr().err.split("\n", 1)
    assert " 4 steps of 6 crops of 64 x 64; into " in about
    assert err.startswith(f"segnext train: {tmp_path}/run: out of memory in step 1 with batch_size 6 on cpu; use ")
    assert err.rstrip().endswith("; there is no checkpoint yet")
    assert "--batch_size 3 --accumulate 2 (the same pictures in a step; --fit_memory true does it by itself)" in err
    assert "a --crop smaller than [64,64]" in err
    assert err.count("\n") == 1


@pytest.mark.usefixtures("small_memory")
def test_a_run_that_fails_in_its_first_step_leaves_the_folder_to_the_next(tiny_train: Train, tmp_path: Path) -> None:
    assert tiny_train(batch_size=6) == 2
    assert not (tmp_path / "run").exists()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    assert tiny_train(batch_size=6) == 2
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"
    assert tiny_train(batch_size=2, val_split="null", iterations=1) == 0
    assert state(tmp_path / "run")["step"] == 1


@pytest.mark.usefixtures("small_memory")
def test_a_run_that_does_not_fit_goes_on_with_smaller_batches(
    tiny_train: Train, tmp_path: Path, capsys: Capture
) -> None:
    assert tiny_train(batch_size=6, fit_memory="true", out=tmp_path / "run", val_split="null", iterations=2) == 0
    printed = capsys.readouterr().out
    assert "out of memory: now batch_size 3 and accumulate 2\nresuming at step 0 of 2\n" in printed
    assert "out of memory: now batch_size 1 and accumulate 6\nresuming at step 0 of 2\n" in printed
    recipe = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert (recipe["batch_size"], recipe["accumulate"], recipe["total_batch"]) == (1, 6, 6)
    other = tmp_path / "other"
    assert tiny_train(batch_size=1, accumulate=6, out=other, val_split="null", iterations=2) == 0
    found, expected = state(tmp_path / "run")["model"], state(other)["model"]
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


def test_other_errors_of_torch_are_not_taken_for_lack_of_memory(
    tiny_train: Train, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    def broken(self: Segmentation, forward: Forward, images: Tensor, masks: Tensor) -> Tensor:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(Segmentation, "loss", broken)
    assert tiny_train() == 70
    assert "RuntimeError: shapes do not match" in capsys.readouterr().err


def test_a_full_disk_keeps_the_last_checkpoint(
    tiny_train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """The system refuses files of more than half a megabyte from step 3 on, as it would refuse any on a full disk."""
    out = tmp_path / "run"
    save = Segmentation.save

    def on_a_full_disk(self: Segmentation, content: State, path: Path) -> None:
        if content.step == 4:
            resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, resource.RLIM_INFINITY))
        save(self, content, path)

    monkeypatch.setattr(Segmentation, "save", on_a_full_disk)
    try:
        assert tiny_train(out=out) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    err = capsys.readouterr().err.splitlines()[-1]
    assert err == (
        f"segnext train: {out}: cannot be written at step 4 ({out}/state.pt: File too large); "
        f"the checkpoint of step 2 is kept: make room or mend the folder's rights, then go on with --resume {out}"
    )
    assert state(out)["step"] == 2
    assert not list(out.glob(".*"))
    monkeypatch.setattr(Segmentation, "save", save)
    assert main(["train", "--resume", str(out)]) == 0
    assert state(out)["step"] == 4


def test_a_folder_that_cannot_be_written_any_more(
    tiny_train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    def read_only(self: Log, *arguments: Any, **values: Any) -> None:
        raise PermissionError(13, "Permission denied", "log.jsonl")

    monkeypatch.setattr(Log, "write", read_only)
    assert tiny_train() == 2
    assert "cannot be written at step 1 (log.jsonl: Permission denied); there is no checkpoint yet" in (
        capsys.readouterr().err
    )


def test_before_a_vanished_file_stops_the_run_it_is_saved(
    tiny_train: Train, street: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    data, out = shutil.copytree(street, tmp_path / "data"), tmp_path / "run"
    for file in (data / "images" / "train").iterdir():
        shutil.copy(file, file.with_suffix(".kept"))
    take = Step.__call__

    def vanish(self: Step, parts: Any, number: int) -> Any:
        if number == 0:
            for file in (data / "images" / "train").glob("*.png"):
                file.unlink()
        return take(self, parts, number)

    monkeypatch.setattr(Step, "__call__", vanish)
    assert tiny_train(data=data, out=out, iterations=40, save_every=1000, val_split="null") == 2
    err = capsys.readouterr().err
    done = state(out)["step"]
    assert 1 <= done < 40
    assert f"{data}/images/train/000" in err
    assert err.endswith(f"; the run is saved at step {done}, go on with --resume {out}\n")
    for file in (data / "images" / "train").glob("*.kept"):
        file.rename(file.with_suffix(".png"))
    monkeypatch.setattr(Step, "__call__", take)
    (out / "config.yaml").write_text(
        (out / "config.yaml").read_text().replace("iterations: 40", f"iterations: {done + 1}")
    )
    assert main(["train", "--resume", str(out)]) == 0
    assert state(out)["step"] == done + 1


def test_a_picture_of_val_that_is_gone(tiny_train: Train, street: Path, tmp_path: Path, capsys: Capture) -> None:
    data, out = shutil.copytree(street, tmp_path / "data"), tmp_path / "run"
    file = next((data / "masks" / "val").iterdir())
    content = file.read_bytes()
    file.write_bytes(b"")
    assert tiny_train(data=data, out=out, eval_every=3, save_every=100) == 2
    err = capsys.readouterr().err
    assert f"{file}: cannot be read as a mask" in err
    assert "; the run is saved at step 3, go on with --resume" in err
    file.write_bytes(content)
    assert main(["train", "--resume", str(out)]) == 0
    lines = (out / "log.jsonl").read_text().splitlines()
    assert [line.split('"step": ')[1][0] for line in lines if '"val"' in line] == ["3", "4"]


def test_a_run_ends_when_val_stays_as_it_is(tiny_train: Train, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "run"
    assert tiny_train(out=out, optimizer__lr=0.0, ema=0.0, iterations=50, eval_every=1, patience=2, freeze=0) == 0
    assert state(out)["stale"] == 2
    stopped = state(out)["step"]
    assert 3 <= stopped < 50
    assert (
        f"val has not become better for 2 measurements: the run ends at step {stopped} of 50\n"
        in capsys.readouterr().out
    )
    assert main(["train", "--resume", str(out)]) == 0
    assert f"{out}: the run is complete, with {stopped} steps; more training is a new run, " in capsys.readouterr().out
    assert state(out)["step"] == stopped


def test_a_folder_in_which_another_process_trains(
    tiny_train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    out = tmp_path / "run"
    assert tiny_train(out=out, iterations=1, val_split="null") == 0
    monkeypatch.setattr(files, "PATIENCE", 0.1)
    with claimed(out, "another test"):
        assert main(["train", "--resume", str(out)]) == 2
    said = f"segnext train: {out}: another process is training there; wait until it ends, or choose another --out\n"
    assert capsys.readouterr().err.endswith(said)
    assert main(["train", "--resume", str(out)]) == 0


def test_of_two_new_runs_in_one_folder_the_second_leaves_the_first_alone(
    tiny_train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Both find no run there; the first makes its folder while the second still reads its data."""
    out, begin = tmp_path / "run", RunFolder.begin

    def later(self: RunFolder, config: Settings) -> None:
        monkeypatch.setattr(RunFolder, "begin", begin)
        assert tiny_train(out=out, iterations=1, val_split="null") == 0
        begin(self, config)

    monkeypatch.setattr(RunFolder, "begin", later)
    assert tiny_train(out=out, iterations=2) == 2
    assert f"{out}: already holds a run; go on with it by --resume" in capsys.readouterr().err
    assert state(out)["step"] == 1


def test_edited_masks_are_told_when_the_run_goes_on(
    tiny_train: Train, street: Path, tmp_path: Path, capsys: Capture
) -> None:
    data, out = shutil.copytree(street, tmp_path / "data"), tmp_path / "run"
    assert tiny_train(data=data, out=out, iterations=2, val_split="null") == 0
    assert main(["train", "--resume", str(out)]) == 0
    assert "changed" not in capsys.readouterr().err
    mask = min((data / "masks" / "train").iterdir())
    PIL.Image.fromarray(np.array(PIL.Image.open(mask))[::-1]).save(mask)
    assert main(["train", "--resume", str(out)]) == 0
    assert f"warning: {data}: 1 file changed or new, {mask} first, and 1 gone or changed" in capsys.readouterr().err


def test_a_single_value_for_batch_norm(tiny_train: Train, tmp_path: Path, capsys: Capture) -> None:
    assert tiny_train(batch_size=1, crop="[32,32]") == 2
    _, err = capsys.readouterr().err.split("\n", 1)
    assert (
        f"{tmp_path}/run: in the last stage BatchNorm has a single value, and no variance; raise batch_size from 1"
        in err
    )
    assert err.count("\n") == 1


def test_a_folder_for_a_new_run_is_looked_at_first(tiny_train: Train, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "config.yaml").write_text("")
    assert tiny_train(data="gone", out=tmp_path / "file" / "run") == 2
    assert f"{tmp_path}/file/run: cannot be written, because {tmp_path}/file cannot" in capsys.readouterr().err
    assert tiny_train(data="gone", out=tmp_path / "old") == 2
    assert f"{tmp_path}/old: already holds a run" in capsys.readouterr().err


def test_a_run_is_resumed_with_the_data_that_it_began_with(
    tiny_train: Train, street: Path, tmp_path: Path, capsys: Capture
) -> None:
    data, out = shutil.copytree(street, tmp_path / "data"), tmp_path / "run"
    assert tiny_train(data=data, out=out, iterations=2, val_split="null") == 0
    recipe, described = out / "config.yaml", data / "dataset.yaml"
    recipe.write_text(recipe.read_text().replace("iterations: 2", "iterations: 3"))
    text = described.read_text()
    described.write_text(text.replace("name: tree", "name: shrub"))
    assert main(["train", "--resume", str(out)]) == 2
    assert (
        f"{data}: its classes, ignore label or bands are no longer those that the run {out} began with; put them "
        in (capsys.readouterr().err)
    )
    described.write_text(text)
    for kind in ("images", "masks"):
        shutil.rmtree(data / kind / "train")
        shutil.copytree(street / kind / "val", data / kind / "train")
    assert main(["train", "--resume", str(out)]) == 0
    err = capsys.readouterr().err
    assert f"warning: {data}: 4 files changed or new, {data}/images/train/" in err
    assert ".png first, and 6 gone or changed, since the run was last started; it goes on, but not to " in err
    assert state(out)["step"] == 3
