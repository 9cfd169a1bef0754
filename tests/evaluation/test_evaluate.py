"""Evaluation of a predictor over labelled pictures."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from segnext.checkpoint.weights import Weights
from segnext.data.folder import Pair
from segnext.errors import SegNextError
from segnext.evaluation.evaluate import evaluate, predictor, require_same_classes
from segnext.inference.runtime import Runtime
from segnext.inference.segmenter import Segmenter
from segnext.labels import Labels
from segnext.model.config import ModelConfig
from segnext.model.families import build
from segnext.preprocess import Bands, Preprocess, Raster
from segnext.preprocess import Image as Picture

LABELS = Labels("toy", ("sky", "road"), ((128, 128, 128), (128, 64, 128)), 255)


def write_pairs(folder: Path, masks: list[list[list[int]]]) -> list[Pair]:
    pairs = []
    for index, mask in enumerate(masks):
        pair = Pair(folder / f"{index}.jpg", folder / f"{index}.png")
        Image.fromarray(np.array(mask, np.uint8)).save(pair.mask)
        pairs.append(pair)
    return pairs


def test_one_matrix_over_all_pictures_of_their_own_sizes(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path, [[[0, 0, 1]], [[1, 255], [1, 0]]])

    def all_road(path: Path | Picture | Raster) -> NDArray[np.uint8]:
        assert isinstance(path, Path)
        return np.ones((1, 3) if path.name == "0.jpg" else (2, 2), np.uint8)

    done: list[int] = []
    metrics = evaluate(all_road, pairs, LABELS, done.append)
    assert metrics.confusion.tolist() == [[0, 3], [0, 3]]
    assert metrics.classes == ("sky", "road")
    assert metrics.images == 2
    assert metrics.pixel_accuracy == 0.5
    assert done == [1, 2]


def test_wrong_size_names_both_files_and_sizes(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path, [[[0, 1, 1]]])
    with pytest.raises(SegNextError, match=r"0\.png: the mask is 3 x 1 .*0\.jpg is 2 x 4;"):
        evaluate(lambda path: np.zeros((4, 2), np.uint8), pairs, LABELS)


def test_no_pictures() -> None:
    with pytest.raises(SegNextError, match="no pictures to evaluate"):
        evaluate(lambda path: np.zeros((1, 1), np.uint8), [], LABELS)


def test_same_classes_pass_whatever_their_colours() -> None:
    other = Labels("other", ("sky", "road"), ((0, 0, 0), (1, 1, 1)), 7)
    require_same_classes(LABELS, other, weights_name="w", data_name="d")


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (("sky", "street"), "^d: label 1 is 'street', but 'road' for the weights w;"),
        (("road", "sky"), "^d: label 0 is 'road', but 'sky' for the weights w;"),
        (("sky", "road", "car"), "^d: has 3 classes, but the weights w know 2;"),
        (("sky",), "^d: has 1 classes, but the weights w know 2;"),
    ],
)
def test_other_classes_are_refused(classes: tuple[str, ...], message: str) -> None:
    data = Labels("other", classes, tuple((label, 0, 0) for label in range(len(classes))), 255)
    with pytest.raises(SegNextError, match=message):
        require_same_classes(LABELS, data, weights_name="w", data_name="d")


@pytest.mark.parametrize("multi_label", [False, True])
def test_what_was_not_measured_is_ignored(tmp_path: Path, multi_label: bool) -> None:
    labels = Labels("toy", ("sky", "road"), ((128, 128, 128), (128, 64, 128)), 255, multi_label)
    config = ModelConfig((8, 8, 8, 8), (1, 1, 1, 1), decoder_channels=64, rank=4, num_classes=2, in_channels=2)
    bands = Bands(("red", "nir"), ("red", "nir"), dtype="float32")
    preprocess = Preprocess((0.0, 0.0), (1.0, 1.0), bands=bands)
    segmenter = Segmenter(Weights(config, labels, preprocess, build(config).state_dict()), Runtime("torch", "cpu"))
    raster = np.ones((8, 10, 2), np.float32)
    raster[:4] = np.nan
    raster[:, :2, 0] = np.nan  # one band alone is missing
    mask = predictor(segmenter)(raster)
    assert mask.shape == ((2, 8, 10) if multi_label else (8, 10))
    assert (mask[..., :4, :] == 255).all()
    assert (mask[..., 4:, :] < 2).all()


def test_multi_label_pixels_that_were_not_measured_do_not_count(tmp_path: Path) -> None:
    labels = Labels("toy", ("sky", "road"), ((128, 128, 128), (128, 64, 128)), 255, multi_label=True)
    pair = Pair(tmp_path / "0.jpg", tmp_path / "0")
    pair.mask.mkdir()
    for name in labels.classes:
        Image.fromarray(np.array([[255, 255, 0]], np.uint8)).save(pair.mask / f"{name}.png")
    metrics = evaluate(lambda path: np.array([[[255, 1, 0]], [[255, 0, 0]]], np.uint8), [pair], labels)
    assert metrics.confusion.tolist() == [[[1, 0], [0, 1]], [[1, 0], [1, 0]]]
