"""Official checkpoint files to our weights file, and back."""

import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from segnext.checkpoint.file import Weights, load_weights, save_weights
from segnext.checkpoint.official import from_official, to_official
from segnext.errors import SegNextError
from segnext.files import replacing
from segnext.labels import Labels
from segnext.model.network import ablations
from segnext.preprocess import Preprocess

# The sizes at which the published models of these label sets are tested on whole pictures; Cityscapes keeps the size.
TEST_SHORT_SIDES = {"ade20k": 512, "coco_stuff": 512, "voc": 512, "pascal_context": 480}


def read_official(path: Path) -> dict[str, Tensor]:
    """The state dict in an official .pth file, bare or under "state_dict"; nothing in it is executed.

    Raises:
        SegNextError: when the file is missing, damaged, not a checkpoint, or wants to execute code.
    """
    if not path.is_file():
        raise SegNextError(f"{path}: no such file; give an official checkpoint (.pth) or a weights file of ours")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's remarks on how the file was pickled
            content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise SegNextError(
            f"{path}: holds more than tensors and plain data, or is damaged, and is not loaded, because that could "
            "run code; download it again from its authors"
        ) from error
    except Exception as error:  # a damaged pickle ends in almost any error
        problem = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise SegNextError(f"{path}: not a readable checkpoint ({problem}); download it again") from error
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()):
        raise SegNextError(f"{path}: holds no state dict; give a checkpoint of tensors by name")
    return dict(state)


def convert_from_official(
    source: Path, target: Path, labels_for: Callable[[int], Labels], *, rank: int | None = None, half: bool = False
) -> Weights:
    """Write the official full model `source` as our weights file `target`.

    Args:
        source: .pth file.
        target: .safetensors file to write.
        labels_for: gives the meaning of the labels for a number of classes.
        rank: see `from_official`.
        half: see `save_weights`.

    Returns:
        What was written.
    """
    config, state = from_official(read_official(source), str(source), rank)
    provenance = {"converted_from": source.name}
    if config.num_classes > 255:
        raise SegNextError(f"{source}: has {config.num_classes} classes; 8-bit masks tell at most 255 apart")
    labels = labels_for(config.num_classes)
    if len(labels) != config.num_classes:
        raise SegNextError(
            f"{source}: has {config.num_classes} classes, but label set '{labels.name}' {len(labels)}; choose another"
        )
    preprocess = Preprocess(short_side=TEST_SHORT_SIDES.get(labels.name))
    weights = Weights(config, labels, preprocess, state, provenance)
    save_weights(weights, target, half=half)
    return weights


def convert_to_official(source: Path, target: Path) -> Weights:
    """Write our weights file `source` in the authors' layout, {"state_dict": ..., "meta": ...}, to `target`.

    Raises:
        SegNextError: when the network has another decoder or ablations.
    """
    weights = load_weights(source)
    changed = ablations(weights.config)
    if changed:
        raise SegNextError(
            f"{source}: in its {', '.join(changed)} it is not the published network, the only one that the authors' "
            "layout can hold; keep it as a .safetensors file"
        )
    meta = {"CLASSES": weights.labels.classes, "PALETTE": [list(color) for color in weights.labels.colors]}
    with replacing(target) as temporary:
        torch.save({"state_dict": to_official(weights.state), "meta": meta}, temporary)
    return weights
