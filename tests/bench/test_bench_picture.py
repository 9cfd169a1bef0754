"""What is drawn of a measurement."""

import pytest

from segnext.bench.measure import Measured
from segnext.bench.picture import COLORS, lengths
from segnext.bench.ways import Way


def test_the_parts_add_up_to_the_figure_beside_them() -> None:
    times = [(0.010, 0.090), (0.020, 0.020), (0.090, 0.010)]  # medians 20 and 20 ms, of the sum 100 ms
    rounds = [
        {"read": 0.001, "preprocess": 0.002, "network": network, "labels": labels, "save": 0.003}
        for network, labels in times
    ]
    drawn = lengths(Measured(Way("segnext", "torch", "fp32"), rounds, None, 1.0))
    assert list(drawn) == list(COLORS)
    assert (drawn["network"], drawn["labels"]) == pytest.approx((50, 50))
    assert (drawn["read"], drawn["preprocess"], drawn["save"]) == pytest.approx((1, 2, 3))
    assert sum(drawn.values()) == pytest.approx(106)
