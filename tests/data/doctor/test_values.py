import numpy as np
from PIL import Image

from segnext.data.doctor.values import measure


def disc(value: int, size: tuple[int, int] = (150, 100), filtering: int = Image.Resampling.NEAREST) -> np.ndarray:
    rows, columns = np.mgrid[:200, :300]
    mask = (((columns - 150) ** 2 + (rows - 100) ** 2 < 70**2) * value).astype(np.uint8)
    return np.asarray(Image.fromarray(mask).resize(size, Image.Resampling(filtering)))


def test_counts_are_exact() -> None:
    values = measure(np.array([[0, 0, 7], [7, 7, 255]], np.uint8))
    assert values.counts == {7: 3, 0: 2, 255: 1}
    assert values.distinct == 3
    assert not values.blurred
    assert not values.photo


def test_sharp_borders_are_not_blur() -> None:
    assert not measure(disc(255)).blurred
    assert not measure(disc(4)).blurred


def test_interpolation_is_blur_at_high_and_low_values() -> None:
    soft = measure(disc(255, filtering=Image.Resampling.BILINEAR))
    assert soft.blurred
    assert soft.solid >= {0, 255}
    assert len(soft.solid) < soft.distinct / 4
    assert measure(disc(4, filtering=Image.Resampling.BICUBIC)).blurred


def test_many_thin_classes_are_not_blur() -> None:
    stripes = np.repeat(np.arange(40, dtype=np.uint8), 3)[None].repeat(20, axis=0)
    assert not measure(stripes).blurred


def test_noise_is_a_photograph() -> None:
    noise = np.random.Generator(np.random.PCG64(0)).integers(0, 256, (64, 64))
    assert measure(noise).photo
