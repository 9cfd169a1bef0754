"""The network with its preprocessing before it and the resize after it, as one graph."""

from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segnext.checkpoint.exported import FORMAT, HEADER
from segnext.checkpoint.weights import Weights, description
from segnext.choices import require_choices
from segnext.errors import SegNextError
from segnext.model.config import aligns_corners
from segnext.model.fold import fold

Input = Literal["uint8", "float"]
Output = Literal["labels", "confidence", "logits"]
NAMES: dict[Output, tuple[str, ...]] = {
    "labels": ("labels",),
    "confidence": ("labels", "confidence"),
    "logits": ("logits",),
}


@dataclass(frozen=True)
class Interface:
    """What goes in and comes out; batch, height and width are free.

    Attributes:
        input: "uint8" takes pictures as they are, (N, H, W, bands) uint8 (float32, in the units of the data, for
            weights of named bands); "float" the same normalised, float32. Both any size.
        output: "labels" (N, H, W) uint8 at the picture's size; "confidence" these and their probabilities, (N, H, W)
            float32; "logits" (N, h, w, classes) float32 of the picture filled up to a multiple of the network's stride,
            at its `logits_stride`.
    """

    input: Input = "uint8"
    output: Output = "labels"

    def __post_init__(self) -> None:
        """Refuse names that there are not."""
        require_choices(self)


class Deployed(nn.Module):
    """Picture to labels; see `Interface`.

    Raises:
        SegNextError: for multi-label weights, of which labels cannot be made.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, weights: Weights, interface: Interface) -> None:
        super().__init__()
        if weights.labels.multi_label and interface.output != "logits":
            raise SegNextError("multi-label weights have no labels; export their logits: --output logits")
        self.interface = interface
        self.network = fold(weights.model())
        self.stride, self.step = weights.config.strides[-1], weights.config.logits_stride
        self.corners = aligns_corners(weights.config)
        self.named = weights.preprocess.bands is not None
        self.register_buffer("mean", torch.tensor(weights.preprocess.mean))
        self.register_buffer("std", torch.tensor(weights.preprocess.std))
        self.dtype = torch.float32
        self.eval().requires_grad_(False)

    def narrow(self) -> None:
        """Compute the network in bfloat16; preprocessing, resize and what is decided stay in float32."""
        self.network.to(torch.bfloat16)
        self.dtype = torch.bfloat16

    def example(self) -> Tensor:
        """An input to trace with."""
        bands = len(self.mean)
        shape = 2, 2 * self.stride + 6, 3 * self.stride + 5, bands
        if self.interface.input == "uint8" and not self.named:
            return torch.zeros(shape, dtype=torch.uint8)
        return torch.zeros(shape)

    def forward(self, picture: Tensor) -> Any:
        height, width = picture.shape[1:3]
        x = picture.to(torch.float32)
        if self.interface.input == "uint8":
            x = (x - self.mean) / self.std
            if self.named:
                x = torch.where(x == x, x, torch.zeros_like(x))  # NaN stands for "not measured"
        rows, columns = ((side + self.stride - 1) // self.stride * self.stride for side in (height, width))
        filled = F.pad(x, (0, 0, 0, columns - width, 0, rows - height))
        logits: Tensor = self.network(filled.to(self.dtype)).float()
        if self.interface.output == "logits":
            return logits
        scores = F.interpolate(
            logits.permute(0, 3, 1, 2), scale_factor=float(self.step), mode="bilinear", align_corners=self.corners
        )
        labels = _corner(scores.argmax(1).to(torch.uint8), height, width)
        if self.interface.output == "labels":
            return labels
        return labels, _corner(scores.softmax(1).amax(1), height, width)


def _corner(x: Tensor, height: int, width: int) -> Tensor:
    """The first rows and columns of (N, H, W); a slice would tie the graph to sizes at which it is none."""
    rows, columns = (torch.arange(side, device=x.device) for side in (height, width))
    return x.index_select(1, rows).index_select(2, columns)


def metadata(weights: Weights, interface: Interface, precision: str) -> dict[str, Any]:
    """What a program needs to know of an exported file, kept inside it."""
    from importlib.metadata import version

    bands = weights.preprocess.bands
    return {
        "format": FORMAT,
        "input": interface.input,
        "output": interface.output,
        "precision": precision,
        "classes": list(weights.labels.classes),
        "colors": [list(color) for color in weights.labels.colors],
        "ignore": weights.labels.ignore,
        "mean": list(weights.preprocess.mean),
        "std": list(weights.preprocess.std),
        "bands": list(bands.chosen) if bands else ["red", "green", "blue"],
        "stride": weights.config.strides[-1],
        "logits_stride": weights.config.logits_stride,
        "short_side": weights.preprocess.short_side,
        "long_side": weights.preprocess.long_side,
        "align_corners": aligns_corners(weights.config),
        "version": version("segnext"),
        "weights": weights.digest,
        HEADER: description(weights),
    }
