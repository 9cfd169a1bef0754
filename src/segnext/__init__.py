"""Semantic segmentation with SegNeXt (Guo et al., NeurIPS 2022).

    segmenter = segnext.load()                      # the packaged weights, or a name, file or folder
    result = segmenter("street.jpg")                # result.mask, .classes, .confidence, .shares
    model = segnext.create_model("segnext_b", num_classes=19)

The names below are imported when they are first used, so that `import segnext` stays quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segnext.checkpoint.encoders import create_encoder
    from segnext.checkpoint.module import create_model, save_pretrained
    from segnext.errors import SegNextError
    from segnext.inference.load import load
    from segnext.inference.result import Result
    from segnext.inference.runtime import Runtime
    from segnext.inference.segmenter import Segmenter
    from segnext.inference.testing import Testing
    from segnext.labels import Labels
    from segnext.model.network import SegNeXt
    from segnext.training.config import TrainConfig
    from segnext.training.cross_validation import cross_validate
    from segnext.training.train import train

__version__: str

_HOMES = {
    "Labels": "labels",
    "Result": "inference.result",
    "Runtime": "inference.runtime",
    "SegNeXt": "model.network",
    "SegNextError": "errors",
    "Segmenter": "inference.segmenter",
    "Testing": "inference.testing",
    "TrainConfig": "training.config",
    "create_encoder": "checkpoint.encoders",
    "create_model": "checkpoint.module",
    "save_pretrained": "checkpoint.module",
    "load": "inference.load",
    "train": "training.train",
    "cross_validate": "training.cross_validation",
}

__all__ = [  # noqa: RUF022 - grouped as a reader would look for them
    "load",
    "Segmenter",
    "Runtime",
    "Result",
    "Testing",
    "create_model",
    "create_encoder",
    "save_pretrained",
    "SegNeXt",
    "train",
    "cross_validate",
    "TrainConfig",
    "Labels",
    "SegNextError",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("segnext")
    if name not in _HOMES:
        raise AttributeError(f"module 'segnext' has no attribute '{name}'")
    return getattr(import_module(f"segnext.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
