"""Official files: damaged, malicious, and with training logs inside."""

import pickle
import sys
import types
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from segnext.checkpoint.pickles import read_pickle
from segnext.errors import SegNextError

pytest_plugins = ["official_files"]

Save = Callable[[object], Path]


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_bare_and_wrapped(saved: Save) -> None:
    state = {"a.weight": torch.arange(3.0)}
    for content in (state, {"state_dict": state, "meta": {"CLASSES": ("sky",)}}):
        assert torch.equal(read_pickle(saved(content))[0]["a.weight"], state["a.weight"])


def test_malicious_file_runs_nothing(saved: Save, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    path = saved({"state_dict": {"a": torch.ones(1)}, "meta": Bomb(touched)})
    with pytest.raises(SegNextError, match=r"is not loaded, because that could run code; download it again") as error:
        read_pickle(path)
    assert "\n" not in str(error.value)
    assert not touched.exists()


def test_a_plain_malicious_pickle_runs_nothing(tmp_path: Path) -> None:
    touched, path = tmp_path / "touched", tmp_path / "official.pth"
    path.write_bytes(pickle.dumps(Bomb(touched), protocol=2))
    with pytest.raises(SegNextError, match=r"official\.pth"):
        read_pickle(path)
    assert not touched.exists()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.98])
def test_truncated(saved: Save, share: float) -> None:
    path = saved({"a": torch.randn(500, generator=torch.Generator().manual_seed(0))})
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(SegNextError, match=r"download it again") as error:
        read_pickle(path)
    assert "\n" not in str(error.value)


def test_wrong_files(saved: Save, tmp_path: Path) -> None:
    (tmp_path / "picture.pth").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(100))
    for name in ("picture.pth", "photo.jpg"):
        with pytest.raises(SegNextError, match=rf"{name}: is no checkpoint; give an official \.pth file or a weights"):
            read_pickle(tmp_path / name)
    with pytest.raises(SegNextError, match="no such file"):
        read_pickle(tmp_path / "absent.pth")
    for content in ([1, 2], {"state_dict": 3}, {"epoch": 7}, {}, {1: torch.ones(1)}):
        with pytest.raises(SegNextError, match="holds no state dict"):
            read_pickle(saved(content))


def test_more_than_the_file_holds_is_not_unpacked(saved: Save, tmp_path: Path) -> None:
    stored, packed = saved({"a": torch.zeros(100_000)}), tmp_path / "packed.pth"
    with zipfile.ZipFile(stored) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            target.writestr(entry.filename, source.read(entry))
    assert packed.stat().st_size < 10_000
    with pytest.raises(SegNextError, match=r"packed\.pth: a file of [\d,]+ bytes that would fill 40\d,\d{3}, which no"):
        read_pickle(packed)
    with pytest.raises(SegNextError, match=r"bytes that would fill 4,000,000,000,000, which no checkpoint does"):
        read_pickle(saved({"state_dict": {"a": torch.zeros(1).expand(1_000_000, 1_000_000)}}))


def test_training_logs_beside_the_weights(saved: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenMMLab's files may carry logs: a class of theirs, its methods, and numpy arrays and scalars."""

    class HistoryBuffer:
        def __init__(self) -> None:
            self.log, self.last = np.arange(4.0), np.float64(3)

        def mean(self) -> float:
            return float(self.log.mean())

        def __getstate__(self) -> dict[str, Any]:
            return {**self.__dict__, "methods": {"mean": HistoryBuffer.mean}}

    module = types.ModuleType("mmengine.logging.history_buffer")
    HistoryBuffer.__module__, HistoryBuffer.__qualname__ = module.__name__, "HistoryBuffer"
    HistoryBuffer.mean.__module__, HistoryBuffer.mean.__qualname__ = module.__name__, "HistoryBuffer.mean"
    module.HistoryBuffer = HistoryBuffer  # type: ignore[attr-defined]
    for name in ("mmengine", "mmengine.logging", module.__name__):
        monkeypatch.setitem(sys.modules, name, module)
    path = saved({"state_dict": {"a": torch.ones(2)}, "message_hub": {"loss": HistoryBuffer()}})
    monkeypatch.undo()
    assert torch.equal(read_pickle(path)[0]["a"], torch.ones(2))
    allowed = torch.serialization.get_safe_globals()
    assert not any("history_buffer" in str(known) for known in allowed)  # what stood in for them is gone again
