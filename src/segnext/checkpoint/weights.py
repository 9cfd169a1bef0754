"""Our weights: a network with all that is needed to rebuild and use it, in memory or in a file of which only the
header has been read. The header is read without torch.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segnext.checkpoint.bounds import Shapes, require_bounded
from segnext.checkpoint.exported import EXPORTED, HEADER, Exported, read_exported, require_runnable
from segnext.checkpoint.provenance import Provenance
from segnext.checkpoint.tensors import Header, read_header, read_tensors, save_tensors
from segnext.documents import parse_small_json
from segnext.errors import SegNextError
from segnext.labels import Labels
from segnext.model.config import ExportedConfig, NetworkConfig, inside
from segnext.model.families import FAMILIES, build, family_name
from segnext.plain import with_tuples
from segnext.preprocess import Bands, Preprocess

if TYPE_CHECKING:
    from torch import Tensor

    from segnext.model.network import Network

# What our files are told by: "kind" in their metadata, or "format" in older ones. Other tools look there for "pt".
FORMAT = "segnext 1"
ENCODER_FORMAT = "segnext encoder 1"
LATER = ("align_corners", "long_side")
USUAL = "segnext"  # family of a header that names none


@dataclass(frozen=True)
class Weights:
    """A network's weights, and what is needed to use them.

    Attributes:
        config: what determines the network's shape.
        labels: what its labels mean.
        preprocess: how pictures are prepared.
        state: tensors by name; those of a file are read, and checked, when the first of them is asked for.
        provenance: where they come from.
    """

    config: NetworkConfig
    labels: Labels
    preprocess: Preprocess
    state: "Mapping[str, Tensor]"
    provenance: Provenance = field(default_factory=Provenance)

    def model(self) -> "Network":
        """The network with these weights, in evaluation mode, float32.

        Raises:
            SegNextError: when the tensors of the file are not those of the network.
        """
        from segnext.model.unfilled import unfilled

        state = {name: tensor.clone() for name, tensor in self.state.items()}  # of a file, first of all checked
        with unfilled():
            model = build(self.config)
        model.load_state_dict(state, assign=True)
        model.kept_as = dataclasses.replace(self, state={})
        return model.eval()

    @cached_property
    def digest(self) -> str:
        """SHA-256, hexadecimal, of the file or files, or in memory of the configuration and the tensors."""
        digest = hashlib.sha256()
        if isinstance(self.state, _Stored | Exported):
            for file in self.state.files:
                digest.update(file.read_bytes())
            return digest.hexdigest()
        import torch

        digest.update(repr(self.config).encode())
        for name, tensor in self.state.items():
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        return digest.hexdigest()


class _Stored(Mapping[str, "Tensor"]):
    """The tensors of the network that `config` describes, in the file `path`."""

    def __init__(self, path: Path, config: NetworkConfig) -> None:
        self.path = path
        self.config = config

    @property
    def files(self) -> list[Path]:
        """All that the tensors are stored in."""
        return [self.path]

    def __reduce__(self) -> tuple[Any, ...]:
        """Copied and pickled without the tensors that were read."""
        return _Stored, (self.path.absolute(), self.config)

    @cached_property
    def _tensors(self) -> "dict[str, Tensor]":
        from segnext.checkpoint.coverage import compare
        from segnext.model.unfilled import unfilled

        found = read_tensors(self.path)
        try:
            with unfilled():
                wanted = build(self.config).state_dict()
        except (TypeError, ValueError, RuntimeError, SegNextError) as error:
            raise _misfit(self.path, error) from error
        compare(wanted, found).require(str(self.path), hint="the file is damaged, save or convert it again")
        return found

    def __getitem__(self, name: str) -> "Tensor":
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


def load_weights(path: Path) -> Weights:
    """The weights in a file, of which the header is read now and the tensors when they are needed; nothing in it is
    executed.

    An exported file has no tensors to ask for; engines run it as it is.

    Raises:
        SegNextError: when the file is missing, damaged or not one of ours.
    """
    if path.suffix in EXPORTED:
        require_runnable(path)
        return parse_exported(read_exported(path), path)
    return parse_header(read_header(path), path)


def save_weights(weights: Weights, path: Path, *, half: bool = False) -> None:
    """Write `weights` to `path`, through a temporary file.

    With `half`, convolution weights are stored as float16, everything else stays float32.
    """
    save_tensors(weights.state, metadata_of(weights), path, half=half)


def save_encoder(state: "Mapping[str, Tensor]", provenance: Provenance, path: Path, *, half: bool = False) -> None:
    """Write a file that `--encoder_weights` takes.

    Args:
        state: tensors of an encoder, `encoder.*` in our names, and an ImageNet classifier `head.*` if there is one.
        provenance: where they come from.
        path: to write, through a temporary file.
        half: see `save_weights`.
    """
    metadata = {"format": "pt", "kind": ENCODER_FORMAT, "segnext": json.dumps({"provenance": provenance.to_dict()})}
    save_tensors(state, metadata, path, half=half)


def description(weights: Weights) -> dict[str, Any]:
    """Everything but the tensors, as JSON has it."""
    config = inside(weights.config)
    family = family_name(config)
    named = {} if family == USUAL else {"family": family}
    return named | {
        "model": _known_before(config),
        "labels": weights.labels.to_dict(),
        "preprocess": _known_before(weights.preprocess),
        "provenance": weights.provenance.to_dict(),
    }


def _known_before(part: Any) -> dict[str, Any]:
    """Its fields; those that came later, which earlier versions do not read, only where they say something."""
    return {name: value for name, value in dataclasses.asdict(part).items() if value or name not in LATER}


def metadata_of(weights: Weights) -> dict[str, str]:
    """The metadata of our file, as `parse_header` reads it."""
    return {"format": "pt", "kind": FORMAT, "segnext": json.dumps(description(weights))}


def kind_of(metadata: Mapping[str, str]) -> str | None:
    """`FORMAT` of our weights files, `ENCODER_FORMAT` of encoders alone; something else of others' files."""
    return metadata.get("kind", metadata.get("format"))


def parse_header(header: Header, path: Path) -> Weights:
    """What the header of the weights file `path` says, with the tensors that are in it.

    Raises:
        SegNextError: when it is not a weights file of ours, or asks for more than its tensors show.
    """
    metadata = header.metadata
    if kind_of(metadata) == ENCODER_FORMAT:
        raise SegNextError(
            f"{path}: holds an encoder alone, which segments nothing; start a training run from it with "
            "--encoder_weights"
        )
    if kind_of(metadata) != FORMAT:
        raise SegNextError(
            f"{path}: a safetensors file without segnext's header; convert it with 'segnext convert IN OUT'"
        )
    weights = _described(metadata.get("segnext", ""), header.shapes, path)
    try:
        weights.config.check()
    except SegNextError as error:
        raise _misfit(path, error) from error
    return dataclasses.replace(weights, state=_Stored(path, weights.config))


def parse_exported(found: Mapping[str, str], path: Path) -> Weights:
    """What `read_exported` found in the file `path`, as weights without tensors; nobody builds their network.

    Raises:
        SegNextError: when it is damaged, or asks for more than the file shows.
    """
    state = Exported(path)
    weights = _described(found[HEADER], sum(file.stat().st_size for file in state.files), path)
    about = {name: found.get(name, "") for name in ("precision", "input", "output")}
    if about["input"] not in ("uint8", "float") or about["output"] not in ("labels", "confidence", "logits"):
        raise _misfit(path, ValueError(f"it takes {about['input']!r} and gives {about['output']!r}"))
    config = ExportedConfig(str(path), EXPORTED[path.suffix], **about, network=inside(weights.config))
    return dataclasses.replace(weights, config=config, state=state)


def _described(text: str, held: Shapes | int, path: Path) -> Weights:
    """What a header's text describes, without tensors; for `held` see `require_bounded`."""
    try:
        content = parse_small_json(text, "segnext")
        config = FAMILIES[content.get("family", USUAL)].config(**with_tuples(content["model"]))
        preprocess = preprocess_from(content["preprocess"])
        class_list, provenance = content["labels"], Provenance.from_dict(content["provenance"])
        require_bounded(config, preprocess, held)
    except (AttributeError, KeyError, TypeError, ValueError, SegNextError) as error:
        raise _misfit(path, error) from error
    labels = Labels.from_dict(class_list, str(path))
    if len(labels) != config.num_classes:
        raise SegNextError(
            f"{path}: names {len(labels)} classes, but its network tells {config.num_classes} apart; "
            "save or convert it again"
        )
    return Weights(config, labels, preprocess, {}, provenance)


def encoder_provenance(metadata: Mapping[str, str], path: Path) -> Provenance:
    """Where the encoder in a file that `save_encoder` wrote comes from.

    Raises:
        SegNextError: when the metadata are damaged.
    """
    try:
        return Provenance.from_dict(parse_small_json(metadata["segnext"], "segnext")["provenance"])
    except (AttributeError, KeyError, TypeError, ValueError, SegNextError) as error:
        raise _misfit(path, error) from error


def _misfit(path: Path, error: Exception) -> SegNextError:
    problem = " ".join(str(error).split())[:300]
    return SegNextError(f"{path}: its header does not fit this version of segnext ({problem})")


def preprocess_from(fields: dict[str, Any]) -> Preprocess:
    """Of its fields as JSON has them."""
    bands = fields.get("bands")
    return Preprocess(**with_tuples(fields | {"bands": bands and Bands(**with_tuples(bands))}))
