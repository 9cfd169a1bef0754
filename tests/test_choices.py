"""Names that users choose from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

import segnext
from segnext.choices import meant, nearest, options, require_choices
from segnext.errors import SegNextError
from segnext.files import beside
from segnext.inference.runtime import device_name


def test_the_nearest_names() -> None:
    assert nearest("openvin", ("torch", "openvino", "onnxruntime")) == ["openvino"]
    assert nearest("Batch-Size", ("batch_size", "crop")) == ["batch_size"]
    assert nearest("onnx", ("torch", "openvino", "onnxruntime")) == ["onnxruntime"]
    assert nearest("segnext_z", ("segnext_t", "segnext_b")) == ["segnext_t", "segnext_b"]
    assert nearest("x", ("torch", "openvino")) == nearest("x", ()) == []


def test_what_was_meant() -> None:
    assert meant("b", ("a1", "b1", "b2")) == "did you mean b1 or b2?"
    assert meant("zzz", ("one", "two")) == "choose from one, two"
    assert meant("zzz", map(str, range(20))).endswith("14, 15, ... (20 in all)")


@dataclass(frozen=True)
class Settings:
    kind: Literal["one", "two"] = "one"
    several: tuple[Literal["a", "b"], ...] = ()
    perhaps: Literal["x"] | None = None
    free: str = ""


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "tow"}, "part.kind is 'tow'; did you mean two?"),
        ({"several": ("a", "c")}, "part.several is 'c'; choose from a, b"),
        ({"perhaps": "z"}, "part.perhaps is 'z'; choose from x"),
    ],
)
def test_values_that_a_type_checker_would_refuse(values: dict[str, Any], message: str) -> None:
    require_choices(Settings(several=("a", "b"), perhaps="x", free="anything"))
    with pytest.raises(SegNextError) as error:
        require_choices(Settings(**values), "part.")
    assert str(error.value) == message
    assert options(Literal["one", 2] | None) == ("one", 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: segnext.load(engine="openvin"), "engine is 'openvin'; did you mean openvino?"),  # type: ignore[arg-type]
        (lambda: segnext.load(precision="bf61"), "precision is 'bf61'; did you mean bf16?"),  # type: ignore[arg-type]
        (lambda: segnext.load(device="gpu"), "device is 'gpu'; did you mean cuda?"),  # type: ignore[arg-type]
        (lambda: segnext.load(device="mps"), "device is 'mps'; processors and CUDA devices are supported"),  # type: ignore[arg-type]
        (lambda: segnext.Testing(resize="padd"), "resize is 'padd'; did you mean pad?"),  # type: ignore[arg-type]
        (
            lambda: segnext.TrainConfig("d", "o", precision="bf61"),  # type: ignore[arg-type]
            "precision is 'bf61'; did you mean bf16?",
        ),
        (
            lambda: segnext.TrainConfig("d", "o", track=("wandbb",)),  # type: ignore[arg-type]
            "track is 'wandbb'; did you mean wandb?",
        ),
        (lambda: segnext.create_model("segnext_z"), "unknown model 'segnext_z'; did you mean segnext_t, "),
        (lambda: segnext.create_model("segnext_t", decoder="asp"), "decoder is 'asp'; did you mean aspp"),
        (lambda: segnext.create_model("segnext_t", drop_paths=0.1), "to change; did you mean drop_path?"),
    ],
)  # fmt: skip
def test_wrong_names_in_the_api_get_a_sentence(call: Any, message: str) -> None:
    with pytest.raises(SegNextError) as error:
        call()
    assert message in str(error.value)


def test_masks_and_classes_of_a_result() -> None:
    labels = segnext.Labels("toy", ("road", "car"), ((1, 1, 1), (2, 2, 2)))
    mask = np.zeros((2, 2), np.uint8)
    result = segnext.Result(np.zeros((2, 2, 3), np.uint8), mask, lambda: mask.astype(np.float32), labels, 0.0)
    with pytest.raises(SegNextError, match="mask is 'gray'; did you mean grey"):
        result.mask_image("gray")  # type: ignore[arg-type]
    with pytest.raises(SegNextError, match="the class is 'cars'; did you mean car"):
        result.crop("cars")


def test_devices_are_taken_as_torch_has_them() -> None:
    import torch

    assert device_name(1) == device_name("1") == device_name(torch.device("cuda", 1)) == device_name("cuda:1")
    assert [device_name(name) for name in ("auto", "cpu", "cuda")] == ["auto", "cpu", "cuda"]
    for wrong in ("cuda:x", "cpu:1", "xpu"):
        with pytest.raises(SegNextError, match="device is"):
            device_name(wrong)


def test_what_lies_beside_a_path(tmp_path: Path) -> None:
    (tmp_path / "street.png").touch()
    assert beside(tmp_path / "sreet.png") == f" (did you mean {tmp_path / 'street.png'}?)"
    assert beside(tmp_path / "other") == ""
    assert beside(tmp_path / "street" / "deep" / "a.png") == f" (did you mean {tmp_path / 'street.png'}?)"
