"""Pictures in, results out."""

import dataclasses
import io
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pytest
import torch
import torch.nn.functional as F
from conftest import CONFIG, picture, weights_like
from raster_files import write_tiff

from segnext.checkpoint.weights import Weights
from segnext.errors import SegNextError
from segnext.inference.engines.engine import Batch
from segnext.inference.result import Result
from segnext.inference.runtime import Runtime
from segnext.inference.segmenter import Segmenter
from segnext.kernels.enlarge import Logits
from segnext.preprocess import Image, Preprocess


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (33, 47), (64, 96)])
def test_mask_and_confidence_are_those_of_the_softmax(segmenter: Segmenter, size: tuple[int, int]) -> None:
    image = picture(*size)
    result = segmenter(image)
    height, width = size
    padded = np.zeros((1, 3, -(-height // 32) * 32, -(-width // 32) * 32), np.float32)  # 0 is the mean colour
    padded[0, :, :height, :width] = segmenter.preprocess.normalise(image)
    x = torch.from_numpy(padded).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        probability = segmenter.model(x)[0, :, :height, :width].softmax(0)
    np.testing.assert_array_equal(result.mask, probability.argmax(0))
    np.testing.assert_allclose(result.confidence, probability.amax(0), atol=1e-5)
    assert result.mask.dtype == np.uint8
    assert result.confidence.dtype == np.float32
    assert (result.mask.shape, result.confidence.shape) == (size, size)
    assert result.image.shape == (*size, 3)
    assert result.seconds > 0


def test_mask_is_the_argmax_of_the_logits(segmenter: Segmenter) -> None:
    image = picture(50, 75, 3)
    logits = segmenter.logits(image)
    assert (logits.shape, logits.dtype) == ((4, 50, 75), torch.float32)
    result = segmenter(image)
    np.testing.assert_array_equal(result.mask, logits.argmax(0))
    assert len(np.unique(result.mask)) > 1, "a constant mask would prove nothing"


@pytest.mark.parametrize(
    ("height", "short_side", "network_size", "how"),
    [(48, 24, (24, 48), cv2.INTER_AREA), (30, 40, (40, 80), cv2.INTER_LINEAR)],
)
def test_short_side_is_for_the_network_alone(
    height: int, short_side: int, network_size: tuple[int, int], how: int
) -> None:
    image = picture(height, 2 * height)
    weights = weights_like(preprocess=Preprocess(short_side=short_side))
    logits = Segmenter(weights, Runtime("torch", "cpu", "fp32")).logits(image)
    assert weights.preprocess.size(height, 2 * height) == network_size
    resized = np.asarray(cv2.resize(image, network_size[::-1], interpolation=how), np.uint8)
    plain = Segmenter(weights_like(), Runtime("torch", "cpu", "fp32"))
    bottom, right = (-side % 32 for side in network_size)
    x = F.pad(torch.from_numpy(plain.preprocess.normalise(resized).copy()), (0, right, 0, bottom))[None]
    with torch.inference_mode():
        low = plain.model.decoder(plain.model.encoder(x))
    covered = [side * height // short_side for side in x.shape[2:]]
    expected = F.interpolate(low, size=covered, mode="bilinear", align_corners=False)[0, :, :height, : 2 * height]
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)


def test_model_is_ready_for_use(segmenter: Segmenter) -> None:
    assert not segmenter.model.training
    assert {x.dtype for x in segmenter.model.parameters()} == {torch.float32}
    assert segmenter.labels.classes == ("sky", "road", "tree", "car")


def test_every_source_gives_the_same(segmenter: Segmenter, tmp_path: Path) -> None:
    image = picture(30, 41)
    file = tmp_path / "street.view.png"
    PIL.Image.fromarray(image).save(file)

    class OnlyPath:
        def __fspath__(self) -> str:
            return str(file)

    content = file.read_bytes()
    with file.open("rb") as opened:
        named = [segmenter(x) for x in (file, str(file), OnlyPath(), opened)]
    nameless: list[Any] = [content, bytearray(content), memoryview(content), io.BytesIO(content)]
    nameless += [PIL.Image.fromarray(image), image, torch.from_numpy(image)]
    results = [*named, *map(segmenter, nameless)]
    for result in results[1:]:
        assert result.mask.tobytes() == results[0].mask.tobytes()
        assert result.confidence.tobytes() == results[0].confidence.tobytes()
    assert [result.name for result in results] == ["street.view"] * 4 + ["image"] * 7


def test_what_holds_no_picture_is_refused_at_once(segmenter: Segmenter, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    with (tmp_path / "a.txt").open() as text, pytest.raises(SegNextError, match="gives text; open the file with 'rb'"):
        segmenter(text)
    for source, kind in (({"image": picture(8, 8)}, "dict"), (3, "int"), (None, "NoneType"), (object(), "object")):
        with pytest.raises(SegNextError, match=f"cannot read a picture from {kind}; give a path, bytes"):
            segmenter(source)  # type: ignore[call-overload]
    with pytest.raises(SegNextError, match="cannot make an array of Tensor"):
        segmenter(torch.zeros(8, 8, 3, requires_grad=True))
    with pytest.raises(SegNextError, match=r"the array's shape is \(3, 8, 8\); give H x W x 3"):
        segmenter(torch.zeros(3, 8, 8, dtype=torch.uint8))
    with pytest.raises(SegNextError, match="cannot read a picture from list"):
        next(segmenter([[picture(8, 8)]]))  # type: ignore[list-item]


def test_pictures_of_a_list_get_different_names(segmenter: Segmenter, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.png", "b/a.png", "b/A_2.png")]
    (tmp_path / "b").mkdir()
    for file in files:
        PIL.Image.fromarray(picture(16, 16)).save(file)
    image = picture(16, 16)
    results = list(segmenter([image, *files, image]))
    assert [result.name for result in results] == ["image", "a", "a_2", "A_2_2", "image_2"]
    for result in results:
        result.save(tmp_path / "out")
    assert len(list((tmp_path / "out").iterdir())) == 10


def test_a_result_says_what_it_is_in_a_line(segmenter: Segmenter) -> None:
    result = segmenter(picture(16, 24))
    name, share = max(result.shares.items(), key=lambda item: item[1])
    assert repr(result).startswith(f"<Result image: 24 x 16, {name} ")
    assert share > 0
    assert "array" not in repr(result)


def test_list_is_segmented_lazily_and_forgotten(segmenter: Segmenter) -> None:
    made: list[int] = []

    def images() -> Iterator[Image]:
        for seed in range(1000):
            made.append(seed)
            yield picture(16, 16, seed)

    results = segmenter(images())
    assert made == []
    first = next(results)
    assert made == [0]
    assert first.mask.tobytes() == segmenter(picture(16, 16, 0)).mask.tobytes()
    gone = weakref.ref(first)
    del first
    next(results)
    assert gone() is None
    assert [result.mask.shape for result in segmenter([picture(8, 9), picture(10, 11)])] == [(8, 9), (10, 11)]
    assert list(segmenter([])) == []
    several: list[Result] = list(segmenter(iter([picture(8, 8)])))
    assert len(several) == 1


def test_bad_source_in_a_list_is_named(segmenter: Segmenter) -> None:
    results = segmenter([picture(8, 8), "missing.png"])
    next(results)
    with pytest.raises(SegNextError, match=r"missing\.png: no such file"):
        next(results)
    with pytest.raises(SegNextError, match="cannot read a picture from int"):
        segmenter(3)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
        RuntimeError("Exception from src/inference.cpp: std::bad_alloc"),
        RuntimeError("could not create a primitive"),
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    ],
)
def test_lack_of_memory(tiny_weights: Weights, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter = Segmenter(tiny_weights, Runtime("torch", "cpu", "fp32"))

    def fail(x: Batch) -> Logits:
        raise error

    monkeypatch.setattr(segmenter, "engine", fail)
    with pytest.raises(SegNextError, match="picture of 9 x 8 pixels does not fit in memory"):
        segmenter(picture(8, 9))
    with pytest.raises(SegNextError, match="does not fit in memory"):
        segmenter.logits(picture(8, 9))


def test_other_errors_of_the_network_are_not_hidden(tiny_weights: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter = Segmenter(tiny_weights, Runtime("torch", "cpu", "fp32"))

    def fail(x: Batch) -> Logits:
        raise RuntimeError("a defect")

    monkeypatch.setattr(segmenter, "engine", fail)
    with pytest.raises(RuntimeError, match="a defect"):
        segmenter(picture(8, 8))


def test_devices(tiny_weights: Weights) -> None:
    with pytest.raises(SegNextError, match="device is 'gpu'; did you mean cuda"):
        Segmenter(tiny_weights, Runtime(device="gpu"))
    if torch.cuda.is_available():
        assert Segmenter(tiny_weights, Runtime("torch", "auto")).engine.device == "cuda"
    else:
        assert Segmenter(tiny_weights, Runtime("torch", "auto")).engine.device == "cpu"
        with pytest.raises(SegNextError, match="device 'cuda' is not there"):
            Segmenter(tiny_weights, Runtime(device="cuda"))


def test_weights_that_do_not_fit_are_refused(tiny_weights: Weights) -> None:
    bands = weights_like(dataclasses.replace(CONFIG, in_channels=4))
    with pytest.raises(SegNextError, match="take 4 bands"):
        Segmenter(bands, Runtime(device="cpu"))
    labels = dataclasses.replace(tiny_weights.labels, classes=("a", "b"), colors=((0, 0, 0), (1, 1, 1)))
    with pytest.raises(SegNextError, match="tell 4 classes apart, but name 2"):
        Segmenter(dataclasses.replace(tiny_weights, labels=labels), Runtime(device="cpu"))


def test_files_of_more_bands_than_pictures_have_are_refused(segmenter: Segmenter, tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 4000, (40, 40, 4), dtype=np.uint16)
    write_tiff(tmp_path / "four.tif", values)
    with pytest.raises(SegNextError, match=r"four\.tif: has 4 bands of 16 bits, but these weights take pictures, RGB"):
        segmenter(tmp_path / "four.tif")
    values[..., 3] = 65535
    write_tiff(tmp_path / "rgba.tif", values, photometric="rgb", alpha="yes")
    assert segmenter(tmp_path / "rgba.tif").mask.shape == (40, 40)
