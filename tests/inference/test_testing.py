"""Windows, scales and mirror images, against the released code's way written out with torch."""

import dataclasses
import tracemalloc

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import CONFIG, picture, weights_like
from numpy.typing import NDArray

from segnext.checkpoint.weights import Weights
from segnext.errors import SegNextError
from segnext.inference.engines.engine import Batch
from segnext.inference.look import look
from segnext.inference.runtime import Runtime
from segnext.inference.segmenter import Segmenter
from segnext.inference.testing import PAPER_SCALES, Testing
from segnext.preprocess import Image, Preprocess


def segmenter_with(weights: Weights, testing: Testing) -> Segmenter:
    return Segmenter(weights, Runtime("torch", "cpu", "fp32"), testing=testing)


def input_of(image: Image, height: int, width: int) -> torch.Tensor:
    """The picture at another size, normalised and filled up to a multiple of 32, (1, 3, H, W)."""
    how = cv2.INTER_AREA if height * width < image.shape[0] * image.shape[1] else cv2.INTER_LINEAR
    small = image if image.shape[:2] == (height, width) else cv2.resize(image, (width, height), interpolation=how)
    normal = torch.from_numpy(Preprocess().normalise(np.asarray(small, np.uint8)).copy())
    return F.pad(normal, (0, -width % 32, 0, -height % 32))[None]


def softmax_at(low: torch.Tensor, size: tuple[int, int], padded: tuple[int, int], own: tuple[int, int]) -> torch.Tensor:
    """Probabilities of the picture's `own` pixels from logits of one that was resized to `size` and then padded."""
    grid = [
        ((torch.arange(length) + 0.5) * inner / length) * 2 / outer - 1
        for length, inner, outer in zip(own, size, padded, strict=True)
    ]
    rows, columns = torch.meshgrid(*grid, indexing="ij")
    at = torch.stack([columns, rows], 2)[None]
    return F.grid_sample(low, at, mode="bilinear", padding_mode="border", align_corners=False)[0].softmax(0)


def released(segmenter: Segmenter, image: Image, testing: Testing) -> NDArray[np.float32]:
    """Each look's logits resized to the picture, softmax, mirrored back; the mean of all, (classes, H, W)."""
    model = segmenter.model
    height, width = image.shape[:2]
    total = torch.zeros(())
    for scale in testing.scales:
        size = int(height * scale + 0.5), int(width * scale + 0.5)
        if testing.resize == "multiple":
            size = -(-size[0] // 32) * 32, -(-size[1] // 32) * 32
        for mirrored in (False, True)[: 1 + testing.flip]:
            seen = np.ascontiguousarray(image[:, ::-1]) if mirrored else image
            x = input_of(seen, *size)
            padded = x.shape[2], x.shape[3]
            with torch.inference_mode():
                probability = softmax_at(model.decoder(model.encoder(x)), size, padded, (height, width))
            total = total + (probability.flip(2) if mirrored else probability)
    return (total / (len(testing.scales) * (1 + testing.flip))).numpy()


@pytest.mark.parametrize(
    "testing",
    [
        Testing(scales=(0.5, 1.0, 1.75), flip=True),
        Testing(scales=(0.75, 1.25), resize="multiple", flip=True),
        Testing(flip=True),
        Testing(scales=(1.5,)),
        Testing(resize="multiple"),
    ],
    ids=["scales, flip", "multiple", "flip", "one scale", "one look, stretched"],
)
def test_probabilities_are_those_of_the_released_code(tiny_weights: Weights, testing: Testing) -> None:
    image = picture(50, 75)
    segmenter = segmenter_with(tiny_weights, testing)
    expected = released(segmenter, image, testing)
    np.testing.assert_allclose(segmenter.probabilities(image), expected, atol=2e-4)
    result = segmenter(image)
    best = np.sort(expected, axis=0)
    clear = best[-1] - best[-2] > 1e-3
    assert clear.mean() > 0.95
    np.testing.assert_array_equal(result.mask[clear], expected.argmax(0)[clear])
    np.testing.assert_allclose(result.confidence, expected.max(0), atol=2e-4)
    assert len(np.unique(result.mask)) > 1, "a constant mask would prove nothing"


def test_looks_differ_from_one(segmenter: Segmenter, tiny_weights: Weights) -> None:
    image = picture(50, 75)
    several = segmenter_with(tiny_weights, Testing(scales=PAPER_SCALES, flip=True))
    assert (several(image).mask != segmenter(image).mask).any()
    with pytest.raises(SegNextError, match="no logits in common; ask for its probabilities"):
        several.logits(image)


def test_the_mirror_image_gets_the_mirrored_mask(tiny_weights: Weights) -> None:
    segmenter = segmenter_with(tiny_weights, Testing(scales=(0.75, 1.0), flip=True))
    image = picture(48, 80, 1)
    mask = segmenter(image).mask
    np.testing.assert_array_equal(segmenter(np.ascontiguousarray(image[:, ::-1])).mask, mask[:, ::-1])


def test_the_testing_can_be_changed(tiny_weights: Weights, segmenter: Segmenter) -> None:
    image = picture(40, 40)
    changing = segmenter_with(tiny_weights, Testing(flip=True))
    mirrored = changing.probabilities(image)
    changing.testing = Testing()
    np.testing.assert_array_equal(changing.probabilities(image), segmenter.probabilities(image))
    assert np.abs(mirrored - changing.probabilities(image)).max() > 0.01


class Places:
    """An engine whose logits are the window's mean colour and the window's number; `count` windows at once."""

    name, precision, device, streams = "stand-in", "fp32", "cpu", 1

    def __init__(self, count: int = 1) -> None:
        self.count = count
        self.sizes: list[tuple[int, ...]] = []

    def together(self, height: int, width: int, most: int) -> int:
        return self.count

    def __call__(self, x: Batch) -> NDArray[np.float32]:
        seen = sum(size[0] for size in self.sizes)
        self.sizes.append(x.shape)
        cells = x.reshape(len(x), x.shape[1] // 8, 8, x.shape[2] // 8, 8, 3).mean((2, 4))
        number = np.zeros((*cells.shape[:3], 1), np.float32)
        number[:] = seen + 1 + np.arange(len(x), dtype=np.float32)[:, None, None, None]
        return np.concatenate([cells, number], 3)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_windows_are_put_where_they_were_and_averaged(count: int) -> None:
    engine, image = Places(count), picture(96, 128)
    (one,) = look(engine, image, Preprocess(), Testing(slide=(64, 32)), CONFIG)
    assert engine.sizes == [(count, 64, 64, 3)] * -(-6 // count)
    assert one.covered == (96, 128)
    (whole,) = look(Places(), image, Preprocess(), Testing(), CONFIG)
    np.testing.assert_allclose(one.logits[:, :, :3], whole.logits[:, :, :3], atol=1e-6)
    # Windows 1 2 3 above 4 5 6, each half over its neighbours: corners have one, the middle has four.
    number = one.logits[:, :, 3]
    assert number[0, [0, 5, 9, 15]].tolist() == [1, 1.5, 2.5, 3]
    assert number[11, [0, 5, 9, 15]].tolist() == [4, 4.5, 5.5, 6]
    assert number[5, [0, 5, 9, 15]].tolist() == [2.5, 3, 4, 4.5]


def test_windows_of_logits_at_a_quarter() -> None:
    class Quarter(Places):
        def __call__(self, x: Batch) -> NDArray[np.float32]:
            return super().__call__(x).repeat(2, 1).repeat(2, 2)

    image = picture(96, 128)
    quarter = dataclasses.replace(CONFIG, decoder="mlp")
    (one,) = look(Quarter(), image, Preprocess(), Testing(slide=(64, 32)), quarter)
    (eighth,) = look(Places(), image, Preprocess(), Testing(slide=(64, 32)), CONFIG)
    assert one.logits.shape == (24, 32, 4)
    np.testing.assert_array_equal(one.logits, eighth.logits.repeat(2, 0).repeat(2, 1))


def test_a_decoder_that_takes_in_stage_1_answers_in_its_resolution() -> None:
    weights = weights_like(dataclasses.replace(CONFIG, decoder="mlp"))
    image, whole = picture(64, 96), segmenter_with(weights, Testing())
    (one,) = whole.looks(image)
    assert one.logits.shape == (16, 24, 4)
    with torch.inference_mode():
        expected = whole.model(input_of(image, 64, 96))[0]
    torch.testing.assert_close(whole.logits(image), expected, atol=1e-4, rtol=1e-4)
    np.testing.assert_array_equal(whole(image).mask, expected.argmax(0))
    sliding = segmenter_with(weights, Testing(slide=(128, 64)))
    np.testing.assert_array_equal(sliding(image).mask, whole(image).mask)


def test_windows_of_a_picture_smaller_than_they_are_and_no_multiple_of_32() -> None:
    engine = Places()
    (one,) = look(engine, picture(40, 100), Preprocess(), Testing(slide=(96, 64)), CONFIG)
    assert engine.sizes == [(1, 64, 96, 3), (1, 64, 96, 3)]  # of 64 x 128 after padding
    assert one.covered == (64, 128)
    np.testing.assert_array_equal(one.logits[5:, :, :3], 0)  # the mean colour


def test_windows_of_a_large_picture_need_little_memory() -> None:
    class Nothing(Places):
        def __call__(self, x: Batch) -> NDArray[np.float32]:
            return np.zeros((1, x.shape[1] // 8, x.shape[2] // 8, 50), np.float32)

    image = np.zeros((1024, 2048, 3), np.uint8)
    testing = Testing(slide=(128, 96))
    tracemalloc.start()
    try:
        list(look(Nothing(), image, Preprocess(), testing, dataclasses.replace(CONFIG, num_classes=50)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    at_an_eighth = 4 * 50 * 1024 * 2048 / 64
    assert peak < 1.5 * at_an_eighth < 4 * 3 * 1024 * 2048, "not even the normalised picture fits into that"


def test_one_window_over_all_is_the_whole_picture(segmenter: Segmenter, tiny_weights: Weights) -> None:
    image = picture(50, 75)
    sliding = segmenter_with(tiny_weights, Testing(slide=(256, 192)))
    np.testing.assert_array_equal(sliding(image).mask, segmenter(image).mask)
    torch.testing.assert_close(sliding.logits(image), segmenter.logits(image), atol=0, rtol=0)


def test_sliding_is_the_released_codes_away_from_the_windows_edges(tiny_weights: Weights) -> None:
    """There every window's logits are enlarged on their own, added up at full resolution and divided by a count."""
    image = picture(96, 128)
    segmenter = segmenter_with(tiny_weights, Testing(slide=(64, 32)))
    x = input_of(image, 96, 128)
    total, count = torch.zeros(4, 96, 128), torch.zeros(96, 128)
    with torch.inference_mode():
        for top in (0, 32):
            for left in (0, 32, 64):
                rows, columns = slice(top, top + 64), slice(left, left + 64)
                total[:, rows, columns] += segmenter.model(x[:, :, rows, columns])[0]
                count[rows, columns] += 1
    difference = (segmenter.logits(image) - total / count).abs().amax(0)
    edges = torch.zeros(96, 128, dtype=torch.bool)
    for row in (32, 64):
        edges[row - 4 : row + 4] = True
    for column in (32, 64, 96):
        edges[:, column - 4 : column + 4] = True
    scale = total.abs().max().item()
    assert difference[~edges].max() < 1e-5 * scale
    assert difference[edges].max() > 1e-3 * scale, "else the note on the windows' edges is not needed"


def test_sliding_at_several_scales_and_mirrored(tiny_weights: Weights) -> None:
    image = picture(96, 96)
    segmenter = segmenter_with(tiny_weights, Testing((64, 32), (0.5, 1.0), flip=True))
    probabilities = segmenter.probabilities(image)
    assert probabilities.shape == (4, 96, 96)
    np.testing.assert_allclose(probabilities.sum(0), 1, atol=1e-5)
    mirrored = segmenter.probabilities(np.ascontiguousarray(image[:, ::-1]))
    np.testing.assert_allclose(mirrored[:, :, ::-1], probabilities, atol=1e-5)


def test_short_side_replaces_that_of_the_weights(tiny_weights: Weights) -> None:
    image = picture(60, 90)
    asked = segmenter_with(weights_like(preprocess=Preprocess(short_side=99)), Testing(short_side=40))
    stored = segmenter_with(weights_like(preprocess=Preprocess(short_side=40)), Testing())
    np.testing.assert_array_equal(asked.probabilities(image), stored.probabilities(image))
    asked = segmenter_with(weights_like(preprocess=Preprocess(short_side=99)), Testing(long_side=60))
    stored = segmenter_with(weights_like(preprocess=Preprocess(long_side=60)), Testing())
    np.testing.assert_array_equal(asked.probabilities(image), stored.probabilities(image))
    plain = segmenter_with(tiny_weights, Testing(short_side=60))
    np.testing.assert_array_equal(plain(image).mask, segmenter_with(tiny_weights, Testing())(image).mask)


@pytest.mark.parametrize(
    ("testing", "message"),
    [
        ({"scales": ()}, "give one or more numbers above 0"),
        ({"scales": (1.0, 0.0)}, "give one or more numbers above 0"),
        ({"scales": (float("nan"),)}, "give one or more numbers above 0"),
        ({"scales": (float("inf"),)}, "give one or more numbers above 0"),
        ({"short_side": 0}, "short_side is 0; it must be at least 1"),
        ({"slide": (100, 64)}, "slide is 100 64; the crop must be a multiple of 32"),
        ({"slide": (64, 65)}, "a multiple of 8 and at most the crop"),
        ({"slide": (64, 72)}, "a multiple of 8 and at most the crop"),
        ({"slide": (64, 0)}, "a multiple of 8 and at most the crop"),
        ({"slide": (0, 0)}, "the crop must be a multiple of 32"),
    ],
)
def test_what_cannot_be_done_is_refused(testing: dict[str, object], message: str) -> None:
    with pytest.raises(SegNextError, match=message):
        dataclasses.replace(Testing(), **testing).require_fit(CONFIG)  # type: ignore[arg-type]
