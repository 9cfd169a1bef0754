"""The header of our weights file: all that is needed to rebuild and use the model, read without torch."""

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from segnext.errors import SegNextError
from segnext.labels import Labels
from segnext.model.config import ModelConfig, check
from segnext.plain import with_tuples
from segnext.preprocess import Bands, Preprocess

if TYPE_CHECKING:
    from segnext.checkpoint.file import Weights

FORMAT = "segnext 1"
ENCODER_FORMAT = "segnext encoder 1"


@dataclass(frozen=True)
class Header:
    """Network configuration, meaning of the labels, preprocessing, provenance."""

    config: ModelConfig
    labels: Labels
    preprocess: Preprocess
    provenance: dict[str, Any] = field(default_factory=dict)


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file.

    Raises:
        SegNextError: when the file is missing or damaged.
    """
    if not path.is_file():
        raise SegNextError(f"{path}: no such weights file; give a .safetensors file or a training run's folder")
    try:
        with safe_open(path, framework="numpy") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise SegNextError(
            f"{path}: not a readable safetensors file ({error}); official .pth files become one with "
            "'segnext convert IN.pth OUT.safetensors'"
        ) from error


def parse_header(metadata: dict[str, str], path: Path) -> Header:
    """What the metadata of the weights file `path` say.

    Raises:
        SegNextError: when it is not a weights file of ours.
    """
    if metadata.get("format") == ENCODER_FORMAT:
        raise SegNextError(
            f"{path}: holds an encoder alone, which segments nothing; start a training run from it with "
            "--encoder_weights"
        )
    if metadata.get("format") != FORMAT:
        raise SegNextError(
            f"{path}: a safetensors file without segnext's header; convert it with 'segnext convert IN OUT'"
        )
    try:
        content = json.loads(metadata["segnext"])
        config = ModelConfig(**with_tuples(content["model"]))
        preprocess = _preprocess(content["preprocess"])
        class_list, provenance = content["labels"], content["provenance"]
        check(config)
    except (AttributeError, KeyError, TypeError, ValueError, SegNextError) as error:
        raise SegNextError(f"{path}: its header does not fit this version of segnext ({error})") from error
    labels = Labels.from_dict(class_list, str(path))
    if len(labels) != config.num_classes:
        raise SegNextError(
            f"{path}: names {len(labels)} classes, but its network tells {config.num_classes} apart; "
            "save or convert it again"
        )
    return Header(config, labels, preprocess, provenance)


class WeightsFile:
    """A weights file of which only the header has been read; what it holds is as of `Weights`.

    Raises:
        SegNextError: when the file is missing or damaged, or not one of ours.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        header = parse_header(read_metadata(path), path)
        self.config = header.config
        self.labels = header.labels
        self.preprocess = header.preprocess
        self.provenance = header.provenance

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the file, hexadecimal."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    def load(self) -> "Weights":
        """The whole file; see `load_weights`."""
        from segnext.checkpoint.file import load_weights

        return load_weights(self.path)


def _preprocess(fields: dict[str, Any]) -> Preprocess:
    bands = fields.get("bands")
    return Preprocess(**with_tuples(fields | {"bands": bands and Bands(**with_tuples(bands))}))
