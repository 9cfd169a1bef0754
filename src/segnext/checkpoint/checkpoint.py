"""Any file of weights, ours or official, whole or encoder only: its tensors, and what it says of itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from segnext.checkpoint.exported import EXPORTED, Exported
from segnext.checkpoint.names import layout_of
from segnext.checkpoint.pickles import read_pickle
from segnext.checkpoint.provenance import Provenance
from segnext.checkpoint.tensors import read_header, read_tensors
from segnext.checkpoint.unwrap import unwrapped
from segnext.checkpoint.weights import ENCODER_FORMAT, FORMAT, encoder_provenance, kind_of, parse_header
from segnext.words import counted


@dataclass(frozen=True)
class Checkpoint:
    """What a file of weights holds.

    Attributes:
        path: of the file.
        state: the network's tensors, by the names that they have there, without what wrappers put before them.
        provenance: where they come from.
        classes: of the network, in order; None where the file does not name them as ours do.
        meta: what official tools put beside the tensors.
        left_out: names of tensors in the file that are none of the network's, such as an auxiliary head's.
    """

    path: Path
    state: Mapping[str, Tensor]
    provenance: Provenance
    classes: tuple[str, ...] | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    left_out: Sequence[str] = ()

    @property
    def layout(self) -> str:
        """Of the tensors, in words."""
        return layout_of(self.state)

    @property
    def remark(self) -> str:
        """What of the file is left out; nothing if all is the network's."""
        left = counted(len(self.left_out), "tensor")
        return f"{left} of the file left out ('{self.left_out[0]}' first)" if self.left_out else ""


def read_checkpoint(path: Path) -> Checkpoint:
    """The weights in a .safetensors file or an official .pth file; nothing in it is executed.

    Raises:
        SegNextError: when the file is missing or damaged or holds no tensors by name.
    """
    if path.suffix in EXPORTED:
        Exported(path).refuse()
    foreign = Provenance(converted_from=path.name)
    if path.suffix != ".safetensors":
        found, meta = read_pickle(path)
        state, left_out = unwrapped(found)
        return Checkpoint(path, state, foreign, meta=meta, left_out=left_out)
    header = read_header(path)
    if kind_of(header.metadata) == FORMAT:
        weights = parse_header(header, path)
        return Checkpoint(path, weights.state, weights.provenance, weights.labels.classes)
    encoder = kind_of(header.metadata) == ENCODER_FORMAT
    provenance = encoder_provenance(header.metadata, path) if encoder else foreign
    state, left_out = unwrapped(read_tensors(path))
    return Checkpoint(path, state, provenance, left_out=left_out)
