"""MSCAN under the decoders of segmentation_models_pytorch."""

import importlib.util
import sys
import types
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import CONFIG, weights_like
from torch import nn

from segnext.errors import SegNextError


class Named(type):
    """A class whose attributes are their names."""

    def __getattr__(cls, name: str) -> str:
        if name.startswith("__"):
            raise AttributeError(name)
        return name


class Absent:
    """In place of a torchvision that cannot be imported here: classes that the library only inherits from.

    None of them is used by what is tested.
    """

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        return ModuleSpec(name, self, is_package=True) if name.split(".")[0] == "torchvision" else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        module = types.ModuleType(spec.name)
        vars(module)["__getattr__"] = self.classes
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        pass

    @staticmethod
    def classes(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Named(name, (nn.Module,), {})


@pytest.fixture(scope="module")
def smp() -> Iterator[Any]:
    if importlib.util.find_spec("segmentation_models_pytorch") is None:
        pytest.skip("the package segmentation-models-pytorch is not installed")
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError):
        sys.meta_path.append(Absent())
    import segmentation_models_pytorch

    import segnext.integrations.smp  # noqa: F401

    yield segmentation_models_pytorch
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, Absent)]
    for name in [name for name in sys.modules if name.split(".")[0] in ("torchvision", "timm")]:
        del sys.modules[name]


@pytest.mark.parametrize("arch", ["Unet", "FPN", "PSPNet", "UPerNet", "Segformer"])
def test_decoders(smp: Any, arch: str, weights_file: Path) -> None:
    from segnext.integrations.smp import register

    model = getattr(smp, arch)(register(str(weights_file)), encoder_weights=None, classes=5)
    image = torch.rand(2, 3, 64, 96)
    logits = model(image)
    assert logits.shape == (2, 5, 64, 96)
    logits.square().mean().backward()
    used = [x.grad for x in model.encoder.encoder.stages[0].parameters()]
    assert all(grad is not None and grad.isfinite().all() for grad in used)


def test_features_are_ours(smp: Any, weights_file: Path) -> None:
    from segnext.integrations.smp import register

    encoder = smp.encoders.get_encoder(register(str(weights_file)), weights=None).eval()
    assert list(encoder.out_channels) == [3, 0, *CONFIG.channels]
    image = torch.rand(1, 3, 64, 64)
    first, half, *maps = encoder(image)
    assert first is image
    assert half.shape == (1, 0, 32, 32)
    for got, wanted in zip(maps, weights_like().model().encoder(image), strict=True):
        torch.testing.assert_close(got, wanted, rtol=0, atol=0)


def test_bands_and_depth(smp: Any) -> None:
    model = smp.Unet(
        "mscan_t", encoder_weights=None, in_channels=5, encoder_depth=4, decoder_channels=(32, 16, 16, 8), classes=2
    )
    assert list(model.encoder.out_channels) == [5, 0, 32, 64, 160]
    assert model(torch.rand(1, 5, 64, 64)).shape == (1, 2, 64, 64)
    assert {"mscan_t", "mscan_s", "mscan_b", "mscan_l"} <= set(smp.encoders.get_encoder_names())


def test_what_it_cannot_do(smp: Any) -> None:
    with pytest.raises(SegNextError, match="no dilated form"):
        smp.DeepLabV3("mscan_t", encoder_weights=None)
    with pytest.raises(SegNextError, match="encoder_depth is 1"):
        smp.encoders.get_encoder("mscan_t", depth=1, weights=None)
    assert "vit_b" not in smp.encoders.get_encoder_names()
