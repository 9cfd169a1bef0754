"""Whether one network is better than another: a paired bootstrap over the pictures that both were measured on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DRAWS = 2000
Counts = NDArray[np.int64]  # (pictures, classes, 3): pixels of intersection, of the truth and of the prediction


@dataclass(frozen=True)
class Difference:
    """The mIoU of one network minus another's, both means over their seeds.

    Attributes:
        miou: the difference, -1..1.
        low: lower end of the 95 % interval.
        high: upper end.
        p: probability of a difference at least as far from zero, either way, were there none.
    """

    miou: float
    low: float
    high: float
    p: float

    @property
    def p_shown(self) -> str:
        """To three digits; below what the draws can tell, that bound."""
        smallest = 2 / DRAWS
        return f"{self.p:.3f}" if self.p > smallest else f"≤ {smallest:.3f}"


def mious(counts: Counts, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """MIoU over pictures that count `weights` times, (draws, pictures) -> (draws,).

    As in `Metrics`, classes that occur neither in the truth nor in a prediction are left out of the mean.
    """
    pictures, classes, _ = counts.shape
    sums = (weights @ counts.reshape(pictures, -1).astype(np.float64)).reshape(-1, classes, 3)
    union = sums[..., 1] + sums[..., 2] - sums[..., 0]
    iou = np.divide(sums[..., 0], union, out=np.zeros_like(union), where=union > 0)
    return np.asarray(iou.sum(1) / np.maximum((union > 0).sum(1), 1))


def compare(ours: Sequence[Counts], others: Sequence[Counts], seed: int = 0) -> Difference:
    """Ours minus others.

    In every draw, both are measured on the same pictures, drawn with replacement, and each is a mean over as many of
    its seeds as it has, drawn with replacement too: the interval holds what other pictures and other seeds would have
    changed.

    Args:
        ours: counts on the same pictures, one for each seed.
        others: those of the other network.
        seed: of the draws.
    """
    random = np.random.default_rng(seed)
    pictures = len(ours[0])
    chosen = random.multinomial(pictures, np.full(pictures, 1 / pictures), DRAWS).astype(np.float64)
    drawn = _mean(ours, chosen, random) - _mean(others, chosen, random)
    whole = np.ones((1, pictures))
    found = float(np.mean([mious(one, whole) for one in ours]) - np.mean([mious(one, whole) for one in others]))
    beyond = min(float(np.mean(drawn <= 0)), float(np.mean(drawn >= 0)))
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Difference(found, float(low), float(high), min(1.0, 2 * max(beyond, 1 / DRAWS)))


def _mean(seeds: Sequence[Counts], chosen: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """The mean mIoU over drawn seeds, for each draw of pictures."""
    each = np.stack([mious(one, chosen) for one in seeds])
    shares = random.multinomial(len(seeds), np.full(len(seeds), 1 / len(seeds)), DRAWS) / len(seeds)
    return np.asarray((each.T * shares).sum(1))
