"""Erasing, mixup, cutmix and soft labels."""

import numpy as np
import pytest
import torch
from torch import Tensor

from segnext.errors import SegNextError
from segnext.preprocess import Preprocess
from segnext.pretraining import augment
from segnext.pretraining.augment import augment_batch, erase, mix, require_kornia, soft_labels
from segnext.pretraining.config import PictureAugment

PLAIN = PictureAugment(operations=0, color_jitter=0.0, erase=0.0, mixup=0.0, cutmix=0.0)


def numbered(count: int, size: int = 16) -> Tensor:
    """Picture n is n everywhere."""
    return torch.arange(count).float()[:, None, None, None].expand(count, 3, size, size).clone()


def test_without_augmentation_pictures_are_normalised() -> None:
    preprocess = Preprocess()
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    batch = torch.from_numpy(image).permute(2, 0, 1)[None]
    found = augment_batch(batch, preprocess, PLAIN, np.random.default_rng(0))
    torch.testing.assert_close(found[0], torch.from_numpy(np.ascontiguousarray(preprocess.normalise(image))))


def test_all_of_it_follows_from_the_generator() -> None:
    batch = torch.randint(0, 256, (8, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    options = PictureAugment(color_jitter=0.4)
    found = [augment_batch(batch, Preprocess(), options, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_a_quarter_of_the_pictures_lose_a_rectangle_to_noise() -> None:
    before = torch.full((400, 3, 32, 32), 9.0)
    after = erase(before.clone(), 0.25, np.random.default_rng(0))
    erased = (after != 9.0).all(1)
    rows = erased.flatten(1).any(1)
    assert 70 <= int(rows.sum()) <= 130
    for mask in erased[rows]:
        height, width = int(mask.any(1).sum()), int(mask.any(0).sum())
        assert int(mask.sum()) == height * width  # a rectangle, without holes
        assert 0.015 * 32**2 <= height * width <= 0.36 * 32**2
        assert 0.2 <= height / width <= 4.5
    noise = after[after != 9.0]
    assert noise.mean() == pytest.approx(0, abs=0.02)
    assert noise.std() == pytest.approx(1, abs=0.02)


def test_erasing_reaches_every_edge_and_none_at_all() -> None:
    after = erase(torch.full((500, 3, 16, 16), 9.0), 1.0, np.random.default_rng(0))
    erased = (after != 9.0).any(1).float().mean(0)
    assert erased.min() > 0
    assert torch.equal(erase(numbered(4), 0.0, np.random.default_rng(0)), numbered(4))


def test_mixup_by_hand() -> None:
    mixed, weight = mix(numbered(4), PictureAugment(mixup=0.8, cutmix=0.0), np.random.default_rng(0))
    expected = [weight * n + (1 - weight) * (3 - n) for n in range(4)]
    assert 0 < weight < 1
    assert mixed[:, 0, 0, 0].tolist() == pytest.approx(expected, abs=1e-5)
    assert mixed.flatten(1).std(1).max() < 1e-6


def test_cutmix_keeps_the_share_of_the_area_that_its_weight_says() -> None:
    options = PictureAugment(mixup=0.0, cutmix=1.0)
    weights = []
    for seed in range(60):
        mixed, weight = mix(numbered(4), options, np.random.default_rng(seed))
        for number in range(4):
            own = float((mixed[number] == number).float().mean())
            assert own == pytest.approx(weight)
            assert ((mixed[number] == number) | (mixed[number] == 3 - number)).all()
        weights.append(weight)
    assert max(weights) > 0.9
    assert min(weights) < 0.3


def test_mixup_and_cutmix_take_turns() -> None:
    mixed = [mix(numbered(2), PictureAugment(), np.random.default_rng(seed))[0] for seed in range(200)]
    whole = sum(bool(((images % 1) == 0).all()) for images in mixed)
    assert 70 <= whole <= 130
    images, weight = mix(numbered(3), PLAIN, np.random.default_rng(0))
    assert torch.equal(images, numbered(3))
    assert weight == 1.0


def test_soft_labels_by_hand() -> None:
    found = soft_labels(torch.tensor([0, 1, 3]), 0.7, 4, 0.1)
    own, partner, rest = 0.9 * 0.7 + 0.025, 0.9 * 0.3 + 0.025, 0.025
    expected = [[own, rest, rest, partner], [rest, 0.925, rest, rest], [partner, rest, rest, own]]
    torch.testing.assert_close(found, torch.tensor(expected))


def test_kornia_is_asked_for_only_where_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(augment, "find_spec", lambda name: None)
    require_kornia(PLAIN)
    with pytest.raises(SegNextError, match=r"run: pip install 'segnext\[pretrain\]', or set both to 0"):
        require_kornia(PictureAugment())
