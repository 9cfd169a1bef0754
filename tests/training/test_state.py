"""A run's state survives the way to the disk and back."""

from pathlib import Path
from typing import IO

import pytest
import torch

from segnext.errors import SegNextError
from segnext.model.config import ModelConfig
from segnext.model.families import build
from segnext.training.config import Optimizer
from segnext.training.optim import Average, build_optimizer
from segnext.training.state import State, read_state

TINY = ModelConfig((8, 16, 24, 32), (1, 1, 1, 1), decoder_channels=64, rank=4, expansions=(2, 2, 2, 2), num_classes=3)


def new_state(seed: int) -> State:
    torch.manual_seed(seed)
    model = build(TINY).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    for generator in model.random_generators():
        generator.manual_seed(seed)
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    return State(model, Average(model, 0.9), build_optimizer(model, Optimizer(lr=1e-2)), scaler)


def one_step(state: State) -> float:
    """A step on random data, drop path, dropout and random bases included."""
    images = torch.randn(2, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    loss = state.model(images).square().mean()
    loss.backward()
    state.optimizer.step()
    state.optimizer.zero_grad()
    state.average.update(state.model, state.step)
    state.step += 1
    return float(loss.detach())


def test_the_next_steps_are_the_same(tmp_path: Path) -> None:
    state = new_state(0)
    for _ in range(2):
        one_step(state)
    state.best, state.losses, state.metrics = 0.25, [1.5], {"miou": None, "iou": {"sky": 0.5}}
    state.save(tmp_path / "state.pt")
    expected = [one_step(state) for _ in range(2)]

    restored = new_state(1)
    restored.load(read_state(tmp_path / "state.pt"), tmp_path / "state.pt")
    assert (restored.step, restored.best, restored.losses) == (2, 0.25, [1.5])
    assert restored.metrics == {"miou": None, "iou": {"sky": 0.5}}
    assert [one_step(restored) for _ in range(2)] == expected
    for name, tensor in state.model.state_dict().items():
        assert torch.equal(tensor, restored.model.state_dict()[name]), name
        assert torch.equal(state.average.state[name], restored.average.state[name]), name
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]


def test_a_failed_save_keeps_the_last_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = new_state(0)
    path = tmp_path / "state.pt"
    state.save(path)
    content = path.read_bytes()

    def full(content: object, file: IO[bytes]) -> None:
        file.write(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="no space left"):
        state.save(path)
    assert path.read_bytes() == content
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.pt"]


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "short", "other", "bit"])
def test_damaged_states_are_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "state.pt"
    new_state(0).save(path)
    content = path.read_bytes()
    if damage == "other":
        torch.save({"model": {}}, path)
    else:
        flipped = bytearray(content)
        flipped[len(content) // 2] ^= 1  # of a weight
        damaged = {"cut": content[: len(content) // 2], "empty": b"", "text": b"not a state", "short": b"junk"}
        path.write_bytes({**damaged, "bit": bytes(flipped)}[damage])
    with pytest.raises(SegNextError, match=r"state\.pt: the run's state is damaged, .* or start a new run") as raised:
        new_state(1).load(read_state(path), path)
    assert "\n" not in str(raised.value)
