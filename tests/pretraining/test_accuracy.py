"""Top-1 and top-5 against hand-counted ones."""

import math
from contextlib import nullcontext

import pytest
import torch
from torch import Tensor, nn

from segnext.preprocess import Preprocess
from segnext.pretraining.evaluate import Accuracy, accuracy_sums


class Lookup(nn.Module):
    """Reads the number of the wanted logits from a picture's first value."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, images: Tensor) -> Tensor:
        preprocess = Preprocess()
        numbers = images[:, 0, 0, 0] * preprocess.std[0] + preprocess.mean[0]
        return self.logits[numbers.round().long()]


def picture(number: int) -> Tensor:
    return torch.full((3, 2, 2), number, dtype=torch.uint8)


def test_by_hand() -> None:
    logits = torch.arange(7.0).expand(4, 7)  # class 6 is the most probable, classes 2 to 6 are the five best
    batches = [
        (torch.stack([picture(0), picture(1), picture(2)]), torch.tensor([6, 2, 1])),
        (picture(3)[None], torch.tensor([6])),
    ]
    done: list[int] = []
    sums = accuracy_sums(Lookup(logits), batches, torch.device("cpu"), nullcontext, done.append)
    found = Accuracy.of(sums)
    assert (found.top1, found.top5) == (0.5, 0.75)
    total = math.log(sum(math.exp(n) for n in range(7)))
    assert found.loss == pytest.approx(total - (6 + 2 + 1 + 6) / 4, rel=1e-5)
    assert done == [3, 4]


def test_fewer_than_five_classes() -> None:
    batches = [(torch.stack([picture(0), picture(1)]), torch.tensor([1, 0]))]
    model = Lookup(torch.tensor([[1.0, 0.0], [1.0, 0.0]]))
    found = Accuracy.of(accuracy_sums(model, batches, torch.device("cpu"), nullcontext))
    assert (found.top1, found.top5) == (0.5, 1.0)
