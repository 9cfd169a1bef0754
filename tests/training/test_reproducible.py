"""The reproducible mode: what it sets, that it gives it back, and the same bits as without it on a CPU."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from segnext.errors import SegNextError
from segnext.training.reproducible import reproducible


def test_settings_are_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    with reproducible(True):
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.backends.cudnn.benchmark
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.backends.cudnn.benchmark
    with reproducible(False):
        assert not torch.are_deterministic_algorithms_enabled()


def test_an_operation_without_another_way_is_named() -> None:
    with (
        pytest.raises(SegNextError, match="reproducible is true, but put_ gives other bits at every run"),
        reproducible(True),
    ):
        torch.zeros(2).put_(torch.tensor([0]), torch.ones(1))
    with pytest.raises(RuntimeError, match="something else"), reproducible(True):
        raise RuntimeError("something else")
    assert not torch.are_deterministic_algorithms_enabled()


def test_every_operation_of_a_training_is_allowed_and_gives_the_same_bits(
    tiny_train: Callable[..., int], tmp_path: Path
) -> None:
    terms = {f"loss__{name}": 1.0 for name in ("ohem", "focal", "dice", "lovasz")}
    for name in ("true", "false"):
        assert tiny_train(out=tmp_path / name, reproducible=name, class_balance=0.5, **terms) == 0
    one, other = (load_file(tmp_path / name / "last.safetensors") for name in ("true", "false"))
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())
