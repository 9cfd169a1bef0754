"""RandAugment's operations against hand-computed values, and how they are drawn."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from segnext.pretraining import randaugment
from segnext.pretraining.randaugment import FILL, OPERATIONS, color_jitter, rand_augment

NAMES = (
    *("autocontrast", "equalize", "invert", "rotate", "posterize", "solarize", "solarize_add", "color", "contrast"),
    *("brightness", "sharpness", "shear_x", "shear_y", "translate_x", "translate_y"),
)
BYTES = [0, 51, 102, 153, 204, 255]


def run(name: str, values: Tensor, level: float, sign: float) -> Tensor:
    """One operation on one picture (3, H, W) in 0..1."""
    operation = OPERATIONS[NAMES.index(name)]
    return operation(values[None].clone(), torch.tensor([level]), torch.tensor([sign])).clamp(0, 1)[0]


def grey(values: list[int]) -> Tensor:
    """A picture of one row of grey bytes."""
    return torch.tensor(values).float().div(255).expand(3, 1, len(values))


@pytest.mark.parametrize(
    ("name", "level", "sign", "expected"),
    [
        ("invert", 0.9, 1.0, [255, 204, 153, 102, 51, 0]),
        ("posterize", 0.9, 1.0, [0, 0, 0, 128, 128, 128]),  # 4 - int(3.6) = 1 bit is kept
        ("posterize", 0.0, 1.0, [0, 48, 96, 144, 192, 240]),  # 4 bits
        ("solarize", 0.9, 1.0, [0, 204, 153, 102, 51, 0]),  # what is at 0.1 or above is inverted
        ("solarize_add", 0.9, 1.0, [99, 150, 201, 153, 204, 255]),  # 0.9 x 110 is added below a half
        ("brightness", 1.0, 1.0, [0, 97, 194, 255, 255, 255]),  # x 1.9
        ("brightness", 1.0, -1.0, [0, 5, 10, 15, 20, 26]),  # x 0.1
        ("contrast", 0.5, 1.0, [0, 17, 91, 165, 239, 255]),  # x 1.45 around the mean 127.5: x - 0.45 x 76.5 = 16.6 ...
        ("color", 1.0, 1.0, BYTES),  # grey has no colour to strengthen
    ],
)
def test_values_by_hand(name: str, level: float, sign: float, expected: list[int]) -> None:
    found = run(name, grey(BYTES), level, sign).mul(255)
    torch.testing.assert_close(found, grey(expected).mul(255), rtol=0, atol=1.0)


def test_autocontrast_stretches_each_channel() -> None:
    picture = torch.stack([grey([51, 102, 153])[0], grey([0, 255, 255])[0], grey([100, 110, 120])[0]])
    found = run("autocontrast", picture, 0.9, 1.0)
    expected = torch.tensor([[[0, 0.5, 1]], [[0, 1, 1]], [[0, 0.5, 1]]])
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", ["autocontrast", "equalize"])
def test_a_flat_channel_has_no_contrast_to_stretch(name: str) -> None:
    picture = torch.stack([grey([51, 102, 153])[0], grey([200, 200, 200])[0], grey([0, 0, 0])[0]])
    torch.testing.assert_close(run(name, picture, 0.9, 1.0)[1:], picture[1:], rtol=0, atol=1e-6)


def test_equalize_makes_values_equally_frequent() -> None:
    values = torch.arange(64).float().div(255).repeat_interleave(64).reshape(1, 64, 64).expand(3, 64, 64)
    found = run("equalize", values, 0.9, 1.0)[0, :, 0]  # 64 dark values, each on a row of its own
    assert found[[0, -1]].tolist() == [0.0, 1.0]
    torch.testing.assert_close(found.diff(), torch.full((63,), 1 / 63), rtol=0, atol=0.02)


def test_color_towards_grey_and_away() -> None:
    picture = torch.tensor([0.9, 0.1, 0.1])[:, None, None].expand(3, 4, 4)
    spread = [float((found := run("color", picture, 1.0, sign))[0, 0, 0] - found[1, 0, 0]) for sign in (-1.0, 1.0)]
    assert spread[0] == pytest.approx(0.08, abs=1e-3)  # a tenth of 0.8 is left
    assert spread[1] > 0.9


def test_sharpness_leaves_flat_parts_and_strengthens_edges() -> None:
    picture = torch.full((3, 6, 6), 0.4)
    picture[:, :, 3:] = 0.6
    blurred, sharp = run("sharpness", picture, 1.0, -1.0), run("sharpness", picture, 1.0, 1.0)
    assert blurred[0, 3, 2] > 0.4
    assert sharp[0, 3, 2] < 0.4
    assert sharp[0, 3, 1] == pytest.approx(0.4)


def lit(row: int, column: int, size: int = 20) -> Tensor:
    """A black picture with one white pixel."""
    picture = torch.zeros(3, size, size)
    picture[:, row, column] = 1
    return picture


def brightest(picture: Tensor) -> tuple[int, int]:
    """Row and column of the pixel that differs most from the black around it, the bare parts left out."""
    values = picture[0].where(picture[0] > FILL[0].item() + 0.01, 0)
    return divmod(int(values.argmax()), picture.shape[2])


@pytest.mark.parametrize(
    ("name", "level", "sign", "expected"),
    [
        ("translate_x", 1 / 3, 1.0, (6, 7)),  # by 0.15 of 20 pixels
        ("translate_x", 1 / 3, -1.0, (6, 13)),
        ("translate_y", 1 / 3, 1.0, (3, 10)),
        ("translate_y", 2 / 3, -1.0, (12, 10)),
        ("shear_x", 1.0, 1.0, (6, 8)),  # row 6.5 moves by 0.3 x 6.5 = 2 pixels
        ("shear_x", 1.0, -1.0, (6, 12)),
        ("shear_y", 1.0, -1.0, (9, 10)),  # column 10.5 by 3 pixels
    ],
)
def test_shifts_by_hand(name: str, level: float, sign: float, expected: tuple[int, int]) -> None:
    found = run(name, lit(6, 10), level, sign)
    assert brightest(found) == expected


def test_rotation_turns_by_thirty_degrees_and_fills_with_the_mean_colour() -> None:
    found = run("rotate", lit(10, 18, size=21), 1.0, 1.0)  # 8 pixels right of the centre
    row, column = brightest(found)
    assert (abs(row - 10), column - 10) == (4, 7)  # 8 sin 30, 8 cos 30
    torch.testing.assert_close(found[:, 0, 0], FILL[:, 0, 0])


def test_nothing_is_done_at_level_zero() -> None:
    picture = torch.rand((3, 8, 8), generator=torch.Generator().manual_seed(0))
    still = ("rotate", "solarize_add", "color", "contrast", "brightness", "sharpness")
    for name in (*still, "shear_x", "shear_y", "translate_x", "translate_y"):
        torch.testing.assert_close(run(name, picture, 0.0, 1.0), picture, rtol=0, atol=1e-5)


def recorded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, list[float], list[float]]]:
    """Replace the operations by ones that note their number, levels and signs and leave the pictures alone."""
    calls: list[tuple[int, list[float], list[float]]] = []

    def note(number: int) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
        def operation(images: Tensor, level: Tensor, sign: Tensor) -> Tensor:
            assert len(images) == len(level) == len(sign)
            calls.append((number, level.tolist(), sign.tolist()))
            return images

        return operation

    monkeypatch.setattr(randaugment, "OPERATIONS", tuple(note(number) for number in range(15)))
    return calls


def test_each_picture_gets_its_own_operations_half_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = recorded(monkeypatch)
    rand_augment(torch.zeros(3000, 3, 1, 1), 2, 9.0, 0.5, np.random.default_rng(0))
    levels = np.concatenate([levels for _, levels, _ in calls])
    signs = np.concatenate([signs for _, _, signs in calls])
    assert len(levels) == pytest.approx(3000, abs=150)  # two for each, half of them done
    counts = np.zeros(15)
    for number, values, _ in calls:
        counts[number] += len(values)
    assert counts.min() > 150  # 200 on average
    assert levels.mean() == pytest.approx(0.9, abs=0.005)
    assert levels.max() <= 1.0
    assert np.quantile(levels, 0.16) == pytest.approx(0.85, abs=0.01)
    assert abs(signs.mean()) < 0.06


def test_a_draw_is_repeated_and_stays_in_range() -> None:
    images = torch.rand((40, 3, 16, 16), generator=torch.Generator().manual_seed(0))
    first, again, other = (rand_augment(images.clone(), 2, 9.0, 0.5, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.min() >= 0
    assert first.max() <= 1
    changed = (first != images).flatten(1).any(1)
    assert 20 <= int(changed.sum()) <= 37  # three quarters


def test_color_jitter_keeps_to_its_factors() -> None:
    images = torch.full((200, 3, 4, 4), 0.5)  # grey and flat: only the brightness can change
    found = color_jitter(images, 0.4, np.random.default_rng(0))[:, 0, 0, 0]
    assert found.min() >= 0.5 * 0.6 - 1e-4
    assert found.max() <= 0.5 * 1.4 + 1e-4
    assert found.std() > 0.08
