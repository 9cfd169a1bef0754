"""The paired bootstrap, on counts made by hand."""

import numpy as np
import pytest

from segnext.compare.significance import Counts, compare, mious


def counts(*right: float, seed: int = 0, noise: float = 0.0) -> Counts:
    """Pictures of two classes, 100 pixels each, of which these shares are right in both."""
    random = np.random.default_rng(seed)
    hits = np.clip(np.asarray(right) + noise * random.standard_normal(len(right)), 0, 1)
    one = np.round(100 * hits).astype(np.int64)
    return np.stack([np.stack([one, np.full_like(one, 100), np.full_like(one, 100)], axis=1)] * 2, axis=1)


def test_miou_is_that_of_the_sums() -> None:
    both = counts(0.5, 1.0)
    found = mious(both, np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    assert found.tolist() == pytest.approx([50 / 150, 1.0, 150 / 250])


def test_a_class_that_is_nowhere_is_left_out() -> None:
    one = counts(0.5)
    one[:, 1] = 0
    assert mious(one, np.ones((1, 1)))[0] == pytest.approx(50 / 150)


def test_pairing_finds_a_small_difference_that_the_pictures_hide() -> None:
    random = np.random.default_rng(1)
    base = random.uniform(0.2, 0.95, 60)
    better, worse = counts(*np.minimum(base + 0.03, 1)), counts(*base)
    found = compare([better], [worse])
    assert found.miou > 0
    assert found.low > 0
    assert found.p <= 0.001
    assert compare([worse], [better]).miou == -found.miou


def test_seeds_that_disagree_widen_the_interval() -> None:
    shares = [0.7] * 40
    same = compare([counts(*shares)] * 3, [counts(*[0.69] * 40)] * 3)
    differing = compare([counts(*[0.6] * 40), counts(*shares), counts(*[0.8] * 40)], [counts(*[0.69] * 40)] * 3)
    assert same.low > 0
    assert differing.low < 0 < differing.high
    assert differing.p > 0.1


def test_the_same_network_does_not_differ() -> None:
    found = compare([counts(0.5, 0.7)], [counts(0.5, 0.7)])
    assert (found.miou, found.low, found.high, found.p) == (0, 0, 0, 1)
