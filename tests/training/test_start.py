"""What is decided before the first step."""

import pytest

from segnext.errors import SegNextError
from segnext.training.config import TrainConfig
from segnext.training.start import about, require_total_batch


def config(total: int | None, batch: int, passes: int) -> TrainConfig:
    return TrainConfig("data", "out", total_batch=total, batch_size=batch, accumulate=passes)


def test_a_run_in_a_line() -> None:
    one = TrainConfig("data", "runs/a", device="cpu", precision="fp32", total_batch=1)
    assert about(one, "cracks", (1200, 0), 1, 1, (32, 64)) == (
        "cracks: 1,200 train pictures, no validation and so no best weights or report, 1 class; segnext_t on "
        "cpu in fp32; 1 step of 1 crop of 32 x 64; into runs/a"
    )
    many = TrainConfig("data", "runs/b", model="segnext_b", device="cuda", precision="bf16", total_batch=16)
    assert about(many, "streets", (20, 5), 19, 10_000, (512, 512)).endswith(
        ", 19 classes; segnext_b on cuda in bf16; 10,000 steps of 16 crops of 512 x 512; into runs/b"
    )


@pytest.mark.parametrize(
    ("total", "batch", "passes", "devices"), [(None, 3, 5, 7), (16, 16, 1, 1), (16, 2, 2, 4), (105, 3, 5, 7)]
)
def test_a_total_batch_that_comes_out(total: int | None, batch: int, passes: int, devices: int) -> None:
    require_total_batch(config(total, batch, passes), devices)


@pytest.mark.parametrize(
    ("total", "batch", "passes", "devices", "choices"),
    [
        (16, 8, 1, 1, ["--batch_size 8 --accumulate 2", "--batch_size 16 --accumulate 1", "2 devices"]),
        (16, 16, 1, 4, ["--batch_size 4 --accumulate 1", "1 device ", "--total_batch 64"]),
        (12, 8, 1, 1, ["--batch_size 6 --accumulate 2", "--batch_size 12 --accumulate 1"]),
        (16, 4, 3, 1, ["--batch_size 4 --accumulate 4", "--batch_size 16 --accumulate 1"]),
        (16, 2, 2, 3, ["4 devices", "--total_batch 12"]),
    ],
)
def test_another_total_batch_is_refused_with_what_would_give_it(
    total: int, batch: int, passes: int, devices: int, choices: list[str]
) -> None:
    with pytest.raises(SegNextError, match=f"total_batch is {total}, but {devices} device.* is ") as raised:
        require_total_batch(config(total, batch, passes), devices)
    for choice in choices:
        assert choice in str(raised.value)
    assert str(raised.value).count("--batch_size") == sum("--batch_size" in choice for choice in choices)
