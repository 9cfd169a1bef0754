"""Ways from picture to mask."""

import dataclasses
import pickle
from functools import partial
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from conftest import LABELS, picture

from segnext.bench import ways as module
from segnext.bench.stages import STAGES
from segnext.bench.task import Task, drawn_picture, with_random_weights, with_weights
from segnext.bench.ways import OURS, Way, open_way, ways
from segnext.checkpoint.weights import Weights, load_weights, save_weights
from segnext.errors import SegNextError
from segnext.imageio import read_image
from segnext.inference.runtime import Runtime
from segnext.inference.segmenter import Segmenter
from segnext.model.config import ModelConfig


@pytest.fixture
def task(weights_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    monkeypatch.setattr(module, "_configure", lambda way: None)  # settings of a whole process, here the tests'
    file = tmp_path / "street.png"
    PIL.Image.fromarray(picture(45, 70)).save(file)
    return Task(file, weights_file, tmp_path)


def test_ways_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "precisions", lambda engine: ("fp32",) if engine == "torch" else ("fp32", "bf16"))
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "onnxruntime" else name)
    names = [way.name for way in ways(None, ("segformer_b1",))]
    assert names == [
        "plain",
        "torch fp32",
        "openvino fp32",
        "openvino bf16",
        "SegFormer-B1 plain",
        "SegFormer-B1 openvino bf16",
        "SegFormer-B1 openvino bf16, our labels",
    ]
    assert [way.name for way in ways(["torch"], ())] == ["plain", "torch fp32"]
    with pytest.raises(SegNextError, match="engine onnxruntime is not installed"):
        ways(["torch", "onnxruntime"], ())


@pytest.mark.parametrize("align_corners", [False, True])
def test_plain_and_ours_give_the_same_labels(task: Task, align_corners: bool) -> None:
    weights = load_weights(task.weights)
    assert isinstance(weights.config, ModelConfig)
    config = dataclasses.replace(weights.config, align_corners=align_corners)
    save_weights(dataclasses.replace(weights, config=config), task.weights)
    plain = open_way(Way(OURS, "plain", "fp32", own_labels=True), task)
    ours = open_way(Way(OURS, "torch", "fp32"), task)
    for stages in (plain, ours):
        seconds = stages.round()
        assert tuple(seconds) == STAGES
        assert min(seconds.values()) > 0
        saved = np.asarray(PIL.Image.open(stages.out / "image.mask.png"))
        np.testing.assert_array_equal(saved, stages.mask())
    assert plain.mask().shape == (45, 70)
    assert len(np.unique(plain.mask())) > 1
    assert np.mean(plain.mask() == ours.mask()) > 0.999
    ends = Segmenter(load_weights(task.weights), Runtime("torch", "cpu", "fp32"))(task.picture).mask
    np.testing.assert_array_equal(ours.mask(), ends)


def test_a_way_travels_to_its_process(task: Task) -> None:
    start = partial(open_way, Way(OURS, "torch", "fp32"), task)
    assert pickle.loads(pickle.dumps(start)).args == start.args


def test_segformer_with_its_labels_and_with_ours(task: Task) -> None:
    pytest.importorskip("transformers")
    pytest.importorskip("openvino")
    plain = open_way(Way("segformer_b0", "plain", "fp32", own_labels=True), task)
    ours = open_way(Way("segformer_b0", "openvino", "fp32"), task)
    for stages in (plain, ours):
        stages.round()
    assert plain.mask().shape == (45, 70)
    assert np.mean(plain.mask() == ours.mask()) > 0.99


def test_sizes_of_a_task(task: Task) -> None:
    assert task.size() == (45, 70)
    assert task.input_size() == (64, 96)


def test_random_weights_and_a_drawn_picture(tmp_path: Path) -> None:
    file = drawn_picture(32, 48, tmp_path)
    assert read_image(file).shape == (32, 48, 3)
    task = with_random_weights("segnext_t", 7, file, tmp_path)
    assert task.cache == tmp_path / "cache"
    assert task.weights.stat().st_size > 4e6 * 4
    with pytest.raises(SegNextError, match="unknown model 'segnext_x'"):
        with_random_weights("segnext_x", 7, file, tmp_path)


def test_weights_of_another_kind_are_refused(tiny_weights: Weights, tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    save_weights(tiny_weights, file)
    assert with_weights(str(file), tmp_path / "a.jpg", tmp_path).cache is None
    several = dataclasses.replace(LABELS, multi_label=True)
    save_weights(dataclasses.replace(tiny_weights, labels=several), file)
    with pytest.raises(SegNextError, match="several labels a pixel; choose others"):
        with_weights(str(file), tmp_path / "a.jpg", tmp_path)
