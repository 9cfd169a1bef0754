"""Files appear whole or not at all."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from segnext import files
from segnext.errors import SegNextError
from segnext.files import claimed, remove_leftovers, replacing, walk


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    with replacing(path) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".json"
        temporary.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert names(tmp_path) == ["result.json"]


def test_an_old_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "result"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert names(tmp_path) == ["result"]


def test_a_failure_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text("old")

    def fail() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        fail()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["result.json"]


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes with names there")
def test_a_pipe_is_written_to_and_stays(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with replacing(pipe) as temporary:
        temporary.write_text("content")
    assert os.read(reader, 100) == b"content"
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert os.listdir(tmp_path) == ["pipe"]  # noqa: PTH208


@pytest.mark.skipif(sys.platform != "linux", reason="names of what is open")
def test_what_is_open_has_a_name_that_stays(tmp_path: Path) -> None:
    link = tmp_path / "stdout"  # as /dev/stdout is
    with (tmp_path / "file").open("wb") as file:
        link.symlink_to(f"/proc/self/fd/{file.fileno()}")
        with replacing(link) as temporary:
            temporary.write_text("content")
    assert link.is_symlink()
    assert (tmp_path / "file").read_text() == "content"


def test_a_failure_before_anything_was_written(tmp_path: Path) -> None:
    def fail() -> None:
        with replacing(tmp_path / "result.json"):
            raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        fail()
    assert names(tmp_path) == []


def test_the_usual_permissions(tmp_path: Path) -> None:
    with replacing(tmp_path / "result.json") as temporary:
        temporary.write_text("new")
    (tmp_path / "plain").touch()
    assert (tmp_path / "result.json").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_leftovers_of_killed_processes_are_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in ("state.pt", ".hidden", ".notes.2024.txt", ".state.1.pt", ".segnext-notes.txt", "last.7.safetensors"):
        (tmp_path / name).touch()
    (tmp_path / "tensorboard").mkdir()
    kept = names(tmp_path)
    for name in ("state.pt", "config"):
        with replacing(tmp_path / name) as temporary:
            left = temporary.name
        (tmp_path / left).touch()
        (tmp_path / name).unlink()
    (tmp_path / "state.pt").touch()
    remove_leftovers(tmp_path)
    assert names(tmp_path) == kept


def test_what_lies_at_a_temporary_name_is_not_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = iter(("0" * 16, "1" * 16))
    monkeypatch.setattr("secrets.token_hex", lambda count: next(tokens))
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / f".segnext-{'0' * 16}.json").symlink_to(tmp_path / "mine.txt")
    with replacing(tmp_path / "result.json") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert (tmp_path / "result.json").read_text() == "new"


def test_a_folder_that_is_not_there_is_said_by_the_name_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as raised, replacing(tmp_path / "no" / "result.json"):
        pass
    assert raised.value.filename == str(tmp_path / "no" / "result.json")


CLAIM = """
import sys, time
from pathlib import Path
from segnext.files import claimed
with claimed(Path(sys.argv[1]), "taken"):
    print("mine", flush=True)
    time.sleep(60)
"""


def test_a_claim_is_for_one_process_and_goes_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PATIENCE", 0.2)
    with subprocess.Popen([sys.executable, "-c", CLAIM, str(tmp_path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "mine\n"
        with pytest.raises(SegNextError, match="taken"), claimed(tmp_path, "taken"):
            pass
        other.kill()
        other.wait()
        monkeypatch.setattr(files, "PATIENCE", 5.0)
        with claimed(tmp_path, "taken"):
            assert names(tmp_path) == [".segnext-lock"]
    assert names(tmp_path) == []


def test_links_to_folders_are_followed_but_for_circles(tmp_path: Path) -> None:
    for name in ("b/2.png", "b/1.png", "a.png", "b.png", ".hidden/x.png", "__MACOSX/x.png", "empty"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch() if path.suffix else path.mkdir()
    for link, target in {"c": "b", "d": ".", "b/up": "..", "gone": "nothing"}.items():
        (tmp_path / "in" / link).symlink_to(target)
    os.mkfifo(tmp_path / "in/pipe")
    told: list[tuple[str, str]] = []
    found = list(walk(tmp_path / "in", lambda what, path: told.append((what, path.name))))
    assert [path.relative_to(tmp_path / "in").as_posix() for path in found] == [
        *("a.png", "b/1.png", "b/2.png", "b.png", "c/1.png", "c/2.png")
    ]
    assert sorted(told) == [
        *(("broken", "gone"), ("broken", "pipe"), ("empty", "empty"), ("hidden", ".hidden"), ("hidden", "__MACOSX")),
        *(("loop", "d"), ("loop", "up"), ("loop", "up")),
    ]
    assert not list(walk(tmp_path / "nowhere"))
