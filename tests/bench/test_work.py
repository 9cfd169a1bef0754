"""Multiply-adds and bytes of the folded network."""

import pytest
from conftest import CONFIG

from segnext.bench.limits import Limits
from segnext.bench.work import Operation, operations
from segnext.model.complexity import count

LIMITS = Limits({"fp32": 100.0, "bf16": 1000.0}, {10: 50.0, 1000: 5.0})


def test_operations_of_the_folded_network() -> None:
    found = operations(CONFIG, 64, 32, "fp32")
    stem = found[0]  # 3 -> 4 channels, 3 x 3, at half the resolution
    assert stem.kind == "3x3 convolutions"
    assert stem.multiply_adds == 4 * 3 * 9 * 32 * 16
    assert stem.bytes == 4 * (3 * 64 * 32 + 4 * 3 * 9 + 4 + 4 * 32 * 16)
    trained = sum(part.operations for part in count(CONFIG, 64, 32))
    squeezed_later = 64 * (24 * (8 * 4 - 4 * 2) + 32 * (8 * 4 - 2 * 1))  # stages 3 and 4, before and after the resize
    assert sum(operation.multiply_adds for operation in found) == trained - squeezed_later
    depthwise = [operation.multiply_adds for operation in found if operation.kind == "depthwise convolutions"]
    assert depthwise[0] == 8 * 25 * 16 * 8, "the first 5 x 5 on 8 channels at a quarter of the resolution"
    assert len(depthwise) == 4 * 8, "5 x 5, three pairs of strips and the FFN's 3 x 3 in each of four blocks"
    assert {operation.kind for operation in found} == {
        "1x1 convolutions",
        "3x3 convolutions",
        "depthwise convolutions",
        "matrix products",
        "norms",
        "resizes",
    }


def test_half_the_bytes_in_bf16() -> None:
    one, two = (operations(CONFIG, 32, 32, precision)[0] for precision in ("bf16", "fp32"))
    assert (2 * one.bytes, one.multiply_adds, one.precision) == (two.bytes, two.multiply_adds, "bf16")


@pytest.mark.parametrize(
    ("operation", "seconds"),
    [
        (Operation("1x1 convolutions", "bf16", 3000, 10), 3.0),  # arithmetic at 1000 per second
        (Operation("1x1 convolutions", "bf16", 3000, 20), 4.0),  # bytes at 5 per second, as they exceed the near cache
        (Operation("depthwise convolutions", "bf16", 3000, 10), 30.0),  # on the vector units
        (Operation("norms", "fp32", 0, 5000), 1000.0),  # more than the largest copy: as fast as that one
    ],
)
def test_the_least_time(operation: Operation, seconds: float) -> None:
    assert operation.seconds(LIMITS) == pytest.approx(seconds)
