"""Settings as Python code gives them, without a type checker."""

from typing import Any

import pytest

from segnext import SegNextError, TrainConfig
from segnext.training.auxiliary import Auxiliary
from segnext.training.config import Optimizer
from segnext.training.losses.config import Loss


def test_parts_may_be_mappings_and_lists() -> None:
    config = TrainConfig(
        "data",
        "out",
        optimizer={"lr": 1e-4, "betas": [0.8, 0.9]},  # type: ignore[arg-type]
        auxiliary={"stages": [3], "weights": [0.4]},  # type: ignore[arg-type]
        loss={"dice": 1.0},  # type: ignore[arg-type]
        crop=[64, 96],  # type: ignore[arg-type]
    )
    assert config.optimizer == Optimizer(lr=1e-4, betas=(0.8, 0.9))
    assert config.auxiliary == Auxiliary(stages=(3,))
    assert config.loss == Loss(dice=1.0)
    assert config.crop == (64, 96)
    assert TrainConfig("data", "out", crop=64).crop == (64, 64)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"auxiliary": {"stage": [3]}}, r"no setting auxiliary\.stage; did you mean auxiliary\.stages"),
        ({"optimizer": {"lr": "high"}}, "optimizer is .*wrong type"),
        ({"iterations": "many"}, "iterations is 'many'; it must be a whole number"),
        ({"batch_size": 2.5}, "batch_size is 2.5; it must be a whole number"),
        ({"ema": "0.9"}, "ema is '0.9'; it must be a number"),
        ({"auxiliary": {"weights": [0.4]}, "model": "segnext_t"}, None),
        ({"auxiliary": {"weights": [0.3]}}, "auxiliary has no stages"),
    ],
)
def test_what_is_wrong_is_a_sentence(given: dict[str, Any], said: str | None) -> None:
    if said is None:
        assert TrainConfig("data", "out", **given).auxiliary == Auxiliary()
        return
    with pytest.raises(SegNextError, match=said):
        TrainConfig("data", "out", **given)
